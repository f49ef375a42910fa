"""A batch in a forked child: its parent goes on with it, and the child can wait for it, act on it and open it anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batch.desk import POST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_follows_its_parents_batch_and_acts_on_it(simulator: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("forks.py"), simulator.url, tmp_path / "journal.db"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "not over: True",
        "waited: {'done': 6}",
        "paused: you said so; .resume() goes on",
        "resumed: None",
        "again: 0 started, 6 attached, 0 ACU",
        "child ended with: 0",
        "parent: {'done': 6}",
    ]
    assert simulator.requests(POST) == 6
