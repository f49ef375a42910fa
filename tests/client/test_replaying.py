"""A notebook beside its lock file runs unchanged for whoever has no key: without a secret and without a request."""

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
    assert dry_run() == "would start 1 new session; 2 would be replayed"
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
