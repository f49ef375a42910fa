"""A process ends by itself and without a word, whatever was left open."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

OPEN = {
    "sessions at work and a thread that waits": """
        import threading
        sessions = [dj.create(f"left running {number}", max_acu=1) for number in range(3)]
        threading.Thread(target=sessions[0].wait, daemon=True).start()
    """,
    "a panel that nobody closed": """
        panel = dj.create("left running", max_acu=1).panel()
    """,
    "a panel that was closed, and another that holds itself": """
        closed, kept = (dj.create("left running", max_acu=1).panel() for _ in range(2))
        closed.close()
        kept.me = kept
    """,
    "a batch at work and its board": """
        batch = dj.map("Look at {{ row.n }}", [{"n": n} for n in range(5)], max_acu=1)
        board = batch.panel()
    """,
    "a list that was not read to its end": """
        for _ in zip(range(3), dj.connect(simulator=True, preload=300).sessions.list()): pass
    """,
}


PROGRAM = """
import devin_jupyter as dj
dj.connect(simulator=True, speed=1)
{code}
"""


def ending(code: str) -> str:
    """Run code in a process of its own, which may not hang, and return its stderr."""
    program = PROGRAM.format(code=textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("code", OPEN.values(), ids=OPEN)
def test_a_process_ends_quietly_with(code: str) -> None:
    assert ending(code) == ""
