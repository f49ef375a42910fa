"""Parts of the notebook as plain text: the last error with its code, the cell above, all cells above.

`--attach :traceback`, `:cell` and `:notebook` send these, and `%devin fix` asks about the first. The same notebook
gives the same text in every process, so that a rerun is the same request: execution counts, addresses of objects and
the folders of Python are left out. Cells with a prompt for Devin or with `%devin` commands only are left out too.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devin_jupyter.errors import Detached, DetachedAwait, DevinError, OptionError
from devin_jupyter.host import executions, host, running_shell
from devin_jupyter.redaction import redact

MOST_OUTPUT = 4000
"""In `:notebook`, a longer output is left out; characters."""
_LONGEST_OUTPUT = 100_000
_CELL_FILE = re.compile(r"ipykernel_\d+[/\\]|<ipython-input-|__marimo__|^<stdin>$|^<string>$")
_LIBRARY = re.compile(r"^.*[/\\](?:site-packages|dist-packages|python3\.\d+t?)[/\\]")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OURS = re.compile(r"\s*%%devin\b|(?:\s*%devin\b[^\n]*(?:\n|$))+\s*$")
OURS = (DevinError, Detached, DetachedAwait)
"""Errors of this package say what to do, and are not about the code of a cell."""
_OWN_ERROR = "its own lines say what to do; run the cell whose code fails, then this one again"
_NO_ERROR = "there is no error to attach: no cell of this notebook has failed"


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell."""

    source: str
    output: str = ""
    """As plain text, errors included."""
    cell_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error, and the cell that raised it."""

    source: str
    """Of the cell; empty where it is not known."""
    traceback: str

    @property
    def markdown(self) -> str:
        """Both, as blocks of Markdown, redacted."""
        blocks = [("The cell that failed:", self.source, "python"), ("Its error:", self.traceback, "")]
        return "\n".join(fenced(*block) for block in blocks if block[1].strip())


def last_failure() -> Failure:
    """Return the last error of the notebook that is not one of this package.

    Raises:
        OptionError: there is none.
    """
    for ran in reversed(executions):
        if ran.error:
            return Failure(ran.source, ran.error)
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if error is None or isinstance(error, OURS):
        own = next((ran.own_error for ran in reversed(executions) if ran.own_error), error and type(error).__name__)
        if own:
            raise OptionError(f"{_NO_ERROR} but with an error of devin_jupyter itself ({own})", hint=_OWN_ERROR)
        raise OptionError(_NO_ERROR, hint="run the cell that fails, then this one again")
    return failure_of(error)


def failure_of(error: BaseException, source: str = "") -> Failure:
    """Return an exception as text, with the cell that raised it.

    Args:
        error: the exception.
        source: of the cell; by default what its traceback leads to.
    """
    return Failure(source or _cell_of(error), formatted(error))


def formatted(error: BaseException) -> str:
    """Return a traceback as Python prints it, from the first cell in it on; redacted, and the same in every process."""
    captured = traceback.TracebackException.from_exception(error, compact=True)
    _simplify(captured)
    return clean("".join(captured.format()))


def _simplify(captured: traceback.TracebackException) -> None:
    """Cut the frames of the kernel, and name files as they are called on any machine."""
    frames, at_fault = list(captured.stack), getattr(captured, "filename", None)  # the second of a SyntaxError only
    is_cell = isinstance(at_fault, str) and bool(_CELL_FILE.search(at_fault))
    nowhere = len(frames) if is_cell else 0  # a cell that cannot be compiled has no frame of its own
    first = next((at for at, frame in enumerate(frames) if _CELL_FILE.search(frame.filename)), nowhere)
    captured.stack[:] = frames[first:]
    for frame in captured.stack:
        frame.filename = _file_name(frame.filename)
    if isinstance(at_fault, str):
        captured.filename = _file_name(at_fault)
    for inner in (captured.__cause__, captured.__context__, *(captured.exceptions or ())):
        if inner is not None:
            _simplify(inner)


def _file_name(path: str) -> str:
    return "<cell>" if _CELL_FILE.search(path) else _LIBRARY.sub("", path)


def _cell_of(error: BaseException) -> str:
    """Return the source of the outermost cell in a traceback, from Python's line cache."""
    import linecache

    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if _CELL_FILE.search(name):
            return "".join(linecache.getlines(name))
        trace = trace.tb_next
    return ""


def clean(text: str) -> str:
    """Return text without colors and addresses of objects, redacted."""
    return redact(_ADDRESS.sub("0x…", _ANSI.sub("", text)))


# --- cells -------------------------------------------------------------------------------------------------------


