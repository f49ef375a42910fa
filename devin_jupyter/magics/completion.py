"""Completion of `%%devin` options and `%devin` commands: from the tables, the notebook's names, files and a cache.

Tab never waits for the network: what commands have listed, and the journal's sessions, are kept in `CACHE`. Nothing is
completed inside the prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_origin
from weakref import WeakSet

from devin_jupyter import loop
from devin_jupyter.options import CELL, Argument, Syntax

if TYPE_CHECKING:
    from devin_jupyter.client.aio import AsyncDevin
    from devin_jupyter.client.sync import Devin

Candidate = tuple[str, str]
"""A completion and its annotation."""
MOST = 500
REFRESH_SECONDS = 5.0
_PREFETCHED = 200
_PLATFORMS = ("inherit", "linux", "windows")
_KINDS = {"repos": "repository", "knowledge": "note", "environment": "variable", "out": "session"}
_CELL_LINE = re.compile(r"\s*%%devin(\s|$)")
_COMMAND_LINE = re.compile(r"\s*(?:[\w.\[\], ]+=\s*)?%devin(?:\s+(.*))?$", re.DOTALL)
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.?|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")
_NEEDS_QUOTES = re.compile(r"""[\s"'\\]""")


class NoCompletions(list[Any]):
    """No completions, and none by other matchers: IPython lets only a matcher with completions suppress the rest."""

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class CursorContext:
    """Where the cursor is: in the options of a cell, in a command, or in a prompt."""

    kind: Literal["cell", "line", "prompt"]
    text: str = ""
    """The text between the magic's name and the cursor."""


@dataclass(frozen=True, slots=True)
class Found:
    """What may replace `fragment` at the cursor."""

    fragment: str
    candidates: Sequence[Candidate] = ()
    kind: str = "value"
    """The type of the candidates that are not options: `command`, `session`, `tag`, …."""


def complete(
    variables: Mapping[str, Any], context: Any, commands: Mapping[str, Any], *, annotated: bool = True
) -> dict[str, Any]:
    """Return what IPython's completer expects of a matcher; where the cursor is in a line of ours, only ours count.

    Args:
        variables: the notebook's names.
        context: IPython's `CompletionContext`.
        commands: the `%devin` commands by name.
        annotated: have the type of a completion explain it, which terminals print beside it. Front ends with a list
            make a badge of its first letter and have room for one word.
    """
    from IPython.core.completer import SimpleCompletion

    lines, at = context.full_text.split("\n"), context.cursor_line
    cursor = _cursor_context(lines, at, context.cursor_position)
    if cursor is None:
        return {"completions": []}
    found = _found(variables, cursor, commands)
    if not lines[at][: context.cursor_position].endswith(found.fragment):  # a quote that was opened on a line before
        found = Found("")
    completions = [
        SimpleCompletion(text=text, type=(annotated and label) or ("option" if text.startswith("--") else found.kind))
        for text, label in found.candidates
    ]
    return {
        "completions": completions or NoCompletions(),
        "matched_fragment": found.fragment,
        "suppress": True,
        "ordered": True,
    }


