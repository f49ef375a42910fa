"""Answers between right and wrong: pages in other clothes, analyses that never come, words that two phases share."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import httpx
import pandas as pd
import pytest
from clients import some_settings
from records import record

from devin_jupyter import AsyncDevin, errors
from devin_jupyter.api.client import items_of
from devin_jupyter.api.sessions import Insights, Messages
from devin_jupyter.api.transport import Transport
from devin_jupyter.config import mask_key
from devin_jupyter.frames.storage import read_file
from devin_jupyter.journal import Journal
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import note_send, observe
from devin_jupyter.schema import load_schema
from devin_jupyter.text import parse_duration

AT = datetime(2026, 11, 21, tzinfo=UTC)
ID = "devin-" + "a" * 32


@pytest.fixture
async def wired(tmp_path):
    """An async client whose answers a function makes up."""
    clients = []

    def make(handler, version):
        chosen = some_settings(version, home=tmp_path)
        transport = Transport(chosen, wire=httpx.MockTransport(handler))
        clients.append(AsyncDevin(settings=chosen, journal=Journal(), transport=transport))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize(
    "page", [{"playbooks": [{"a": 1}]}, {"items": [{"a": 1}]}, {"playbooks": None, "items": [{"a": 1}]}]
)
def test_a_page_is_read_in_every_form_that_the_service_gives_it(page):
    assert items_of(page, "playbooks") == [{"a": 1}]


@pytest.mark.parametrize("page", [None, 7, "x", {}, {"items": 7}, {"playbooks": {"a": 1}}])
def test_what_is_no_page_is_an_error_in_words(page):
    with pytest.raises(errors.UnreadableAnswer):
        items_of(page, "playbooks")


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize(
    "answer",
    [[], [{"session_id": "a"}], {}, {"items": [7]}, {"items": [{}]}, {"items": [{"title": "t"}]}, {"items": 7}],
)
async def test_no_list_and_no_frame_is_empty_because_the_answer_cannot_be_read(wired, version, answer):
    answer = answer if version == "v3" or not isinstance(answer, dict) else {"sessions": answer.get("items")}
    client = wired(lambda request: httpx.Response(200, json=answer), version)
    reads = [client.sessions_frame, client.outputs_frame, client.pull_requests_frame, client.messages_frame]
    reads += [partial(client.sessions_frame, limit=5), partial(client.sessions_frame, tags="a")]
    lists = [client.sessions.list(), client.sessions.pages()]
    if version == "v3" and answer != {"items": [{"title": "t"}]} and answer != {"items": [{}]}:
        reads += [client.repositories_frame, client.members_frame, client.automations_frame, client.organizations_frame]
        reads += [
            client.insights_frame,
            client.audit_logs_frame,
            client.enterprise_consumption_frame,
            client.consumption_frame,
        ]
        lists += [client.playbooks.list(), client.knowledge.list(), client.messages.list(ID), client.schedules.list()]
    for read in reads:
        with pytest.raises(errors.UnreadableAnswer):
            await read()
    for items in lists:
        with pytest.raises(errors.UnreadableAnswer):
            async for _ in items:
                pass


@pytest.mark.parametrize(
    ("organization", "cycle", "bounds"),
    [
        ({"org_id": "org-1"}, {"after": "2026-11-01T08:00:00Z"}, ("2026-11-01 08:00", None)),
        ({"org_id": "org-1"}, {"after": "1793520000", "before": None}, ("2026-11-01 08:00", None)),
        (
            {"org_id": "org-1"},
            {"after": 1793520000000, "before": 1796112000000},
            ("2026-11-01 08:00", "2026-12-01 08:00"),
        ),
        ({"org_id": "org-1"}, {"before": 1796112000}, None),
        ({"org_id": None}, {"after": 1793520000, "before": 1796112000}, None),
        ({"name": "Acme"}, {"after": 1793520000, "before": 1796112000}, None),
    ],
)
async def test_the_bounds_of_a_cycle_are_read_as_any_time_and_what_has_none_is_an_unreadable_answer(
    wired, organization, cycle, bounds
):
    def answer(request):
        listed = {"organizations": organization, "cycles": cycle, "devin": {"org_id": "org-1", "scope": "org"}}
        item = listed.get(request.url.path.rpartition("/")[2])
        consumed = {"total_acus": 0, "consumption_by_date": []}
        return httpx.Response(200, json={"items": [item]} if item else consumed)

    client = wired(answer, "v3")
    if bounds is None:
        with pytest.raises(errors.UnreadableAnswer):
            await client.enterprise_consumption_frame()
        return
    found = await client.enterprise_consumption_frame()
    after, before = found["cycle_after"].iloc[0], found["cycle_before"].iloc[0]
    assert after == pd.Timestamp(bounds[0], tz="UTC")
    assert before >= after if bounds[1] is None else before == pd.Timestamp(bounds[1], tz="UTC")
    assert found["limit"].isna().all()


async def test_an_analysis_that_never_comes_is_given_up_in_time(answering, slept):
    service = answering(lambda request: httpx.Response(200, json={"session_id": "a", "analysis": None}))
    with pytest.raises(errors.RequestTimeout, match="not ready within 20 s"):
        await Insights(service, sleep=slept).generate(ID, timeout=20)
    assert sum(slept) == 20


async def test_another_user_is_named_on_v3_and_refused_on_v1(answering):
    sent = []

    def take(request):
        sent.append(request.content)
        return httpx.Response(200, json={"session_id": "a"})

    await Messages(answering(take)).send(ID, "hello", as_user="user-1")
    assert b'"message_as_user_id":"user-1"' in sent[0].replace(b": ", b":")
    with pytest.raises(errors.Unsupported):
        await Messages(answering(take, "v1")).send(ID, "hello", as_user="user-1")
    assert len(sent) == 1


async def test_two_first_calls_at_once_ask_for_the_organization_once(answering, tmp_path):
    asked = []

    def who(request):
        asked.append(request.url.path)
        return httpx.Response(200, json={"org_id": "org-found"})

    service = answering(who, org_id=None, home=tmp_path)
    assert await asyncio.gather(service.org_id(), service.org_id()) == ["org-found", "org-found"]
    assert asked == ["/v3/self"]


def test_a_session_that_was_done_for_its_output_has_not_moved_by_itself_after_a_message():
    raw = {"session_id": "a" * 32, "status": "running", "status_detail": "waiting_for_user"}
    before = replace(observe(raw, record(), at=AT), phase=Phase.DONE)
    note = replace(note_send(before, "go on", at=AT, answer=None), phase_before=Phase.DONE)
    after = observe(raw, record(sent=note, snapshot=replace(before, send_pending=True)), at=AT)
    assert after.send_pending
    moved = observe({**raw, "status_detail": "working"}, record(sent=note, snapshot=after), at=AT)
    assert not moved.send_pending


@pytest.mark.parametrize(("key", "shown"), [("", "no key"), ("cog_0123456789abcdefgh", "cog_•••efgh"), ("x", "•••")])
def test_a_key_is_shown_by_its_ends_only(key, shown):
    assert mask_key(key) == shown


def test_a_parquet_file_is_read_as_a_table():
    table, content = pd.DataFrame({"n": [1, 2]}), io.BytesIO()
    table.to_parquet(content)
    assert read_file("counts.parquet", content.getvalue())["n"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("90", 90.0), ("30m", 1800.0), (" 4H ", 14400.0), ("2w", 1209600.0), (7, 7.0), (pd.Timedelta("1min"), 60.0)],
)
def test_a_time_is_read_in_every_form(said, seconds):
    assert parse_duration(said) == seconds


@pytest.mark.parametrize("said", [True, "soon", "", "-3", -3, float("nan"), pd.Timedelta("-1min")])
def test_what_is_no_time_is_refused(said):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(said)


def test_dependencies_of_newer_drafts_are_written_as_draft_7_has_them():
    both = {"a": ["b"]}, {"a": {"required": ["c"]}}
    wire = load_schema({"type": "object", "dependentRequired": both[0], "dependentSchemas": both[1]}).wire
    assert wire["dependencies"] == {"a": {"required": ["c"]}}
    assert wire["allOf"] == [{"dependencies": {"a": ["b"]}}]
    assert load_schema({"type": "object", "dependentRequired": both[0]}).wire["dependencies"] == {"a": ["b"]}
