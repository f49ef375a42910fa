"""What clients do with sessions by id, from another machine, all at once, and from a saved file."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

import devin_jupyter as dj
from devin_jupyter import AsyncDevin, Devin
from devin_jupyter.api.analytics import Account
from devin_jupyter.api.responses import retry_after
from devin_jupyter.journal import Journal
from devin_jupyter.models.enums import Phase
from devin_jupyter.render.record import session_record

pytestmark = pytest.mark.usefixtures("slow_lasts")


def test_sessions_are_handled_by_id_as_well(devin):
    identifier = devin.create("do it", schema="count:int", tags=["sim:question"]).id

    assert devin.wait(identifier, 30).phase is Phase.YOUR_TURN
    assert devin.send(identifier, "the first one").id == identifier
    assert isinstance(devin.result(identifier, 30)["count"], int)
    assert devin.stop(identifier).phase is Phase.DONE


def test_another_machine_attaches_by_the_tag_and_has_the_last_word_at_hand(simulator):
    def machine():
        return Devin(simulator.api_key, base_url=simulator.url, journal=Journal())

    with machine() as first, machine() as second:
        answer = first.create("say hello").result(30)
        session = second.create("say hello")

        assert session.how == "attached"
        assert session.answer() == answer
        assert session.question == answer
    assert simulator.stats()["sessions"] == 1


def test_stopping_all_halts_and_ends_every_session_at_work(devin, simulator):
    sessions = [devin.create(f"count {number}", tags=["sim:slow"]) for number in range(3)]
    done = devin.create("say hello").wait(30)

    results = devin.stop_all()

    assert {item.session_id for item in results} == {session.id for session in sessions}
    assert [session.phase for session in sessions] == [Phase.STOPPED] * 3
    assert done.phase is Phase.YOUR_TURN
    with pytest.raises(dj.Halted):
        devin.create("one more")
    assert devin.journal.resume()
    assert devin.create("one more").how == "created"


def test_stopping_all_of_another_folder_stops_nothing_here(devin, tmp_path):
    session = devin.create("count", tags=["sim:slow"])

    assert devin.stop_all(notebook=str(tmp_path / "elsewhere")) == []
    assert not session.phase.turn_over


def test_nothing_went_on_without_this_kernel(devin):
    devin.create("count")

    assert devin.still_live() is None


def test_the_budget_is_set_and_shown(devin):
    assert devin.budget(20).limit == 20
    assert "20 ACU" in repr(devin.budget())
    with pytest.raises(dj.BudgetExceeded):
        devin.create("too much", max_acu=30)


def test_a_notebook_file_alone_gives_back_handles_and_answers(devin, tmp_path):
    session = devin.create("count", schema="count:int")
    answer = session.result(30)
    record = {"application/vnd.devin.session+json": session_record(session.snapshot)}
    cell = {"cell_type": "code", "outputs": [{"output_type": "display_data", "data": record, "metadata": {}}]}
    path = tmp_path / "audit.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    devin.close()

    (found,) = dj.from_notebook(path)

    assert (found.id, found.phase, found.how) == (session.id, Phase.DONE, "recorded")
    assert found.wait().result() == answer
    assert found.frame()["count"].tolist() == [answer["count"]]


async def test_a_permission_is_no_yes_or_not_known(answering):
    def handler(request):
        if "playbooks" in request.url.path:
            return httpx.Response(403, json={"detail": "no"})
        return httpx.Response(503) if "secrets" in request.url.path else httpx.Response(200, json={"items": []})

    found = await Account(answering(handler)).permissions()

    assert found["ViewOrgSessions"] is True
    assert found["ManageAccountPlaybooks"] is False
    assert found["ManageOrgSecrets"] is None


def test_a_wait_may_be_asked_for_as_a_date():
    soon = datetime.now(UTC) + timedelta(seconds=900)

    assert 600 < retry_after({"retry-after": format_datetime(soon, usegmt=True)}) <= 900
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


async def test_a_client_says_that_it_belongs_to_another_loop(simulator):
    import asyncio

    client = dj.AsyncDevin(simulator.api_key, base_url=simulator.url)
    await client.self()

    def elsewhere():
        return asyncio.run(client.self())

    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(elsewhere)
    await client.aclose()


async def test_waiting_inside_create_is_for_both_clients(core_client):
    assert (await core_client.create("say hello", wait=30)).phase.turn_over


def test_batches_go_through_both_doors(devin):
    batch = devin.map("Say {{ row.word }}", [{"word": "hello"}, {"word": "bye"}], name="words", max_acu=5)
    batch.wait(60)

    assert batch.phase_counts == {"done": 2}
    assert devin.batch("words").frame()["word"].tolist() == ["hello", "bye"]


def test_every_frame_is_a_method(devin):
    session = devin.create("count", schema="count:int", repos=["acme/api"]).wait(30)

    assert devin.sessions_frame()["session_id"].tolist() == [session.id]
    assert devin.outputs_frame([session])["count"].tolist() == [session.output["count"]]
    assert len(devin.messages_frame([session])) == len(session.messages)
    assert devin.pull_requests_frame()["repo"].tolist() == ["acme/api"]
    assert devin.insights_frame([session])["session_id"].tolist() == [session.id]
    assert devin.consumption_frame()["acus"].sum() == pytest.approx(session.acus)


def test_names_of_the_caller_that_are_sent_as_they_are_are_noted_with_how_to_fill_them_in(devin):
    def start(week):
        return devin.create("count the tests of {week}")

    def write(session, week):
        return session.send("also those of $week").notice, devin.send(session, "and of {week}").notice

    async def in_a_loop(week):
        async with AsyncDevin(settings=devin.settings, journal=Journal()) as other:
            return (await other.create("count again, {week}")).notice

    def run(week, owner):
        batch = devin.map("fix {{ row.repo }} of {owner}, {week} and {repo}", [{"repo": "a/b", "week": 1}], max_acu=2)
        planned = batch.notice
        batch.wait(30)
        return planned, batch.send([0], "now {repo} for {owner}").notice

    session = start(47)
    assert "{week} is sent as it is; to fill in a value, write {week} in an f-string" in session.notice
    session.wait(30)
    sent, other = write(session, 47)
    assert sent == other.replace("{week} is", "$week is")
    assert "write {week} in an f-string" in asyncio.run(in_a_loop(47))
    assert other == "{week} is sent as it is; to fill in a value, write {week} in an f-string"
    assert devin.send(session, "and of {week}").notice.startswith("already sent")
    planned, noted = run(47, "me")
    assert "{week}, {repo} are sent as they are; to fill in a value, write {{ row.week }}, {{ row.repo }}" in planned
    assert "{owner} is sent as it is; to fill in a value, write {{ row.owner }} and give" in planned
    assert noted.startswith("1 sent; {repo} is sent")
    assert "write {{ row.repo }}" in noted
    assert "write {owner} in an f-string" in noted
    assert devin.create("nothing of {nobody} and {{ nobody }} here").notice is None
    asked = devin.create("look again at {{ devin }}")
    assert asked.notice == "{{ devin }} is sent as it is; to fill in a value, write {devin} in an f-string"
    assert "write {devin} in an f-string" in asked.wait(30).send("and {{ devin }} again").notice


def test_a_notebook_has_one_account_however_its_path_is_written(devin, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    devin.budget(6, notebook="audit.ipynb")
    names = ["audit.ipynb", "./link/audit.ipynb", str(tmp_path / "audit.ipynb")]
    assert {devin.budget(notebook=name).limit for name in names} == {6.0}


@pytest.mark.parametrize("text", [None, 3, object(), b"more", ["a"], "", " \n"])
def test_what_is_no_message_is_refused_before_anything_is_sent(devin, simulator, text):
    session = devin.create("say hello").wait(30)
    batch = devin.map("Say {{ row }}", ["hello"], max_acu=2).wait(30)
    for send in (session.send, lambda said: devin.send(session, said), lambda said: batch.send([0], said)):
        with pytest.raises(dj.OptionError, match=r"a message is text|the message is empty"):
            send(text)
    assert simulator.requests("POST /v3/organizations/{org_id}/sessions/{devin_id}/messages") == 0
