"""The values that may follow an option, by kind: names of the notebook, files, and what was seen. Reads no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

from devin_jupyter.magics.command import journal
from devin_jupyter.magics.seen import SEEN

if TYPE_CHECKING:
    from devin_jupyter.magics.notebook import Notebook

MOST = 500
_PLATFORMS = ("inherit", "linux", "windows")
Offer = tuple[str, str]


def offers(notebook: Notebook, kind: str, fragment: str) -> list[Offer]:
    """Return values of a kind with what is shown beside them; an unknown kind has none."""
    makers: dict[str, Callable[[], list[Offer]]] = {
        "sessions": lambda: [*_names(notebook, _is_session), *_seen(notebook, "sessions")],
        "tags": lambda: _seen(notebook, "tags"),
        "repos": lambda: _seen(notebook, "repos"),
        "schemas": lambda: [*_schemas(notebook, fragment), *_files(fragment, (".json",))],
        "tables": lambda: _names(notebook, _is_table),
        "out": lambda: _names(notebook, _is_session),
        "files": lambda: [*_names(notebook, _is_content), *_files(fragment)],
        "environment": lambda: [(name, "") for name in sorted(os.environ) if name != "DEVIN_API_KEY"],
        "platforms": lambda: [*SEEN.get("platforms"), *((name, "") for name in _PLATFORMS)],
        "profiles": _profiles,
        "commands": _commands,
    }
    return makers.get(kind, lambda: SEEN.get(kind))()[:MOST]


def _seen(notebook: Notebook, kind: str) -> list[Offer]:
    SEEN.refresh(_journal_entries)
    return SEEN.get(kind)


def _journal_entries() -> list[Any]:
    book = journal()
    if book.path != ":memory:" and not Path(book.path).exists():
        return []
    return book.sessions(ours=False)


def _names(notebook: Notebook, fits: Callable[[Any], bool]) -> list[Offer]:
    values = notebook.variables
    return [(name, type(values[name]).__name__) for name in notebook.own_names if fits(values.get(name))]


def _is_session(value: Any) -> bool:
    kind = type(value)
    return kind.__module__.startswith("devin_jupyter.") and hasattr(kind, "send") and hasattr(kind, "result")


def _schemas(notebook: Notebook, fragment: str) -> list[Offer]:
    lists = ((f"list[{name}]", label) for name, label in _names(notebook, _is_model))
    return [*_names(notebook, _is_schema), *(one for one in lists if one[0].startswith(fragment))]


def _is_model(value: Any) -> bool:
    marks = ("model_json_schema", "__dataclass_fields__", "__total__")
    return isinstance(value, type) and any(hasattr(value, mark) for mark in marks)


def _is_schema(value: Any) -> bool:
    is_list = get_origin(value) is list
    return is_list or _is_model(value) or (isinstance(value, dict) and "type" in value)


def _is_table(value: Any) -> bool:
    return hasattr(type(value), "to_csv") or (isinstance(value, (list, tuple)) and len(value) > 0)


def _is_content(value: Any) -> bool:
    return hasattr(type(value), "to_csv") or isinstance(value, (bytes, bytearray, str, os.PathLike))


def _files(fragment: str, suffixes: tuple[str, ...] = ()) -> list[Offer]:
    folder, _, start = fragment.rpartition("/")
    base = Path(folder or ("/" if fragment.startswith("/") else ".")).expanduser()
    try:
        entries = [entry for entry in os.scandir(base) if entry.name.startswith(start)][:MOST]
    except (OSError, TypeError):
        entries = []
    found = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name.startswith(".") and not start.startswith("."):
            continue
        if entry.is_dir() or not suffixes or entry.name.endswith(suffixes):
            path = f"{folder}/{entry.name}" if "/" in fragment else entry.name
            found.append((path + ("/" if entry.is_dir() else ""), "folder" if entry.is_dir() else "file"))
    return found


def _profiles() -> list[Offer]:
    from devin_jupyter.config import data_folder, saved_profiles

    return [(name, "") for name in saved_profiles(data_folder())]


def _commands() -> list[Offer]:
    from devin_jupyter.magics.command_table import COMMANDS

    return [(command.name, command.help) for command in COMMANDS.values()]
