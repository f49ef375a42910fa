"""`pytest -m benchmark -s` prints the table of all budgets. It asserts nothing about time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_the_budgets_are_printed_beside_their_rivals() -> None:
    subprocess.run([sys.executable, Path(__file__).with_name("run.py")], check=True)
