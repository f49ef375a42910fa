"""The server as a process and as a thread."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import httpx

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.scenarios import NAMES
from devin_jupyter.simulator.server import start


def test_the_first_line_names_the_bound_port_and_a_signal_ends_it_without_noise():
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "devin_jupyter.simulator",
        "--port",
        "0",
        "--api-key",
        "cog_k",
        "--org",
        "org-x",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("Devin simulator listening on http://127.0.0.1:")
            url = line.split()[-1]
            request = urllib.request.Request(url + "/v3/self", headers={"Authorization": "Bearer cog_k"})
            with urllib.request.urlopen(request) as answer:
                assert b'"org_id":"org-x"' in answer.read()
        finally:
            process.send_signal(signal.SIGTERM)
        rest, noise = process.communicate(timeout=300)
    assert (rest, noise, process.returncode) == ("", "", 0)


def test_equal_options_share_one_server_until_it_is_stopped():
    config = Config(seed=41)
    first = start(config)
    assert start(Config(seed=41)) is first
    first.stop()
    assert not first.is_alive
    second = start(config)
    assert second is not first
    assert httpx.get(second.url + "/_sim/stats", trust_env=False).json() == {"requests": {}, "sessions": 0}
    second.stop()
    second.stop()


def test_a_process_that_ends_with_a_server_in_a_thread_says_nothing():
    code = (
        "import httpx; from devin_jupyter.simulator.server import start; r = start();"
        "c = httpx.Client(trust_env=False); print(c.get(r.url + '/_sim/stats').status_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr, done.returncode) == ("200\n", "", 0)


def test_every_answer_is_labeled_as_simulated(simulator):
    with simulator.v3() as client:
        answers = [
            client.get("/sessions"),
            client.get("/nothing"),
            httpx.get(simulator.url + "/v3/self", trust_env=False),
        ]
    assert [answer.headers["x-devin-simulator"] for answer in answers] == ["1", "1", "1"]


def test_the_help_names_every_scenario():
    done = subprocess.run(
        [sys.executable, "-m", "devin_jupyter.simulator", "--help"], capture_output=True, text=True, timeout=300
    )
    assert [name for name in NAMES if f"sim:{name} " not in done.stdout] == []


def test_a_stop_ends_requests_under_way_without_noise(capfd):
    running = start(Config(seed=42))
    with httpx.Client(trust_env=False, base_url=running.url) as client:
        client.post("/_sim/faults", json={"rules": [{"kind": "slow", "seconds": 60}]})
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(client.get, "/v3/self")
            with httpx.Client(trust_env=False, base_url=running.url) as other:
                while not other.get("/_sim/stats").json()["requests"]:
                    pass
            running.stop()
            failure = waiting.exception(timeout=60)
            assert failure is not None or waiting.result().status_code == 500
    assert not running.is_alive
    assert capfd.readouterr() == ("", "")
