"""Messages are paid acts too: one is sent once, whatever happens to the cell, the kernel or the answer.

A message is known by session, text and files. The session's last answer is noted before the send, durably, so that
the answer to this message can be told from the one before even after a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from devin_jupyter.attachments import Attachment
from devin_jupyter.creation.leased import leased
from devin_jupyter.creation.policy import AttachmentsApi, Raw
from devin_jupyter.creation.seeing import Eyes, Reader
from devin_jupyter.errors import BudgetExceeded, Forbidden, NotFound, OptionError
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import LeaseLost, PaidMessage, send_lease
from devin_jupyter.models.ids import session_id as prefixed
from devin_jupyter.models.policy import notebook_scope
from devin_jupyter.models.snapshot import CellRef, Record, Sent, note_send, observe, parse_time
from devin_jupyter.paid import Clock, Run, once, settle, to_the_end
from devin_jupyter.sending import Conversation, Letter, MessagesApi, Sending, read_conversation
from devin_jupyter.text import format_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """How a send ended."""

    how: str
    """`sent`, or `already`: it had been sent before."""
    sent: Sent | None
    """What tells the answer to this message from the one before; None where that is not known any more."""
    raw: Raw | None = None
    """The service's answer (v3)."""
    notice: str | None = None
    """The line to print."""


