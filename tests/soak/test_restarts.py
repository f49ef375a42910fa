"""A kernel is restarted, a process forks and a program is interrupted in the middle of things: quietly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

POST = "POST /v3/organizations/{org_id}/sessions"
OPEN = """
import threading
import devin_jupyter as dj
%load_ext devin_jupyter
sessions = [dj.create(f"left running {number}", max_acu=1) for number in range(3)]
panel = sessions[0].panel()
threading.Thread(target=sessions[1].wait, daemon=True).start()
"""


@pytest.fixture
def environment(simulator_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The environment of a person with a key, whose sessions take long."""
    simulator = simulator_with(speed=1.0)
    for name, value in {
        "DEVIN_API_KEY": simulator.api_key,
        "DEVIN_ORG_ID": simulator.org_id,
        "DEVIN_API_URL": simulator.url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }.items():
        monkeypatch.setenv(name, value)
    return simulator


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """What a kernel's process writes itself."""
    return tmp_path / "noise"


@pytest.fixture
def manager(environment: Any, noise: Path) -> Iterator[KernelManager]:
    with noise.open("w") as out:
        started = KernelManager(kernel_name="python3", shutdown_wait_time=60.0)  # then it is killed
        started.start_kernel(stdout=out, stderr=out)
        yield started
        if started.is_alive():
            started.shutdown_kernel(now=True)


def run(manager: KernelManager, code: str) -> dict[str, Any]:
    """Run a cell to its end and return the values of `n` and `ids`."""
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)
        reply = client.execute_interactive(
            code, timeout=300, output_hook=lambda _: None, user_expressions={"ids": "' '.join(s.id for s in sessions)"}
        )
        content: dict[str, Any] = reply["content"]
        assert content["status"] == "ok", content
        return content
    finally:
        client.stop_channels()


def ids(content: dict[str, Any]) -> str:
    found: str = content["user_expressions"]["ids"]["data"]["text/plain"]
    return found


@pytest.mark.kernel
def test_after_an_automatic_restart_the_same_cell_attaches_to_the_running_session(
    manager: KernelManager, environment: Any, noise: Path
) -> None:
    before = ids(run(manager, OPEN))
    process = manager.provisioner.process
    manager.restart_kernel(now=False)
    assert process.returncode == 0
    assert ids(run(manager, OPEN)) == before
    assert environment.requests(POST) == 3
    assert _of_ours(noise) == []


@pytest.mark.kernel
def test_a_kernel_shuts_down_on_its_own_while_sessions_are_watched(
    manager: KernelManager, environment: Any, noise: Path
) -> None:
    run(manager, OPEN)
    process = manager.provisioner.process
    manager.shutdown_kernel(now=False)
    assert process.returncode == 0
    assert not manager.is_alive()
    assert _of_ours(noise) == []


def _of_ours(noise: Path) -> list[str]:
    """Lines that hint at us; ipykernel has some of its own."""
    lines = noise.read_text().splitlines()
    return [line for line in lines if any(word in line for word in ("devin", "Traceback", "asyncio", "Exception"))]


FORKS = """
import multiprocessing, os, sys, urllib.request
import devin_jupyter as dj

sessions = [dj.create(f"left running {number}", max_acu=1) for number in range(2)]

def look(identifier):
    return dj.get(identifier).phase.turn_over

child = os.fork()
if child == 0:
    again = dj.create("left running 0", max_acu=1)
    print("child", again.id == sessions[0].id, sessions[0].refresh().phase.turn_over, flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("status", status, flush=True)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print("pool", pool.map(look, [session.id for session in sessions]), flush=True)
child = os.fork()
if child == 0:
    url = os.environ["DEVIN_API_URL"] + "/_sim/clock"
    headers = {"content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, b'{"advance": 500}', headers)).close()
    print("waited", sessions[1].wait(30).phase.turn_over, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("parent", sessions[1].wait(30).phase.turn_over, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_forked_children_use_the_client_and_the_parent_keeps_running(environment: Any) -> None:
    done = subprocess.run(
        # CPython 3.12 warns of every fork in a process with threads, ours or not
        [sys.executable, "-W", "error", "-W", "ignore:.*fork.*:DeprecationWarning", "-c", FORKS],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    said = ["child True False", "status 0", "pool [False, False]", "waited True", "parent True"]
    assert done.stdout.splitlines() == said
    assert environment.requests(POST) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_a_program_that_waits_ends_on_a_signal(environment: Any, number: signal.Signals) -> None:
    code = textwrap.dedent("""
        import sys, threading, time
        import devin_jupyter as dj
        from devin_jupyter import loop

        def tell_when_it_waits(main):
            while sys._current_frames()[main].f_code is not loop.slices.__code__:
                time.sleep(0.01)
            print("waiting", flush=True)

        session = dj.create("left running", max_acu=1)
        threading.Thread(target=tell_when_it_waits, args=[threading.get_ident()], daemon=True).start()
        try:
            session.wait()
        except dj.Detached:
            print("detached", flush=True)
    """)
    command = [sys.executable, "-W", "error", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        rest, noise = process.communicate(timeout=300)
    assert noise == ""
    assert rest == ("detached\n" if number == signal.SIGINT else "")
