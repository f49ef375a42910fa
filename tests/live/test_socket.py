"""The connection itself: what may be sent, where the token goes, how a connection is refused or lost."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from devin_jupyter.live import socket as live_socket
from devin_jupyter.live.socket import ACTS, RECENT, WATCHING, ChannelLost, Refused, agreed, hello, open_socket

TOKEN = "cog_0123456789abcdefghij"
Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def service(handler: Handler, **options: Any) -> AsyncIterator[str]:
    """Run a WebSocket server on this machine, and give its address as one of a REST API."""
    quiet = logging.getLogger("the server of a test")
    quiet.setLevel(logging.CRITICAL)
    async with serve(handler, "127.0.0.1", 0, logger=quiet, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def opened(address: str, seen: list[Any] | None = None, **options: Any) -> live_socket.Socket:
    notes = [] if seen is None else seen
    return await open_socket(address, TOKEN, lambda method, params: notes.append((method, params)), **options)


async def echo(connection: ServerConnection) -> None:
    async for text in connection:
        message = json.loads(text)
        if "id" in message:
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": message}))


async def test_the_token_is_sent_in_the_header_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    requests: list[Request] = []

    def note(connection: ServerConnection, request: Request) -> None:
        requests.append(request)

    async with service(echo, process_request=note) as address:
        socket = await opened(address)
        listening = asyncio.create_task(socket.listen())
        assert (await socket.request("initialize", hello()))["params"]["protocolVersion"] == 1
        await socket.close()
        with pytest.raises(ChannelLost):
            await listening
    (request,) = requests
    assert request.path == "/acp/live"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Sec-WebSocket-Protocol" not in request.headers
    assert request.headers["User-Agent"].startswith("devin-jupyter/")
    assert TOKEN not in caplog.text + "\n".join(RECENT)
    assert any("sent initialize" in line for line in RECENT)


async def test_only_allowed_methods_pass_and_acts_have_their_own_door() -> None:
    received: list[str] = []

    async def note(connection: ServerConnection) -> None:
        received.extend([json.loads(text)["method"] async for text in connection])

    async with service(note) as address:
        socket = await opened(address)
        everything = {*WATCHING, *ACTS, "session/prompt", "session/new", "session/set_config_option", "session/close"}
        for method in sorted(everything - WATCHING):
            with pytest.raises(ValueError, match="not allowed here"):
                await socket.request(method, {})
        for method in sorted(everything - ACTS):
            with pytest.raises(ValueError, match="not allowed here"):
                await socket.act(method, {})
        await socket.close()
    assert received == []
    duties = {"permissionPrompts", "localTools", "terminalContext", "clipboardWrite", "browserPreview"}
    flags = {name.partition("/")[2] for name in hello()["clientCapabilities"]["_meta"]}
    assert not flags & duties
    assert not WATCHING & ACTS


async def test_questions_of_the_service_are_refused_and_one_is_never_answered() -> None:
    answers: list[Any] = []

    async def ask(connection: ServerConnection) -> None:
        for number, method in enumerate(("session/request_permission", "fs/read_text_file", "_cognition.ai/x")):
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {}}))
        answers.extend([json.loads(await connection.recv()) for _ in range(2)])

    async with service(ask) as address:
        socket = await opened(address)
        with pytest.raises(ChannelLost):
            await socket.listen()
    assert [(each["id"], each["error"]["code"]) for each in answers] == [(1, -32601), (2, -32601)]


async def test_odd_frames_are_dropped_and_the_rest_is_read() -> None:
    async def babble(connection: ServerConnection) -> None:
        for frame in (b"\x00", "no JSON", "[1]", "3", json.dumps({"a": "x" * 2_000_000}), "[" * 100_000):
            await connection.send(frame)
        await connection.send(json.dumps({"method": "session/update", "params": {"n": 1}}) + "\n")
        await connection.send(json.dumps({"method": "session/update", "params": 3}))
        await connection.send(json.dumps({"id": 77, "result": "nobody asked"}))
        await connection.close(1012, "service restart")

    seen: list[Any] = []
    async with service(babble) as address:
        socket = await opened(address, seen)
        with pytest.raises(ChannelLost, match=r"the connection was lost \(1012 service restart\)"):
            await socket.listen()
    assert seen == [("session/update", {"n": 1}), ("session/update", {})]
    assert socket.dropped == 6


async def test_requests_fail_with_the_connection_and_with_the_words_of_the_service() -> None:
    async def answer(connection: ServerConnection) -> None:
        asked = json.loads(await connection.recv())
        data = {"cognition.ai/errorKind": "blocked_action", "detail": "user_frozen"}
        error = {"code": -32020, "message": "Blocked", "data": data}
        await connection.send(json.dumps({"id": asked["id"], "error": error}))
        await connection.recv()

    async with service(answer) as address:
        socket = await opened(address)
        listening = asyncio.create_task(socket.listen())
        with pytest.raises(Refused, match=r"user_frozen \(session/load: -32020\)") as caught:
            await socket.request("session/load", {})
        assert caught.value.code == -32020
        with pytest.raises(ChannelLost, match="the connection was lost"):
            await socket.request("session/load", {})
        with pytest.raises(ChannelLost):
            await listening
        with pytest.raises(ChannelLost):
            await socket.request("session/load", {})


async def test_a_message_that_is_far_too_large_ends_the_connection() -> None:
    async def flood(connection: ServerConnection) -> None:
        await connection.send("x" * (9 << 20))
        await connection.wait_closed()

    async with service(flood) as address:
        socket = await opened(address)
        with pytest.raises(ChannelLost, match="1009"):
            await socket.listen()


async def test_a_service_that_asks_and_never_reads_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        with suppress(ConnectionClosed):
            while True:
                await connection.send(json.dumps({"id": "x" * 500_000, "method": "fs/read_text_file"}))

    monkeypatch.setattr(live_socket, "_CLOSING", 0.1)
    async with service(ask, ping_interval=None, compression=None, close_timeout=0.1) as address:
        socket = await opened(address, ping_seconds=60.0)
        socket._patience = 0.2
        async with asyncio.timeout(60):
            with pytest.raises(ChannelLost, match="takes nothing"):
                await socket.listen()
        await socket.close()


async def test_a_missing_pong_ends_the_connection() -> None:
    over = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await over.wait()

    async with service(deaf, close_timeout=0.1) as address:
        socket = await opened(address, ping_seconds=0.1)
        with pytest.raises(ChannelLost):
            async with asyncio.timeout(60):
                await socket.listen()
        over.set()


@pytest.mark.parametrize(
    ("status", "is_final", "words"),
    [
        (401, True, "does not accept"),
        (403, True, "refuses the live channel to this token"),
        (404, True, "no live channel"),
        (302, True, "refused the connection"),
        (200, True, "refused the connection"),
        (429, False, "429"),
        (503, False, "503"),
    ],
)
async def test_a_refused_upgrade_says_whether_it_stays_so(status: int, is_final: bool, words: str) -> None:
    requests: list[str] = []

    def refuse(connection: ServerConnection, request: Request) -> Response:
        requests.append(request.path)
        return Response(status, "No", Headers({"Location": "http://127.0.0.1:1/", "Content-Length": "0"}), b"")

    async with service(echo, process_request=refuse) as address:
        with pytest.raises(ChannelLost, match=words) as caught:
            await opened(address)
    assert caught.value.is_final is is_final
    assert requests == ["/acp/live"]  # a redirect is not followed


async def test_cookies_of_the_upgrade_come_back() -> None:
    cookies: dict[str, str] = {}
    given: list[str | None] = []

    def note(connection: ServerConnection, request: Request) -> None:
        given.append(request.headers.get("Cookie"))

    def balance(connection: ServerConnection, request: Request, response: Response) -> None:
        response.headers["Set-Cookie"] = "node=a1; Path=/; HttpOnly"

    async with service(echo, process_request=note, process_response=balance) as address:
        for _ in range(2):
            await (await opened(address, cookies=cookies)).close()
    assert given == [None, "node=a1"]


@pytest.mark.parametrize(
    ("variables", "is_final", "words"),
    [
        ({"HTTPS_PROXY": "ftp://x"}, True, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1"}, False, r"through the proxy http://127.0.0.1:1 \(HTTPS_PROXY\)"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, False, "127.0.0.1:1"),
        ({"NO_PROXY": "*", "SSL_CERT_FILE": "/nowhere.pem"}, True, "SSL_CERT_FILE"),
    ],
)
async def test_it_goes_the_way_that_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_final: bool, words: str
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ChannelLost, match=words) as caught:
        await opened("https://service.invalid")
    assert caught.value.is_final is is_final


async def test_no_server_and_no_answer_are_troubles_that_pass() -> None:
    with pytest.raises(ChannelLost, match="no connection to") as caught:
        await opened("http://127.0.0.1:9")
    assert not caught.value.is_final

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ChannelLost, match="no answer from"):
            await opened(address, open_seconds=0.1)
        writers[0].close()
        await asyncio.gather(writers[0].wait_closed(), return_exceptions=True)


def test_another_version_of_the_protocol_is_refused() -> None:
    agreed({"protocolVersion": 1})
    for answer in ({"protocolVersion": 2}, {}, None):
        with pytest.raises(ChannelLost, match="another version") as caught:
            agreed(answer)
        assert caught.value.is_final
