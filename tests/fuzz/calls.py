"""Every call of the client, and sound answers to it, taken once from the simulator."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from contract.sample_organization import populate

from devin_jupyter import AsyncDevin
from devin_jupyter.api.transport import Transport
from devin_jupyter.config import Pace, Settings
from devin_jupyter.journal import Journal

Call = Callable[[AsyncDevin, str], Awaitable[Any]]
Answers = list[tuple[int, Any]]
KEYS = {"v3": "cog_0123456789abcdefghij", "v1": "apk_0123456789abcdefghij"}
ORG = "org-simulator"
SPAN = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


async def every(items: Any) -> list[Any]:
    """Read a list to its end."""
    return [item async for item in items]


BOTH: dict[str, Call] = {
    "sessions.list": lambda devin, _: every(devin.sessions.list()),
    "sessions.get": lambda devin, one: devin.sessions.get(one),
    "messages.list": lambda devin, one: every(devin.messages.list(one)),
    "messages.send": lambda devin, one: devin.messages.send(one, "And?"),
    "tags.get": lambda devin, one: devin.tags.get(one),
    "tags.append": lambda devin, one: devin.tags.append(one, ["x"]),
    "tags.replace": lambda devin, one: devin.tags.replace(one, ["x"]),
    "attachments.upload": lambda devin, _: devin.attachments.upload("a.csv", b"1"),
    "playbooks.list": lambda devin, _: every(devin.playbooks.list()),
    "playbooks.ensure": lambda devin, _: devin.playbooks.ensure("Triage", "Read again."),
    "knowledge.list": lambda devin, _: every(devin.knowledge.list()),
    "knowledge.ensure": lambda devin, _: devin.knowledge.ensure("Style", "Use ruff.", "always"),
    "knowledge.folders": lambda devin, _: devin.knowledge.folders(),
    "secrets.list": lambda devin, _: every(devin.secrets.list()),
    "secrets.ensure": lambda devin, _: devin.secrets.ensure("A", "a value", replace=True),
    "create": lambda devin, _: devin.create("Count", schema="count:int", max_acu=5),
    "get": lambda devin, one: devin.get(one),
}
V3_ONLY: dict[str, Call] = {
    "self": lambda devin, _: devin.self(),
    "permissions": lambda devin, _: devin.permissions(),
    "sessions.archive": lambda devin, one: devin.sessions.archive(one),
    "sessions.unarchive": lambda devin, one: devin.sessions.unarchive(one),
    "attachments.list": lambda devin, one: devin.attachments.list(one),
    "insights.list": lambda devin, _: every(devin.insights.list(limit=3)),
    "insights.get": lambda devin, one: devin.insights.get(one),
    "insights.generate": lambda devin, one: devin.insights.generate(one),
    "events.list": lambda devin, one: every(devin.events.list(one, limit=3)),
    "events.search": lambda devin, one: every(devin.events.search(one, "count")),
    "events.details": lambda devin, one: devin.events.details(one),
    "schedules.list": lambda devin, _: every(devin.schedules.list()),
    "schedules.ensure": lambda devin, _: devin.schedules.ensure("Weekly", "Triage well", frequency="0 9 * * 1"),
    "consumption.daily": lambda devin, _: devin.consumption.daily(),
    "consumption.session": lambda devin, one: devin.consumption.session(one),
    "metrics.usage": lambda devin, _: devin.metrics.usage(),
    "metrics.sessions": lambda devin, _: devin.metrics.sessions(*SPAN),
    "metrics.prs": lambda devin, _: devin.metrics.prs(*SPAN),
    "metrics.dau": lambda devin, _: devin.metrics.dau(*SPAN),
    "repositories.list": lambda devin, _: every(devin.repositories.list()),
    "repositories.indexing": lambda devin, _: devin.repositories.indexing("acme/api"),
    "repositories_frame": lambda devin, _: devin.repositories_frame(indexing=True),
    "reviews.get": lambda devin, _: devin.reviews.get("https://github.com/acme/api/pull/12"),
    "members_frame": lambda devin, _: devin.members_frame(emails=True),
    "automations.list": lambda devin, _: every(devin.automations.list()),
    "automations_frame": lambda devin, _: devin.automations_frame(),
}
LAST: dict[str, Call] = {"sessions.terminate": lambda devin, one: devin.sessions.terminate(one)}
CALLS = {"v3": {**BOTH, **V3_ONLY, **LAST}, "v1": {**BOTH, **LAST}}


def client(version: str, wire: httpx.AsyncBaseTransport, **changes: Any) -> AsyncDevin:
    """Return a client whose requests are carried by `wire`."""
    org_id = ORG if version == "v3" else None
    pace = Pace(fast=1.0, slow=1.0, asleep=1.0)
    settings = Settings(api_key=KEYS[version], api_version=version, org_id=org_id, home=Path("nowhere"), pace=pace)
    settings = replace(settings, **changes)
    return AsyncDevin(settings=settings, journal=Journal(), transport=Transport(settings, wire=wire))


class Noting(httpx.AsyncHTTPTransport):
    """Carries requests over the network and notes the JSON that came back."""

    def __init__(self) -> None:
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)  # loads no trust anchors
        self.answers: Answers = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        body = await response.aread()
        self.answers.append((response.status_code, json.loads(body) if body else None))
        return response


@cache
def sound_answers(simulator: Any, version: str) -> dict[str, Answers]:
    """Make every call once, and return what the simulator answered to each."""
    ids = populate(simulator)
    one = ids["devin_id" if version == "v3" else "session_id"][0]
    return {name: _answers(simulator, version, call, one) for name, call in CALLS[version].items()}


def _answers(simulator: Any, version: str, call: Call, one: str) -> Answers:
    wire = Noting()
    key = simulator.api_key if version == "v3" else simulator.v1_key

    async def once() -> None:
        async with client(version, wire, base_url=simulator.url, api_key=key, simulated=True) as devin:
            await call(devin, one)

    asyncio.run(once())
    return wire.answers
