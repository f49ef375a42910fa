"""Many rows with every scenario while the service misbehaves, and processes that die in the middle: exact counts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batches.batch_client import POST, BatchClient

from devin_jupyter.batches.batch import runner_of

ENDS = {
    "finished": "done",
    "exit": "done",
    "question": "your_turn",
    "fail": "failed",
    "limit": "blocked",
    "sleep": "asleep",
    "invalid-output": "your_turn",
    "unknown": "done",
}
"""How a session with a schema ends, by scenario."""
SCRIPT = Path(__file__).with_name("killed_process.py")
ROUTE = POST.split()[1]
PATIENT = 10**9


def rows_of(count: int) -> pd.DataFrame:
    names = list(ENDS)
    return pd.DataFrame(
        {"repo": [f"acme/r{n}" for n in range(count)], "scenario": [names[n % 8] for n in range(count)]}
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [80, pytest.param(1000, marks=pytest.mark.faults)])
def test_mixed_rows_and_faults_end_in_the_right_sessions_and_frame(
    new_client: Callable[..., BatchClient], simulator: Any, count: int
) -> None:
    rows = rows_of(count)
    duplicated = pd.concat([rows, rows.sample(count // 10, random_state=1)])
    post, listing = {"method": "POST", "route": ROUTE}, {"method": "GET", "route": ROUTE}
    options: dict[str, Any] = {"tags": ["sim:{{ row.scenario }}"], "schema": "version:str", "max_acu": 5}

    batch = new_client().map("Upgrade {{ row.repo }}", duplicated, max_failures=PATIENT, max_parallel=40, **options)
    simulator.faults(
        {**post, "kind": "drop_after", "times": 4},
        {**post, "kind": "status", "status": 503, "times": count // 250},
        {**post, "kind": "status", "status": 429, "retry_after": 1, "times": 3},
        {**post, "kind": "malformed", "times": 2},
        {**listing, "kind": "status", "status": 502, "times": 2},
        {**listing, "kind": "malformed", "times": 1},
    )
    batch.wait()

    assert simulator.stats()["sessions"] == count
    frame = batch.frame()
    assert frame["repo"].tolist() == duplicated["repo"].tolist()
    assert frame["phase"].tolist() == [ENDS[name] for name in duplicated["scenario"]]
    assert frame["session_id"].nunique() == count
    again = new_client().map("Upgrade {{ row.repo }}", duplicated, max_parallel=40, **options)
    assert again.notice.startswith(f"{count} rows have sessions already; nothing to start.")
    pd.testing.assert_frame_equal(again.frame(), frame)
    print(f"\n{count} rows: {simulator.stats()}")


def start_process(url: str, folder: Path, count: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, str(SCRIPT), url, str(folder / "journal.db"), str(count)], env=environment)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.faults)])
def test_processes_that_are_killed_lose_and_double_nothing(
    new_client: Callable[..., BatchClient], simulator: Any, tmp_path: Path, count: int
) -> None:
    chance = random.Random(7)
    for round_ in range(1, 4):
        process = start_process(simulator.url, tmp_path, count)
        while simulator.stats()["sessions"] < round_ * count // 5 and process.poll() is None:
            time.sleep(0.02 * chance.random())
        process.send_signal(signal.SIGKILL)
        process.wait()

    batch = (
        new_client()
        .map("Upgrade {{ row }}", range(count), max_acu=5, max_parallel=8, name="up", schema="version:str")
        .wait()
    )

    assert simulator.stats()["sessions"] == count
    assert batch.phase_counts == {"done": count}
    assert batch.frame()["session_id"].nunique() == count


def test_a_running_process_is_followed_and_taken_over_when_it_dies(slow_simulator: Any, tmp_path: Path) -> None:
    process = start_process(slow_simulator.url, tmp_path, 24)
    client = BatchClient(slow_simulator.url, tmp_path / "journal.db")
    while slow_simulator.stats()["sessions"] < 8:  # whose turns do not end by themselves
        assert process.poll() is None
        time.sleep(0.01)

    batch = client.map("Upgrade {{ row }}", range(24), max_acu=5, max_parallel=8, name="up", schema="version:str")
    while runner_of(batch).notice is None:
        time.sleep(0.01)
    assert runner_of(batch).notice == "another kernel runs this batch; following it"
    process.kill()
    process.wait()
    while not batch.wait(0.1).is_over:
        slow_simulator.clock(240)

    assert slow_simulator.stats()["sessions"] == 24
    assert batch.phase_counts == {"done": 24}
    client.close()
