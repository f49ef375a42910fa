"""What a handle shows of the live channel, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from live_views import approval, step, tell

import devin_jupyter as dj
from devin_jupyter import Devin
from devin_jupyter.models.steps import LiveView

pytestmark = pytest.mark.usefixtures("slow_lasts")


@pytest.fixture
def devin(simulator: Any) -> Iterator[Devin]:
    """A client whose views only the test makes."""
    client = Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id, live=False)
    yield client
    client.close()


def test_without_the_channel_everything_is_empty(devin: Devin) -> None:
    session = devin.create("a")
    assert (session.steps, session.plan, session.activity, session.approval) == ((), (), None, None)
    assert session.live == "off"
    for act in (session.approve, session.reject, session.cancel_turn):
        with pytest.raises(dj.LiveUnavailable) as caught:
            act()
        assert caught.value.consequence == "nothing was sent"
        assert "live=False" in caught.value.message


def test_a_handle_shows_the_newest_view_and_subscribers_are_notified(devin: Devin) -> None:
    session = devin.create("a", tags=["sim:slow"])
    seen: list[LiveView] = []
    subscription = session.subscribe(lambda _: None, on_live=seen.append)
    first = tell(devin, session)
    tell(devin, session)
    assert seen == [first]  # the same again is no news
    assert first.plan_progress == (1, 3)
    assert session.live == "on"
    assert [each.kind for each in session.steps] == ["thought", "tool"]
    assert session.steps[1].is_running
    assert session.activity == "running the tests"
    second = tell(devin, session, steps=(step(status="completed"),), plan=(), approval=approval())
    subscription.close()
    tell(devin, session, steps=())
    assert seen == [first, second]
    assert second.plan_progress is None
    assert not second.steps[0].is_running
    assert isinstance(second.steps[0], dj.Step)


def test_activity_ends_with_the_turn(devin: Devin) -> None:
    session = devin.create("a").wait()
    tell(devin, session, approval=approval())
    assert (session.activity, session.approval) == (None, None)
    assert session.steps


def test_a_reply_that_the_channel_says_waits_for_its_user_needs_you_until_the_next_turn(devin: Devin) -> None:
    session = devin.create("a").wait()
    told: list[bool] = []
    subscription = session.subscribe(lambda seen: told.append(seen.needs_you))
    assert not session.needs_you
    tell(devin, session, asks="answer the question")
    assert (session.needs_you, session.snapshot.label) == (True, "asks you")
    tell(devin, session, asks=None, state="off")  # the channel lets go of a session whose turn is over
    assert session.refresh().needs_you
    tell(devin, session, asks=None)
    assert not session.refresh().needs_you
    tell(devin, session, asks="answer the question")
    session.send("b").wait()
    tell(devin, session, asks=None)
    assert not session.needs_you
    assert told[:2] == [True, False]
    subscription.close()
