"""Where the `{{ … }}` of a text are, without evaluating any: shared by the option line and the template."""

from __future__ import annotations

from collections.abc import Iterator

from devin_jupyter.errors import TemplateError

RAW = "correct it, or add --raw to send the text as it is"


def expressions(text: str, *, strict: bool = True) -> Iterator[tuple[int, int]]:
    """Yield where each `{{ … }}` starts and ends; quotes and brackets inside are respected.

    Raises:
        TemplateError: a `{{` that is never closed, where `strict`; otherwise it counts as plain text.
    """
    at = text.find("{{")
    while at >= 0:
        end = _end(text, at + 2)
        if end < 0:
            if strict:
                raise TemplateError("a {{ is opened and never closed", "nothing was sent", RAW)
            return
        yield at, end
        at = text.find("{{", end)


def _end(text: str, at: int) -> int:
    depth, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif not depth and text.startswith("}}", at):
            return at + 2
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
        at += 1
    return -1
