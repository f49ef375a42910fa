"""Running the notebooks as tests spends nobody's money: no key of the person who runs them, no journal of theirs.

Nor does it read their startup files, or write to the history of their IPython.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbval.kernel
import pytest
from new_kernel import twice


def pytest_configure(config: pytest.Config) -> None:
    """Give the kernels that are about to start an environment without `DEVIN_…`, and a home of their own."""
    for name in [name for name in os.environ if name.startswith("DEVIN_") and name != "DEVIN_SPECS"]:
        del os.environ[name]
    home = tempfile.TemporaryDirectory(prefix="devin-jupyter-")
    config.add_cleanup(home.cleanup)
    os.environ["DEVIN_JUPYTER_HOME"] = home.name
    os.environ["IPYTHONDIR"] = str(Path(home.name) / "ipython")
    nbval.kernel.start_new_kernel = twice(nbval.kernel.start_new_kernel)
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist may end while another runs the first hour
        _remove_written()
        config.add_cleanup(_remove_written)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Under `--cov` the processes of pytest are measured, not the kernels, as nbval would; they take twice as long."""
    if getattr(session.config.option, "cov_source", None):
        session.config.option.cov_source = []


def _remove_written() -> None:
    """Remove what the first hour writes beside itself: with its lock file there, the next run would only replay."""
    for name in ("first_hour.devin.json", "upgrade.parquet"):
        Path(__file__).with_name(name).unlink(missing_ok=True)