class Messenger:
    """Sends messages exactly once. Any number of kernels share the journal."""

    def __init__(
        self,
        messages: MessagesApi,
        sessions: Reader,
        attachments: AttachmentsApi,
        journal: Journal,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet."""
        self._messages, self._sessions, self._attachments = messages, sessions, attachments
        self._journal, self._clock = journal, clock or Clock()

    async def send(
        self,
        session_id: str,
        text: str,
        files: Sequence[Attachment] = (),
        *,
        again: bool = False,
        as_user: str | None = None,
        record: Record | None = None,
        cell: CellRef | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> SendResult:
        """Send a message, unless it was sent before.

        When the caller is cancelled, a POST in flight is still carried to its end and written down.

        Args:
            session_id: in any form.
            text: what to say; `{{ }}` is filled in already.
            files: to go with it; uploaded only when the message is really to be sent.
            again: send it though it was sent before.
            as_user: in this user's name (v3).
            record: what is known of the session; else what the journal knows.
            cell: the cell that sends.
            say: told what is waited for, on the loop's thread.

        Raises:
            OptionError: the text is empty.
            Halted, BudgetExceeded: one of our guards said no; nothing was paid.
            CreateUncertain: it could not be settled whether the message arrived.
            DevinError: the service refused, or could not be reached; nothing arrived.
        """
        if not text.strip():
            raise OptionError("the message is empty", "nothing was sent", "say what Devin shall do")
        identifier = prefixed(session_id)
        kept = await asyncio.to_thread(self._journal.record, identifier)
        letter = Letter(
            session_id=identifier,
            text=text,
            files=tuple(files),
            again=again,
            as_user=as_user,
            scopes=(notebook_scope(cell.notebook),) if cell else (),
            record=record or kept or Record(session_id=identifier),
        )
        return await to_the_end(lambda run: self._send(letter, run), Run(self._clock, say))

    async def _send(self, letter: Letter, run: Run) -> SendResult:
        while True:
            try:
                return await self._under_lease(letter, run)
            except LeaseLost:
                await run.sleep(self._clock.poll_seconds)

    async def _under_lease(self, letter: Letter, run: Run) -> SendResult:
        async def nothing() -> None:
            return None

        async with leased(self._journal, send_lease(letter.session_id), run, meanwhile=nothing) as (lease, _):
            assert lease is not None
            last = await asyncio.to_thread(self._journal.messages.last, letter.key)
            blindly = letter.again and last is not None and last.seen_before is None
            if last is not None and last.sent_at is None and last.posts and not blindly:
                run.say("an earlier kernel was about to send this message; looking whether it arrived")
                if await settle(self._deed(letter, last, lease, []), run) is not None:
                    return await self._arrived(letter, last, None)
            elif last is not None and last.sent_at is not None and not letter.again:
                return await self._already(letter, last.sent_at)
            conversation = await self._conversation(letter)
            times = conversation.of(letter.text) if conversation else []
            known = await asyncio.to_thread(self._journal.messages.count, letter.words)
            if last is None and not letter.again and len(times) > known:
                return await self._found(letter, times)
            return await self._post(letter, conversation, lease, run)

    async def _post(self, letter: Letter, conversation: Conversation | None, lease: str, run: Run) -> SendResult:
        await asyncio.to_thread(self._journal.flags.refuse)
        sent = await self._as_it_stands(letter, conversation)
        scopes = await asyncio.to_thread(self._journal.budgets.scopes_of, letter.session_id)
        write = partial(
            self._journal.messages.write,
            letter.key,
            letter.session_id,
            words=letter.words,
            seen_before=len(conversation.of(letter.text)) if conversation else None,
            sent=sent,
            scopes=tuple(dict.fromkeys([*letter.scopes, *scopes])),
            now=self._clock.now(),
        )
        try:
            message = await asyncio.to_thread(write)
        except BudgetExceeded:
            await Eyes(self._sessions, self._journal, self._clock).look_at_payers([*letter.scopes, *scopes])
            message = await asyncio.to_thread(write)
        deed = self._deed(letter, message, lease, [])
        try:
            urls = [
                item.url or str((await self._attachments.upload(item.name, item.content or b""))["url"])
                for item in letter.files
            ]
        except BaseException:
            await deed.clear()
            raise
        answer, _ = await once(replace(deed, urls=tuple(urls)), run)
        return await self._arrived(letter, message, answer.raw)

    async def _as_it_stands(self, letter: Letter, conversation: Conversation | None) -> Sent:
        """Return what tells the answer to this message from what the session holds already."""
        raw = await self._sessions.get(letter.session_id)
        previous = await asyncio.to_thread(self._journal.snapshot, letter.session_id)
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        snapshot = observe(raw, replace(letter.record, snapshot=previous), at=now)
        await asyncio.to_thread(self._journal.save_snapshot, snapshot)
        sent = note_send(snapshot, letter.text, at=now.replace(microsecond=0), answer=None)
        return replace(sent, last_event=conversation.last_event) if conversation else sent

    async def _arrived(self, letter: Letter, message: PaidMessage, raw: Raw | None) -> SendResult:
        assert message.sent is not None
        sent = replace(message.sent, updated_at=parse_time((raw or {}).get("updated_at")))
        await asyncio.to_thread(self._journal.messages.arrived, message, now=self._clock.now(), sent=sent)
        return SendResult(how="sent", sent=sent, raw=raw)

    async def _found(self, letter: Letter, times: Sequence[float | None]) -> SendResult:
        """The conversation holds it, though this journal does not: another machine sent it."""
        at = times[-1] or self._clock.now()
        message = PaidMessage(
            key=letter.key,
            nth=1,
            session_id=letter.session_id,
            words=letter.words,
            written_at=at,
            posts=1,
            seen_before=None,
            sent=None,
            sent_at=at,
        )
        await asyncio.to_thread(self._journal.messages.arrived, message, now=at, sent=None)
        return await self._already(letter, at)

    async def _already(self, letter: Letter, at: float) -> SendResult:
        """The last message to the session decides what counts as its answer, whichever it was."""
        record = await asyncio.to_thread(self._journal.record, letter.session_id)
        notice = f"already sent on {format_utc(at)}; --again repeats"
        return SendResult(how="already", sent=record.sent if record else None, notice=notice)

    async def _conversation(self, letter: Letter) -> Conversation | None:
        """Return what was said so far; None where the key may not read it."""
        try:
            return await read_conversation(self._messages, letter.session_id)
        except (Forbidden, NotFound):
            return None

    def _deed(self, letter: Letter, message: PaidMessage, lease: str, urls: Sequence[str]) -> Sending:
        return Sending(
            messages=self._messages,
            journal=self._journal,
            clock=self._clock,
            letter=letter,
            message=message,
            lease=lease,
            urls=tuple(urls),
        )
