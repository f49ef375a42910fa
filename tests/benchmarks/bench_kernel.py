"""What a person at a live kernel feels: how soon an interrupt returns the prompt, and what a panel sends to the page.

    python tests/benchmarks/bench_kernel.py [--rounds 7]

A real kernel, driven over its sockets as a front end drives it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness import KEY, ORG, Row, environment, simulator
from jupyter_client.manager import KernelManager

LOAD = "%load_ext devin_jupyter\nimport devin_jupyter as dj"
START = "%%devin --max-acu 5 --quiet -o audit\nFind places where user input reaches SQL without parameters."
WAITS = {
    "`audit.wait()`": "audit.wait()",
    "`await audit`": "await audit",
    "a `%%devin --wait` cell": START.replace("--quiet", "--quiet --wait"),
}
BARE = "import time\nwhile True: time.sleep(0.01)"
PANEL = '''
import dataclasses, datetime, threading, time
from devin_jupyter.panel import Panel
from devin_jupyter import loop
from devin_jupyter.models.snapshot import Message, Record
from devin_jupyter.monitor.store import SessionStore

class Many:
    """A session that changes a hundred times a second, with a conversation of a given length."""
    def __init__(self, words):
        at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        told = [Message(event_id=f"e{n}", source="devin", text="word " * 40, created_at=at) for n in range(words)]
        self.snapshot = dataclasses.replace(audit.snapshot, messages=tuple(told))
        self.store = SessionStore()
    def subscribe(self, callback, on_trouble=None, on_live=None, **wishes):
        async def start():
            self.state = self.store.track(Record(session_id=self.snapshot.session_id, snapshot=self.snapshot))
            return self.store.subscribe([self.state], callback, **wishes)
        return loop.run(start())
    async def move(self):
        self.store.accept(self.state, self.snapshot, ticket=self.store.ticket())
    def play(self, seconds):
        until, n = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            n += 1
            self.snapshot = dataclasses.replace(self.snapshot, acus=n / 100)
            loop.run(self.move())
            time.sleep(0.01)
        return n
'''


class Kernel:
    """A running kernel and one front end on it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=env)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, fails: bool = False) -> list[dict[str, Any]]:
        """Run a cell and return the messages it sent to the page."""
        return self.finish(self.client.execute(code), fails=fails)

    def finish(self, request: str, *, fails: bool) -> list[dict[str, Any]]:
        """Gather messages up to the prompt."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            messages.append(message)
            idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            if idle and message["parent_header"].get("msg_id") == request:
                break
        failed = [message["content"] for message in messages if message["msg_type"] == "error"]
        assert bool(failed) is fails, failed
        return messages

    def interrupted(self, code: str) -> float:
        """Run a cell that waits, press the stop button, and return the seconds until the prompt is back."""
        request = self.client.execute(code)
        time.sleep(1.0)
        began = time.perf_counter()
        os.kill(self.manager.provisioner.pid, signal.SIGINT)
        self.finish(request, fails=True)
        return time.perf_counter() - began

    def stop(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextmanager
def kernel(url: str) -> Iterator[Kernel]:
    """A kernel connected to the simulator."""
    with tempfile.TemporaryDirectory() as home:
        told = {"DEVIN_API_KEY": KEY, "DEVIN_API_URL": url, "DEVIN_ORG_ID": ORG, "DEVIN_JUPYTER_HOME": home}
        running = Kernel(environment(**told))
        try:
            running.run(LOAD)
            running.run(START)
            yield running
        finally:
            running.stop()


def interrupt_rows(running: Kernel, rounds: int) -> list[Row]:
    """Interrupt each way of waiting, beside a bare loop."""
    bare = statistics.median(running.interrupted(BARE) for _ in range(rounds))
    rows = []
    for name, code in WAITS.items():
        found = [running.interrupted(code) for _ in range(rounds)]
        middle, worst = statistics.median(found), max(found)
        shown = f"{1000 * middle:.0f} ms, worst of {rounds} {1000 * worst:.0f} ms"
        rival = f"a loop of `time.sleep(0.01)`: {1000 * bare:.0f} ms"
        rows.append(Row(f"interrupt to prompt, {name}", "≤ 0.1 s", shown, rival, f"{middle / bare:.1f}", worst <= 0.1))
    return rows


def panel_row(running: Kernel, seconds: float) -> Row:
    """Let a session change a hundred times a second, with a short and a long conversation."""
    running.run(PANEL)
    short, changes, cpu = _played(running, 10, seconds)
    long, _, _ = _played(running, 2000, seconds)
    rate = len(short) / seconds
    small, large = (statistics.median(map(_size, messages)) for messages in (short, long))
    shown = f"{rate:.1f} updates/s; {small:,.0f} bytes each with 10 messages, {large:,.0f} with 2,000; CPU {cpu:.1f} %"
    naive = _size({"content": {"state": {"messages": ["word " * 40] * 2000}}})
    rival = f"every change with its conversation: {changes / seconds:.0f} updates/s of {naive:,} bytes"
    is_met = rate <= 4.2 and large <= small * 1.02
    ratio = f"{large / small:.2f}"
    return Row("panel", "≤ 4 updates/s, bytes independent of transcript length", shown, rival, ratio, is_met)


def _played(running: Kernel, words: int, seconds: float) -> tuple[list[dict[str, Any]], int, float]:
    running.run(f"many = Many({words}); panel = Panel(many)")
    code = f"used = time.process_time(); n = many.play({seconds}); print(n, time.process_time() - used)"
    messages = running.run(code)
    (printed,) = [message["content"]["text"].split() for message in messages if message["msg_type"] == "stream"]
    return (
        [item for item in messages if item["msg_type"] == "comm_msg"],
        int(printed[0]),
        100 * float(printed[1]) / seconds,
    )


def _size(message: dict[str, Any]) -> int:
    return len(json.dumps(message["content"]).encode())


def rows(rounds: int, seconds: float = 5.0) -> list[Row]:
    """Measure all of it."""
    with simulator(speed=1) as url, kernel(url) as running:
        return [*interrupt_rows(running, rounds), panel_row(running, seconds)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    print(*(row.line() for row in rows(parser.parse_args().rounds)), sep="\n")


if __name__ == "__main__":
    main()
