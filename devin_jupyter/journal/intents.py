"""What is about to be paid for: intents, messages and the budgets they count in; leases and the halt flag.

Everything is written down durably before a POST, so that neither a crash nor a loss of power can lose it. An intent
that is found later without an outcome is settled by reading the service, never by posting first. A budget is what is
consumed, plus what open turns may still consume up to their caps. A reservation is made in the transaction that writes
the intent, so that two kernels cannot both have the last ACU.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePath

from devin_jupyter.errors import BudgetExceeded, Halted, OptionError
from devin_jupyter.journal.database import NO_LIMIT, Database, stage
from devin_jupyter.models.snapshot import CellRef, Facts, Sent
from devin_jupyter.recorded import dumps, facts_from_json, facts_to_json, sent_from_json, sent_to_json
from devin_jupyter.text import format_utc

# --- processes -----------------------------------------------------------------------------------------------

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of some machine: decides whether a lease may be broken at once.

    It is known by machine, process number and start time, so that a reused number or another container's numbering is
    never taken for it.
    """

    host: str
    """The machine, its boot and its process namespace."""
    pid: int
    born: str
    """When it started, in the machine's own units; empty where that cannot be read."""

    @property
    def text(self) -> str:
        """One string for the whole, to compare by."""
        return f"{self.host} {self.pid} {self.born}"

    @property
    def is_missing(self) -> bool:
        """Whether it has certainly ended; False for processes of other machines, which cannot be seen from here."""
        if self.host != _host() or os.name != "posix":
            return False
        if self.pid == os.getpid():
            return self.born != _born(self.pid)
        return not _exists(self.pid) or _born(self.pid) != self.born


def this_process() -> Process:
    """Return the running process; looked up again after a fork."""
    return _process(os.getpid())


@cache
def _process(pid: int) -> Process:
    return Process(_host(), pid, _born(pid) or "")


@cache
def _host() -> str:
    parts = [platform.node()]
    with suppress(OSError):  # not Linux: the name has to do
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink(_PROC / "self/ns/pid"))
    return "/".join(parts)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _born(pid: int) -> str | None:
    """The start time; None for a process that has ended (zombies included)."""
    if not (_PROC / "self/stat").exists():
        return ""
    try:
        after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else after_name[19]


# --- leases --------------------------------------------------------------------------------------------------

LEASE_SECONDS = 15.0


class LeaseLost(Exception):
    """Another process may act on this name; look again before doing anything."""


def start_lease(fingerprint: str) -> str:
    """Return the name under which one process at a time acts on a fingerprint."""
    return f"start {fingerprint}"


def send_lease(session_id: str) -> str:
    """Return the name under which one process at a time sends to a session."""
    return f"send {session_id}"


class Leases:
    """Short exclusive leases, broken at once when the process that holds one has ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, *, now: float, seconds: float = LEASE_SECONDS) -> str | None:
        """Return a token for the name, or None while another process holds it."""
        me, token = this_process(), uuid.uuid4().hex
        with self._database.write("lease-take") as db:
            holder = db.execute("SELECT * FROM unsynced.leases WHERE name = ?", (name,)).fetchone()
            if holder is not None and not _is_free(holder, now):
                return None
            db.execute(
                "INSERT OR REPLACE INTO unsynced.leases VALUES (?, ?, ?, ?, ?, ?)",
                (name, token, me.host, me.pid, me.born, now + seconds),
            )
        return token

    def renew(self, name: str, token: str, *, now: float, seconds: float = LEASE_SECONDS) -> bool:
        """Renew a lease that is still ours; False when it was lost."""
        with self._database.write("lease-renew") as db:
            return keep_lease(db, name, token, now=now, seconds=seconds)

    def give_back(self, name: str, token: str) -> None:
        """End a lease of ours; nothing happens when it was lost."""
        with self._database.write("lease-end") as db:
            db.execute("DELETE FROM unsynced.leases WHERE name = ? AND token = ?", (name, token))


def keep_lease(db: sqlite3.Connection, name: str, token: str, *, now: float, seconds: float = LEASE_SECONDS) -> bool:
    """Inside a transaction: renew a lease unless another process holds it; one that vanished is taken again."""
    holder = db.execute("SELECT token FROM unsynced.leases WHERE name = ?", (name,)).fetchone()
    if holder is not None and holder["token"] != token:
        return False
    me = this_process()
    db.execute(
        "INSERT OR REPLACE INTO unsynced.leases VALUES (?, ?, ?, ?, ?, ?)",
        (name, token, me.host, me.pid, me.born, now + seconds),
    )
    return True


def end_lease(db: sqlite3.Connection, name: str) -> None:
    """Inside a transaction: end a lease, also another process's, because its purpose is done."""
    db.execute("DELETE FROM unsynced.leases WHERE name = ?", (name,))


