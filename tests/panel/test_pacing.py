"""How often a panel tells the browser something, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from wire import Wire

from devin_jupyter.panel import Panel, feed
from devin_jupyter.panel.pacing import Pacer


class Hand:
    """A clock, and timers on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[SimpleNamespace] = []

    def clock(self) -> float:
        return self.now

    def timer(self, seconds: float, call: Callable[[], None]) -> Any:
        timer = SimpleNamespace(at=self.now + seconds, call=call)
        timer.start = lambda: self._waiting.append(timer)
        timer.cancel = lambda: self._waiting.remove(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and what is due happen."""
        self.now += seconds
        for timer in [timer for timer in self._waiting if timer.at <= self.now]:
            self._waiting.remove(timer)
            timer.call()


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_steady_stream_stays_at_four_updates_a_second(hand: Hand) -> None:
    times: list[float] = []
    pacer: Pacer[int] = Pacer(lambda _: times.append(hand.now), clock=hand.clock, timer=hand.timer)
    while hand.now < 1.2:
        pacer.offer(1)
        hand.advance(1 / 128)
    pacer.close()

    assert times == [0.0, 0.25, 0.5, 0.75, 1.0, hand.now]


def test_a_burst_reaches_the_browser_as_its_newest_state_alone(
    stand_in: Callable[..., Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "Pacer", partial(Pacer, clock=hand.clock, timer=hand.timer))
    session = stand_in()
    panel = Panel(session)
    panel.comm = wire = Wire()

    for number in range(200):
        session.show(replace(session.snapshot, acus=float(number)))
    assert wire.trait("state") == []
    hand.advance(0.25)

    assert [state["acus"] for state in wire.trait("state")] == [199.0]
    panel.close()
