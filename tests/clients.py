"""Clients for the tests: on the simulator over real HTTP, and on answers that are made up at the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from devin_jupyter import AsyncDevin, Devin
from devin_jupyter.api.client import Service
from devin_jupyter.api.transport import Transport
from devin_jupyter.client.sync import disconnect
from devin_jupyter.config import Pace, Settings

KEY, V1_KEY = "cog_0123456789abcdefghij", "apk_0123456789abcdefghij"
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_default_client() -> Iterator[None]:
    disconnect()
    yield
    disconnect()


@pytest.fixture(params=["v3", "v1"])
def version(request: pytest.FixtureRequest) -> str:
    """Both API versions."""
    chosen: str = request.param
    return chosen


def key_of(simulator: Any, version: str) -> str:
    """The simulator's key for an API version."""
    return str(simulator.v1_key if version == "v1" else simulator.api_key)


@pytest.fixture
def devin(simulator: Any) -> Iterator[Devin]:
    """A v3 client of the simulator, whose turns take 0.1 s."""
    client = Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id)
    yield client
    client.close()


@pytest.fixture
def devin_v1(simulator: Any) -> Iterator[Devin]:
    """A v1 client of the simulator."""
    client = Devin(simulator.v1_key, base_url=simulator.url)
    yield client
    client.close()


@pytest.fixture
def either(simulator: Any, version: str) -> Iterator[Devin]:
    """A client of the simulator, once for each API version."""
    client = Devin(key_of(simulator, version), base_url=simulator.url)
    yield client
    client.close()


@pytest.fixture
async def core_client(simulator: Any) -> AsyncIterator[AsyncDevin]:
    """An async v3 client of the simulator, on the loop of the test."""
    async with AsyncDevin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id) as client:
        yield client


class Slept(list[float]):
    """Notes every pause and takes none."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def slept() -> Slept:
    return Slept()


def some_settings(version: str = "v3", **changes: Any) -> Settings:
    """Settings as `resolve` would find them, without looking anywhere."""
    org_id = None if version == "v1" else "org-x"
    key = V1_KEY if version == "v1" else KEY
    return Settings(**{"api_key": key, "api_version": version, "org_id": org_id, "home": Path("nowhere"), **changes})


@pytest.fixture
def answering(slept: Slept) -> Callable[..., Service]:
    """Return a service whose answers a function makes up."""

    def make(handler: Handler, version: str = "v3", **changes: Any) -> Service:
        chosen = some_settings(version, **changes)
        return Service(Transport(chosen, wire=httpx.MockTransport(handler), sleep=slept), chosen)

    return make


PACE = Pace()
Answer = Callable[..., Awaitable[Any]]
__all__ = ["KEY", "PACE", "V1_KEY", "Slept", "key_of", "some_settings"]