def _is_free(holder: sqlite3.Row, now: float) -> bool:
    # a lease that runs far longer than any was given comes from a clock that was set back since
    expired = not now < holder["expires_at"] <= now + 20 * LEASE_SECONDS
    return expired or Process(holder["host"], holder["pid"], holder["born"]).is_missing


# --- halting -------------------------------------------------------------------------------------------------

_HALT = "halt"
_HALTED = f"SELECT set_at FROM flags WHERE name = '{_HALT}'"


class Flags:
    """The part of the journal that can stop everybody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def halt(self, *, now: float, by: str = "") -> None:
        """Set the halt flag; the time of an earlier one is kept."""
        with self._database.write("halt", lasting=True) as db:
            db.execute("INSERT OR IGNORE INTO flags VALUES (?, ?, ?)", (_HALT, by, now))

    def resume(self) -> bool:
        """Lift the halt flag and return whether it was set."""
        return self._lift(_HALT)

    def halted_since(self) -> datetime | None:
        """Return since when everything is halted, or None."""
        found = self._database.row(_HALTED)
        return datetime.fromtimestamp(found["set_at"], UTC) if found else None

    def hold(self, batch: str, *, now: float) -> None:
        """Let no kernel start rows of a batch until `release`; the time of an earlier hold is kept."""
        with self._database.write("pause", lasting=True) as db:
            db.execute("INSERT OR IGNORE INTO flags VALUES (?, ?, ?)", (f"batch {batch}", "", now))

    def release(self, batch: str) -> bool:
        """Lift the hold on a batch and return whether there was one."""
        return self._lift(f"batch {batch}")

    def _lift(self, name: str) -> bool:
        if self._database.row("SELECT 1 FROM flags WHERE name = ?", name) is None:
            return False
        with self._database.write("resume", lasting=True) as db:
            return db.execute("DELETE FROM flags WHERE name = ?", (name,)).rowcount > 0

    def refuse_if_held(self, batch: str) -> None:
        """Raise `Halted` while a batch is held."""
        found = self._database.row("SELECT set_at FROM flags WHERE name = ?", f"batch {batch}")
        if found is not None:
            raise Halted(
                f"the batch was paused or stopped in another kernel on {format_utc(found['set_at'])}",
                "nothing was sent and nothing was paid",
                "batch.resume() continues it",
            )

    def refuse(self) -> None:
        """Raise `Halted` while the halt flag is set."""
        _refuse(self._database.row(_HALTED))


def refuse_if_halted(db: sqlite3.Connection) -> None:
    """Inside a transaction: raise `Halted` while the halt flag is set."""
    _refuse(db.execute(_HALTED).fetchone())


def _refuse(halted: sqlite3.Row | None) -> None:
    if halted is not None:
        raise Halted(
            f"no session can start until you run %devin resume (%devin stop --all of {format_utc(halted['set_at'])})",
            "nothing was sent and nothing was paid",
            "%devin resume allows sessions and messages again",
        )


# --- sessions that are about to be started -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A session that was about to be started."""

    facts: Facts
    written_at: float
    posts: int
    """How many POSTs were about to be sent, the last one perhaps never."""
    posted_at: float | None
    known_before: frozenset[str]
    """Sessions that carried the tag before: never mistaken for this one."""

    @property
    def fingerprint(self) -> str:
        """What it is kept by."""
        return self.facts.fingerprint or ""

    @property
    def tag(self) -> str:
        """What its session is found by on the service."""
        return self.facts.tag or ""


