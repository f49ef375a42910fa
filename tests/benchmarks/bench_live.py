"""The live channel: a hundred busy sessions on one connection, and a long history that is replayed.

    python tests/benchmarks/bench_live.py

The server runs in a process of its own. The rival reads the same frames with `websockets` and `json`, and keeps none.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import ROOT, Row, environment, fresh

SESSIONS, RATE, SECONDS, REPLAYED = 100, 20, 15.0, 20_000
SCRIPT = str(Path(__file__))
TOKEN = "cog_pat_simulator"


def names(count: int) -> list[str]:
    return [f"devin-{number:032x}" for number in range(count)]


# --- the server -----------------------------------------------------------------------------------------------------


def update(session_id: str, number: int) -> dict[str, Any]:
    """The events of a busy session: a thought, a tool call and a message in pieces, now and then a plan."""
    turn, place = divmod(number, RATE)
    if place < 8:
        body = {
            "sessionUpdate": "agent_thought_chunk",
            "messageId": f"t{turn}",
            "content": _text("Then I look at it. "),
        }
    elif place < 14:
        status = ("pending", "in_progress", "completed")[(place - 8) % 3]
        call = {"toolCallId": f"c{turn}-{place // 3}", "status": status, "title": "Run the tests", "kind": "execute"}
        body = {
            "sessionUpdate": "tool_call_update",
            **call,
            "content": [{"type": "content", "content": _text("ok " * 40)}],
        }
    elif place < 19:
        body = {"sessionUpdate": "agent_message_chunk", "messageId": f"m{turn}", "content": _text("All of it works. ")}
    else:
        entries = [{"content": f"Step {step}", "priority": "medium", "status": "pending"} for step in range(5)]
        body = {"sessionUpdate": "plan", "entries": entries}
    own = {"cognition.ai/eventId": f"event-{number}", "cognition.ai/timestamp": "2026-11-30T12:00:00.000+00:00"}
    about = {"cognition.ai/session": {"cognition.ai/statusEnum": "working", "cognition.ai/url": "https://app.devin.ai"}}
    params = {"sessionId": session_id, "update": {**body, "_meta": own}, "_meta": about}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def _text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


async def serve(replayed: int) -> None:
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen

    async def busy(connection: ServerConnection, session_id: str) -> None:
        began = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            await connection.send(json.dumps(update(session_id, replayed + number)))

    async def handle(connection: ServerConnection) -> None:
        tasks = []
        async for text in connection:
            asked = json.loads(text)
            result: Any = {"protocolVersion": 1}
            if asked["method"] == "session/load":
                session_id, result = asked["params"]["sessionId"], {}
                for number in range(replayed):
                    await connection.send(json.dumps(update(session_id, number)))
                tasks.append(asyncio.create_task(busy(connection, session_id)))
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}))
        for task in tasks:
            task.cancel()

    async with listen(handle, "127.0.0.1", 0, compression=None) as server:
        print(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await asyncio.Event().wait()


@contextmanager
def server(replayed: int = 0) -> Iterator[str]:
    command = [sys.executable, SCRIPT, "--serve", str(replayed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


# --- the two readers ------------------------------------------------------------------------------------------------


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def ours(address: str, sessions: int, seconds: float) -> dict[str, float]:
    """Follow sessions as a board does; return the share of a core, MB of growth, and updates a second."""
    from devin_jupyter.live.channel import Channel
    from devin_jupyter.live.socket import open_socket
    from devin_jupyter.models.steps import LiveView
    from devin_jupyter.monitor.store import SessionStore

    store, told, on, all_on = SessionStore(), list[Any](), set[str](), asyncio.Event()
    subscription = store.subscribe(names(sessions), told.append, every=0.25)

    def publish(view: LiveView) -> None:
        store.set_live(view.session_id, view)
        if view.state == "on":
            on.add(view.session_id)
        if len(on) == sessions:
            all_on.set()

    channel = Channel(
        lambda on_notification: open_socket(address, TOKEN, on_notification),
        publish=publish,
        on_hint=lambda session_id, hint: None,
    )
    await asyncio.sleep(0.1)
    before = peak_mb()
    began = time.monotonic()
    channel.watch(names(sessions))
    await all_on.wait()
    loaded = time.monotonic() - began
    told.clear()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    rate = len(told) / sessions / seconds
    steps = max(len(entry.live.steps) for entry in store.sessions())
    assert steps, "nothing was told"
    subscription.close()
    await channel.aclose()
    return {"share": share, "growth": peak_mb() - before, "rate": rate, "loaded": loaded, "steps": steps}


async def rival(address: str, sessions: int, seconds: float) -> dict[str, float]:
    from websockets.asyncio.client import connect

    await asyncio.sleep(0.1)
    before = peak_mb()
    async with connect(f"{address.replace('http', 'ws')}/acp/live", max_size=None, compression=None) as connection:
        for number, name in enumerate(names(sessions)):
            load = {"jsonrpc": "2.0", "id": number, "method": "session/load", "params": {"sessionId": name}}
            await connection.send(json.dumps(load))
        cpu, began, count = time.process_time(), time.monotonic(), 0
        while time.monotonic() - began < seconds:
            json.loads(await connection.recv())
            count += 1
        share = (time.process_time() - cpu) / (time.monotonic() - began)
    return {"share": share, "growth": peak_mb() - before, "rate": count / seconds}


def rows(sessions: int = SESSIONS, seconds: float = SECONDS, replayed: int = REPLAYED) -> list[Row]:
    """Measure both, each in a process of its own."""
    with server() as address:
        mine = fresh(SCRIPT, "ours", address, str(sessions), str(seconds))
        theirs = fresh(SCRIPT, "rival", address, str(sessions), str(seconds))
    with server(replayed) as address:
        history = fresh(SCRIPT, "ours", address, "1", "1")
    busy = f"{sessions} live sessions, {RATE} events a second each, one connection"
    return [
        Row(
            busy,
            "≤ 15 % of a core, ≤ 60 MB, ≤ 5 updates a second",
            f"{100 * mine['share']:.1f} %, {mine['growth']:.0f} MB, {mine['rate']:.1f} updates a second",
            f"websockets and json alone: {100 * theirs['share']:.1f} %, {theirs['growth']:.0f} MB",
            f"{mine['share'] / theirs['share']:.1f}",
            mine["share"] <= 0.15 and mine["growth"] <= 60 and mine["rate"] <= 5,
        ),
        Row(
            f"{replayed:,} replayed events",
            "≤ 60 MB",
            f"{history['growth']:.0f} MB, {history['loaded']:.1f} s",
            "–",
            "–",
            history["growth"] <= 60,
        ),
    ]


def main() -> None:
    if "--serve" in sys.argv:
        asyncio.run(serve(int(sys.argv[-1])))
    elif "--one" in sys.argv:
        reader, address, sessions, seconds = sys.argv[2:]
        work = {"ours": ours, "rival": rival}[reader]
        print(json.dumps(asyncio.run(work(address, int(sessions), float(seconds)))))
    else:
        print("\n".join(row.line() for row in rows()))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DEVIN_JUPYTER_HOME", os.devnull)
    main()
