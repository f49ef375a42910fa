"""A clock that tests move, and a service whose answers a function makes up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from devin_jupyter.api.client import Service
from devin_jupyter.api.transport import Transport
from devin_jupyter.config import Settings


@pytest.fixture
def answering() -> Callable[..., Service]:
    """Return a service whose answers a function makes up; retries do not wait."""

    async def no_pause(seconds: float) -> None:
        await asyncio.sleep(0)

    def make(handler: Callable[[httpx.Request], httpx.Response], version: str = "v3") -> Service:
        key, org_id = ("apk_0123456789abcdefghij", None) if version == "v1" else ("cog_0123456789abcdefghij", "org-x")
        chosen = Settings(api_key=key, api_version=version, org_id=org_id, home=Path("nowhere"))
        return Service(Transport(chosen, wire=httpx.MockTransport(handler), sleep=no_pause), chosen)

    return make


class FakeClock:
    """Time that passes only when the poll loop pauses, and as fast as it can."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def jitter(self) -> float:
        return 1.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.seconds += seconds

    async def pause(self, seconds: float, wake: asyncio.Event) -> None:
        await asyncio.sleep(0)
        if not wake.is_set():
            self.pauses.append(seconds)
            self.seconds += seconds


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()
