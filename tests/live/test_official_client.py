"""The official client of the protocol (`agent-client-protocol`) against the simulator: every message is valid."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import acp
import pytest
from acp.schema import SessionNotification
from acp.ws import create_websocket_stream

from devin_jupyter.models.enums import SCENARIOS

FOLLOWED_UP = ("", "question", "approval")
EVERY = (*FOLLOWED_UP, *(name for name in SCENARIOS if name not in FOLLOWED_UP))


class Watcher(acp.Client):  # type: ignore[misc]
    """Keeps what it is told; refuses everything else, as the base class does."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.seen.append((session_id, update))


class Noted:
    """A transport that keeps the raw messages."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.raw: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any] | None:
        message: dict[str, Any] | None = await self._inner.receive()
        if message is not None:
            self.raw.append(message)
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_every_message_of_every_scenario_is_valid(simulator_with: Callable[..., Any]) -> None:
    simulator = simulator_with(speed=240.0)
    address = simulator.url.replace("http", "ws") + "/acp/live"
    headers = {"Authorization": f"Bearer {simulator.running.pat}"}
    watcher, stream = Watcher(), Noted(await create_websocket_stream(address, headers=headers))
    client = acp.connect_to_agent(watcher, stream)
    hello = await client.initialize(protocol_version=1)
    assert hello.protocol_version == 1
    assert hello.agent_capabilities is not None
    assert hello.agent_capabilities.load_session is True
    with simulator.v3() as rest:
        created = []
        for name in EVERY:
            tags = [f"sim:{name}"] if name else []
            body = {"prompt": f"Fix it {name}", "tags": tags, "repos": ["acme/api"]}
            created.append(rest.post("/sessions", json=body).json()["session_id"])
        for session_id in created:
            await client.load_session(cwd="/", session_id=f"devin-{session_id}", mcp_servers=[])
        listed = await client.list_sessions()
        assert {row.session_id for row in listed.sessions} == {f"devin-{one}" for one in created}
        await asyncio.sleep(1.5)
        simulator.clock(4000)  # the idle fall asleep
        for session_id in created[: len(FOLLOWED_UP)]:
            rest.post(f"/sessions/devin-{session_id}/messages", json={"message": "Go on"})
        await asyncio.sleep(0.3)
        await client.cancel(f"devin-{created[0]}")
        await client.load_session(cwd="/", session_id=f"devin-{created[1]}", mcp_servers=[])
        await asyncio.sleep(0.2)
    for method, params, code in (
        ("session/resume", {"sessionId": f"devin-{created[0]}", "cwd": "/"}, -32601),
        ("session/load", {"sessionId": "devin-" + "0" * 32, "cwd": "/", "mcpServers": []}, -32002),
        ("session/load", {"sessionId": f"devin-{created[0]}"}, -32602),
    ):
        with pytest.raises(acp.RequestError) as caught:
            await client._conn.send_request(method, params)
        assert caught.value.code == code
    await client.close()
    variants = Counter(type(update).__name__ for _, update in watcher.seen)
    assert {
        "UserMessageChunk", "AgentMessageChunk", "AgentThoughtChunk", "ToolCallStart", "ToolCallProgress",
        "AgentPlanUpdate", "SessionInfoUpdate",
    } <= set(variants)  # fmt: skip
    updates = [message for message in stream.raw if message.get("method") == "session/update"]
    assert len(updates) == len(watcher.seen)  # none was refused by the client's models
    for message in stream.raw:
        assert message["jsonrpc"] == "2.0"
        if "method" in message:
            SessionNotification.model_validate(message["params"])
    ids = [(each["params"]["sessionId"], each["params"]["update"]["_meta"]["cognition.ai/eventId"]) for each in updates]
    fresh = [
        one for one, each in zip(ids, updates, strict=True) if "cognition.ai/replay" not in each["params"]["_meta"]
    ]
    assert len(fresh) == len(set(fresh))
