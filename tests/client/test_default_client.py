"""The default client: made at first use, replaced by `connect`, never by `Devin()`, and anew for a new key."""

import pickle
import traceback
from pathlib import Path

import pytest

import devin_jupyter as dj
from devin_jupyter.client.sync import disconnect, find_default, get_default

OWN_SPEED = 601.0
"""Equal options share a simulator, and the other tests' may have faults."""
KEY, OTHER = "cog_aaaaaaaaaaaaaaaaaaaa1111", "cog_bbbbbbbbbbbbbbbbbbbb2222"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def environment(monkeypatch, simulator):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    return monkeypatch


def test_it_is_configured_from_the_environment_at_first_use(environment, simulator):
    assert find_default() is None
    session = dj.create("hello")

    assert get_default() is find_default()
    assert get_default().settings.key_source == "DEVIN_API_KEY"
    assert dj.last().id == session.id
    assert dj.get(session.id).wait(30).result()


def test_batches_are_compared_by_name_too(environment):
    for name in ("old", "new"):
        dj.map(name + " {{ row.repo }}", [{"repo": "acme/api"}], name=name, schema="version:str").wait(30)

    frame = dj.compare("old", dj.batch("new"), on="repo")

    assert list(frame.columns[:3]) == ["repo", "version_old", "version_new"]
    with pytest.raises(dj.DevinError, match="older"):
        dj.compare("older", "new", on="repo")


def test_without_a_key_it_never_uses_the_simulator_by_itself(simulator):
    with pytest.raises(dj.NoKey, match="simulator"):
        dj.create("hello")
    assert simulator.stats()["sessions"] == 0


def test_connect_replaces_it_and_a_client_of_ones_own_does_not(environment, simulator):
    first = get_default()
    own = dj.Devin(KEY)
    assert get_default() is first
    second = dj.connect(OTHER)

    assert get_default() is second
    assert get_default().settings.api_key == OTHER
    assert own is not second


def test_handles_keep_the_client_they_came_from(environment, simulator):
    session = dj.create("count", schema="count:int")
    dj.connect(OTHER, base_url="https://api.devin.ai")

    assert isinstance(session.result(30)["count"], int)


def test_a_new_key_in_the_environment_is_taken_without_a_restart(environment):
    first = get_default()
    environment.setenv("DEVIN_API_KEY", OTHER)

    assert get_default() is not first
    assert get_default().settings.api_key == OTHER
    assert get_default() is get_default()


def test_a_client_that_was_asked_for_stays_whatever_the_environment_says(environment):
    chosen = dj.connect(KEY)
    environment.setenv("DEVIN_API_KEY", OTHER)

    assert get_default() is chosen


def test_a_client_that_found_its_key_takes_a_new_one_and_keeps_what_was_chosen_besides(environment, simulator):
    dj.connect(org_id="org-chosen", base_url="https://api.devin.ai", poll_seconds=25.0)
    environment.setenv("DEVIN_API_KEY", OTHER)

    settings = get_default().settings
    assert (settings.api_key, settings.org_id, settings.base_url) == (OTHER, "org-chosen", "https://api.devin.ai")
    assert get_default().core.poller.pace.slow == 25.0
    environment.delenv("DEVIN_API_KEY")  # as careful people do: it stays in use
    assert get_default().settings.api_key == OTHER


def test_a_new_key_in_the_dotenv_file_is_taken_without_a_restart(folder):
    for begin in (dj.connect, get_default):
        (folder / ".env").write_text(f"DEVIN_API_KEY={KEY}")
        assert begin().settings.api_key == KEY
        (folder / ".env").write_text(f"DEVIN_API_KEY={OTHER}")
        assert get_default().settings.api_key == OTHER
        assert get_default() is get_default()
        disconnect()


def test_another_folder_with_another_dotenv_file_changes_nothing(folder, tmp_path, monkeypatch):
    (folder / ".env").write_text(f"DEVIN_API_KEY={KEY}")
    first = get_default()
    (tmp_path / ".env").write_text(f"DEVIN_API_KEY={OTHER}")
    monkeypatch.chdir(tmp_path)

    assert get_default() is first


def test_the_groups_of_operations_show_what_they_offer_and_no_address():
    client = dj.Devin(KEY)
    assert repr(client.tags).startswith("<Tags: ")
    assert "append" in repr(client.tags)
    assert all(" at 0x" not in repr(getattr(client, name)) for name in ("sessions", "metrics", "consumption"))


def test_disconnecting_connects_anew(environment):
    first = get_default()
    disconnect()

    assert find_default() is None
    assert get_default() is not first


