"""Clients with the live channel, on the simulator over real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devin_jupyter import Devin, Session
from devin_jupyter.live.channel import Timing

QUICK = Timing(first_pause=0.02, longest_pause=0.05, tries=3, answer=60, linger=0.1, publish=0.02, ping=60, again=0.0)
"""What is waited for in vain ends late, so that a slow machine is not taken for a service that does not answer."""


TURN = 240.0
"""Seconds of a turn where the simulator's time is that of the machine."""


def eventually(is_so: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found


@dataclass
class Live:
    """A simulator and a client of it that uses the live channel."""

    simulator: Any
    devin: Devin

    def create(self, prompt: str = "Fix it", **options: Any) -> Session:
        return self.devin.create(prompt, **options)

    def sent(self, method: str) -> int:
        """How often the simulator was sent a method."""
        count: int = self.simulator.requests(f"ACP {method}")
        return count

    def on(self, session: Session) -> None:
        """Wait until the session is followed."""
        eventually(lambda: session.live == "on")


@pytest.fixture
def live_with(simulator_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Live]]:
    """Return a function that makes a simulator and a client of it; a turn takes a second, or as given.

    What the stream tells may come after the end that the REST API tells of: a session is followed for `grace` seconds
    more, which is longer than a test takes unless it is given.
    """
    made: list[Devin] = []

    def make(*, seconds: float = 1.0, timing: Timing = QUICK, grace: float = 600.0, **options: Any) -> Live:
        monkeypatch.setattr("devin_jupyter.monitor.follow._GRACE", grace)
        simulator = simulator_with(speed=240.0 / seconds)
        monkeypatch.setenv("DEVIN_PAT", options.pop("pat", simulator.running.pat))
        key = options.pop("api_key", simulator.api_key)
        devin = Devin(key, base_url=simulator.url, org_id=simulator.org_id, **options)
        devin.core.follower.timing = timing
        made.append(devin)
        return Live(simulator, devin)

    yield make
    for devin in made:
        devin.close()


@pytest.fixture
def live(live_with: Callable[..., Live]) -> Live:
    """A simulator whose turns take a second, and a client of it."""
    return live_with()


@pytest.fixture
def at_work(live_with: Callable[..., Live]) -> Live:
    """A simulator whose turns take four minutes, passed by `.simulator.clock(240)`, and a client of it."""
    return live_with(seconds=TURN)
