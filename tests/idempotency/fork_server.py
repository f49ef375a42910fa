"""A process that forks one child per paid act, so that each act can be killed like a kernel, at any step.

Reads acts as JSON lines, answers each with a JSON line when its child is gone. Run as a script; no thread may
exist before a fork.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels import CELL, Kernel

from devin_jupyter.api.transport import _user_agent
from devin_jupyter.errors import DevinError
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy

for _name in (
    "anyio._backends._asyncio",
    "httpcore._backends.anyio",
    "concurrent.futures.thread",
    "certifi",
    "sniffio",
):
    importlib.import_module(_name)  # at their first request otherwise, in every child
_user_agent()  # the same
SETTLE_AT = (0.0, 0.1, 0.3, 1.0)
"""The documented 0, 1, 3 and 10 s, ten times as fast."""
TIMING = Timing(settle_at=SETTLE_AT, poll_seconds=0.05)


def die() -> None:
    """As `kill -9` from outside: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying_step(act: dict[str, Any]) -> Any:
    """Return what counts the journal's steps and dies at the one that was drawn."""
    left = act.get("die_at_step")

    def on_step(step: str) -> None:
        nonlocal left
        if left is not None:
            left -= 1
            if left < 0:
                os.write(2, f"{step}\n".encode())
                die()

    return on_step


def dying(call: Any, act: dict[str, Any]) -> Any:
    """Return a paid call that dies right before, during or right after it, if that was drawn."""
    moment = act.get("die_at_call")

    async def called(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            die()
        if isinstance(moment, float):
            threading.Timer(moment, die).start()
        answer = await call(*args, **kwargs)
        if moment is not None:  # "during" is over where the timer is late
            die()
        return answer

    return called


async def perform(act: dict[str, Any]) -> dict[str, Any]:
    one = Kernel(
        act["url"],
        Journal(act["journal"], on_step=dying_step(act)),
        api_key=act["api_key"],
        api_version=act["version"],
        timing=TIMING,
        timeout=act["timeout"],
    )
    one.creator.is_tagging = act.get("is_tagging", True)
    one.api.sessions.create = dying(one.api.sessions.create, act)  # type: ignore[method-assign]
    one.messages.send = dying(one.messages.send, act)  # type: ignore[method-assign]
    try:
        work = asyncio.ensure_future(_paid(one, act))
        if "cancel_after" in act:
            await asyncio.sleep(act["cancel_after"])
            work.cancel()
        return await work
    except asyncio.CancelledError:
        await _rest_of(work)
        return {"error": "Cancelled"}
    except DevinError as problem:
        return {"error": type(problem).__name__, "what": problem.message}
    finally:
        await one.transport.aclose()


async def _rest_of(work: asyncio.Task[Any]) -> None:
    """A kernel goes on after an interrupt: what was in flight ends."""
    others = asyncio.all_tasks() - {asyncio.current_task(), work}
    await asyncio.wait(others, timeout=10) if others else None


async def _paid(one: Kernel, act: dict[str, Any]) -> dict[str, Any]:
    if act["kind"] == "create":
        started = await one.start(
            act["prompt"], policy=Policy(guard=replace(CELL, cell_id=act["prompt"])), take=act["take"]
        )
        return {"how": started.how, "session_id": started.session_id}
    result = await one.messenger.send(act["session_id"], act["text"], cell=CELL)
    return {"how": result.how}


def child(act: dict[str, Any], pipe: int) -> None:
    code = 1
    try:
        os.dup2(os.open(act["steps"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        answer = asyncio.run(perform(act))
        os.write(pipe, json.dumps(answer).encode())
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Fork for every line, and answer in whatever order children end."""
    acts = sys.stdin.fileno()
    gc.freeze()  # no child looks for garbage in what it has from here, which would copy all of it
    pending, buffered, is_open = {}, b"", True
    while is_open or pending:
        ready, _, _ = select.select([*pending, *([acts] if is_open else [])], [], [])
        for source in ready:
            if source == acts:
                chunk = os.read(acts, 65536)
                is_open, buffered = bool(chunk), buffered + chunk
                *lines, buffered = buffered.split(b"\n")
                for line in lines:
                    _fork(json.loads(line), pending)
            else:
                _report(*pending.pop(source), source)


def _fork(act: dict[str, Any], pending: dict[int, tuple[int, Any]]) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(act, writing)
    os.close(writing)
    pending[reading] = (pid, act["number"])


def _report(pid: int, number: int, pipe: int) -> None:
    answer = os.read(pipe, 65536)
    os.close(pipe)
    _, status = os.waitpid(pid, 0)
    told = json.loads(answer) if answer else {"error": "killed" if os.WIFSIGNALED(status) else "crashed"}
    sys.stdout.write(json.dumps({"number": number, **told}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