def test_the_simulator_in_this_process_needs_no_key_and_keeps_its_journal_to_itself(tmp_path):
    client = dj.connect(simulator=True, speed=OWN_SPEED)
    session = dj.create("count", schema="count:int")
    answer = session.result(30)

    assert client.settings.simulated
    assert client.journal.path == ":memory:"
    assert not (tmp_path / "home").exists()
    again = dj.connect(simulator=True, speed=OWN_SPEED)
    assert again is not client
    attached = dj.create("count", schema="count:int")
    assert (attached.how, attached.result()) == ("attached", answer)


def test_the_simulator_speaks_v1_too():
    client = dj.connect(simulator=True, api_version="v1", speed=OWN_SPEED)

    assert client.settings.api_version == "v1"
    assert dj.create("hello").wait(30).phase.turn_over


def test_mistaken_options_are_refused():
    with pytest.raises(dj.OptionError, match="sped"):
        dj.connect(simulator=True, sped=3)
    with pytest.raises(dj.OptionError, match="speed"):
        dj.connect(KEY, speed=3)


def test_the_pace_can_be_chosen():
    client = dj.connect(KEY, poll_seconds=25.0)

    assert client.core.poller.pace.slow == 25.0


def test_a_lock_file_is_replayed_without_a_key_a_post_or_a_get(environment, simulator, folder):
    session = dj.create("count", schema="count:int")
    answer = session.result(30)
    question = dj.create("ask", tags=["sim:question"]).wait(30)
    question.send("the first one").wait(30)
    said = f"{folder}/notebook.devin.json: 2 sessions; it replays them without a key"
    assert get_default().lock() == said
    asked = sum(simulator.stats()["requests"].values())
    environment.delenv("DEVIN_API_KEY")
    environment.setenv("DEVIN_JUPYTER_HOME", str(folder / "elsewhere"))

    replayed = dj.create("count", schema="count:int")

    assert replayed.how == "recorded"
    assert replayed.result() == answer
    assert replayed.notice.startswith("replayed from ")
    again = dj.create("ask", tags=["sim:question"])
    assert "recorded" in again.send("the first one").notice
    assert again.wait().phase is question.phase
    assert dj.get(session.id).result() == answer
    with pytest.raises(dj.NotRecorded):
        dj.create("something else")
    with pytest.raises(dj.NoKey):
        get_default().self()
    assert sum(simulator.stats()["requests"].values()) == asked


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({"url": "https://x"}, "base_url"),
        ({"bas_url": "https://x"}, "base_url"),
        ({"token": "x"}, "api_key"),
        ({"organization": "x"}, "org_id"),
        ({"simulator": True, "sped": 9}, "speed"),
    ],
)
def test_an_unknown_keyword_gets_the_nearest(options, meant):
    with pytest.raises(dj.OptionError) as refused:
        dj.connect(**options)
    assert f"did you mean {meant}?" in refused.value.message
    assert refused.value.consequence == ""


@pytest.mark.parametrize(
    "options", [{"speed": 0}, {"speed": "x"}, {"port": 99999}, {"preload": -1}, {"state": Path(__file__)}], ids=str
)
def test_a_simulator_that_cannot_be_is_refused_in_words(options):
    with pytest.raises(dj.OptionError, match="the simulator cannot start"):
        dj.connect(simulator=True, **options)


@pytest.mark.parametrize("seconds", ["10 s", 0, float("inf"), None.__class__])
def test_a_pause_that_is_none_is_refused(seconds):
    with pytest.raises(dj.OptionError, match="poll_seconds"):
        dj.connect(simulator=True, poll_seconds=seconds)


@pytest.mark.parametrize("session", [5, None, "https://evil.example/x", "https://app.devin.ai/settings", ""])
def test_what_names_no_session_is_refused_before_anything_is_asked(session):
    with pytest.raises(dj.OptionError, match="is not a session id"):
        dj.connect(simulator=True).get(session)


def test_reprs_and_tracebacks_name_what_a_script_imports():
    assert repr(dj.Session) == "<class 'devin_jupyter.Session'>"
    assert repr(dj.Devin) == "<class 'devin_jupyter.Devin'>"
    assert repr(dj.AsyncDevin.create).startswith("<function AsyncDevin.create")
    assert "".join(traceback.format_exception_only(dj.NoKey("no key"))).startswith("devin_jupyter.NoKey: ")
    for name in dj.__all__:
        thing = getattr(dj, name)
        if getattr(thing, "__module__", "") == "devin_jupyter":
            assert pickle.loads(pickle.dumps(thing)) is thing, name


def test_tagging_is_switched_off_where_an_organization_allows_only_listed_tags():
    place = {"simulator": True, "speed": OWN_SPEED, "allowed_tags": ("team:web",)}
    dj.connect(**place)
    with pytest.raises(dj.BadRequest, match=r'dj\.connect\(tagging="off"\)'):
        dj.create("do it")
    dj.connect(**place, tagging="off")
    assert dj.create("do it").id == dj.create("do it").id
    with pytest.raises(dj.OptionError, match="'on' or 'off'"):
        dj.connect(**place, tagging="maybe")