class Intents:
    """The part of the journal that knows what is under way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(
        self,
        facts: Facts,
        *,
        known_before: Iterable[str],
        now: float,
        limits: Mapping[str, float | None] | None = None,
        ending: str | None = None,
    ) -> Intent:
        """Write an intent, reserve its cap in every budget it counts in, and return it: all or nothing.

        Args:
            facts: of the session that is to be started.
            known_before: sessions that carry the tag already.
            now: Unix seconds.
            limits: budgets that hold in place of those that are set, by scope; None is no limit.
            ending: a session that is ended before the POST: no budget counts on what it might still consume.

        Raises:
            Halted: the halt flag is set.
            BudgetExceeded: a budget does not hold it; the message has the arithmetic.
        """
        with self._database.write("intent") as db:
            refuse_if_halted(db)
            ours = db.execute("SELECT session_id FROM sessions WHERE fingerprint = ?", (facts.fingerprint,)).fetchall()
            before = sorted({*known_before, *(item["session_id"] for item in ours)})
            check_budgets(
                db, facts.scopes, payer=facts.fingerprint or "", cap=facts.max_acu, limits=limits, ending=ending
            )
            line = {
                "fingerprint": facts.fingerprint,
                "tag": facts.tag,
                "written_at": now,
                "known_before": dumps(before),
                "details": facts_to_json(facts),
                "max_acu": facts.max_acu,
            }
            db.execute(
                f"INSERT OR REPLACE INTO unsynced.intents ({', '.join(line)}) VALUES (?, ?, ?, ?, ?, ?)",
                (*line.values(),),
            )
            for scope in facts.scopes:
                count_in(db, scope, facts.fingerprint or "")
            self._database.log({**line, "scopes": facts.scopes}, durable=True)
        return Intent(facts=facts, written_at=now, posts=0, posted_at=None, known_before=frozenset(before))

    def about_to_post(self, intent: Intent, lease: str, *, now: float) -> None:
        """Count a POST, right before it.

        Raises:
            Halted: the halt flag was set in the meantime.
            LeaseLost: another process acts on this request or has made its session, or the journal was replaced.
        """
        fingerprint = intent.fingerprint
        with self._database.write("about-to-post") as db:
            refuse_if_halted(db)
            if not keep_lease(db, start_lease(fingerprint), lease, now=now):
                raise LeaseLost
            newest = (
                "SELECT session_id FROM sessions WHERE fingerprint = ? ORDER BY started_at DESC, rowid DESC LIMIT 1"
            )
            found = db.execute(newest, (fingerprint,)).fetchone()
            kept = db.execute(
                "SELECT known_before FROM unsynced.intents WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
            if kept is None:
                raise LeaseLost
            if found is not None and found["session_id"] not in json.loads(kept["known_before"]):
                raise LeaseLost
            db.execute(
                "UPDATE unsynced.intents SET posts = posts + 1, posted_at = ? WHERE fingerprint = ?", (now, fingerprint)
            )

    def clear(self, fingerprint: str) -> None:
        """End an intent that certainly started nothing, and free what it reserved."""
        with self._database.write("intent-clear") as db:
            db.execute("DELETE FROM unsynced.intents WHERE fingerprint = ?", (fingerprint,))
            db.execute("DELETE FROM unsynced.spending WHERE payer = ?", (fingerprint,))
            self._database.log({"fingerprint": fingerprint}, durable=False)

    def get(self, fingerprint: str) -> Intent | None:
        """Return the intent that has no outcome yet, or None."""
        found = self._database.row("SELECT * FROM unsynced.intents WHERE fingerprint = ?", fingerprint)
        return _intent(found) if found else None

    def posted(self, fingerprints: Sequence[str]) -> Intent | None:
        """Return the intent without outcome whose POST may have been sent, of the first fingerprint that has one."""
        marks = ", ".join("?" * len(fingerprints))
        query = f"SELECT * FROM unsynced.intents WHERE posts > 0 AND fingerprint IN ({marks})"
        if found := self._database.rows(query, *fingerprints):
            return _intent(min(found, key=lambda item: fingerprints.index(item["fingerprint"])))
        return None

    def all(self, *, cell: CellRef | None = None, notebook: str | None = None) -> list[Intent]:
        """Return all intents without outcome, or those of a cell or a notebook, oldest first."""
        found = [_intent(item) for item in self._database.rows("SELECT * FROM unsynced.intents ORDER BY written_at")]
        if cell is not None:
            found = [item for item in found if item.facts.cell and _same_cell(item.facts.cell, cell)]
        if notebook is not None:
            found = [item for item in found if item.facts.cell and item.facts.cell.notebook == notebook]
        return found


def _same_cell(one: CellRef, other: CellRef) -> bool:
    return bool(one.cell) and (one.notebook, one.cell) == (other.notebook, other.cell)


def _intent(found: sqlite3.Row) -> Intent:
    return Intent(
        facts=facts_from_json(found["details"]),
        written_at=found["written_at"],
        posts=found["posts"],
        posted_at=found["posted_at"],
        known_before=frozenset(json.loads(found["known_before"])),
    )


# --- messages ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidMessage:
    """A message in the journal; its text is not kept, only its hash."""

    key: str
    nth: int
    session_id: str
    words: str
    """The key of the same text without files: all that a conversation shows."""
    written_at: float
    posts: int
    seen_before: int | None
    """How often the conversation held this text before it was sent; None where it could not be read."""
    sent: Sent | None
    """What is needed to tell the answer to this message from the one before; None where that is not known."""
    sent_at: float | None
    """None while it is not known to have arrived."""


class Messages:
    """The part of the journal that knows messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, *keys: str) -> PaidMessage | None:
        """Return the newest message with this key, sent or under way; with the first key that has any."""
        for key in keys:
            found = self._database.row("SELECT * FROM messages WHERE key = ? ORDER BY nth DESC LIMIT 1", key)
            if found:
                return _message(found)
        return None

    def write(
        self,
        key: str,
        session_id: str,
        *,
        words: str,
        seen_before: int | None,
        sent: Sent,
        scopes: Iterable[str],
        now: float,
    ) -> PaidMessage:
        """Write down a message before it is sent, and reserve what the session may consume for it.

        Raises:
            Halted: the halt flag is set.
            BudgetExceeded: a budget does not hold it.
        """
        with self._database.write("message", lasting=True) as db:
            refuse_if_halted(db)
            join_budgets(db, scopes, session_id)
            db.execute("DELETE FROM messages WHERE key = ? AND sent_at IS NULL", (key,))
            nth = db.execute("SELECT COALESCE(MAX(nth), 0) + 1 FROM messages WHERE key = ?", (key,)).fetchone()[0]
            db.execute(
                "INSERT INTO messages (key, nth, session_id, words, written_at, seen_before, before)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, nth, session_id, words, now, seen_before, sent_to_json(sent)),
            )
            found = db.execute("SELECT * FROM messages WHERE key = ? AND nth = ?", (key, nth)).fetchone()
        assert found is not None
        return _message(found)

    def about_to_post(self, message: PaidMessage, lease: str, *, now: float) -> None:
        """Count a POST, right before it.

        Raises:
            Halted: the halt flag was set in the meantime.
            LeaseLost: another process sends to this session, or the journal was replaced.
        """
        with self._database.write("message-about-to-post", lasting=True) as db:
            refuse_if_halted(db)
            if not keep_lease(db, send_lease(message.session_id), lease, now=now):
                raise LeaseLost
            changed = db.execute(
                "UPDATE messages SET posts = posts + 1 WHERE key = ? AND nth = ? AND sent_at IS NULL",
                (message.key, message.nth),
            )
            if changed.rowcount == 0:
                raise LeaseLost

    def arrived(self, message: PaidMessage, *, now: float, sent: Sent | None) -> None:
        """Keep that a message arrived. `sent` is None for one that another machine sent: its turn may be over."""
        if sent is not None:  # first: the answer before the message must never pass for the answer to it
            with self._database.write("message-sent") as db:
                stage(db, message.session_id)
                changes = (sent_to_json(sent), message.session_id)
                marks = "sent = ?, is_open = 1, is_terminated = 0"  # what takes a message was not ended
                db.execute(f"UPDATE unsynced.sessions SET {marks} WHERE session_id = ?", changes)
        with self._database.write("message-arrived", lasting=True) as db:
            db.execute(
                "INSERT INTO messages (key, nth, session_id, words, written_at, posts, seen_before, before, sent_at)"
                " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT (key, nth) DO UPDATE SET sent_at = excluded.sent_at,"
                " before = excluded.before",
                (
                    message.key,
                    message.nth,
                    message.session_id,
                    message.words,
                    message.written_at,
                    message.seen_before,
                    sent_to_json(sent) or "",
                    now,
                ),
            )

    def clear(self, message: PaidMessage) -> None:
        """Forget a message that certainly did not arrive."""
        with self._database.write("message-clear", lasting=True) as db:
            db.execute("DELETE FROM messages WHERE key = ? AND nth = ? AND sent_at IS NULL", (message.key, message.nth))

    def count(self, words: str) -> int:
        """Return how many messages with this text are known to have arrived, with any files."""
        found = self._database.row("SELECT COUNT(*) AS n FROM messages WHERE words = ? AND sent_at IS NOT NULL", words)
        return int(found["n"]) if found else 0

    def undecided(self) -> list[PaidMessage]:
        """Return the messages that were posted and are not known to have arrived."""
        found = self._database.rows("SELECT * FROM messages WHERE sent_at IS NULL AND posts > 0 ORDER BY written_at")
        return [_message(item) for item in found]

    def sent(self, session_ids: Iterable[str]) -> list[PaidMessage]:
        """Return the messages known to have arrived at these sessions, oldest first."""
        query = "SELECT * FROM messages WHERE session_id = ? AND sent_at IS NOT NULL ORDER BY sent_at, key, nth"
        return [_message(item) for identifier in session_ids for item in self._database.rows(query, identifier)]


