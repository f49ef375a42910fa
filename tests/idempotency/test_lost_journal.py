"""What happens when a lease, an intent or the whole journal is gone in the middle of a paid act."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from kernels import CELL, FAST, POST, SEND, SEND_ROUTE, Kernel, facts_of, remember, texts, until

from devin_jupyter.errors import CreateUncertain, Forbidden, ServerError, UnreadableAnswer
from devin_jupyter.idempotency.stop import still_live
from devin_jupyter.journal import Journal
from devin_jupyter.journal import intents as process
from devin_jupyter.journal.intents import LeaseLost, start_lease
from devin_jupyter.models.snapshot import Policy
from devin_jupyter.request import Attachment


async def test_a_lease_is_renewed_for_as_long_as_a_post_takes(kernel: Any, simulator: Any, held: Any) -> None:
    simulator.faults({"method": "POST", "kind": "slow", "times": 1})
    now = [time.time()]
    short = replace(FAST, lease_seconds=0.3, now=lambda: now[0])
    kernels = [kernel(timing=short) for _ in range(2)]
    starting = [asyncio.create_task(one.start(policy=Policy())) for one in kernels]
    await until(lambda: bool(held.lengths))
    for _ in range(6):  # three times as long as it was taken for
        now[0] += 0.15
        await until(lambda: _lease_ends(kernels[0].journal) == now[0] + 0.3)
    held.end.set()
    started = await asyncio.gather(*starting)
    assert sorted(item.how for item in started) == ["attached", "created"]
    assert simulator.requests(POST) == 1


def _lease_ends(journal: Journal) -> float:
    with journal.database.read() as db:
        (ends,) = db.execute("SELECT expires_at FROM unsynced.leases").fetchone()
    return float(ends)


class Changing(httpx.AsyncBaseTransport):
    """A service whose answers a function changes."""

    def __init__(self, change: Callable[[str], str]) -> None:
        self._wire, self._change = httpx.AsyncHTTPTransport(), change

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._wire.handle_async_request(request)
        text = self._change((await answer.aread()).decode())
        await answer.aclose()
        return httpx.Response(answer.status_code, content=text, headers={"content-type": "application/json"})

    async def aclose(self) -> None:
        await self._wire.aclose()


class Shouting(Changing):
    """A service that keeps tags in upper case, and finds them by nothing else."""

    def __init__(self) -> None:
        super().__init__(lambda text: re.sub(r"nb-[0-9a-f]{16}", lambda found: found[0].upper(), text))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        query = [(name, word) for name, word in request.url.params.multi_items() if name != "tags" or word.isupper()]
        asked = any(name == "tags" for name, _ in query) or "tags" not in request.url.params
        kept = [(name, word.lower() if name == "tags" else word) for name, word in query]
        request.url = request.url.copy_with(params=kept if asked else [*kept, ("tags", "none")])
        return await super().handle_async_request(request)


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_a_service_that_shows_tags_as_objects_is_not_paid_again(
    kernel: Any, simulator: Any, folder: Path, version: str
) -> None:
    """What it shows cannot be read, so that whether there is a session cannot be told."""
    key = simulator.v1_key if version == "v1" else simulator.api_key
    shown = {"api_version": version, "api_key": key}
    await kernel(**shown).start(policy=Policy())
    odd = Changing(lambda text: re.sub(r'"(nb-[0-9a-f]{16})"', r'{"name": "\1"}', text))
    with pytest.raises(UnreadableAnswer, match="does not show the tags"):
        await kernel(Journal(folder / "other"), wire=odd, **shown).start(policy=Policy())
    route = "/v1/sessions" if version == "v1" else POST.removeprefix("POST ")
    assert simulator.requests(f"POST {route}") == 1


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_tags_that_the_service_keeps_in_upper_case_are_still_ours(
    kernel: Any, simulator: Any, folder: Path, version: str
) -> None:
    """After a lost answer, and from another machine."""
    key = simulator.v1_key if version == "v1" else simulator.api_key
    route = "/v1/sessions" if version == "v1" else POST.removeprefix("POST ")
    shown = {"api_version": version, "api_key": key}
    simulator.faults({"method": "POST", "route": route, "kind": "drop_after", "times": 1})
    one = kernel(wire=Shouting(), **shown)
    started = await one.start(policy=Policy())
    assert (started.how, started.snapshot.tags) == ("adopted", ())
    other = kernel(Journal(folder / "other"), wire=Shouting(), **shown)
    again = await other.start(policy=Policy())
    assert (again.how, again.session_id) == ("attached", started.session_id)
    assert simulator.requests(f"POST {route}") == 1


async def test_odd_tags_beside_ours_do_not_stand_in_the_way_of_adopting(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    await kernel().start(policy=Policy(), tags=("Nightly",))
    odd = Changing(lambda text: re.sub(r'"tags": ?\[', '"tags":[null,5,', text).replace("Nightly", "nightly"))
    again = await kernel(Journal(folder / "other"), wire=odd).start(policy=Policy(), tags=("Nightly",))
    assert again.how == "attached"
    assert "tags stay as first given" not in again.notice
    assert simulator.requests(POST) == 1


@pytest.mark.parametrize("step", ["intent:done", "about-to-post:begin"])
async def test_a_journal_deleted_before_the_post_is_begun_again(
    kernel: Any, simulator: Any, folder: Path, step: str
) -> None:
    gone: list[str] = []

    def on_step(name: str) -> None:
        if name == step and not gone:
            (folder / "lost" / "journal.db").unlink()
            gone.append(name)

    one = kernel(Journal(folder / "lost", on_step=on_step))
    started = await one.start(policy=Policy())
    assert (gone, started.how, simulator.requests(POST)) == ([step], "created", 1)
    assert (await one.start(policy=Policy())).how == "attached"


async def test_a_journal_deleted_after_the_post_still_gets_its_session(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    def on_step(name: str) -> None:
        if name == "about-to-post:done":
            (folder / "lost" / "journal.db").unlink()

    one = kernel(Journal(folder / "lost", on_step=on_step))
    started = await one.start(policy=Policy())
    again = await one.start(policy=Policy())
    assert (again.how, again.session_id) == ("attached", started.session_id)
    assert simulator.requests(POST) == 1


async def test_a_message_survives_the_loss_of_the_journal_as_well(kernel: Any, simulator: Any, folder: Path) -> None:
    gone: list[str] = []

    def on_step(name: str) -> None:
        if name == "message:done" and not gone:
            (folder / "lost" / "journal.db").unlink()
            gone.append(name)

    one = kernel(Journal(folder / "lost", on_step=on_step))
    session_id = (await one.start(policy=Policy())).session_id
    assert (await one.messenger.send(session_id, "more")).how == "sent"
    assert texts(simulator, session_id) == ["more"]


def test_a_post_is_not_counted_without_lease_intent_or_need(folder: Path) -> None:
    journal, other = Journal(folder), Journal(folder)
    start = facts_of("a")
    intent = journal.intents.write(start, known_before=[], now=1.0)
    journal.intents.clear(start.fingerprint)
    with pytest.raises(LeaseLost):
        journal.intents.about_to_post(intent, "token", now=1.0)
    journal.intents.write(start, known_before=[], now=1.0)
    mine = other.leases.take(start_lease(start.fingerprint), now=100.0)
    with pytest.raises(LeaseLost):
        journal.intents.about_to_post(intent, "token", now=100.0)
    journal.intents.about_to_post(intent, mine or "", now=100.0)
    assert journal.intents.all()[0].posts == 1
    remember(journal, "a")
    journal.intents.write(replace(start, tag="nb-x"), known_before=[], now=1.0)
    assert len(journal.intents.all()[0].known_before) == 1
    journal.remember("devin-new", replace(start, fingerprint="1:w:b"), how="created", started_at=1.0, now=1.0)
    assert [intent.facts.cell for intent in journal.intents.all(notebook="elsewhere")] == []


async def test_a_failed_upload_leaves_no_message_behind(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    simulator.faults({"method": "POST", "route": "/v3/organizations/{org_id}/attachments", "kind": "status"})
    with pytest.raises(ServerError):
        await one.messenger.send(session_id, "look", [Attachment("a.txt", b"a", None, "a" * 64)])
    assert one.journal.messages.undecided() == []
    assert simulator.requests(SEND_ROUTE) == 0


async def test_a_key_that_may_send_and_not_read_sends_once_and_says_when_it_cannot_tell(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    session_id = (await one.start()).session_id

    async def unreadable(session_id: str) -> Any:
        raise Forbidden("403", status_code=403)
        yield

    one.messenger.messages = _May(one.messages.send, unreadable)
    assert (await one.messenger.send(session_id, "one")).how == "sent"
    assert (await one.messenger.send(session_id, "one")).how == "already"
    simulator.faults({**SEND, "kind": "drop_after", "times": 1})
    with pytest.raises(CreateUncertain, match="may not read the messages of"):
        await one.messenger.send(session_id, "two")
    with pytest.raises(CreateUncertain) as caught:
        await one.messenger.send(session_id, "two")
    assert caught.value.hint.endswith("--again sends it once more")
    assert texts(simulator, session_id) == ["one", "two"]
    assert (await kernel().messenger.send(session_id, "two")).how == "sent"
    assert texts(simulator, session_id) == ["one", "two"]
    simulator.faults({**SEND, "kind": "drop_before", "times": 1})
    with pytest.raises(CreateUncertain):
        await one.messenger.send(session_id, "three")
    assert (await one.messenger.send(session_id, "three", again=True)).how == "sent"
    assert texts(simulator, session_id) == ["one", "two", "three"]


class _May:
    def __init__(self, send: Any, read: Any) -> None:
        self.send, self.list = send, read


async def test_live_sessions_that_cannot_be_looked_at_are_not_guessed_at(kernel: Any, simulator: Any) -> None:
    one: Kernel = kernel()
    remember(one.journal, "a", cell=CELL)
    assert await still_live(one.creator, CELL.notebook) == []


def test_where_processes_cannot_be_looked_into_only_their_number_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path)
    process._host.cache_clear()
    process._process.cache_clear()
    try:
        me = process.this_process()
        assert me.born == ""
        assert not me.is_missing
        assert process.Process(me.host, 2**22 + 1, "").is_missing
        assert not process.Process(me.host, 1, "").is_missing
    finally:
        process._host.cache_clear()
        process._process.cache_clear()
