"""Organizations that allow only listed tags: told by the error, and exactly once without a tag of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernels import CREATE, POST, Kernel, call_api

from devin_jupyter.api.sessions import first_message
from devin_jupyter.errors import BadRequest, CreateUncertain
from devin_jupyter.idempotency import create
from devin_jupyter.idempotency.dry_run import plan
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy
from devin_jupyter.request import SessionRequest

ALLOWED = ("team:web",)


@pytest.fixture
def simulator(simulator_with: Callable[..., Any]) -> Any:
    """An organization that enforces tags."""
    return simulator_with(speed=1.0, allowed_tags=ALLOWED)


def untagged(kernel: Any, simulator: Any, version: str = "v3", journal: Journal | None = None) -> Kernel:
    """A kernel with the mode that the error names."""
    key = simulator.v1_key if version == "v1" else simulator.api_key
    one: Kernel = kernel(journal, api_version=version, api_key=key)
    one.creator.is_tagging = False
    return one


async def start(one: Kernel, prompt: str = "audit the API", **options: Any) -> Any:
    return await one.start(prompt, policy=Policy(), **options)


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_the_refusal_says_how_to_go_on_and_nothing_is_sent_again(
    kernel: Any, simulator: Any, version: str
) -> None:
    one = kernel(api_version=version, api_key=simulator.v1_key if version == "v1" else simulator.api_key)
    with pytest.raises(BadRequest) as caught:
        await start(one)
    assert 'tagging = "off"' in caught.value.hint
    assert 'dj.connect(tagging="off")' in str(caught.value)
    assert sum(count for name, count in simulator.stats()["requests"].items() if name.startswith("POST")) == 1
    assert one.journal.intents.all() == []
    one.creator.is_tagging = False
    started = await start(one)
    assert (started.how, simulator.stats()["sessions"]) == ("created", 1)
    assert (await start(one)).session_id == started.session_id
    shown = await plan(one.creator, SessionRequest(prompt="something else"), Policy())
    assert (shown.tag, shown.body.get("tags")) == ("", None)


async def test_tags_of_ones_own_that_are_not_allowed_are_named_as_such(kernel: Any, simulator: Any) -> None:
    one = untagged(kernel, simulator)
    with pytest.raises(BadRequest) as caught:
        await start(one, tags=("nightly",))
    assert caught.value.hint == "give --tags that the organization allows"
    assert (await start(one, tags=ALLOWED)).snapshot.tags == ALLOWED


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "malformed", "status"])
async def test_a_lost_answer_costs_one_session(kernel: Any, simulator: Any, version: str, kind: str) -> None:
    one = untagged(kernel, simulator, version)
    other = await start(one, take="2")  # the same prompt, and another request
    route = "/v1/sessions" if version == "v1" else CREATE["route"]
    simulator.faults({"method": "POST", "route": route, "kind": kind, "times": 1}, {"kind": "hide_new", "seconds": 0.1})
    started = await start(one, take="3")
    assert started.session_id != other.session_id
    assert simulator.stats()["sessions"] == 2
    assert started.how == ("adopted" if kind in ("drop_after", "malformed") else "created")
    assert (await start(one, take="3")).session_id == started.session_id


async def test_what_a_dead_kernel_posted_is_found_by_its_prompt(kernel: Any, simulator: Any, folder: Path) -> None:
    one = untagged(kernel, simulator)
    real, journal = one.api.sessions.create, one.journal

    async def dies(body: Any) -> Any:
        await real(body)
        raise RuntimeError("the kernel is gone")

    one.api.sessions.create = dies
    with pytest.raises(RuntimeError):
        await start(one)
    assert journal.intents.all()[0].posts == 1
    again = await start(untagged(kernel, simulator))
    assert (again.how, simulator.requests(POST)) == ("adopted", 1)


async def test_where_several_may_be_the_one_nothing_more_is_sent(kernel: Any, simulator: Any) -> None:
    one = untagged(kernel, simulator)
    real = one.api.sessions.create

    async def twice(body: Any) -> Any:
        call_api(simulator, "POST", "/sessions", json=dict(body))  # somebody asks for the same in the web app
        simulator.faults({**CREATE, "kind": "drop_after", "times": 1})
        return await real(body)

    one.api.sessions.create = twice
    with pytest.raises(CreateUncertain, match="asked for the same at that time"):
        await start(one)
    assert simulator.requests(POST) == 2


@pytest.mark.parametrize("n_reads", [3, 99])
async def test_a_session_that_does_not_show_its_prompt_yet_is_waited_for_and_never_paid_again(
    kernel: Any, simulator: Any, monkeypatch: pytest.MonkeyPatch, n_reads: int
) -> None:
    one, reads = untagged(kernel, simulator), iter(range(n_reads))

    async def slow(sessions: Any, session_id: str) -> str | None:
        return None if next(reads, None) is not None else await first_message(sessions, session_id)

    monkeypatch.setattr(create, "first_message", slow)
    simulator.faults({**CREATE, "kind": "drop_after", "times": 1})
    if n_reads == 99:
        with pytest.raises(CreateUncertain, match="does not show its prompt yet"):
            await start(one)
        for _ in reads:  # by now it does
            pass
    assert (await start(one)).how == "adopted"
    assert (simulator.requests(POST), simulator.stats()["sessions"]) == (1, 1)


async def test_a_tag_that_the_service_drops_in_silence_is_noticed(kernel: Any, simulator: Any) -> None:
    one = untagged(kernel, simulator)
    one.creator.is_tagging = True
    real = one.api.sessions.create

    async def dropping(body: Any) -> Any:
        return await real({**body, "tags": [*ALLOWED]})

    one.api.sessions.create = dropping
    started = await start(one, tags=ALLOWED)
    assert "did not keep the tag" in started.notice
    assert not one.creator.is_tagging
    assert (await start(one, tags=ALLOWED)).session_id == started.session_id