def _message(found: sqlite3.Row) -> PaidMessage:
    values = dict(found)
    before = values.pop("before")
    return PaidMessage(**values, sent=sent_from_json(before))


# --- budgets, in ACUs ----------------------------------------------------------------------------------------

_PAYERS = """
    SELECT p.payer, p.baseline, COALESCE(u.session_id, m.session_id) AS session_id,
        CASE WHEN u.session_id IS NULL THEN m.acus ELSE u.acus END AS acus,
        CASE WHEN u.session_id IS NULL THEN m.is_open ELSE u.is_open END AS is_open,
        COALESCE(CASE WHEN u.session_id IS NULL THEN m.max_acu ELSE u.max_acu END, i.max_acu) AS max_acu, i.tag
    FROM spending p
    LEFT JOIN unsynced.sessions u ON u.session_id = p.payer
    LEFT JOIN main.sessions m ON m.session_id = p.payer
    LEFT JOIN unsynced.intents i ON i.fingerprint = p.payer
    WHERE p.scope = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The state of a budget. All figures in ACUs."""

    scope: str
    limit: float | None
    consumed: float
    reserved: float
    """What open turns may still consume: cap minus consumed; unknown counts as the cap."""
    n_open: int
    uncapped: tuple[str, ...] = ()
    """Open sessions without a cap: nothing can be promised until their turns end."""
    unknown: tuple[str, ...] = ()
    """Sessions that are over, whose cost is unknown and not bounded by a cap."""

    @property
    def left(self) -> float | None:
        """What may still be reserved; None without a limit."""
        return None if self.limit is None else max(0.0, self.limit - self.consumed - self.reserved)

    @property
    def _is_blocked(self) -> bool:
        return self.limit is not None and bool(self.uncapped)

    def __repr__(self) -> str:
        of = "" if self.limit is None else f" of {self.limit:g}"
        held = f" may take {self.reserved:g} more" if self.reserved else ""
        open_ = f"{self.n_open} running{held}" if self.n_open else "nothing running"
        left = "no budget is set" if self.limit is None else f"{self.left:g} left"
        rest = f"; {self.uncapped[0]} is running without a cap, so nothing can start" if self._is_blocked else ""
        rest += f"; {len(self.unknown)} of unknown cost not counted" if self.unknown else ""
        return f"{name_of(self.scope)}: {self.consumed:g}{of} ACU spent, {open_}; {left}{rest}"


