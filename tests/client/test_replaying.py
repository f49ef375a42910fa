"""A notebook beside its lock file runs unchanged for whoever has no key: without a secret and without a request."""

from dataclasses import replace

import pytest

import devin_jupyter as dj
from devin_jupyter.client.sync import find_default, get_default
from devin_jupyter.magics.dry_run import BatchDryRun

SECRET = {"secrets": ("NPM_TOKEN",)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def leave(monkeypatch, simulator, folder):
    """Return a function that takes the key, the journal and the secrets away, as for a colleague."""
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("NPM_TOKEN", "a-token-of-npm-0123")

    def take_away(*, key=True):
        get_default().close()
        monkeypatch.delenv("NPM_TOKEN")
        monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(folder / "elsewhere"))
        if key:
            monkeypatch.delenv("DEVIN_API_KEY")

    yield take_away
    if (client := find_default()) is not None:
        client.close()


def test_the_names_of_secrets_are_enough(leave):
    answer = dj.create("publish", schema="count:int", **SECRET).result(30)
    get_default().lock()
    leave()
    assert dj.create("publish", schema="count:int", **SECRET).result() == answer
    with pytest.raises(dj.NotRecorded):
        dj.create("publish", schema="count:int", secrets=("OTHER",))


def test_a_session_that_is_there_needs_no_value_of_a_secret_and_a_new_one_does(leave, simulator):
    session = dj.create("publish", **SECRET)
    leave(key=False)
    assert dj.create("publish", **SECRET).id == session.id
    plan = get_default().plan("publish more", **SECRET)
    assert plan.action == "refuse"
    for start in (dj.create, lambda text, **options: dj.map(text, ["a"], **options)):
        with pytest.raises(dj.OptionError, match="there is no environment variable NPM_TOKEN"):
            start("publish more", **SECRET)
    assert simulator.stats()["sessions"] == 1


def test_a_batch_needs_no_secret_where_its_rows_are_recorded(leave):
    dj.map("publish {{ row }}", ["a", "b"], schema="count:int", **SECRET).wait(30)
    get_default().lock()
    leave()
    assert dj.map("publish {{ row }}", ["a", "b"], schema="count:int", **SECRET).wait(30).phase_counts == {"done": 2}


def test_what_v1_recorded_is_replayed_with_the_options_of_v1(leave, monkeypatch, simulator):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.v1_key)
    asked = {"schema": "count:int", "unlisted": True, "snapshot": "snap-1"}
    answer = dj.create("publish", **asked).result(30)
    get_default().lock()
    leave()
    assert dj.create("publish", **asked).result() == answer
    assert get_default().settings.api_version == "v1"


def test_a_dry_run_tells_what_would_be_replayed_without_a_key(leave, simulator):
    session = dj.create("count", schema="count:int").wait(30)
    get_default().lock()
    leave()
    asked = simulator.stats()["requests"]
    plan = get_default().plan("count", schema="count:int")
    assert (plan.action, plan.session_id) == ("replay", session.id)
    assert plan.why.startswith("replayed from notebook.devin.json (recorded ")
    assert plan.costs == ("nothing: the session is there already",)
    assert get_default().plan("count more").action == "refuse"
    assert simulator.stats()["requests"] == asked


def test_a_dry_run_tells_what_would_be_replayed_with_a_key(leave, simulator):
    session = dj.create("count", schema="count:int").wait(30)
    get_default().lock()
    leave(key=False)
    plan = get_default().plan("count", schema="count:int")
    assert (plan.action, plan.session_id) == ("replay", session.id)


def test_the_dry_run_of_a_batch_counts_the_rows_that_would_be_replayed(leave, monkeypatch):
    from devin_jupyter import loop
    from devin_jupyter.batches import batch

    dj.map("count {{ row }}", ["a", "b"], schema="count:int").wait(30)
    get_default().lock()

    def dry_run():
        asked = batch.request_of("count {{ row }}", ["a", "b", "c"], {"schema": "count:int"})
        preview = loop.run(batch.dry_run(get_default().core, asked))
        return dict(BatchDryRun(preview, get_default().settings).facts)["dry run"]

    leave(key=False)
    assert dry_run() == "would start 1 new session; would replay 2 sessions"
    monkeypatch.delenv("DEVIN_API_KEY")
    assert dry_run() == "would replay 2 sessions; 1 not recorded, and there is no key"