def _cursor_context(lines: list[str], at: int, column: int) -> CursorContext | None:
    """Where the cursor is, if that is a line of ours; IPython overlooks blank lines above a cell magic."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if at < first:
        return None
    if _CELL_LINE.match(lines[first]):
        above = [line.removesuffix("\r") for line in lines[first:at]]
        if any(not line.endswith("\\") for line in above):
            return CursorContext("prompt")
        _, _, text = " ".join([*(line[:-1] for line in above), lines[at][:column]]).partition("%%devin")
        return CursorContext("cell", text) if text[:1].isspace() else None
    if lines[first].lstrip().startswith("%%"):
        return None
    match = _COMMAND_LINE.match(lines[at][:column])
    return CursorContext("line", match[1]) if match and match[1] is not None else None


def _found(variables: Mapping[str, Any], cursor: CursorContext, commands: Mapping[str, Any]) -> Found:
    if cursor.kind == "prompt":
        return Found("")
    # split as well as an unfinished line can be; the last word, which may be empty, is the one at the cursor
    words = _WORD.findall(cursor.text)
    *words, fragment = words if words and cursor.text.endswith(words[-1]) else [*words, ""]
    names = [(command.name, command.help) for command in commands.values()]
    if cursor.kind == "cell":
        return _next(variables, CELL, words, fragment, names)
    if not words:
        return Found(fragment, _starting(names, fragment), "command")
    command = commands.get(words[0])
    return Found("") if command is None else _next(variables, command.syntax, words[1:], fragment, names)


def _next(
    variables: Mapping[str, Any], syntax: Syntax, words: list[str], fragment: str, commands: list[Candidate]
) -> Found:
    """Return the candidates after the words: values of an option, a positional argument, or the next option."""
    by_flag, positional = syntax.by_flag, [one for one in syntax.arguments if one.is_positional]
    flag, is_joined, typed = fragment.partition("=")
    if is_joined and flag in by_flag:
        return _values(variables, by_flag[flag], typed, commands)
    given = {by_flag[word] for word in words if word in by_flag}
    flags = [
        (flag, one.help)
        for flag, one in by_flag.items()
        if flag.startswith("--") and (one.kind == "words" or one not in given)
    ]
    if fragment.startswith("-"):
        return Found(fragment, _starting(flags, fragment))
    option, n_values, n_positional = None, 0, 0
    for word in words:
        if word in by_flag:
            option, n_values = by_flag[word], 0
        elif option is not None and n_values < _most_values(option):
            n_values += 1
        else:
            option, n_positional = None, n_positional + (not word.startswith("-"))
    if option is not None and n_values >= _most_values(option):
        option = None
    is_wanting = option is not None and n_values == 0 and option.kind not in ("wait", "optional")
    wanted = option or (positional[min(n_positional, len(positional) - 1)] if positional else None)
    found = _values(variables, wanted, fragment, commands) if wanted else Found(fragment)
    return found if fragment or is_wanting else Found("", [*found.candidates, *flags], found.kind)


def _most_values(option: Argument) -> float:
    return {"flag": 0, "words": float("inf")}.get(option.kind, 1)


def _values(variables: Mapping[str, Any], wanted: Argument, fragment: str, commands: list[Candidate]) -> Found:
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    typed = fragment.removeprefix(quote).removesuffix(quote)
    known = [(choice, "") for choice in wanted.choices]
    known = known or (commands if wanted.values == "commands" else candidates(variables, wanted.values, typed))
    low = typed.lower()
    starts = _starting(known, low)
    inside = [one for one in known if one not in starts and low in " ".join(one).lower()] if low[2:] else []
    kind = "value" if wanted.choices else _KINDS.get(wanted.values, wanted.values.removesuffix("s") or "value")
    return Found(fragment, [(_written(value, quote), label) for value, label in starts + inside], kind)


def _starting(known: Iterable[Candidate], start: str) -> list[Candidate]:
    return [one for one in known if one[0].lower().startswith(start)]


def _written(value: str, quote: str) -> str:
    """The value as written on the line: quoted if necessary; a folder's quote stays open."""
    if not quote and not _NEEDS_QUOTES.search(value):
        return value
    if not quote or quote in value:
        quote = '"' if "'" in value else "'"
    return f"{quote}{value}" + ("" if value.endswith("/") else quote)


def candidates(variables: Mapping[str, Any], kind: str, fragment: str = "") -> list[Candidate]:
    """Return values of a kind (`Argument.values`) with their annotations; an unknown kind has none."""

    def names(fits: Callable[[Any], bool]) -> list[Candidate]:
        named = ((name, value) for name, value in variables.items() if not name.startswith("_"))
        return [(name, type(value).__name__) for name, value in named if fits(value)]

    if kind in ("sessions", "tags", "repos"):
        CACHE.refresh(journal_records)
        found = [*(names(_is_session) if kind == "sessions" else []), *CACHE.get(kind)]
        found += [(name, "") for name in _listed(kind) if name not in dict(found)]
    elif kind == "schemas":
        lists = ((f"list[{name}]", label) for name, label in names(_is_model))
        rows = [one for one in lists if one[0].startswith(fragment)]
        found = [*names(_is_schema), *rows, *files(fragment, (".json",))]
    elif kind in ("tables", "out"):
        found = names(_is_table if kind == "tables" else _is_session)
    elif kind == "functions":
        found = names(callable)
    elif kind == "files":
        found = [*_parts_of_notebook(fragment), *names(_is_content), *files(fragment)]
    elif kind == "environment":
        found = [(name, "") for name in sorted(os.environ) if name != "DEVIN_API_KEY"]
    elif kind == "platforms":
        found = [(name, "") for name in dict.fromkeys([*_listed(kind), *_PLATFORMS])]
    elif kind == "profiles":
        from devin_jupyter.config import data_folder, saved_profiles

        found = [(name, "") for name in saved_profiles(data_folder())]
    else:
        found = CACHE.get(kind)
    return found[:MOST]


def _parts_of_notebook(fragment: str) -> list[Candidate]:
    """What `--attach` takes that begins with a colon."""
    if not fragment.startswith(":"):
        return []
    from devin_jupyter.notebook import PARTS

    return [(name, what) for name, (_, what, _) in PARTS.items()]


