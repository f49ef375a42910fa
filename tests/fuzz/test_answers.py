"""Whatever the service answers, a call returns or raises an error of ours: it does not crash and does not hang."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fuzz.calls import CALLS, Answers, client, sound_answers
from fuzz.instant_loop import run
from fuzz.strategies import JSON, ErrorText, check_examples, corrupted, short_and_long, value_or_error
from hypothesis import strategies as st

from devin_jupyter import AsyncDevin, Session, frames, render
from devin_jupyter.errors import DevinError
from devin_jupyter.panel.state import message_item, session_state

ONE = "devin-0123456789abcdef0123456789abcdef"
MOST_REQUESTS = 2000
DEEP = b"nested far too deeply"
"""Stands for a hundred thousand brackets, which nobody wants to see in a failure."""
STATUSES = st.sampled_from([200] * 8 + [201, 204, 302, 400, 403, 404, 409, 422, 429, 500, 503])
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40) | st.just(DEEP)


class Script(httpx.AsyncBaseTransport):
    """Gives these answers one after the other, the last one for ever."""

    def __init__(self, answers: list[tuple[int, bytes]]) -> None:
        self.answers, self.requests = answers, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        assert self.requests < MOST_REQUESTS, "asks without end"
        status, body = self.answers[min(self.requests, len(self.answers)) - 1]
        body = b"[" * 100_000 if body == DEEP else body
        return httpx.Response(status, content=body, headers={"retry-after": "1"} if status == 429 else {})


@pytest.fixture(params=["v3", "v1"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def encoded(answers: Answers) -> list[tuple[int, bytes]]:
    return [(status, b"" if value is None else json.dumps(value).encode()) for status, value in answers]


def made(name: str, version: str, script: list[tuple[int, bytes]]) -> Any:
    async def once() -> Any:
        async with client(version, Script(script)) as devin:
            return look_at(devin, await CALLS[version][name](devin, ONE))

    return value_or_error(run, once())


def look_at(devin: AsyncDevin, result: Any) -> Any:
    """Use what came back the way that cells do."""
    if not isinstance(result, Session):
        return result
    snapshot = result.snapshot
    json.dumps(session_state(snapshot))
    json.dumps(render.bundle(snapshot, transcript=True))
    for message in result.messages:
        json.dumps(message_item(message))
    value_or_error(lambda: result.output)
    value_or_error(result.answer)
    assert len(frames.SessionRows().frame()) == 0
    rows = frames.SessionRows()
    rows.add_snapshots([snapshot])
    assert len(rows.frame()) == 1
    value_or_error(lambda: result.frame())
    return repr(result), result.messages_frame(), result.needs_you, result.question, result.url


@short_and_long
def test_junk_in_the_fields_of_a_sound_answer(examples: int, version: str, simulator: Any) -> None:
    sound = sound_answers(simulator, version)

    def check(name: str, data: st.DataObject) -> None:
        answers = sound[name]
        index = data.draw(st.integers(0, len(answers) - 1))
        junk = data.draw(corrupted(answers[index][1]))
        made(name, version, encoded([*answers[:index], (answers[index][0], junk), *answers[index + 1 :]]))

    check_examples(3 * examples, check, st.sampled_from(sorted(sound)), st.data())


@short_and_long
def test_any_status_with_any_body(examples: int, version: str) -> None:
    answers = st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=4)
    check_examples(
        examples, lambda name, script: made(name, version, script), st.sampled_from(sorted(CALLS[version])), answers
    )


@short_and_long
def test_a_session_from_its_start_to_its_answer(examples: int, version: str, simulator: Any) -> None:
    """The POST is answered soundly, then every look at the session holds junk."""
    sound = sound_answers(simulator, version)
    start, seen = sound["create"], sound["get"]

    def check(junk: list[Any]) -> None:
        wire = Script([*encoded(start), *encoded([(200, item) for item in junk]), *encoded(seen)])

        async def story() -> None:
            async with client(version, wire) as devin:
                session = await devin.create("Count", schema="count:int", max_acu=5)
                await devin.wait(session, timeout=60)
                look_at(devin, session)
                await devin.send(session, "Go on")
                await devin.wait(session, timeout=60)
                look_at(devin, session)

        value_or_error(run, story())

    check_examples(max(20, examples // 6), check, st.lists(corrupted(seen[0][1]), min_size=1, max_size=5))


def test_the_sound_answers_are_sound(version: str, simulator: Any) -> None:
    for name, answers in sound_answers(simulator, version).items():
        result = made(name, version, encoded(answers))
        assert not isinstance(result, ErrorText), (name, result)
        assert not isinstance(result, DevinError)
