"""Messages are paid acts too: each is sent once, whatever happens to the cell, the kernel or the response.

A message is known by session, text and files. The session's last answer is noted before the send, durably, so that
the answer to this message can be told from the one before even after a crash.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from devin_jupyter.api.sessions import Messages
from devin_jupyter.errors import Conflict, CreateUncertain, DevinError, Forbidden, NotFound, Refused
from devin_jupyter.idempotency.create import Creator
from devin_jupyter.idempotency.once import Attempt, PaidAct, in_seconds, is_refusal, once, shielded
from devin_jupyter.journal.intents import PaidMessage, send_lease
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import read_message
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.snapshot import CellRef, Sent, note_send, notebook_scope, parse_time
from devin_jupyter.recorded import clean, message_key, message_keys
from devin_jupyter.redaction import as_returned
from devin_jupyter.request import Attachment, check_message
from devin_jupyter.text import format_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """How a send ended."""

    how: str
    """`sent`, or `already`: it had been sent before."""
    sent: Sent | None
    """What tells the answer to this message from the one before; None where that is not known any more."""
    raw: Mapping[str, Any] | None = None
    """The service's answer (v3)."""
    notice: str | None = None
    """The line to print."""


class Messenger:
    """Sends messages exactly once. Any number of kernels share the journal."""

    def __init__(self, messages: Messages, creator: Creator) -> None:
        self.messages, self.creator = messages, creator

    async def send(
        self,
        session_id: str,
        text: str,
        files: Sequence[Attachment] = (),
        *,
        again: bool = False,
        as_user: str | None = None,
        cell: CellRef | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> SendResult:
        """Send a message, unless it was sent before.

        When the caller is cancelled, a POST in flight is still completed and written down.

        Args:
            session_id: in any form.
            text: what to say; `{{ }}` is filled in already.
            files: to go with it; uploaded only when the message is really to be sent.
            again: send it even if it was already sent.
            as_user: in this user's name (v3).
            cell: the cell that sends.
            say: told what is waited for, on the loop's thread.

        Raises:
            OptionError: the text is empty, or none.
            Refused: a halt, a budget, or that the session is archived; nothing was paid.
            CreateUncertain: it is not known whether the message arrived.
            DevinError: the service refused, or could not be reached; nothing arrived.
        """
        check_message(text)
        call = SendCall(self, prefixed(session_id), text, tuple(files), again, as_user, cell)
        attempt = Attempt(self.creator.timing, say)
        return await shielded(once(call, self.creator.journal, attempt), attempt)


@dataclass(frozen=True, slots=True)
class Arrival:
    """That a message arrived, with the service's answer where there was one."""

    raw: Mapping[str, Any] | None = None


class SendCall(PaidAct[PaidMessage, Arrival, SendResult]):
    """Sending one message."""

    orphan_notice = "an earlier kernel was about to send this message; checking whether it arrived"

    def __init__(
        self,
        messenger: Messenger,
        session_id: str,
        text: str,
        files: tuple[Attachment, ...],
        again: bool,
        as_user: str | None,
        cell: CellRef | None,
    ) -> None:
        self._messages, self._creator = messenger.messages, messenger.creator
        self._journal, self._timing = self._creator.journal, self._creator.timing
        self.session_id, self._text, self._files = session_id, text, files
        self._again, self._as_user, self._cell = again, as_user, cell
        self.keys = message_keys(session_id, text, (item.sha256 for item in files))
        self.key = self.keys[0]
        self._words = message_key(session_id, normalized(text), ())
        """The same without files: all that a conversation shows."""
        self.lease_name = send_lease(session_id)
        self._last: PaidMessage | None = None
        self._conversation: Conversation | None = None
        self._urls: list[str] = []

    async def known(self) -> SendResult | None:
        """Return that the message was sent before, unless it is to be sent again."""
        self._last = await asyncio.to_thread(self._journal.messages.last, *self.keys)
        if self._last is None or self._last.sent_at is None or self._again:
            return None
        return await self._already(self._last.sent_at)

    async def pending(self) -> PaidMessage | None:
        """With `--again` one is settled only if it can be told from those that arrived before."""
        last = self._last
        if last is None or last.sent_at is not None or not last.posts:
            return None
        return None if self._again and last.seen_before is None else last

    async def look(self, orphan: PaidMessage | None) -> SendResult | None:
        """Find the message in the conversation though this journal does not know it: another machine sent it."""
        if orphan is not None and orphan.key != self.key:  # it did not arrive, and will be sent under the key of now
            await self.clear(orphan)
        try:
            self._conversation = await self._read()
        except (Forbidden, NotFound) as refusal:  # the key may not read it
            if refusal.error_code is not None:  # nor would a message arrive
                refusal.note("nothing was sent")
                raise
            self._conversation = None
        times = self._conversation.times_of(self._text) if self._conversation else []
        known = await asyncio.to_thread(self._journal.messages.count, self._words)
        if self._last is not None or self._again or len(times) <= known:
            return None
        at = times[-1] or self._timing.now()
        message = PaidMessage(
            key=self.key,
            nth=1,
            session_id=self.session_id,
            words=self._words,
            written_at=at,
            posts=1,
            seen_before=None,
            sent=None,
            sent_at=at,
        )
        await asyncio.to_thread(self._journal.messages.arrived, message, now=at, sent=None)
        return await self._already(at)

    async def reserve(self, attempt: Attempt) -> PaidMessage:
        """Note what tells the answer to this message from what the session holds already, and write it down."""
        creator, journal, conversation = self._creator, self._journal, self._conversation
        await asyncio.to_thread(journal.flags.refuse)
        known = creator.store.find(self.session_id)
        if known is not None and (known.snapshot.status == "exit" or known.snapshot.phase is Phase.STOPPED):
            raise Refused(
                f"{self.session_id} has ended, and takes no messages",
                "nothing was sent and nothing was paid",
                "start another session: with the next --take on its cell (take= in Python), or in a new cell",
            )
        ticket = creator.store.ticket()
        raw = await creator.api.sessions.get(self.session_id)
        snapshot = await creator.store.see({**raw, "session_id": self.session_id}, ticket=ticket)
        if raw.get("is_archived") is True:
            raise Refused(
                f"{self.session_id} is archived: it would take the message, and do nothing",
                "nothing was sent and nothing was paid",
                "take it out of the archive first: .unarchive(), or %devin unarchive; then send again",
            )
        now = self._timing.now()
        at = datetime.fromtimestamp(now, UTC).replace(microsecond=0)
        sent = note_send(snapshot, self._text, at=at, answer=None)
        if conversation is not None:
            sent = replace(sent, last_event=conversation.last_event)
        scopes = await asyncio.to_thread(journal.budgets.scopes_of, self.session_id)
        own = [notebook_scope(self._cell.notebook)] if self._cell else []
        write = partial(
            journal.messages.write,
            self.key,
            self.session_id,
            words=self._words,
            seen_before=conversation.count_of(self._text) if conversation else None,
            sent=sent,
            scopes=tuple(dict.fromkeys([*own, *scopes])),
            now=now,
        )
        return await creator.write_within_budget(write, [*own, *scopes])

    async def prepare(self, intent: PaidMessage) -> None:
        """Upload the files."""
        self._urls = await self._creator.upload(self._files)

    async def post(self, intent: PaidMessage, lease: str) -> Arrival:
        """Count the POST in the journal, then send it."""
        now = self._timing.now()
        await asyncio.to_thread(self._journal.messages.about_to_post, intent, lease, now=now)
        self._timing.refuse_if_late(now)
        raw = await self._messages.send(self.session_id, self._text, attachment_urls=self._urls, as_user=self._as_user)
        return Arrival(raw)

    async def find(self, intent: PaidMessage) -> Arrival | None:
        """The conversation holds the text once more than before."""
        conversation = await self._read()
        if intent.seen_before is not None:
            return Arrival() if conversation.count_of(self._text) > intent.seen_before else None
        known = await asyncio.to_thread(self._journal.messages.count, intent.words)  # it could not be read then
        return Arrival() if len(conversation.times_of(self._text)) > known else None

    async def _read(self) -> Conversation:
        record = await asyncio.to_thread(self._journal.record, self.session_id)
        prompt = record.facts.prompt if record is not None else ""
        return await read_conversation(self._messages, self.session_id, prompt)

    async def confirm(self, intent: PaidMessage, made: Arrival, how: str) -> SendResult:
        """Keep that the message arrived; the session's turn is open again."""
        assert intent.sent is not None
        sent = replace(
            intent.sent,
            updated_at=parse_time((made.raw or {}).get("updated_at")),
            service_at=self._creator.store.service_now(),
        )
        await asyncio.to_thread(self._journal.messages.arrived, intent, now=self._timing.now(), sent=sent)
        return SendResult(how="sent", sent=sent, raw=made.raw)

    async def clear(self, intent: PaidMessage) -> None:
        """Forget the message: it did not arrive."""
        await asyncio.to_thread(self._journal.messages.clear, intent)

    def is_certain(self, problem: DevinError) -> bool:
        """A session that takes no messages says so with 409 as well."""
        return is_refusal(problem) or isinstance(problem, Conflict)

    def uncertain(self, problem: DevinError, seconds: float) -> CreateUncertain:
        """Return the error that says what to check."""
        what = f"it is not known whether the message arrived: {problem.message}"
        if isinstance(problem, Forbidden):
            do = "read the conversation in the web app; --again sends it once more"
            return CreateUncertain(what, f"this key may not read the messages of {self.session_id}", do)
        return CreateUncertain(
            what,
            f"{in_seconds(seconds)} of reading {self.session_id} did not show it",
            "read the conversation in the web app; sending it again checks first, and posts only if it is not there",
        )

    async def _already(self, at: float) -> SendResult:
        """The last message to the session decides what counts as its answer, whichever it was."""
        record = await asyncio.to_thread(self._journal.record, self.session_id)
        notice = f"already sent on {format_utc(at)}; --again repeats"
        return SendResult(how="already", sent=record.sent if record else None, notice=notice)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a conversation holds, as far as sending once needs it."""

    times: dict[str, list[float | None]]
    """When people wrote what besides the prompt, by normalized text."""
    last_event: str | None
    prompt: str | None = None
    """The prompt as it stands in the conversation, normalized; None where it does not."""

    def times_of(self, text: str) -> list[float | None]:
        """Return the times of this text."""
        return self.times.get(normalized(as_returned(text)), [])

    def count_of(self, text: str) -> int:
        """Return how often this text stands there, as a message or as the prompt."""
        return len(self.times_of(text)) + (self.prompt == normalized(as_returned(text)))


async def read_conversation(messages: Messages, session_id: str, prompt: str = "") -> Conversation:
    """Read who wrote what.

    Args:
        messages: of the service.
        session_id: whose conversation.
        prompt: as the journal keeps it; where it is not known, the first text by a person is taken for it.
    """
    said: list[tuple[str, float | None]] = []
    last_event: str | None = None
    async for raw in messages.list(session_id):
        last_event = str(raw["event_id"]) if raw.get("event_id") else last_event
        message = read_message(raw)
        if message.source.lower() != "devin":
            said.append((normalized(message.text), message.created_at.timestamp() if message.created_at else None))
    known = normalized(clean(prompt))
    is_prompt = (place for place, (text, _) in enumerate(said) if not known or normalized(clean(text)) == known)
    at = next(is_prompt, None)
    texts: dict[str, list[float | None]] = {}
    for place, (text, moment) in enumerate(said):
        if place != at:
            texts.setdefault(text, []).append(moment)
    return Conversation(texts, last_event, None if at is None else said[at][0])


def normalized(text: str) -> str:
    """Return a text normalized for comparison: white space may change on the way, and v1 adds lines for files."""
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    lines = (line for line in text.splitlines() if not line.startswith('ATTACHMENT:"'))
    return " ".join(" ".join(lines).split())
