"""The lock file beside a notebook: what its cells were answered, to be replayed without a key and read in a diff.

Entries are found by *what* was asked alone, wherever it was sent. Everything in it is redacted, in a stable order,
and a session that did not change keeps every byte of its entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from devin_jupyter.errors import JournalError, OptionError
from devin_jupyter.journal.book import Journal
from devin_jupyter.journal.sends import Message
from devin_jupyter.models.snapshot import Message as Said
from devin_jupyter.models.snapshot import Record, Snapshot
from devin_jupyter.recorded import snapshot_from_json, snapshot_to_json
from devin_jupyter.text import write_atomically

SUFFIX = ".devin.json"
FORMAT = 1
_LEFT_OUT = ("messages", "observed_at", "recorded", "extra", "send_pending")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded session."""

    snapshot: Snapshot
    """With `.recorded` set."""
    date: date
    """When it was last seen on the service."""
    file: str
    """The lock file's name."""
    sent: Mapping[str, str] = field(default_factory=dict)
    """Messages that had arrived: key → time."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The recorded sessions of one or more lock files."""

    name: str
    by_what: Mapping[str, Recorded]

    def find(self, what: str) -> Recorded | None:
        """Return the session recorded for the second part of a fingerprint, or None."""
        return self.by_what.get(what)

    def session(self, session_id: str) -> Recorded | None:
        """Return a recorded session by its id, or None."""
        return next((item for item in self.by_what.values() if item.snapshot.session_id == session_id), None)

    @property
    def sessions(self) -> list[Recorded]:
        """Every recorded session, in the order of the file."""
        return list(self.by_what.values())

    @property
    def api_version(self) -> str:
        """The version of the API that was recorded; v3 where there are both."""
        versions = {item.snapshot.api_version for item in self.by_what.values()}
        return versions.pop() if len(versions) == 1 else "v3"

    @property
    def real(self) -> Lock:
        """Without the sessions of a simulator."""
        return Lock(self.name, {what: item for what, item in self.by_what.items() if not item.snapshot.simulated})

    def was_sent(self, key: str) -> str | None:
        """Return when the message with this key had arrived, or None."""
        return next((item.sent[key] for item in self.by_what.values() if key in item.sent), None)


def write(
    path: Path, entries: Iterable[Record], sent: Iterable[Message] = (), kept: Mapping[str, Any] | None = None
) -> int:
    """Write a lock file and return how many sessions it holds. Sessions that were never seen are left out.

    Args:
        path: the file; what it holds is replaced.
        entries: the sessions.
        sent: messages that had arrived.
        kept: what `others` found, written beside them as it is.

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
    text = json.dumps({"devin_lock": FORMAT, "sessions": records}, indent=1, ensure_ascii=False)
    _replace(path, text.encode("utf-8", "backslashreplace") + b"\n")
    return len(records)


@dataclass(frozen=True, slots=True)
class Written:
    """What `record` has left in a lock file."""

    path: Path
    n_sessions: int
    """0: there was nothing to write, and the file stays as it is."""
    n_kept: int = 0
    """Those among them that other notebooks recorded."""

    def __str__(self) -> str:
        """Return one line."""
        if not self.n_sessions:
            return f"{self.path} stays as it is: this notebook has started no session since"
        sessions = f"{self.n_sessions} session{'' if self.n_sessions == 1 else 's'}"
        kept = f", {self.n_kept} of them kept from before (this notebook's name is not known here)"
        return f"{self.path}: {sessions}{kept if self.n_kept else ''}; it replays them without a key"


def record(journal: Journal, notebook: str, path: Path | None) -> Written:
    """Write the lock file of a notebook; one that is there is never replaced by nothing.

    Args:
        journal: where its sessions are.
        notebook: as the journal names it.
        path: None for the default name in the working directory.

    Raises:
        OptionError: the notebook has started no session, and there is no such file.
        JournalError: the file cannot be written.
    """
    target = path if path is not None else default_path(notebook, Path.cwd())
    entries = journal.sessions(notebook=notebook)
    if not entries:  # also a recorded notebook that is replayed
        replayed = [] if path is not None else sorted(Path.cwd().glob(f"*{SUFFIX}"))
        if target.exists() or replayed:
            return Written(target if target.exists() else replayed[0], 0)
        raise OptionError("this notebook has started no session yet", "nothing was written", "run its cells first")
    kept = {} if path is not None else others(target, notebook, entries)
    sent = journal.sends.sent(entry.session_id for entry in entries)
    return Written(target, write(target, entries, sent, kept), len(kept))


def others(path: Path, notebook: str | None, entries: Iterable[Record]) -> dict[str, Any]:
    """Return what a lock file must not lose: where only its default name is known, it may be another notebook's.

    Args:
        path: the file; one that cannot be read holds nothing.
        notebook: as for `default_path`. The file of a known notebook is its own: nothing.
        entries: what will be written; they replace theirs.
    """
    if _stem(notebook) is not None:
        return {}
    try:
        load(path)
        records: dict[str, Any] = json.loads(path.read_bytes())["sessions"]
    except (JournalError, OSError):
        return {}
    mine = {entry.facts.fingerprint.split(":")[-1] for entry in entries if entry.facts.fingerprint and entry.snapshot}
    return {what: record for what, record in records.items() if what not in mine}


def load(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        JournalError: it is not one, or of a newer format.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["devin_lock"] > FORMAT:
            raise JournalError(
                f"{path} was written by a newer devin-jupyter", hint="update with pip install -U devin-jupyter"
            )
        return Lock(path.name, {what: _recorded(record, path.name) for what, record in content["sessions"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise JournalError(
            f"the lock file {path} cannot be read: {problem}",
            "nothing was sent",
            "take the version from your repository's history, or record it again with %devin lock",
        ) from None


def beside(folder: Path, on_broken: Callable[[JournalError], None] | None = None) -> Lock | None:
    """Return all lock files of a folder as one, or None where there is none.

    Args:
        folder: the working directory.
        on_broken: told of a file that cannot be read, which is left out then.

    Raises:
        JournalError: a file cannot be read, and nobody is told.
    """
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            found += [load(path)] if path.is_file() else []
        except JournalError as problem:
            if on_broken is None:
                raise
            on_broken(problem)
    if not found:
        return None
    every = {what: item for lock in found for what, item in lock.by_what.items()}
    return Lock(", ".join(lock.name for lock in found), every)


def default_path(notebook: str | None, folder: Path) -> Path:
    """Return where the lock file of a notebook belongs: beside it, named like it."""
    name = _stem(notebook)
    if name is None:
        notebooks = sorted(folder.glob("*.ipynb"))
        name = notebooks[0].stem if len(notebooks) == 1 else "notebook"
    return folder / f"{name}{SUFFIX}"


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


def _recorded(record: Mapping[str, Any], name: str) -> Recorded:
    seen = date.fromisoformat(record["recorded"])
    word = record.get("last_word")
    messages: tuple[Said, ...] = ()
    if word:
        moment = datetime.fromisoformat(word["created_at"]) if word.get("created_at") else None
        messages = (Said("recorded", "devin", word["text"], moment),)
    return Recorded(
        snapshot_from_json(record, recorded=seen, messages=messages), seen, name, dict(record.get("sent") or {})
    )


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")


def _replace(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as problem:
        raise JournalError(
            f"the lock file {path} cannot be written: {problem}", hint="give another place: %devin lock FILE"
        ) from problem
