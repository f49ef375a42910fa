"""Talks to `fork_server.py`: acts go in, results come out, and children may be killed on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

_numbers = itertools.count()
"""No two acts have the same, so that the answers of a test that failed are not those of the next."""


@pytest.fixture(scope="module")
def forking() -> Iterator[subprocess.Popen[bytes]]:
    """The process that forks for every act of a module's tests: it imports for longer than most acts take."""
    script = str(Path(__file__).with_name("fork_server.py"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVIN_")}
    environment["PYTHONPATH"] = os.getcwd()
    with subprocess.Popen([sys.executable, script], stdin=PIPE, stdout=PIPE, env=environment) as process:
        yield process


class ForkServer:
    """The acts of a test that the process has not answered yet."""

    def __init__(self, acts: asyncio.WriteTransport, steps: Path) -> None:
        self._acts, self._steps = acts, str(steps)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def perform(self, act: dict[str, Any]) -> dict[str, Any]:
        number = next(_numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._acts.write(json.dumps({**act, "number": number, "steps": self._steps}).encode() + b"\n")
        return await self._waiting[number]

    async def listen(self, answers: asyncio.StreamReader) -> None:
        async for line in answers:
            answer = json.loads(line)
            waiting = self._waiting.pop(answer["number"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)


@asynccontextmanager
async def fork_server(process: subprocess.Popen[bytes], steps: Path) -> AsyncIterator[ForkServer]:
    """Let a test talk to the process; the steps at which children die are noted in a file."""
    assert process.stdin is not None
    assert process.stdout is not None
    loop, answers = asyncio.get_running_loop(), asyncio.StreamReader()
    # copies, because what is connected to a loop is closed with it
    acts = os.fdopen(os.dup(process.stdin.fileno()), "wb", 0)
    results = os.fdopen(os.dup(process.stdout.fileno()), "rb", 0)
    writing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, acts)
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(answers), results)
    server = ForkServer(writing, steps)
    listening = asyncio.create_task(server.listen(answers))
    try:
        yield server
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        reading.close()
        writing.close()
        await asyncio.sleep(0)  # they close on a later turn of the loop
