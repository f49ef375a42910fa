"""`on_done=`: who is told of the end of a turn or a batch, what an address gets, and that a failure disturbs nobody."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devin_jupyter import AsyncDevin, OptionError
from devin_jupyter.client import on_done

POST = "POST /v3/organizations/{org_id}/sessions"


class Listener(ThreadingHTTPServer):
    """An address of the user's, which notes what it is sent."""

    def __init__(self, status=200):
        self.got, self.arrived = [], threading.Event()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.end_headers()
                listener.arrived.set()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook/secret-path"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def listening():
    made = []

    def make(status=200):
        made.append(Listener(status))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()
        one.server_close()


class Told(list):
    """A function that notes what it is told, and on which thread."""

    def __init__(self):
        super().__init__()
        self.event = threading.Event()

    def __call__(self, handle):
        self.append((handle, threading.current_thread().name))
        self.event.set()


def test_a_function_gets_the_session_whose_turn_is_over_and_may_use_it(devin, simulator):
    answers, done = [], threading.Event()

    def notify(session):
        answers.append(session.result())  # blocking calls are allowed here
        session.refresh()
        done.set()

    session = devin.create("say hello", on_done=notify)
    assert done.wait(30)
    assert answers == [session.result()]
    told = Told()
    assert devin.create("say hello", on_done=told).id == session.id  # over already: it is told at once
    assert told.event.wait(30)
    assert told[0][0].id == session.id
    assert told[0][1] == "devin-on-done"
    assert simulator.requests(POST) == 1


def test_a_batch_is_told_once_when_all_of_it_is_over(devin):
    told = Told()
    batch = devin.map("say {{ row }}", ["hello", "goodbye"], name="greetings", max_acu=1, on_done=told)
    assert told.event.wait(30)
    assert told[0][0] is batch
    assert batch.is_over
    batch.wait(30)
    assert len(told) == 1


def test_an_address_gets_a_small_json_without_key_and_answer(devin, listening):
    listener = listening()
    session = devin.create("say hello", on_done=listener.url)
    answer = session.result(30)
    assert listener.arrived.wait(30)
    headers, body = listener.got[0]
    assert body["event"] == "turn_over"
    assert body["session_id"] == session.id
    assert body["phase"] == session.phase.value
    assert body["text"].startswith("Devin: ")
    assert body["simulated"] is True
    everything = json.dumps([headers, body])
    assert devin.settings.api_key not in everything
    assert "authorization" not in {name.lower() for name in headers}
    assert answer not in everything
    devin.create("say hello", on_done=listener.url).wait(30)
    batch = devin.map("say {{ row }}", ["hi"], name="one", max_acu=1, on_done=listener.url)
    batch.wait(30)
    until(lambda: len(listener.got) == 2)  # the session that was over already is told to nobody
    assert listener.got[1][1]["event"] == "batch_over"
    assert listener.got[1][1]["rows"] == 1


def until(condition):
    for _ in range(3000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def test_what_fails_disturbs_no_wait_and_is_said_in_the_notice(devin, listening, caplog):
    def broken(session):
        raise ValueError("the printer is on fire")

    session = devin.create("say hello", on_done=broken)
    assert session.result(30)
    until(lambda: session.notice)
    assert session.notice == "on_done: broken could not be told: ValueError: the printer is on fire"
    listener = listening(status=500)
    refused = devin.create("say goodbye", on_done=listener.url)
    assert refused.result(30)
    until(lambda: refused.notice)
    assert refused.notice == "on_done: 127.0.0.1 could not be told: 127.0.0.1 answered 500"
    listener.shutdown()
    listener.server_close()
    unheard = devin.create("say nothing", on_done=listener.url)
    assert unheard.result(30)
    until(lambda: unheard.notice)
    assert "127.0.0.1 could not be told" in unheard.notice
    assert "secret-path" not in caplog.text + refused.notice + unheard.notice
    batch = devin.map("say {{ row }}", ["hi"], name="one", max_acu=1, on_done=broken)
    batch.wait(30)
    until(lambda: "the printer is on fire" in (batch.notice or ""))


def test_a_coroutine_function_is_run(devin):
    told = Told()

    async def notify(session):
        await asyncio.sleep(0)
        told(session)

    session = devin.create("say hello", on_done=notify)
    assert told.event.wait(30)
    assert told[0][0].id == session.id


async def test_the_async_client_tells_on_its_own_loop(simulator):
    told, done = Told(), asyncio.Event()

    async def notify(session):
        told(session)
        done.set()

    def broken(session):
        raise KeyError("x")

    async with AsyncDevin(simulator.api_key, base_url=simulator.url) as devin:
        session = await devin.create("say hello", on_done=notify)
        await asyncio.wait_for(done.wait(), 30)
        assert told[0][0] is session
        assert told[0][1] == threading.current_thread().name
        again = await devin.create("say hello", on_done=broken)
        await asyncio.sleep(0)
        await again.result(30)
        batch = await devin.map("say {{ row }}", ["hi"], name="one", max_acu=1, on_done=told)
        await batch.wait(30)


def test_what_cannot_be_told_is_refused_before_anything_is_sent(devin, simulator):
    for wrong in (
        3,
        "notify",
        "http://hooks.company.com/x",
        "ftp://host/x",
        "https://[x",
        "https://h/cog_a1b2c3d4e5f6g7",
    ):
        with pytest.raises(OptionError, match="on_done takes a function or an https:// address"):
            devin.create("x", on_done=wrong)
    with pytest.raises(OptionError, match="on_done takes"):
        devin.map("x {{ row }}", [1], on_done=3)
    assert on_done.check("https://hooks.company.com/x") == "https://hooks.company.com/x"
    assert simulator.requests(POST) == 0


def test_the_exit_of_the_process_waits_a_moment_for_notifications(devin, monkeypatch):
    monkeypatch.setattr(on_done, "EXIT_SECONDS", 30.0)
    begun, go, ended = threading.Event(), threading.Event(), []

    def notify(session):
        begun.set()
        go.wait(30)
        ended.append(session.id)

    session = devin.create("say hello", on_done=notify)
    assert begun.wait(30)
    threading.Timer(0.05, go.set).start()
    on_done.deliveries.finish()
    assert ended == [session.id]
    monkeypatch.setattr(on_done, "EXIT_SECONDS", 0.0)
    on_done.deliveries.finish()  # nothing is being delivered
