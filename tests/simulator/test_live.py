"""The live channel of the simulator as any client finds it: who gets in, what is answered, what is told twice alike."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.engine import Clock, Simulation
from devin_jupyter.simulator.live import Attachment
from devin_jupyter.simulator.steps import updates_of


class Client:
    """Says what a test says, and keeps what is told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection, self.told, self._number = connection, list[Any](), 0

    async def ask(self, method: str, params: Any = None) -> Any:
        self._number += 1
        await self.say({"id": self._number, "method": method, "params": params or {}})
        while True:
            message = await self.next()
            if message.get("id") == self._number and "method" not in message:
                return message
            self.told.append(message)

    async def say(self, message: dict[str, Any]) -> None:
        await self.connection.send(json.dumps({"jsonrpc": "2.0", **message}))

    async def next(self) -> Any:
        return json.loads(await self.connection.recv())

    async def load(self, session_id: str) -> Any:
        params = {"sessionId": f"devin-{session_id}", "cwd": "/", "mcpServers": []}
        return await self.ask("session/load", params)


@asynccontextmanager
async def client_of(simulator: Any, token: str = "", path: str = "/acp/live") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token or simulator.running.pat}"}
    address = simulator.url.replace("http", "ws") + path
    async with connect(address, additional_headers=headers, max_size=None) as connection:
        yield Client(connection)


