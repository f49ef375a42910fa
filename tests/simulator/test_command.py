"""`python -m devin_jupyter.simulator`, run in this process: what it says, how it ends, which options it takes."""

from __future__ import annotations

import contextlib
import io
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path

import httpx
import pytest

from devin_jupyter.simulator import server
from devin_jupyter.simulator.__main__ import main, parser
from devin_jupyter.simulator.config import Config

NAME = "devin_jupyter.simulator.__main__"


class Watched(io.StringIO):
    """Standard output that tells when something was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = threading.Event()

    def flush(self) -> None:
        self.said.set()


@pytest.fixture
def handlers():
    """The handlers of signals are put back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals cannot be aimed at a thread here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_from_its_first_line_until_a_signal_and_ends_well(number):
    output, answers = Watched(), []

    def visit():
        try:
            assert output.said.wait(30)
            url = output.getvalue().split()[-1]
            answers.append(httpx.get(url + "/v3/self", headers={"authorization": "Bearer cog_mine"}, trust_env=False))
        finally:
            signal.pthread_kill(threading.main_thread().ident, number)

    visitor = threading.Thread(target=visit)
    visitor.start()
    with contextlib.redirect_stdout(output):
        status = main(["--api-key", "cog_mine", "--org", "org-mine", "--speed", "7"])
    visitor.join()
    assert status == 0
    assert [answer.json()["org_id"] for answer in answers] == ["org-mine"]
    assert output.getvalue().startswith("Devin simulator listening on http://127.0.0.1:")
    with pytest.raises(httpx.ConnectError):
        httpx.get(output.getvalue().split()[-1], trust_env=False)


@pytest.mark.usefixtures("handlers")
def test_a_taken_port_is_a_clear_error(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_every_option_has_the_default_of_the_configuration():
    assert Config(**vars(parser().parse_args([]))) == Config()


def test_the_options_make_the_configuration():
    said = "--host ::1 --port 8080 --api-key cog_a --v1-key apk_b --org org-c --speed 1.5 --seed -3 --preload 9"
    said += " --today 2026-11-01 --latency-ms 20 --state sim.db --strict-ids --problem-json"
    assert Config(**vars(parser().parse_args(said.split()))) == Config(
        host="::1",
        port=8080,
        api_key="cog_a",
        v1_key="apk_b",
        org="org-c",
        speed=1.5,
        seed=-3,
        preload=9,
        today="2026-11-01",
        latency_ms=20.0,
        state=Path("sim.db"),
        strict_ids=True,
        problem_json=True,
    )


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["--speed", "0"], "must be greater than 0"),
        (["--speed", "inf"], "must be greater than 0"),
        (["--preload", "-1"], "may be negative"),
        (["--latency-ms", "-5"], "may be negative"),
        (["--port", "70000"], "between 0 and 65535"),
        (["--port", "http"], "invalid"),
        (["--today", "soon"], "Invalid isoformat"),
        (["--sped", "3"], "unrecognized"),
    ],
)
def test_a_wrong_option_is_refused_in_words(wrong, why, capsys):
    with pytest.raises(SystemExit) as refused:
        main(wrong)
    assert refused.value.code == 2
    assert why in capsys.readouterr().err


def test_the_module_runs_as_a_command(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, NAME)
    monkeypatch.setattr(sys, "argv", ["simulator", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(NAME, run_name="__main__")
    assert ended.value.code == 0
    assert "sim:question" in capsys.readouterr().out


def test_without_its_extra_it_names_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, NAME)
    monkeypatch.setitem(sys.modules, "devin_jupyter.simulator.scenarios", None)
    with pytest.raises(SystemExit, match=r"pip install 'devin-jupyter\[simulator\]'"):
        runpy.run_module(NAME, run_name="__main__")


def test_a_server_that_cannot_start_says_so_and_leaves_no_thread(monkeypatch):
    async def refuse(self, sockets=None):
        self.should_exit = True
        self.ready.set()

    with monkeypatch.context() as patch:
        patch.setattr(server._Server, "startup", refuse)
        with pytest.raises(RuntimeError, match="did not start"):
            server.start(Config(seed=43))
    running = server.start(Config(seed=43))
    assert running.is_alive
    running.stop()


def test_the_end_of_the_process_stops_every_simulator(monkeypatch):
    monkeypatch.setattr(server, "started", {})
    running = [server.start(Config(seed=seed)) for seed in (44, 45)]
    server.stop_all()
    assert [one.is_alive for one in running] == [False, False]


def test_on_windows_no_second_server_may_share_a_port(monkeypatch):
    monkeypatch.setattr(server.sys, "platform", "win32")
    with server._listen("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0


def test_a_state_file_that_is_not_a_database_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("not a database, and longer than the head of one would be " * 3)

    assert main(["--state", str(tmp_path / "notes.txt")]) == 1
    assert capsys.readouterr().err == f"cannot keep the state in {tmp_path / 'notes.txt'}: file is not a database\n"
