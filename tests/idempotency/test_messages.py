"""A message arrives once, whatever happened to its answer, its cell or its kernel."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernels import SEND, SEND_ROUTE, call_api, texts

from devin_jupyter.api.sessions import Messages
from devin_jupyter.errors import ApiError, CreateUncertain, Halted, OptionError
from devin_jupyter.journal import Journal
from devin_jupyter.models.enums import Phase
from devin_jupyter.request import Attachment


async def test_a_rerun_says_already_sent_and_again_repeats(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    first = await one.messenger.send(session_id, "also the tests")
    second = await one.messenger.send(session_id, "also the tests\n")
    assert (first.how, second.how) == ("sent", "already")
    assert second.notice.startswith("already sent on 20")
    assert second.notice.endswith(" UTC; --again repeats")
    third = await one.messenger.send(session_id, "also the tests", again=True)
    assert (third.how, texts(simulator, session_id)) == ("sent", ["also the tests"] * 2)


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_a_message_with_the_words_of_the_prompt_is_sent_and_only_once(
    kernel: Any, simulator: Any, folder: Path, version: str
) -> None:
    key = simulator.api_key if version == "v3" else simulator.v1_key
    one = kernel(api_version=version, api_key=key)
    session_id = (await one.start("audit the API")).session_id
    assert (await one.messenger.send(session_id, "audit the API")).how == "sent"
    other = kernel(Journal(folder / "other"), api_version=version, api_key=key)
    assert (await other.messenger.send(session_id, "audit the API")).how == "already"
    assert texts(simulator, session_id) == ["audit the API"]


def shown_as(change: Callable[[list[Any]], list[Any]]) -> Any:
    """A list of messages as another service might give it."""

    async def read(self: Messages, session_id: str, *, limit: int | None = None) -> Any:
        for raw in change([raw async for page in self.pages(session_id) for raw in page]):
            yield raw

    return read


@pytest.mark.parametrize("text", ["go on", "audit the API", "cafe\u0301"])
@pytest.mark.parametrize(
    "change",
    [
        lambda raws: [raw for raw in raws if raw["message"] != "audit the API" or raw is not raws[0]],
        lambda raws: raws[::-1],
        lambda raws: [{**raw, "source": raw["source"].upper()} for raw in raws],
        lambda raws: [{**raw, "message": unicodedata.normalize("NFC", raw["message"])} for raw in raws],
    ],
    ids=["without the prompt", "newest first", "in capitals", "composed"],
)
async def test_a_lost_answer_is_settled_however_the_conversation_is_shown(
    kernel: Any, simulator: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, change: Any, text: str
) -> None:
    one = kernel()
    session_id = (await one.start("audit the API")).session_id
    monkeypatch.setattr(Messages, "list", shown_as(change))
    simulator.faults({**SEND, "kind": "drop_after", "times": 1})
    assert (await one.messenger.send(session_id, text)).how == "sent"
    monkeypatch.undo()
    assert texts(simulator, session_id) == [text]


async def test_other_files_make_another_message(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    file = Attachment("a.txt", b"a", None, "a" * 64)
    other = Attachment("a.txt", b"b", None, "b" * 64)
    assert (await one.messenger.send(session_id, "look", [file])).how == "sent"
    assert (await one.messenger.send(session_id, "look", [file])).how == "already"
    assert (await one.messenger.send(session_id, "look", [other])).how == "sent"
    assert len(texts(simulator, session_id)) == 2


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "malformed", "status"])
@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_a_lost_answer_is_settled_by_reading_the_messages(
    kernel: Any, simulator: Any, kind: str, version: str
) -> None:
    route = SEND if version == "v3" else {"method": "POST", "route": "/v1/sessions/{session_id}/message"}
    one = kernel(api_version=version, api_key=simulator.api_key if version == "v3" else simulator.v1_key)
    session_id = (await one.start()).session_id
    simulator.faults({**route, "kind": kind, "times": 1})
    result = await one.messenger.send(session_id, "more")
    assert result.how == "sent"
    simulator.faults()
    assert texts(simulator, session_id) == ["more"]


async def test_another_machine_sends_nothing_twice(kernel: Any, simulator: Any, folder: Path) -> None:
    session_id = (await kernel().start()).session_id
    await kernel().messenger.send(session_id, "more")
    result = await kernel(Journal(folder / "other")).messenger.send(session_id, "more")
    assert (result.how, texts(simulator, session_id)) == ("already", ["more"])


async def test_two_kernels_at_once_send_one(kernel: Any, simulator: Any) -> None:
    session_id = (await kernel().start()).session_id
    results = await asyncio.gather(*(kernel().messenger.send(session_id, "more") for _ in range(4)))
    assert sorted(item.how for item in results) == ["already", "already", "already", "sent"]
    assert texts(simulator, session_id) == ["more"]


async def test_a_cancelled_send_is_carried_to_its_end(kernel: Any, simulator: Any, held: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    simulator.faults({**SEND, "kind": "slow", "times": 1})
    sending = asyncio.create_task(one.messenger.send(session_id, "more"))
    while simulator.requests(SEND_ROUTE) == 0:  # noqa: ASYNC110 - the simulator counts in another thread
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    held.end.set()
    assert (await one.messenger.send(session_id, "more")).how == "already"


async def test_three_lost_posts_end_in_uncertainty(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    simulator.faults({**SEND, "kind": "drop_before"})
    with pytest.raises(CreateUncertain) as caught:
        await one.messenger.send(session_id, "more")
    assert session_id in caught.value.consequence
    assert simulator.requests(SEND_ROUTE) == 3
    simulator.faults()
    assert (await one.messenger.send(session_id, "more")).how == "sent"
    assert texts(simulator, session_id) == ["more"]


async def test_an_ended_session_refuses_at_once_and_leaves_nothing_undecided(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    call_api(simulator, "DELETE", f"/sessions/{session_id}")
    with pytest.raises(ApiError):
        await one.messenger.send(session_id, "more")
    assert simulator.requests(SEND_ROUTE) == 1
    assert one.journal.messages.undecided() == []


async def test_what_the_session_held_before_is_kept_for_the_next_kernel(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    simulator.clock(500)
    result = await one.messenger.send(session_id, "more")
    kept = kernel().journal.record(session_id)
    assert kept.sent == result.sent
    assert kept.sent.phase_before is Phase.YOUR_TURN
    assert kept.is_open


async def test_nothing_is_sent_while_halted_or_empty(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    one.journal.halt(now=0.0)
    with pytest.raises(Halted):
        await one.messenger.send(session_id, "more")
    with pytest.raises(OptionError):
        await one.messenger.send(session_id, " \n")
    assert simulator.requests(SEND_ROUTE) == 0
    assert one.journal.resume()
    assert (await one.messenger.send(session_id, "more")).how == "sent"


async def test_a_session_that_was_just_made_has_no_messages_whatever_is_written_under_its_id(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    first = await one.start("base")
    assert (await one.messenger.send(first.session_id, "go on")).how == "sent"
    simulator.reset()  # as one that is started again: it gives out the same ids
    again = await one.start("base", take="2")
    assert (again.how, again.session_id) == ("created", first.session_id)
    assert (await one.messenger.send(again.session_id, "go on")).how == "sent"
    assert texts(simulator, again.session_id) == ["go on"]
