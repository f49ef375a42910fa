"""Talks to `fork_server.py`: acts go in, results come out, and children may be killed on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


class ForkServer:
    """The process that forks for every act, and the acts it has not answered yet."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._numbers = process, itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def perform(self, act: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**act, "number": number}).encode() + b"\n")
        return await self._waiting[number]

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer = json.loads(line)
            self._waiting.pop(answer["number"]).set_result(answer)


@asynccontextmanager
async def fork_server(steps: Path) -> AsyncIterator[ForkServer]:
    with steps.open("wb") as errors:
        script = str(Path(__file__).with_name("fork_server.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            script,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        server = ForkServer(process)
        listening = asyncio.create_task(server.listen())
        try:
            yield server
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
            await listening
