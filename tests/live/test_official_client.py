"""The official client of the protocol (`agent-client-protocol`) against the simulator: every message is valid."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from devin_jupyter.models.enums import SCENARIOS

FOLLOWED_UP = ("", "question", "approval")
EVERY = (*FOLLOWED_UP, *(name for name in SCENARIOS if name not in FOLLOWED_UP))


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


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110  # nothing tells of a message
            await asyncio.sleep(0.005)


async def connected(simulator: Any) -> tuple[Any, list[tuple[str, Any]], list[dict[str, Any]]]:
    """Return the official client, the updates that it is told and refuses none of, and all messages as they came."""
    import acp
    from acp.ws import create_websocket_stream

    seen = list[tuple[str, Any]]()

    class Watcher(acp.Client):  # type: ignore[misc]
        """Keeps what it is told; refuses everything else, as the base class does."""

        async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
            seen.append((session_id, update))

    address = simulator.url.replace("http", "ws") + "/acp/live"
    headers = {"Authorization": f"Bearer {simulator.running.pat}"}
    stream = Noted(await create_websocket_stream(address, headers=headers))
    return acp.connect_to_agent(Watcher(), stream), seen, stream.raw


async def test_every_message_of_every_scenario_is_valid(simulator_with: Callable[..., Any]) -> None:
    import acp  # takes half a second, in no other worker than this test's
    from acp.schema import SessionNotification

    simulator = simulator_with(speed=1.0)  # time passes by its clock
    client, seen, raw = await connected(simulator)

    def ends(session_id: str) -> int:
        """How often the end of a turn of a session was told."""
        told = [each["params"] for each in raw if each.get("params", {}).get("sessionId") == f"devin-{session_id}"]
        statuses = [each["update"]["_meta"].get("cognition.ai/statusEnum") for each in told]
        return sum(status in ("blocked", "finished") for status in statuses)

    def heard(session_id: str) -> int:
        return sum(about == f"devin-{session_id}" for about, _ in seen)

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
        simulator.clock(2400)
        await until(lambda: all(map(ends, created)))
        simulator.clock(4000)  # the idle fall asleep
        before = {session_id: heard(session_id) for session_id in created}
        for session_id in created[: len(FOLLOWED_UP)]:
            rest.post(f"/sessions/devin-{session_id}/messages", json={"message": "Go on"})
        simulator.clock(80)
        await until(lambda: all(heard(each) > before[each] + 3 for each in created[: len(FOLLOWED_UP)]))
        ended = ends(created[0])
        await client.cancel(f"devin-{created[0]}")
        await client.load_session(cwd="/", session_id=f"devin-{created[1]}", mcp_servers=[])
        await until(lambda: ends(created[0]) > ended)
    for method, params, code in (
        ("session/resume", {"sessionId": f"devin-{created[0]}", "cwd": "/"}, -32601),
        ("session/load", {"sessionId": "devin-" + "0" * 32, "cwd": "/", "mcpServers": []}, -32002),
        ("session/load", {"sessionId": f"devin-{created[0]}"}, -32602),
    ):
        with pytest.raises(acp.RequestError) as caught:
            await client._conn.send_request(method, params)
        assert caught.value.code == code
    await client.close()
    variants = Counter(type(update).__name__ for _, update in seen)
    assert {
        "UserMessageChunk", "AgentMessageChunk", "AgentThoughtChunk", "ToolCallStart", "ToolCallProgress",
        "AgentPlanUpdate", "SessionInfoUpdate",
    } <= set(variants)  # fmt: skip
    updates = [message for message in raw if message.get("method") == "session/update"]
    assert len(updates) == len(seen)  # none was refused by the client's models
    for message in raw:
        assert message["jsonrpc"] == "2.0"
        if "method" in message:
            SessionNotification.model_validate(message["params"])
    ids = [(each["params"]["sessionId"], each["params"]["update"]["_meta"]["cognition.ai/eventId"]) for each in updates]
    fresh = [
        one for one, each in zip(ids, updates, strict=True) if "cognition.ai/replay" not in each["params"]["_meta"]
    ]
    assert len(fresh) == len(set(fresh))
