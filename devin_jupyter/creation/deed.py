"""The create call as a paid act: one intent, one tag, and how the service shows whether it was applied."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from devin_jupyter.creation.job import Job
from devin_jupyter.creation.lookup import Lookup, id_of, our_tags
from devin_jupyter.creation.policy import Api, Raw
from devin_jupyter.errors import CreateUncertain, DevinError, UnreadableAnswer
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import Intent
from devin_jupyter.paid import Clock, is_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """Starting the session of one job, under a lease."""

    api: Api
    journal: Journal
    lookup: Lookup
    clock: Clock
    job: Job
    lease: str
    body: Raw
    known_before: frozenset[str]
    """Sessions with the tag that are not the one meant."""

    async def post(self) -> Raw:
        """Count the POST in the journal, then send it.

        v1 may answer with an earlier session that it holds to be equivalent. What is another request to us, by `--key`
        for example, is asked for once more then, as a session of its own: nothing was paid for the first answer.
        """
        raw = await self._send(self.body)
        identifier = id_of(raw)
        if raw.get("is_new_session") is not False or identifier is None:
            return raw
        equivalent = await self.api.sessions.get(identifier)
        tags = set(our_tags(equivalent))
        if tags and tags.isdisjoint(item.tag for item in self.job.fingerprints):
            return await self._send({**self.body, "idempotent": False})
        return {**equivalent, "is_new_session": False}

    async def _send(self, body: Raw) -> Raw:
        now = self.clock.now()
        await asyncio.to_thread(self.journal.intents.about_to_post, self.job.fingerprint, self.lease, now=now)
        self.clock.refuse_if_late(now)
        raw = await self.api.sessions.create(body)
        if not isinstance(raw, dict) or id_of(raw) is None:
            raise UnreadableAnswer("the answer to the create call holds no session id", "a session may have been made")
        return raw

    async def look(self) -> Raw | None:
        """Return our session with the tag that was not there before; the oldest if the service shows several.

        Raises:
            CreateUncertain: the session is in no list, and posting again would start another.
        """
        if self.body.get("unlisted") and not self.body.get("idempotent"):
            raise self._unlisted()
        for raw in await self.lookup.find(self.job.tag):
            if id_of(raw) not in self.known_before and await self.lookup.is_mine(
                raw, self.job.request.options.get("as_user")
            ):
                return raw
        return None

    async def clear(self) -> None:
        """End the intent: nothing was started."""
        await asyncio.to_thread(self.journal.intents.clear, self.job.fingerprint)

    def is_certain(self, problem: DevinError) -> bool:
        """Tell whether nothing can have been started."""
        return is_refusal(problem)

    def uncertain(self, problem: DevinError) -> CreateUncertain:
        """Return the error that says what to check."""
        seconds = f"{self.clock.settle_at[-1]:g} s"
        return CreateUncertain(
            f"it could not be settled whether a session was started: {problem.message}",
            f"the tag {self.job.tag} showed none up to {seconds} after the last try; if there is one, it costs",
            f"look for {self.job.tag} in the web app; a rerun of the cell looks first and posts only if there is none",
        )

    def _unlisted(self) -> CreateUncertain:
        return CreateUncertain(
            "it could not be settled whether a session was started: unlisted ones are in no list",
            "there may be one, and it costs",
            "look for it in the web app (%devin open ID attaches to it); another --take starts another",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A creation that another process left without an outcome: it is only looked for."""

    journal: Journal
    lookup: Lookup
    intent: Intent

    async def post(self) -> Raw:
        """Never."""
        raise AssertionError("what another process began is not begun again in its name")

    async def look(self) -> Raw | None:
        """Return the session it made, or None."""
        for raw in await self.lookup.find(self.intent.tag):
            if id_of(raw) not in self.intent.known_before and await self.lookup.is_mine(raw, None):
                return raw
        return None

    async def clear(self) -> None:
        """End the intent: nothing was started."""
        await asyncio.to_thread(self.journal.intents.clear, self.intent.fingerprint)

    def is_certain(self, problem: DevinError) -> bool:
        """Tell whether nothing can have been started."""
        return False

    def uncertain(self, problem: DevinError) -> CreateUncertain:
        """Return the error for a service that cannot be asked."""
        return CreateUncertain(
            f"an earlier kernel was about to start a session, and the service cannot be asked: {problem.message}",
            f"there may be a session with the tag {self.intent.tag}; nothing was sent now",
            "run the cell again when the service can be reached",
        )
