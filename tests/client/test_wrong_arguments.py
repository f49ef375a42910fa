"""Calls with arguments of a wrong type, or without one: three lines and a short traceback, before anything is sent."""

import inspect
import json
import re
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

import devin_jupyter as dj
from devin_jupyter import loop
from devin_jupyter.errors import ArgumentError, DevinError, OptionError, Refused
from devin_jupyter.loop import Blocking
from devin_jupyter.models.enums import SCENARIOS
from devin_jupyter.simulator.scenarios import DESCRIPTIONS


@pytest.fixture
def devin(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    client = dj.connect(simulator=True, speed=2000, live=False)  # which would read by itself
    yield client
    client.close()


HALF = "contains half a character (a lone surrogate)"


WRONG = [
    (lambda session, batch: session.send(3), "a message is text, not an int"),
    (lambda session, batch: session.tag(3), "tags are text, not an int"),
    (lambda session, batch: session.tag(["a", "b"]), "tags are text, not a list"),
    (lambda session, batch: session.stop(archive="yes"), "archive is True or False, not a str"),
    (lambda session, batch: batch.resume(all_rows="no"), "all_rows is True or False, not a str"),
    (lambda session, batch: dj.sessions_frame(limit="many"), "limit is a whole number, not a str"),
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
    (lambda session, batch: dj.create("\ud800"), f"the prompt {HALF}"),
    (lambda session, batch: dj.create("look", take="\ud800"), f"take= {HALF}"),
    (lambda session, batch: dj.map("look at {{ row }}", ["\ud800"]), f"the prompt {HALF} (in row 0)"),
    (lambda session, batch: dj.map("look at {{ row }}", ["a"], name="\ud800"), f"name= {HALF}"),
    (lambda session, batch: dj.sync("\ud800"), f"folder {HALF}"),
]
"""Calls, and what they are answered."""


def test_a_wrong_argument_is_answered_in_three_lines(devin):
    session, batch = devin.create("look"), devin.map("look at {{ row }}", ["a", "b"], max_acu=1)
    batch.wait(30)
    started, wrong = len(devin.sessions_frame()), {}
    for call, said in WRONG:
        try:
            answer = call(session, batch)
        except OptionError as refused:
            answer = refused.message if len(refused.lines) <= 3 else refused.lines
        except Exception as problem:
            answer = problem
        before, started = started, len(devin.sessions_frame())
        if (answer, started) != (said, before):
            wrong[said] = answer, started
    assert not wrong


WRONG_IN_ASYNC = [
    (lambda client, session: client.create(prompt=123), "the prompt is text, not an int"),
    (lambda client, session: client.create(b"look"), "the prompt is text, not a bytes"),
    (lambda client, session: client.create(), "missing 1 required positional argument: 'prompt'"),
    (lambda client, session: client.create("look", maxacu=1), "there is no option 'maxacu'"),
    (lambda client, session: client.map(3, [1]), "the prompt is text, not an int"),
    (lambda client, session: client.sessions_frame(limit="many"), "limit is a whole number, not a str"),
    (lambda client, session: client.members_frame(mails=True), "unexpected keyword argument 'mails'"),
    (lambda client, session: session.send(3), "a message is text, not an int"),
    (lambda client, session: session.stop(archive="yes"), "archive is True or False, not a str"),
    (lambda client, session: client.playbooks.create("title", 6), "body is text, not an int"),
    (lambda client, session: client.reviews.get(7), "pr_url is text, not an int"),
    (lambda client, session: client.secrets.create("KEY"), "missing 1 required positional argument: 'value'"),
]
"""Calls, and what is in their answers."""


async def test_an_async_call_says_the_same_as_the_blocking_one(devin):
    async with dj.AsyncDevin(settings=devin.settings) as client:
        session, wrong = await (await client.create("look")).wait(30), {}
        await client.core.poller.idle()
        before = asked(devin)
        for call, said in WRONG_IN_ASYNC:
            try:
                wrong[said] = await call(client, session)
            except OptionError as refused:
                if said not in refused.message or len(refused.lines) > 3:
                    wrong[said] = refused
            except Exception as problem:
                wrong[said] = problem
        assert not wrong
        with pytest.raises(ArgumentError, match="limit is a whole number, not a str"):
            client.automations.list(limit="all")
        assert asked(devin) == before


def test_an_act_that_takes_nothing_says_so(devin):
    with pytest.raises(ArgumentError) as refused:
        devin.create("look").wait(30).archive(3)
    assert refused.value.message == "Session.archive() takes no arguments, but 1 was given"
    assert refused.value.hint == "it takes archive()"


PLAIN = re.compile(
    r"(str|int|float|bool|None|(Sequence|Iterable|list)\[str\]|Mapping\[str, (str|Any)\]|SessionRequest)"
)


def asked(devin):
    """How many requests of each kind the simulator has had."""
    with urlopen(f"{devin.core.settings.base_url}/_sim/stats") as answer:
        return json.load(answer)["requests"]


def every_call(devin):
    """Each parameter of each public call of which the annotation says what it takes, with the arguments before it."""
    handles = [devin.last(), *(part for name in dir(devin) if isinstance(part := getattr(devin, name), Blocking))]
    for handle in [devin, *handles]:
        for name, method in inspect.getmembers(handle, inspect.ismethod):
            if name.startswith("_") or type(handle).__dict__.get(name) is None or (handle is devin and name in BY_HAND):
                continue
            parameters = list(inspect.signature(method).parameters.values())
            needed = {
                one.name: "x" for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD
            }
            for one in parameters:
                kinds = str(one.annotation).split(" | ")
                if one.kind is one.POSITIONAL_OR_KEYWORD and all(map(PLAIN.fullmatch, kinds)):
                    yield f"{type(handle).__name__}.{name}({one.name})", method, {**needed, one.name: object()}


BY_HAND = ("send", "stop", "wait", "result")  # which take a session first


def test_no_public_call_sends_what_is_of_another_kind_than_its_parameter(devin):
    devin.create("look").wait(30)
    loop.run(devin.core.poller.idle())
    calls, wrong = list(every_call(devin)), []
    before = asked(devin)
    for name, method, arguments in calls:
        try:
            answer = method(**arguments)
            wrong.append((name, next(answer, None) if isinstance(answer, Iterator) else "accepted"))
        except OptionError as refused:
            wrong += [(name, refused)] if len(refused.lines) > 3 else []
        except Exception as problem:
            wrong.append((name, problem))
    assert not wrong
    assert len(calls) > 100
    assert asked(devin) == before


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


def test_notices_and_plans_of_calls_name_keywords(devin):
    devin.create("look").wait(30)
    again = devin.create("look")
    assert again.notice.endswith("take=2 starts another")
    again.send("more").wait(30)
    assert devin.get(again.id).send("more").notice.endswith("again=True repeats")
    assert "no cap: max_acu=N sets one" in devin.plan("something else").costs
