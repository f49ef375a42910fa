"""What the buttons of a panel do: an act starts on another thread, its outcome goes back to the browser as a message.

Exceptions and prints in widget callbacks vanish, and callbacks may run on any thread; so nothing is done here but
starting the act, and whatever it raises becomes words in the panel.
"""

from __future__ import annotations

import hashlib
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from devin_jupyter import loop
from devin_jupyter.errors import DevinError
from devin_jupyter.redaction import redact
from devin_jupyter.text import safe_text

Act = Callable[..., Any]
FILES_BYTES = 8 * 1024 * 1024


class Acts:
    """Runs the acts of one session, each at most once at a time."""

    def __init__(self, acts: Mapping[str, Act], answer: Callable[[dict[str, Any]], None]) -> None:
        """Keep the callables by name (`send`, `stop`, `archive`) and the way back to the browser."""
        self._acts, self._answer = acts, answer
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._said: str | None = None

    def turn_moved(self) -> None:
        """Note that Devin took the last message up, so that the same words mean a new message."""
        self._said = None

    def start(self, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Start what a message of the browser asks for; returns at once and never raises."""
        name, token = str(content.get("action")), content.get("token")
        try:
            call = self._call(name, content, buffers)
        except _Refusal as refusal:
            self._reply(token, error=str(refusal))
            return
        threading.Thread(target=self._run, args=(name, token, call), name=f"devin-panel-{name}", daemon=True).start()

    def _call(self, name: str, content: Mapping[str, Any], buffers: Sequence[Any]) -> Callable[[], Any]:
        act = self._acts.get(name)
        if act is None:
            raise _Refusal(f"this session has no {safe_text(name, 40)!r} here")
        arguments = _message(content, buffers) if name == "send" else {}
        with self._lock:
            if name in self._under_way:
                raise _Refusal("this is under way already")
            if name == "send":
                self._refuse_echo(arguments)
            self._under_way.add(name)
        return lambda: act(**arguments)

    def _refuse_echo(self, arguments: Mapping[str, Any]) -> None:
        """A second click on the same words before Devin has read them is a slip, and would be paid for."""
        digest = hashlib.sha256(repr(sorted(arguments.items())).encode()).hexdigest()
        if digest == self._said:
            raise _Refusal("already sent; Devin has not answered it yet")
        self._said = digest

    def _run(self, name: str, token: Any, call: Callable[[], Any]) -> None:
        try:
            result = call()
            if inspect.iscoroutine(result):
                result = loop.run(result)
            self._reply(token, notice=_notice(result) if name == "send" else None)
        except Exception as problem:
            self._said = None if name == "send" else self._said
            self._reply(token, error=_words(problem))
        finally:
            with self._lock:
                self._under_way.discard(name)

    def _reply(self, token: Any, **outcome: str | None) -> None:
        self._answer({"kind": "outcome", "token": token, **{key: text for key, text in outcome.items() if text}})


class _Refusal(Exception):
    """A request of the browser that is not carried out; the message is shown in the panel."""


def _message(content: Mapping[str, Any], buffers: Sequence[Any]) -> dict[str, Any]:
    text = str(content.get("text") or "").strip()
    names = [str(name) for name in content.get("files") or ()]
    if not text:
        raise _Refusal("write a message first")
    if len(names) != len(buffers):
        raise _Refusal("the files did not arrive whole; choose them again")
    files = [(name, bytes(buffer)) for name, buffer in zip(names, buffers, strict=True)]
    if sum(len(content) for _, content in files) > FILES_BYTES:
        raise _Refusal("more than 8 MB of files; send them with .send(text, attach=[…])")
    return {"text": text, "files": files}


def _notice(result: Any) -> str | None:
    """The line an act hands back, such as that a message had been sent before."""
    notice = result if isinstance(result, str) else getattr(result, "notice", None)
    return safe_text(notice, 400) if isinstance(notice, str) else None


def _words(problem: Exception) -> str:
    if isinstance(problem, DevinError):
        return "\n".join(problem.lines)
    return safe_text(redact(f"{type(problem).__name__}: {problem}"), 600)