def cells_above() -> list[Cell]:
    """Return the code cells above the running one: in the order of the saved notebook, else of their execution.

    What this kernel has run goes before what is saved.
    """
    shell = running_shell()
    ran = _ran(shell) if shell is not None else []
    here = _running_id()
    saved = saved_cells(Path(host().notebook)) if here else []
    above = next((saved[:at] for at, cell in enumerate(saved) if cell.cell_id == here), None)
    if above is None:
        return [cell for cell in ran if not _OURS.match(cell.source)]
    by_id = {cell.cell_id: cell for cell in ran if cell.cell_id}
    by_source = {cell.source.strip(): cell for cell in ran}
    found = (by_id.get(cell.cell_id or "") or by_source.get(cell.source.strip()) or cell for cell in above)
    return [cell for cell in found if cell.source.strip() and not _OURS.match(cell.source)]


def _running_id() -> str | None:
    running = executions[-1] if executions and executions[-1].is_running else None
    return running.cell_id if running is not None else host().cell_id


def _ran(shell: Any) -> list[Cell]:
    """Return the cells that this kernel ran before the running one, each once, as of its last run."""
    manager = getattr(shell, "history_manager", None)
    history, outputs = list(getattr(manager, "input_hist_raw", ())), getattr(manager, "outputs", {})
    known = {ran.count: ran for ran in executions if ran.is_stored}
    kept: dict[str, Cell] = {}

    def keep(source: str, output: str, cell_id: str | None) -> None:
        kept[cell_id or source] = Cell(source, clean(output), cell_id)

    is_last = bool(executions) and executions[-1].is_running and executions[-1].is_stored
    for count, source in enumerate(history[:-1] if is_last else history):
        if count and source.strip():
            ran = known.get(count)
            result = getattr(shell, "user_ns", {}).get("_oh", {}).get(count)
            text = _stored_text(outputs.get(count) or (), result)
            text += "".join((*ran.shown, ran.error)) if ran is not None else ""
            keep(source, text, ran.cell_id if ran is not None else None)
    for ran in executions:
        if not ran.is_stored and not ran.is_running:
            keep(ran.source, "".join((*ran.shown, ran.error)), ran.cell_id)
    return list(kept.values())


def _stored_text(outputs: Iterable[Any], result: Any) -> str:
    """Return the outputs of a cell that IPython stores; before IPython 9 only the value."""
    parts = []
    for output in outputs:
        bundle: Mapping[str, Any] = output.bundle
        parts.append("".join(bundle.get("stream") or ()) or f"{bundle.get('text/plain', '')}\n")
    if not parts and result is not None:
        parts.append(f"{result!r}\n")
    return "".join(parts)


def saved_cells(path: Path) -> list[Cell]:
    """Return the code cells of a notebook file; none if there is no such file, or it is not a notebook."""
    if path.suffix != ".ipynb":
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [
            Cell(_joined(cell["source"]), clean("".join(map(_saved_text, cell["outputs"]))), cell.get("id"))
            for cell in found
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _saved_text(output: Mapping[str, Any]) -> str:
    if output.get("output_type") == "stream":
        return _joined(output.get("text", ""))
    if output.get("output_type") == "error":
        return "\n".join(output.get("traceback") or ()) + "\n"
    text = _joined(output.get("data", {}).get("text/plain", ""))
    return text + "\n" if text else ""


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


# --- as attachments ------------------------------------------------------------------------------------------------


def _traceback() -> str:
    return last_failure().markdown


def _cell() -> str:
    above = cells_above()
    if not above:
        raise OptionError("there is no cell above to attach", hint="run it first, then this one again")
    cell = above[-1]
    output = cell.output
    if len(output) > _LONGEST_OUTPUT:
        output = f"{output[:_LONGEST_OUTPUT]}… ({len(output) - _LONGEST_OUTPUT:,} more characters)"
    return "\n".join(filter(None, [fenced("The cell:", cell.source, "python"), fenced("Its output:", output)]))


def _notebook() -> str:
    above = [replace(cell, output=_short(cell.output)) for cell in cells_above()]
    if not above:
        raise OptionError("there are no cells above to attach", hint="run them first")
    blocks = (block for cell in above for block in (fenced("", cell.source, "python"), fenced("Output:", cell.output)))
    return "\n".join(filter(None, blocks))


def _short(output: str) -> str:
    return output if len(output) <= MOST_OUTPUT else f"({len(output):,} characters, left out)"


def fenced(title: str, text: str, language: str = "") -> str:
    """Return a titled block of Markdown, redacted; nothing where there is no text."""
    text = redact(text).strip("\n")
    if not text.strip():
        return ""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall(r"`+", text))])
    return "\n".join([*([title, ""] if title else []), fence + language, text, fence, ""])


PARTS: Mapping[str, tuple[str, str, Callable[[], str]]] = {
    ":traceback": ("traceback.md", "the last error, with the cell that raised it", _traceback),
    ":cell": ("cell.md", "the cell above, with its output", _cell),
    ":notebook": ("notebook.md", "all cells above, without long outputs", _notebook),
}
"""What `--attach` takes beside files: the name of the attachment, what it is, and how to read it."""
