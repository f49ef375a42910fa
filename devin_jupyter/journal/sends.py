"""Messages that were sent, or were about to be: a message is paid for as a session is, and arrives once."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from devin_jupyter.journal import budgets, leases
from devin_jupyter.journal.database import Database, row, rows
from devin_jupyter.journal.flags import refuse_if_halted
from devin_jupyter.models.snapshot import Sent
from devin_jupyter.recorded import canonical, sent_from_json, sent_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
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


def message_key(session_id: str, text: str, hashes: Iterable[str]) -> str:
    """Return what makes two messages the same: the session, the text and the files."""
    return hashlib.sha256(canonical([session_id, text.strip(), sorted(hashes)]).encode()).hexdigest()


class Sends:
    """The part of the journal that knows messages."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database

    def last(self, key: str) -> Message | None:
        """Return the newest message with this key, sent or under way."""
        with self._database.read() as db:
            found = row(db, "SELECT * FROM messages WHERE key = ? ORDER BY nth DESC LIMIT 1", key)
        return _message(found) if found else None

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
    ) -> Message:
        """Write down a message before it is sent, and reserve what the session may consume for it.

        Raises:
            Halted: the halt flag is set.
            BudgetExceeded: a budget does not hold it.
        """
        with self._database.write("message") as db:
            refuse_if_halted(db)
            budgets.join(db, scopes, session_id)
            db.execute("DELETE FROM messages WHERE key = ? AND sent_at IS NULL", (key,))
            nth = db.execute("SELECT COALESCE(MAX(nth), 0) + 1 FROM messages WHERE key = ?", (key,)).fetchone()[0]
            db.execute(
                "INSERT INTO messages (key, nth, session_id, words, written_at, seen_before, before)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, nth, session_id, words, now, seen_before, sent_to_json(sent)),
            )
            found = row(db, "SELECT * FROM messages WHERE key = ? AND nth = ?", key, nth)
        assert found is not None
        return _message(found)

    def about_to_post(self, message: Message, lease: str, *, now: float) -> None:
        """Count a POST, right before it.

        Raises:
            Halted: the halt flag was set meanwhile.
            LeaseLost: another process sends to this session, or the journal was replaced.
        """
        with self._database.write("message-about-to-post") as db:
            refuse_if_halted(db)
            if not leases.keep(db, leases.of_send(message.session_id), lease, now=now):
                raise leases.LeaseLost
            changed = db.execute(
                "UPDATE messages SET posts = posts + 1 WHERE key = ? AND nth = ? AND sent_at IS NULL",
                (message.key, message.nth),
            )
            if changed.rowcount == 0:
                raise leases.LeaseLost

    def arrived(self, message: Message, *, now: float, sent: Sent | None) -> None:
        """Keep that a message arrived. `sent` is None for one that another machine sent: its turn may be over."""
        with self._database.write("message-arrived") as db:
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
            if sent is not None:
                changes = (sent_to_json(sent), message.session_id)
                db.execute("UPDATE sessions SET sent = ?, is_open = 1 WHERE session_id = ?", changes)

    def clear(self, message: Message) -> None:
        """Forget a message that certainly did not arrive."""
        with self._database.write("message-clear") as db:
            db.execute("DELETE FROM messages WHERE key = ? AND nth = ? AND sent_at IS NULL", (message.key, message.nth))

    def count(self, words: str) -> int:
        """Return how many messages with this text are known to have arrived, with whatever files."""
        with self._database.read() as db:
            found = row(db, "SELECT COUNT(*) AS n FROM messages WHERE words = ? AND sent_at IS NOT NULL", words)
        return int(found["n"]) if found else 0

    def undecided(self) -> list[Message]:
        """Return the messages that were posted and are not known to have arrived."""
        with self._database.read() as db:
            found = rows(db, "SELECT * FROM messages WHERE sent_at IS NULL AND posts > 0 ORDER BY written_at")
        return [_message(item) for item in found]

    def sent(self, session_ids: Iterable[str]) -> list[Message]:
        """Return the messages known to have arrived at these sessions, oldest first."""
        query = "SELECT * FROM messages WHERE session_id = ? AND sent_at IS NOT NULL ORDER BY sent_at, key, nth"
        with self._database.read() as db:
            return [_message(item) for identifier in session_ids for item in rows(db, query, identifier)]


def _message(found: sqlite3.Row) -> Message:
    values = dict(found)
    before = values.pop("before")
    return Message(**values, sent=sent_from_json(before))