def _listed(kind: str) -> list[str]:
    """The repositories, allowed tags or platforms that the service has shown; nothing is asked for here."""
    from devin_jupyter.client import sync

    client = sync.find_default()
    seen = client.core.service.seen if client is not None else None
    if seen is None:
        return []
    listed = {"repos": seen.repositories, "tags": seen.allowed_tags, "platforms": seen.platforms}.get(kind)
    return sorted(listed or ())


def _is_session(value: Any) -> bool:
    kind = type(value)
    return kind.__module__.startswith("devin_jupyter") and hasattr(kind, "send") and hasattr(kind, "result")


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


def files(fragment: str, suffixes: tuple[str, ...] = ()) -> list[Candidate]:
    """Return the files and folders that the fragment of a path may mean; no suffixes allow all files."""
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


def journal_records() -> list[Any]:
    """Return the sessions that the journal knows; none, and no journal is made, where there is none yet."""
    from devin_jupyter.client import sync

    journal = sync.journal()
    if journal.path != ":memory:" and not Path(journal.path).exists():
        return []
    return journal.sessions(ours=False)


class CompletionCache:
    """What has been seen of the organization, by kind: `sessions`, `tags`, `repos`, `playbooks`, `knowledge`, ….

    Names and titles only, in memory only.
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._read_at = float("-inf")

    def add(self, kind: str, pairs: Iterable[Candidate]) -> None:
        """Remember values of a kind; the newest come first."""
        with self._lock:
            new = dict(pairs)
            self._values[kind] = new | {k: v for k, v in self._values.get(kind, {}).items() if k not in new}

    def add_sessions(self, snapshots: Iterable[Any]) -> None:
        """Remember sessions with titles, and their tags and repositories; newest first."""
        snapshots = list(snapshots)
        self.add("sessions", ((one.session_id, f"{one.title or ''} ({one.label})") for one in snapshots))
        self.add("tags", ((tag, "") for one in snapshots for tag in one.tags))
        self.add("repos", ((repo, "") for one in snapshots for repo in one.repos))

    def get(self, kind: str) -> list[Candidate]:
        """Return the values of a kind."""
        with self._lock:
            return list(self._values.get(kind, {}).items())

    def refresh(self, read: Callable[[], Iterable[Any]], *, wait: bool = False) -> None:
        """Have a thread add the sessions that `read` returns, at most every few seconds."""
        with self._lock:
            if time.monotonic() - self._read_at < REFRESH_SECONDS and not wait:
                return
            self._read_at = time.monotonic()
        thread = loop.new_thread(self._read, "devin-completion", read)
        thread.start()
        if wait:
            thread.join()

    def _read(self, read: Callable[[], Iterable[Any]]) -> None:
        try:
            snapshots = [record.snapshot for record in read() if record.snapshot]
        except Exception:  # a journal that cannot be read is reported by what needs it, not by Tab
            return
        self.add_sessions(reversed(snapshots))


CACHE = CompletionCache()
_prefetched: WeakSet[Any] = WeakSet()


def prefetch(client: Devin) -> None:
    """Have the loop look up names and repositories once, so that Tab knows them; failures do not matter."""
    from devin_jupyter import loop

    if client not in _prefetched:
        _prefetched.add(client)
        loop.submit(_start_prefetch(client.asynchronous))


async def _start_prefetch(client: AsyncDevin) -> None:
    client.core.running["names for Tab"] = _Prefetch(client)


class _Prefetch:
    """A lookup in the background, which ends with its client at the latest."""

    def __init__(self, client: AsyncDevin) -> None:
        playbooks = _look_up(client, "playbooks", ("playbook_id",), "title")
        self._work = asyncio.gather(
            playbooks, _look_up(client, "knowledge", ("note_id", "id"), "name"), _look_up_repositories(client)
        )

    async def retire(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


async def _look_up(client: AsyncDevin, kind: str, keys: tuple[str, ...], label: str) -> None:
    with contextlib.suppress(Exception):  # only Tab would miss these names
        found = [item async for item in getattr(client, kind).list(limit=_PREFETCHED)]
        pairs = (
            (next((str(item[key]) for key in keys if item.get(key)), ""), str(item.get(label) or "")) for item in found
        )
        CACHE.add(kind, pairs)


async def _look_up_repositories(client: AsyncDevin) -> None:
    """Look up all of them, so that an unlisted name can be reported before a session is paid for."""
    with contextlib.suppress(Exception):  # only Tab would miss these names
        listed = [item async for item in client.repositories.list()]
        CACHE.add("repos", ((str(item["repo_path"]), str(item.get("repo_language") or "")) for item in listed))
