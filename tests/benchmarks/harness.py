"""What the benchmarks share: a simulator in a process of its own, fresh processes, and rows of one table."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

KEY, ORG = "cog_simulator", "org-simulator"
CREATE = "POST /v3/organizations/{org_id}/sessions"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """One budget: what was promised, what was measured, and what else would have been used."""

    what: str
    budget: str
    ours: str
    rival: str
    ratio: str
    is_met: bool | None
    """None where there is no budget, and the figures are only there to be read."""

    def line(self) -> str:
        """Return the row of a Markdown table."""
        verdict = {None: "–", True: "met", False: "**missed**"}[self.is_met]
        return f"| {self.what} | {self.budget} | {self.ours} | {self.rival} | {self.ratio} | {verdict} |"


@dataclass(frozen=True)
class Time:
    """Wall and CPU seconds of something, the median of several."""

    wall: float
    cpu: float
    of: tuple[float, ...] = ()
    """The wall times that this is the median of."""

    def __str__(self) -> str:
        """Show both as milliseconds, with the shortest and the longest."""
        spread = f" ({_ms(min(self.of))}–{_ms(max(self.of))})" if len(self.of) > 1 else ""
        return f"{_ms(self.wall)} ms{spread}, CPU {_ms(self.cpu)} ms"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:,.0f}"


def median(times: Iterable[Time]) -> Time:
    """Return the median of the wall times and that of the CPU times."""
    listed = list(times)
    walls = tuple(item.wall for item in listed)
    return Time(statistics.median(walls), statistics.median(item.cpu for item in listed), walls)


def timed(work: Callable[[], Any]) -> Time:
    """Run something and say what it took this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Time(time.perf_counter() - wall, time.process_time() - cpu)


@contextmanager
def simulator(**options: Any) -> Iterator[str]:
    """A simulator in a process of its own; gives its address."""
    said = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "devin_jupyter.simulator", "--port", "0", *said]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def requests(url: str) -> dict[str, int]:
    """Return how often each route was asked so far."""
    import httpx

    counts: dict[str, int] = httpx.get(f"{url}/_sim/stats", trust_env=False).json()["requests"]
    return counts


def environment(**more: str) -> dict[str, str]:
    """Return an environment without the key and settings of the person who measures; modules are cached as usual."""
    left_out = ("DEVIN_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def fresh(script: str, *arguments: str, home: str | None = None, url: str | None = None) -> Any:
    """Run `script --one ARGUMENTS` in a fresh process and return the JSON that it printed last."""
    with tempfile.TemporaryDirectory() as folder:
        more = {"DEVIN_JUPYTER_HOME": home or folder}
        if url is not None:
            more |= {"DEVIN_API_KEY": KEY, "DEVIN_API_URL": url, "DEVIN_ORG_ID": ORG}
        command = [sys.executable, script, "--one", *arguments]
        done = subprocess.run(command, env=environment(**more), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> str:
    """Return what was measured on, and with which versions."""
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "")
    names = ("ipykernel", "ipython", "pandas", "httpx", "pydantic", "anywidget", "devinai")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    cores, system = len(os.sched_getaffinity(0)), f"{platform.system()} {platform.machine()}"
    return f"{model or platform.processor()}, {cores} cores, {system}, Python {platform.python_version()}, {versions}"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