def test_a_session_recorded_at_work_is_not_said_to_go_on(leave, monkeypatch, slow_simulator):
    monkeypatch.setenv("DEVIN_API_URL", slow_simulator.url)
    dj.create("count", schema="count:int")
    get_default().lock()
    leave()
    session = dj.create("count", schema="count:int")
    for ask in (session.result, lambda: session.output):
        with pytest.raises(dj.TurnError, match=r"was running .* when it was recorded on 20") as caught:
            ask()
        assert "its answer is not recorded" in caught.value.consequence
        assert "keeps running" not in str(caught.value)
        assert ".stop()" not in str(caught.value)


def test_a_lock_file_that_cannot_be_read_stops_only_those_who_have_no_key(leave, folder, capsys):
    session = dj.create("count", schema="count:int")
    get_default().lock()
    (folder / "merged.devin.json").write_text("<<<<<<< HEAD")
    leave(key=False)
    assert dj.create("count", schema="count:int").id == session.id
    assert "merged.devin.json cannot be read" in (said := capsys.readouterr().out)
    assert "it is not used" in said


def test_without_a_key_a_lock_file_that_cannot_be_read_is_named(leave, folder):
    leave()
    (folder / "merged.devin.json").write_text("<<<<<<< HEAD")
    with pytest.raises(dj.JournalError, match=r"merged\.devin\.json cannot be read"):
        dj.create("count")


def test_a_notebook_without_sessions_leaves_the_lock_file_as_it_is(leave, folder):
    dj.create("count")
    get_default().lock()
    before = (folder / "notebook.devin.json").read_bytes()
    leave(key=False)
    assert "is unchanged" in get_default().lock()
    assert "is unchanged" in get_default().lock("notebook.devin.json")
    assert (folder / "notebook.devin.json").read_bytes() == before
    with pytest.raises(dj.OptionError, match="this notebook has not started a session yet"):
        get_default().lock("other.devin.json")


def test_a_recording_says_why_it_takes_no_message_and_cannot_be_stopped(leave, simulator):
    dj.create("count", schema="count:int").wait(30)
    get_default().lock()
    leave(key=False)
    simulator.reset()
    session = dj.create("count", schema="count:int")
    acts = (
        lambda: session.send("more"),
        session.stop,
        session.archive,
        lambda: session.tag("x"),
        session.attachments,
        session.insights,
    )
    for act in acts:
        with pytest.raises(dj.NotRecorded) as refused:
            act()
        assert "is a recording of 20" in refused.value.message
        assert "this key's service does not have it" in refused.value.message
        assert refused.value.consequence == "nothing was sent"
        assert refused.value.hint == "run its cell with --take 2 (take=2) to start a session"


def test_without_a_key_a_recording_says_so(leave):
    dj.create("count", schema="count:int").wait(30)
    get_default().lock()
    leave()
    with pytest.raises(dj.NotRecorded, match="and there is no key to reach it with") as refused:
        dj.create("count", schema="count:int").stop()
    assert refused.value.hint == "connect to a simulator to run its cell anew"


def test_a_chosen_simulator_starts_sessions_of_its_own(leave):
    dj.create("count", schema="count:int").wait(30)
    get_default().lock()
    leave()
    dj.connect(simulator=True, speed=600)
    session = dj.create("count", schema="count:int", max_acu=3).wait(30)
    assert session.snapshot.recorded is None
    assert session.send("and more").wait(30).phase is dj.Phase.DONE


def test_a_batch_that_is_replayed_announces_no_cost(leave):
    rows = ["a", "b"]
    dj.map("count {{ row }}", rows, schema="count:int", max_acu=2).wait(30)
    get_default().lock()
    leave(key=False)
    replayed = dj.map("count {{ row }}", rows, schema="count:int", max_acu=2)
    assert replayed.notice == "2 replayed from notebook.devin.json; nothing to start."
    more = dj.map("count {{ row }}", [*rows, "c"], schema="count:int", max_acu=2, name="more")
    there = "2 replayed from notebook.devin.json"
    assert more.notice == f"Starting 1 of 3 rows, 5 at a time. {there}. At most 1 × 2 = 2 ACU."


def test_simulated_answers_in_a_lock_file_lift_no_guard_of_a_real_key(leave):
    rows = [f"row {number}" for number in range(11)]
    dj.map("count {{ row }}", rows, schema="count:int", max_acu=2).wait(30)
    get_default().lock()
    leave(key=False)
    lock, settings = get_default().core.lock, replace(get_default().settings, simulated=False)
    with dj.Devin(settings=settings, lock=lock) as client, pytest.raises(dj.BudgetExceeded):
        client.map("count {{ row }}", rows, schema="count:int", name="real")
