"""The lock file beside a notebook: the answers of its cells, which are replayed without a key and readable in a diff.

Entries are found by *what* was asked alone, wherever it was sent. Everything in it is redacted, in a stable order,
and a session that did not change keeps every byte of its entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devin_jupyter.errors import JournalError, OptionError
from devin_jupyter.host import working_directory
from devin_jupyter.journal.intents import PaidMessage
from devin_jupyter.journal.sessions import Journal
from devin_jupyter.models.snapshot import Record
from devin_jupyter.recorded import LOCK_FORMAT, LOCK_SUFFIX, load_lock, snapshot_to_json
from devin_jupyter.text import write_atomically

_LEFT_OUT = ("messages", "observed_at", "recorded", "extra", "send_pending", "answer_after")


def write(
    path: Path, entries: Iterable[Record], sent: Iterable[PaidMessage] = (), kept: Mapping[str, Any] | None = None
) -> int:
    """Write a lock file and return how many sessions it holds. Sessions that were never seen are left out.

    Args:
        path: the file; what it holds is replaced.
        entries: the sessions.
        sent: messages that had arrived.
        kept: what `others` found, written unchanged along with them.

    Raises:
        JournalError: the file cannot be written.
    """
    messages: dict[str, dict[str, str]] = {}
    for message in sent:
        if message.sent_at is not None:
            messages.setdefault(message.session_id, {})[message.key] = _iso(message.sent_at)
    ordered = sorted(entries, key=lambda entry: (entry.started_at, entry.session_id))
    records = {
        entry.facts.fingerprint.split(":")[-1]: _record(entry, messages.get(entry.session_id, {}))
        for entry in ordered
        if entry.facts.fingerprint and entry.snapshot
    }
    if kept:  # one order, whichever notebook writes
        every = {**kept, **records}.items()
        records = dict(sorted(every, key=lambda item: (str(item[1].get("created_at") or ""), item[0])))
    text = json.dumps({"devin_lock": LOCK_FORMAT, "sessions": records}, indent=1, ensure_ascii=False)
    _replace(path, text.encode("utf-8", "backslashreplace") + b"\n")
    return len(records)


@dataclass(frozen=True, slots=True)
class LockSummary:
    """What `record` wrote to a lock file."""

    path: Path
    n_sessions: int
    """0: there was nothing to write, and the file is unchanged."""
    n_kept: int = 0
    """Those among them that were in the file and are not of this run."""

    def __str__(self) -> str:
        if not self.n_sessions:
            return f"{self.path} is unchanged: this notebook has started no session since"
        sessions = f"{self.n_sessions} session{'' if self.n_sessions == 1 else 's'}"
        kept = f", {self.n_kept} of them kept from before"
        is_here = (working_directory() / self.path).parent == working_directory()
        them = "it" if self.n_sessions == 1 else "them"
        replays = f"it replays {them}" if is_here else f"beside the notebook, it replays {them}"
        return f"{self.path}: {sessions}{kept if self.n_kept else ''}; {replays} without a key"


def record(journal: Journal, notebook: str, path: Path | None) -> LockSummary:
    """Write the lock file of a notebook; an existing one is never replaced by an empty one.

    Args:
        journal: where its sessions are.
        notebook: as the journal names it.
        path: None for the default name in the working directory; see `lock_path`.

    Raises:
        OptionError: the notebook has started no session, and there is no such file.
        JournalError: the file cannot be written.
    """
    target = lock_path(path, notebook) if path is not None else default_path(notebook, working_directory())
    entries = journal.sessions(notebook=notebook)
    if not entries:  # also a recorded notebook that is replayed
        replayed = [] if path is not None else sorted(working_directory().glob(f"*{LOCK_SUFFIX}"))
        if target.exists() or replayed:
            return LockSummary(target if target.exists() else replayed[0], 0)
        raise OptionError("this notebook has not started a session yet", "nothing was written", "run its cells first")
    kept = others(target, entries)
    sent = journal.messages.sent(entry.session_id for entry in entries)
    return LockSummary(target, write(target, entries, sent, kept), len(kept))


def others(path: Path, entries: Iterable[Record]) -> dict[str, Any]:
    """Return the entries that a lock file must keep: those replayed in this run, or recorded by another notebook.

    Args:
        path: the file; one that cannot be read holds nothing.
        entries: what will be written; they replace theirs.
    """
    try:
        load_lock(path)
        records: dict[str, Any] = json.loads(path.read_bytes())["sessions"]
    except (JournalError, OSError):
        return {}
    mine = {entry.facts.fingerprint.split(":")[-1] for entry in entries if entry.facts.fingerprint and entry.snapshot}
    return {what: record for what, record in records.items() if what not in mine}


def default_path(notebook: str | None, folder: Path) -> Path:
    """Return the path of a notebook's lock file: next to it, with the same stem."""
    name = _stem(notebook)
    if name is None:
        notebooks = sorted(folder.glob("*.ipynb"))
        name = notebooks[0].stem if len(notebooks) == 1 else "notebook"
    return folder / f"{name}{LOCK_SUFFIX}"


def lock_path(path: Path, notebook: str | None) -> Path:
    """Return where a lock file of this name is written: only `*.devin.json` is read, so the suffix is added.

    For a folder, the default name in it is used.
    """
    if path.is_dir():
        return default_path(notebook, path)
    if path.name.endswith(LOCK_SUFFIX):
        return path
    return path.with_name(path.name.removesuffix(".json") + LOCK_SUFFIX)


def _stem(notebook: str | None) -> str | None:
    return Path(notebook).stem if notebook and notebook.endswith(".ipynb") else None


def _record(entry: Record, sent: Mapping[str, str]) -> dict[str, Any]:
    snapshot = entry.snapshot
    assert snapshot is not None
    seen = (snapshot.observed_at or datetime.now(UTC)).astimezone(UTC).date()
    word = snapshot.last_word
    record = snapshot_to_json(replace(snapshot, schema=entry.facts.wire_schema), without=_LEFT_OUT)
    record["fingerprint"] = entry.facts.fingerprint
    record["recorded"] = seen.isoformat()
    if word is not None:
        said = snapshot_to_json(replace(snapshot, messages=(word,)))["messages"][0]
        record["last_word"] = {"text": said["text"], "created_at": said["created_at"]}
    if sent:
        record["sent"] = dict(sorted(sent.items(), key=lambda item: (item[1], item[0])))
    return record


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")


def _replace(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as problem:
        raise JournalError(
            f"the lock file {path} cannot be written: {problem}", hint="give another place: %devin lock FILE"
        ) from problem
