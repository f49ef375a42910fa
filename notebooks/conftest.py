"""Running the notebooks as tests spends nobody's money: no key of the person who runs them, no journal of theirs."""

from __future__ import annotations

import os
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Give the kernels that are about to start an environment without `DEVIN_…`, and a home of their own."""
    for name in [name for name in os.environ if name.startswith("DEVIN_") and name != "DEVIN_SPECS"]:
        del os.environ[name]
    home = tempfile.TemporaryDirectory(prefix="devin-jupyter-")
    config.add_cleanup(home.cleanup)
    os.environ["DEVIN_JUPYTER_HOME"] = home.name
