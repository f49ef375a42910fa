"""Calls with arguments of a wrong type, or without one: three lines and a short traceback, before anything is sent."""

import pytest

import devin_jupyter as dj
from devin_jupyter.errors import ArgumentError, DevinError, OptionError, Refused
from devin_jupyter.models.enums import SCENARIOS
from devin_jupyter.simulator.scenarios import DESCRIPTIONS


@pytest.fixture
def devin(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    client = dj.connect(simulator=True, speed=2000)
    yield client
    client.close()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda session, batch: session.send(3), "a message is text, not int"),
        (lambda session, batch: session.download(3), "folder is the path of a file or folder, not an int"),
        (lambda session, batch: dj.flat([1]), "flat takes a DataFrame, not a list"),
        (lambda session, batch: dj.flat(session), "flat takes a DataFrame, not a Session"),
        (lambda session, batch: batch.send("text"), "Batch.send() missing 1 required positional argument: 'text'"),
        (lambda session, batch: dj.compare(batch, batch), "compare: missing a required argument: 'on'"),
        (lambda session, batch: dj.compare(batch, 3, on="row"), "compare takes two batches, not an int"),
        (lambda session, batch: dj.sync(), "Devin.sync() missing 1 required positional argument: 'folder'"),
        (lambda session, batch: dj.sync(3), "folder is the path of a file or folder, not an int"),
        (lambda session, batch: dj.create(), "Devin.create() missing 1 required positional argument: 'prompt'"),
        (lambda session, batch: dj.map(3, [1]), "the prompt is text, not an int"),
        (lambda session, batch: dj.from_notebook(3), "path is the path of a file or folder, not an int"),
        (lambda session, batch: dj.steps_frame(3), "3 is not a session id"),
        (lambda session, batch: dj.messages_frame([3]), "an int is not a session"),
        (lambda session, batch: dj.get(3), "3 is not a session id"),
        (lambda session, batch: dj.plan(3), "the prompt is text, not int"),
        (lambda session, batch: dj.reviews_frame(3), "an int is not a list of pull requests"),
    ],
)
def test_a_wrong_argument_is_answered_in_three_lines(devin, call, said):
    session, batch = devin.create("look"), devin.map("look at {{ row }}", ["a", "b"], max_acu=1)
    batch.wait(30)
    before = len(devin.sessions_frame())
    with pytest.raises(OptionError) as refused:
        call(session, batch)
    assert refused.value.message == said
    assert len(refused.value.lines) <= 3
    assert len(devin.sessions_frame()) == before


@pytest.mark.parametrize("act", ["stop", "wait", "result"])
def test_what_is_no_session_is_named(devin, act):
    with pytest.raises(OptionError, match="3 is not a session id"):
        getattr(devin, act)(3)


def test_a_missing_argument_says_what_the_call_takes(devin):
    with pytest.raises(ArgumentError) as refused:
        dj.sync()
    assert isinstance(refused.value, TypeError)
    assert refused.value.hint == "it takes sync(folder, …)"


def test_errors_of_python_calls_name_keywords_not_flags(devin):
    session = devin.create("look").wait(30)
    with pytest.raises(OptionError) as refused:
        session.send("see this", attach="nofile")
    assert "--attach" not in str(refused.value)
    with pytest.raises(OptionError, match=r"for example budget\(20\)"):
        dj.budget("abc")
    with pytest.raises(DevinError, match=r"did you mean \{\{ row \}\}\? The rows are plain values"):
        dj.map("Look at {{ row.repo }}", ["a"], max_acu=1)


def test_a_session_that_was_stopped_is_sent_nothing(devin):
    session = devin.create("stop this").wait(30).stop()
    with pytest.raises(Refused) as refused:
        session.send("go on")
    assert refused.value.message == f"{session.id} has ended, and takes no messages"
    assert "--take" in refused.value.hint
    assert "archive" not in str(refused.value)


def test_only_a_reply_that_asks_needs_somebody(devin):
    replied = devin.create("reply").wait(30)
    asked = devin.create("ask", tags=["sim:question"]).wait(30)
    assert (replied.needs_you, replied.question) == (False, replied.result())
    assert (asked.needs_you, bool(asked.question)) == (True, True)


def test_a_reply_without_a_schema_is_one_row(devin):
    frame = devin.create("say hello").wait(30).frame()
    assert frame["phase"].tolist() == ["your_turn"]


def test_an_unknown_scenario_of_the_simulator_is_noted(devin):
    session = devin.create("ask me", tags=["sim:questoin"])
    assert session.notice == "the simulator has no sim:questoin (did you mean sim:question?)"
    assert devin.create("ask me again", tags=["sim:question"]).notice is None
    assert set(SCENARIOS) == set(DESCRIPTIONS)


def test_a_lock_file_has_a_path(devin):
    with pytest.raises(ArgumentError, match="path is the path of a file or folder, not an int"):
        devin.lock(3)