def created(simulator: Any, **body: Any) -> str:
    with simulator.v3() as rest:
        return str(
            rest.post("/sessions", json={"prompt": "Fix it", "repos": ["acme/api"], **body}).json()["session_id"]
        )


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("wrong", "/acp/live", 401),
        ("cog_simulator", "/acp/live", 403),  # a service user's key
        ("", "/acp", 404),
        ("", "/acp/live?token=cog_pat_simulator", 404),
    ],
)
async def test_only_a_persons_token_opens_it(simulator: Any, token: str, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with client_of(simulator, token, path):
            pass
    assert caught.value.response.status_code == status


async def test_a_switch_takes_the_token_from_the_address(simulator: Any) -> None:
    simulator.faults({"kind": "live_query_token"})
    async with client_of(simulator, "nothing", "/acp/live?token=cog_pat_simulator") as client:
        assert (await client.ask("initialize"))["result"]["protocolVersion"] == 1


async def test_the_order_of_requests_and_their_parameters_are_checked(simulator: Any) -> None:
    session_id = created(simulator)
    async with client_of(simulator) as client:
        assert (await client.ask("session/list"))["error"]["code"] == -32600
        await client.ask("initialize")
        assert (await client.ask("session/prompt"))["error"]["code"] == -32601
        assert (await client.ask("session/load", {"sessionId": f"devin-{session_id}"}))["error"]["code"] == -32602
        assert (await client.load("0" * 32))["error"]["code"] == -32002
        draft = (await client.ask("session/new", {"cwd": "/", "mcpServers": []}))["result"]["sessionId"]
        assert (await client.load(draft.removeprefix("devin-")))["error"]["code"] == -32002
        answer = {"permissionRequestId": "x", "approved": True}
        for named, code in ((session_id, -32602), ("0" * 32, -32002)):
            asked = {"sessionId": f"devin-{named}", **answer}
            assert (await client.ask("_cognition.ai/permission/respond", asked))["error"]["code"] == code
        for text in ("no JSON", "[" * 100_000):
            await client.connection.send(text)
            assert (await client.next())["error"]["code"] == -32700
        for text in ("[]", "5", "null", "{}", '{"id": {}, "method": "session/list"}', '{"id": 7, "method": 7}'):
            await client.connection.send(text)
            refused = await client.next()
            assert (refused["id"], refused["error"]["code"]) == (7 if '"id": 7' in text else None, -32600), text
        rows = (await client.ask("session/list"))["result"]["sessions"]
        assert [row["sessionId"] for row in rows] == [f"devin-{session_id}"]
    assert simulator.requests("ACP session/load") == 3


async def test_sessions_are_listed_page_by_page(simulator: Any) -> None:
    made = [f"devin-{created(simulator)}" for _ in range(3)]
    async with client_of(simulator) as client:
        await client.ask("initialize")
        two = {"_meta": {"cognition.ai/limit": 2}}
        first = (await client.ask("session/list", two))["result"]
        rest = (await client.ask("session/list", {**two, "cursor": first["nextCursor"]}))["result"]
        assert (await client.ask("session/list", {"cursor": "elsewhere"}))["error"]["code"] == -32602
    assert [row["sessionId"] for row in (*first["sessions"], *rest["sessions"])] == made[::-1]
    assert rest["nextCursor"] is None


async def test_two_connections_get_the_same_history(simulator: Any) -> None:
    session_id = created(simulator)
    simulator.clock(500)
    async with client_of(simulator) as one, client_of(simulator) as two:
        for client in (one, two):
            await client.ask("initialize")
            await client.load(session_id)
    assert one.told == two.told
    words = [each["params"]["update"]["_meta"].get("cognition.ai/statusEnum") for each in one.told]
    assert [word for word in words if word] == ["blocked"]  # of the statuses only the last
    assert all(each["params"]["_meta"]["cognition.ai/replay"] for each in one.told)
    texts: dict[str, str] = {}
    for each in one.told:
        update = each["params"]["update"]
        if "chunk" in update["sessionUpdate"]:
            is_new = update["_meta"].get("cognition.ai/overwrite")
            before = "" if is_new else texts.get(update["messageId"], "")
            texts[update["messageId"]] = before + update["content"]["text"]
    with simulator.v3() as rest:
        listed = rest.get(f"/sessions/devin-{session_id}/messages").json()["items"]
    assert texts == {message["event_id"]: message["message"] for message in listed}


async def test_an_approval_is_answered_once(simulator: Any) -> None:
    session_id = created(simulator, tags=["sim:approval"])
    simulator.clock(500)
    async with client_of(simulator) as client:
        await client.ask("initialize")
        await client.load(session_id)
        calls = [each["params"]["update"] for each in client.told]
        asked = next(call for call in calls if "cognition.ai/permissionType" in call["_meta"])
        assert asked["status"] == "pending"
        answer = {"permissionRequestId": asked["_meta"]["cognition.ai/requestId"], "approved": True}
        params = {"sessionId": f"devin-{session_id}", **answer}
        before = len(client.told)
        assert "eventId" in (await client.ask("_cognition.ai/permission/respond", params))["result"]
        assert (await client.ask("_cognition.ai/permission/respond", params))["error"]["code"] == -32602
        while len(client.told) < before + 3:
            client.told.append(await client.next())
        answered, call, status = (each["params"]["update"] for each in client.told[before : before + 3])
    assert answered["_meta"]["cognition.ai/approved"] is True
    assert (call["toolCallId"], call["status"]) == (asked["toolCallId"], "completed")
    assert status["_meta"]["cognition.ai/statusEnum"] == "working"


def test_a_message_that_an_act_cuts_off_is_taken_back() -> None:
    now = [1_000_000.0]
    sim = Simulation(Config(speed=1), clock=Clock(lambda: now[0]))
    session = sim.create({"prompt": "Fix it"})
    plan = updates_of(session, sim.config.turn_seconds)
    piece = next(each for each in plan if each.message and not each.is_last and each.variant == "agent_message_chunk")
    told, replayed = (Attachment(session, sim.config.turn_seconds, at) for at in (now[0], piece.at))
    assert piece in told.due(piece.at)
    assert piece in replayed.past
    now[0] = piece.at + 0.01
    sim.terminate(session)
    for attachment in (told, replayed):
        (back,) = attachment.refresh()
        assert (back.message, back.meta["cognition.ai/abort"]) == (piece.message, True)
        assert [each.meta.get("cognition.ai/statusEnum") for each in attachment.due(now[0])] == [None, "finished"]


def test_updates_depend_on_seed_and_request_only() -> None:
    told = []
    for start in (1_000_000.0, 2_000_000.0):
        sim = Simulation(Config(speed=60), clock=Clock(lambda start=start: start))  # type: ignore[misc]
        session = sim.create({"prompt": "Fix it", "repos": ["acme/api"]})
        updates = updates_of(session, sim.config.turn_seconds)
        told.append([(round(each.at - start, 3), each.body, each.meta) for each in updates])
    assert told[0] == told[1]
    variants = {body["sessionUpdate"] for _, body, _ in told[0]}
    assert len(variants) == 7
    statuses = [meta["cognition.ai/statusEnum"] for _, _, meta in told[0] if "cognition.ai/statusEnum" in meta]
    assert statuses == ["queued", "queued", "initializing", "working", "blocked"]
    words = [meta.get("cognition.ai/statusEnum") or meta.get("cognition.ai/eventType") for _, _, meta in told[0]]
    assert words[:5] == ["queued", "queued", "initializing", "initial_user_message", "working"]


async def test_faults_are_sent_as_ordered(simulator: Any) -> None:
    session_id = created(simulator)
    simulator.clock(500)
    kinds = ("live_repeat", "live_garbage", "live_unknown", "live_permission", "live_early")
    simulator.faults(*({"kind": kind, "times": 1} for kind in kinds), {"kind": "live_flood", "count": 50, "times": 1})
    async with client_of(simulator) as client:
        await client.ask("initialize")
        await client.load(session_id)
        flood = [each for each in client.told if "Earlier step" in str(each)]
        assert len(flood) == 50
        assert client.told[-1]["params"]["update"]["_meta"]["cognition.ai/statusEnum"] == "working"
        again = [await client.next() for _ in range(3)]
        ids = {each["params"]["update"]["_meta"]["cognition.ai/eventId"] for each in client.told}
        assert again[-1]["params"]["update"]["_meta"]["cognition.ai/eventId"] in ids
        assert await client.connection.recv() == "{ this is no JSON"
        assert await client.connection.recv() == "[1, 2]"
        assert await client.connection.recv() == b"\x00\x01"
        odd = [await client.next() for _ in range(3)]
        assert odd[0]["params"]["update"]["sessionUpdate"] == "hologram"
        assert (await client.next())["method"] == "session/request_permission"
        await client.say({"id": "asked-1", "error": {"code": -32601, "message": "no"}})
        assert "result" in await client.ask("session/list")


def test_the_personal_access_token_is_a_persons_for_rest(simulator: Any) -> None:
    with simulator.v3() as rest:
        rest.headers["authorization"] = f"Bearer {simulator.running.pat}"
        who = rest.get(f"{simulator.url}/v3/self").json()
        assert (who["principal_type"], who["user_id"]) == ("pat_user", "user-simulator")
        made = rest.post("/sessions", json={"prompt": "x"}).json()
    assert (made["user_id"], made["service_user_id"]) == ("user-simulator", None)
