"""A batch in a forked child: its parent continues it, and the child is told to open it anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batches.batch_client import POST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_is_told_to_open_the_batch_anew(simulator: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("forking_process.py"), simulator.url, tmp_path / "journal.db"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "rows: 6",
        *(
            f"{name} refused: this process was forked from the one that runs the batch 'up'"
            for name in ("wait", "pause", "resume", "retry", "stop")
        ),
        "anew: {'done': 6}",
        "again: 6 rows have sessions already; nothing to start.",
        "child ended with: 0",
        "parent: {'done': 6}",
    ]
    assert simulator.requests(POST) == 6
