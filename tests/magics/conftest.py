"""What the magic's tests share: a fresh interpreter."""

import subprocess
import sys

import pytest


@pytest.fixture
def run_python():
    """Return a function that runs code in a fresh interpreter and gives what it printed."""

    def run(code, *args):
        done = subprocess.run(
            [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