class Budgets:
    """The part of the journal that counts money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, scope: str, acus: float | None, *, now: float, lasting: bool = True) -> None:
        """Set the limit of a scope, None for no limit; what was spent stays spent.

        Args:
            scope: whose.
            acus: the limit.
            now: Unix seconds.
            lasting: as in `Database.write`.
        """
        found = self._database.row("SELECT acus FROM budgets WHERE scope = ?", scope)
        if (found["acus"] if found else None) != acus:
            with self._database.write("budget", lasting=lasting) as db:
                limit = NO_LIMIT if acus is None else acus
                db.execute("INSERT OR REPLACE INTO unsynced.budgets VALUES (?, ?, ?)", (scope, limit, now))

    def set_or_show(self, scope: str, acus: float | str | None = None, *, now: float) -> Account:
        """Set or show the budget of a scope; what was spent stays spent.

        Args:
            scope: whose.
            acus: the limit, `"off"` for none, None to show it.
            now: Unix seconds.

        Raises:
            OptionError: not a number above 0.
        """
        if acus == "off":
            self.set(scope, None, now=now)
        elif acus is not None:
            self.set(scope, _acus(acus), now=now)
        return self.account(scope)

    def count(self, scope: str, session_ids: Iterable[str]) -> None:
        """Count sessions in a scope with their full cost, if they do not count yet."""
        with self._database.write("count") as db:
            for session_id in session_ids:
                count_in(db, scope, session_id)

    def costs(self, scope: str) -> dict[str, float | None]:
        """Return the ACUs of every session that counts in a scope, by session id; None where the cost is unknown."""
        found = self._database.rows(
            "SELECT s.session_id, s.acus FROM spending p JOIN sessions s ON s.session_id = p.payer WHERE p.scope = ?",
            scope,
        )
        return {item["session_id"]: item["acus"] for item in found}

    def is_limited(self, scopes: Iterable[str]) -> bool:
        """Return whether any of these scopes has a limit."""
        return any(self._database.rows("SELECT acus FROM budgets WHERE scope = ?", scope) for scope in scopes)

    def account(self, scope: str) -> Account:
        """Return the state of a scope."""
        with self._database.read() as db:
            return account(db, scope)

    def refusal(
        self,
        scopes: Iterable[str],
        *,
        payer: str,
        cap: float | None,
        limits: Mapping[str, float | None],
        ending: str | None = None,
    ) -> BudgetExceeded | None:
        """Return what `check_budgets` would raise now, with limits that are about to be set; None if nothing."""
        with self._database.read() as db:
            try:
                check_budgets(db, scopes, payer=payer, cap=cap, limits=limits, ending=ending)
            except BudgetExceeded as refused:
                return refused
        return None

    def message_refusal(self, scopes: Iterable[str], session_id: str) -> BudgetExceeded | None:
        """Return what one more message to a session would raise now; None if nothing."""
        with self._database.read() as db:
            try:
                check_message(db, scopes, session_id)
            except BudgetExceeded as refused:
                return refused
        return None

    def open_payers(self, scopes: Iterable[str]) -> list[str]:
        """Return the open sessions that count in these scopes, to be read again before refusing."""
        found: dict[str, None] = {}
        with self._database.read() as db:
            for scope in scopes:
                found |= {
                    item["session_id"]: None for item in db.execute(_PAYERS, (scope,)).fetchall() if item["is_open"]
                }
        return list(found)

    def scopes_of(self, session_id: str) -> list[str]:
        """Return the scopes that a session counts in."""
        return [item["scope"] for item in self._database.rows("SELECT scope FROM spending WHERE payer = ?", session_id)]


def count_in(db: sqlite3.Connection, scope: str, payer: str, baseline: float = 0.0) -> None:
    """Inside a transaction: let a payer count in a scope, from what it has consumed on, if it does not count yet."""
    query = "INSERT INTO unsynced.spending SELECT ?, ?, ? WHERE NOT EXISTS"
    values = (scope, payer, baseline, scope, payer)
    db.execute(f"{query} (SELECT 1 FROM spending WHERE scope = ? AND payer = ?)", values)


def check_budgets(
    db: sqlite3.Connection,
    scopes: Iterable[str],
    *,
    payer: str,
    cap: float | None,
    limits: Mapping[str, float | None] | None = None,
    ending: str | None = None,
) -> None:
    """Inside a transaction: refuse unless every budget among `scopes` still holds `cap` for `payer`.

    Args:
        db: the transaction.
        scopes: the budgets.
        payer: a session, or the fingerprint of an intent; what it has reserved already is not counted twice.
        cap: what it may consume, in ACUs.
        limits: in place of those that are set.
        ending: a session that is ended before: it reserves nothing more.

    Raises:
        BudgetExceeded: with the arithmetic.
    """
    for scope in scopes:
        limit = limits[scope] if limits and scope in limits else limit_of(db, scope)
        if limit is None:  # nothing is added up: a batch would do so once for each of its rows
            continue
        now = replace(account(db, scope, without=payer, ending=ending), limit=limit)
        if cap is None:
            raise BudgetExceeded(
                f"{name_of(scope)} is {now.limit:g} ACU, and this session has no cap",
                "nothing was sent and nothing was paid",
                "give it one with --max-acu N",
            )
        if now.uncapped:
            raise BudgetExceeded(
                f"{name_of(scope)} is {now.limit:g} ACU, and {now.uncapped[0]} is running without a cap",
                "nothing was sent and nothing was paid",
                "wait until its turn is over, or stop it",
            )
        _check_sum(now, cap)


def _check_sum(now: Account, cap: float) -> None:
    total = now.consumed + now.reserved + cap
    if now.limit is None or total <= now.limit + 1e-9:
        return
    raise BudgetExceeded(
        f"{name_of(now.scope)} is {now.limit:g} ACU: {now.consumed:g} spent"
        + (f" + {now.reserved:g} that {now.n_open} running may take" if now.n_open else "")
        + f" + {cap:g} for this one = {total:g}",
        "nothing was sent and nothing was paid",
        ", or ".join(_ways_out(now, cap, total)),
    )


def _ways_out(now: Account, cap: float, total: float) -> list[str]:
    left = (now.limit or 0.0) - now.consumed - now.reserved
    return [
        f"raise the budget to {math.ceil(total * 100) / 100:g}",
        *([f"lower --max-acu to {math.floor(left)}"] if 1 <= left < cap else []),
        *(["wait until open turns are over"] if now.n_open else []),
    ]


def limit_of(db: sqlite3.Connection, scope: str) -> float | None:
    """Inside a transaction: return the limit of a scope, or None."""
    found = db.execute("SELECT acus FROM budgets WHERE scope = ?", (scope,)).fetchone()
    return found["acus"] if found else None


def account(db: sqlite3.Connection, scope: str, *, without: str = "", ending: str | None = None) -> Account:
    """Inside a transaction: return the state of a scope without one payer, and once another has ended."""
    limit = limit_of(db, scope)
    consumed = reserved = 0.0
    n_open, uncapped, unknown = 0, list[str](), list[str]()
    for item in db.execute(_PAYERS, (scope,)).fetchall():
        if item["payer"] == without or (item["session_id"] is None and item["tag"] is None):
            continue
        used, kept, is_open = _exposure(item, is_ending=item["payer"] == ending)
        consumed, reserved, n_open = consumed + used, reserved + (kept or 0.0), n_open + is_open
        if kept is None:
            (uncapped if is_open else unknown).append(item["payer"])
    return Account(
        scope=scope,
        limit=limit,
        consumed=round(consumed, 6),
        reserved=round(reserved, 6),
        n_open=n_open,
        uncapped=tuple(uncapped),
        unknown=tuple(unknown),
    )


def _exposure(item: sqlite3.Row, *, is_ending: bool) -> tuple[float, float | None, bool]:
    """Return consumed, reserved (None: nothing bounds it) and whether the turn is open."""
    is_open = item["session_id"] is None or (bool(item["is_open"]) and not is_ending)
    cap, acus, baseline = item["max_acu"], item["acus"], item["baseline"]
    if acus is None and not is_open:  # over, with an unknown cost: it may have cost its cap
        return (float(cap), 0.0, False) if cap is not None else (0.0, None, False)
    used = max(0.0, (acus or 0.0) - baseline)
    if not is_open:
        return used, 0.0, False
    return used, (max(0.0, cap - max(acus or 0.0, baseline)) if cap is not None else None), True


def join_budgets(db: sqlite3.Connection, scopes: Iterable[str], session_id: str) -> None:
    """Inside a transaction: let a session that gets a message count in these scopes, from what it has consumed on.

    Raises:
        BudgetExceeded: a budget does not hold what the session may still consume.
    """
    scopes = tuple(scopes)
    check_message(db, scopes, session_id)
    found = db.execute("SELECT acus FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    consumed = (found["acus"] or 0.0) if found else 0.0
    for scope in scopes:
        count_in(db, scope, session_id, consumed)


def check_message(db: sqlite3.Connection, scopes: Iterable[str], session_id: str) -> None:
    """Inside a transaction: refuse unless every budget holds what a session may consume for one more message.

    Raises:
        BudgetExceeded: with the arithmetic.
    """
    found = db.execute("SELECT acus, max_acu FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    acus, cap = (found["acus"] or 0.0, found["max_acu"]) if found else (0.0, None)
    for scope in scopes:
        counted = db.execute(
            "SELECT baseline FROM spending WHERE scope = ? AND payer = ?", (scope, session_id)
        ).fetchone()
        baseline = counted["baseline"] if counted else acus
        limit = limit_of(db, scope)
        if limit is not None and cap is None:
            raise BudgetExceeded(
                f"{name_of(scope)} is {limit:g} ACU, and {session_id} has no cap that is known here",
                "nothing was sent and nothing was paid",
                "lift the budget (%devin budget --off), or send from a notebook without one",
            )
        check_budgets(db, [scope], payer=session_id, cap=None if cap is None else max(0.0, cap - baseline))


def name_of(scope: str) -> str:
    """Return how a message calls the budget of a scope."""
    kind, _, name = scope.partition(" ")
    if kind == "cell":
        return "the budget of this cell"
    path = PurePath(name)
    if kind == "notebook" and path.suffix not in (".ipynb", ".py"):
        return f"the budget of the folder {path.name} (the notebook is not known)"
    return f"the budget of the {kind} {path.name}"


IN_A_CELL = "for example %devin budget 20; %devin budget --off lifts it"


def _acus(said: float | str) -> float:
    try:
        value = float(said)
    except (TypeError, ValueError):
        value = 0.0
    if isinstance(said, bool) or not 0 < value < float("inf"):
        raise OptionError(
            f"a budget is a number of ACUs above 0, or off, not {said!r}",
            hint=IN_A_CELL,
        )
    return value
