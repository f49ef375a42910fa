"""Which process is this, and is that one still there? Decides whether a lease may be broken at once.

A process is known by machine, process number and start time, so that a reused number or another container's
numbering is never taken for it.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of some machine."""

    host: str
    """The machine, its boot and its process namespace."""
    pid: int
    born: str
    """When it started, in the machine's own units; empty where that cannot be read."""

    @property
    def text(self) -> str:
        """One string for the whole, to compare by."""
        return f"{self.host} {self.pid} {self.born}"

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended; False for processes of other machines, which cannot be seen from here."""
        if self.host != _host() or os.name != "posix":
            return False
        if self.pid == os.getpid():
            return self.born != _born(self.pid)
        return not _exists(self.pid) or _born(self.pid) != self.born


def this_process() -> Process:
    """Return the running process; asks anew after a fork."""
    return _process(os.getpid())


@cache
def _process(pid: int) -> Process:
    return Process(_host(), pid, _born(pid) or "")


@cache
def _host() -> str:
    parts = [platform.node()]
    with suppress(OSError):  # not Linux: the name has to do
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink(_PROC / "self/ns/pid"))
    return "/".join(parts)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _born(pid: int) -> str | None:
    """The start time; None for a process that is gone or waits only to be reaped."""
    if not (_PROC / "self/stat").exists():
        return ""
    try:
        after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else after_name[19]
