"""One process at a time acts on a name; a lease ends with its process, or by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import Process, this_process


def test_only_one_can_hold_a_lease(folder: Path) -> None:
    one, other = Journal(folder), Journal(folder)
    token = one.leases.take("x", now=100.0)
    assert token is not None
    assert other.leases.take("x", now=100.0) is None
    assert other.leases.take("y", now=100.0) is not None
    one.leases.give_back("x", token)
    assert other.leases.take("x", now=100.0) is not None


def test_it_ends_after_15_seconds_unless_renewed(folder: Path) -> None:
    one, other = Journal(folder), Journal(folder)
    token = one.leases.take("x", now=100.0)
    assert one.leases.renew("x", token or "", now=110.0)
    assert other.leases.take("x", now=120.0) is None
    assert other.leases.take("x", now=125.0) is not None
    assert not one.leases.renew("x", token or "", now=126.0)


def test_a_lost_lease_is_not_given_back_for_its_new_holder(folder: Path) -> None:
    one, other = Journal(folder), Journal(folder)
    token = one.leases.take("x", now=100.0)
    other.leases.take("x", now=200.0)
    one.leases.give_back("x", token or "")
    assert one.leases.take("x", now=201.0) is None


def test_a_clock_that_was_set_back_does_not_hold_a_lease_for_years(folder: Path) -> None:
    one = Journal(folder)
    one.leases.take("x", now=1e9)
    assert one.leases.take("x", now=100.0) is not None


_HOLD = """
import sys
from devin_jupyter.journal import Journal
print(Journal(sys.argv[1]).leases.take("x", now=100.0), flush=True)
sys.stdin.read()
"""


def test_it_is_broken_at_once_when_its_process_is_gone(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() != b"None"
        journal = Journal(folder)
        assert journal.leases.take("x", now=100.0) is None
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert journal.leases.take("x", now=100.0) is not None


def test_a_process_that_is_dead_and_not_reaped_is_gone(folder: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    me = this_process()
    assert Process(me.host, child, "1").is_missing
    os.waitpid(child, 0)


def test_a_reused_process_number_is_not_taken_for_the_holder() -> None:
    me = this_process()
    assert not me.is_missing
    assert Process(me.host, me.pid, "some other start").is_missing
    assert Process(me.host, os.getppid(), "some other start").is_missing


def test_processes_of_other_machines_are_never_called_gone() -> None:
    assert not Process("elsewhere", 1, "1").is_missing
