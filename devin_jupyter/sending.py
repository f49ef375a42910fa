"""The send call as a paid act: how the conversation shows whether a message arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from devin_jupyter.attachments import Attachment
from devin_jupyter.creation.policy import Raw
from devin_jupyter.errors import Conflict, CreateUncertain, DevinError, Forbidden
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import PaidMessage
from devin_jupyter.models.snapshot import Record, parse_time
from devin_jupyter.paid import Clock, is_refusal
from devin_jupyter.recorded import message_key
from devin_jupyter.redaction import as_returned


class MessagesApi(Protocol):
    """The calls about messages."""

    def list(self, session_id: str) -> AsyncIterator[Raw]:
        """Read the conversation, oldest first."""

    async def send(
        self, session_id: str, message: str, *, attachment_urls: Sequence[str] = (), as_user: str | None = None
    ) -> Raw | None:
        """Send a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message on its way."""

    session_id: str
    text: str
    files: tuple[Attachment, ...]
    again: bool
    as_user: str | None
    scopes: tuple[str, ...]
    record: Record

    @property
    def key(self) -> str:
        """What makes two messages the same."""
        return message_key(self.session_id, self.text, (item.sha256 for item in self.files))

    @property
    def words(self) -> str:
        """The same without files: all that a conversation shows."""
        return message_key(self.session_id, normalized(self.text), ())


@dataclass(frozen=True, slots=True)
class Answer:
    """That a message arrived, with the service's answer where there was one."""

    raw: Raw | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The send call as a paid act."""

    messages: MessagesApi
    journal: Journal
    clock: Clock
    letter: Letter
    message: PaidMessage
    lease: str
    urls: tuple[str, ...]

    async def post(self) -> Answer:
        """Count the POST in the journal, then send it."""
        now = self.clock.now()
        await asyncio.to_thread(self.journal.messages.about_to_post, self.message, self.lease, now=now)
        self.clock.refuse_if_late(now)
        letter = self.letter
        raw = await self.messages.send(
            letter.session_id, letter.text, attachment_urls=self.urls, as_user=letter.as_user
        )
        return Answer(raw)

    async def look(self) -> Answer | None:
        """The conversation holds the text once more than before."""
        conversation = await read_conversation(self.messages, self.letter.session_id)
        before = self.message.seen_before
        if before is None:  # it could not be read then
            before = await asyncio.to_thread(self.journal.messages.count, self.message.words)
        return Answer() if len(conversation.of(self.letter.text)) > before else None

    async def clear(self) -> None:
        """Forget the message: it did not arrive."""
        await asyncio.to_thread(self.journal.messages.clear, self.message)

    def is_certain(self, problem: DevinError) -> bool:
        """A session that takes no messages says so with 409 as well."""
        return is_refusal(problem) or isinstance(problem, Conflict)

    def uncertain(self, problem: DevinError) -> CreateUncertain:
        """Return the error that says what to check."""
        what = f"it could not be settled whether the message arrived: {problem.message}"
        if isinstance(problem, Forbidden):
            do = "read the conversation in the web app; --again sends it once more"
            return CreateUncertain(what, f"this key may not read the messages of {self.letter.session_id}", do)
        return CreateUncertain(
            what,
            f"{self.letter.session_id} did not show it up to {self.clock.settle_at[-1]:g} s after the last try",
            "read the conversation in the web app; sending it again looks first, and posts only if it is not there",
        )


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a conversation holds, as far as sending once needs it."""

    times: dict[str, list[float | None]]
    """When people said what after the prompt, by normalized text."""
    last_event: str | None

    def of(self, text: str) -> list[float | None]:
        """Return the times of this text."""
        return self.times.get(normalized(as_returned(text)), [])


async def read_conversation(messages: MessagesApi, session_id: str) -> Conversation:
    """Read who said what. The first that people said is the prompt, which is no message."""
    texts: dict[str, list[float | None]] = {}
    last_event: str | None = None
    is_prompt = True
    async for raw in messages.list(session_id):
        last_event = str(raw["event_id"]) if raw.get("event_id") else last_event
        if raw.get("source") == "user" or raw.get("type") in ("user_message", "initial_user_message"):
            if is_prompt:
                is_prompt = False
                continue
            moment = parse_time(raw.get("created_at") or raw.get("timestamp"))
            text = normalized(str(raw.get("message") or ""))
            texts.setdefault(text, []).append(moment.timestamp() if moment else None)
    return Conversation(texts, last_event)


def normalized(text: str) -> str:
    """Return a text as it is compared: white space may change on the way, and v1 adds lines for files."""
    lines = (line for line in text.splitlines() if not line.startswith('ATTACHMENT:"'))
    return " ".join(" ".join(lines).split())
