"""How the pages of long lists are carried: connections that are used again, threads, errors, and giving up."""

from __future__ import annotations

import asyncio
import gc
import gzip
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlencode

import h11
import httpx
import pytest
from clients import KEY, some_settings

from devin_jupyter import Devin, errors, loop
from devin_jupyter.api import connections, transport
from devin_jupyter.api.transport import Transport
from devin_jupyter.journal import Journal

BODY = b'{"items": []}'


def answer(body: bytes = BODY, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def _whole_request(connection: socket.socket) -> bytes:
    """Return the next request with its body, which may come in a packet of its own; nothing once the client is gone."""
    read = b""
    while True:
        head, _, body = read.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if b"\r\n\r\n" in read and len(body) >= int(length[1] if length else 0):
            return read
        part = connection.recv(65536)
        if not part:
            return b""
        read += part


class Server:
    """Answers each request with what `reply` returns; None closes the connection, an exception is raised later."""

    def __init__(self, reply: Callable[[int], bytes | None]) -> None:
        self._reply, self.requests, self.connections = reply, list[bytes](), 0
        self.is_hanging_up, self.hung_up = False, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the other side has given up
            while request := _whole_request(connection):
                self.requests.append(request)
                reply = self._reply(len(self.requests))
                if reply is None:
                    return
                connection.sendall(reply)
                if self.is_hanging_up:
                    connection.close()
                    self.hung_up.set()
                    return
                if b"Connection: close" in reply or b"Content-Length: 999" in reply:
                    return

    def close(self) -> None:
        with suppress(OSError):  # on Linux alone this wakes the thread, which would accept one more
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def serving(reply: Callable[[int], bytes | None]) -> Iterator[Server]:
    with closing(Server(reply)) as server:
        yield server


async def _no_pause(seconds: float) -> None:
    pass


async def read(server: Server, count: int = 1, **settings: Any) -> list[bytes]:
    transport = Transport(some_settings(base_url=server.url, **settings), sleep=_no_pause)
    try:
        return [await transport.get_bytes("/v3/x", {"first": n, "after": None}) for n in range(count)]
    finally:
        await transport.aclose()


async def test_pages_come_over_one_connection_with_the_key_and_their_query() -> None:
    with serving(lambda n: answer()) as server:
        assert await read(server, 3) == [BODY] * 3
    assert server.connections == 1
    first = server.requests[0].lower()
    assert first.startswith(b"get /v3/x?first=0 http/1.1")
    assert b"authorization: bearer " in first
    assert b"user-agent: devin-jupyter/" in first


async def test_a_page_tells_the_time_of_the_service() -> None:
    with serving(lambda n: answer(BODY, "date: Sat, 21 Nov 2026 18:04:00 GMT")) as server:
        transport = Transport(some_settings(base_url=server.url), sleep=_no_pause)
        await transport.get_bytes("/v3/x")
        await transport.aclose()
    assert transport.date is not None
    assert transport.date[0] == "Sat, 21 Nov 2026 18:04:00 GMT"


async def test_a_compressed_page_is_unpacked() -> None:
    with serving(lambda n: answer(gzip.compress(BODY), "Content-Encoding: gzip")) as server:
        assert await read(server) == [BODY]


@pytest.mark.parametrize(
    "last", [None, answer(BODY, "Connection: close")], ids=["closed while idle", "closed as announced"]
)
async def test_a_connection_that_the_service_closed_is_replaced(last: bytes | None) -> None:
    with serving(lambda n: answer() if n != 2 else last) as server:
        assert await read(server, 3) == [BODY] * 3
    assert server.connections == 2


async def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_LIMITS", httpx.Limits(keepalive_expiry=0.0))
    with serving(lambda n: answer()) as server:
        assert await read(server, 2) == [BODY] * 2
    assert server.connections == 2


async def test_callers_that_pace_themselves_are_told_of_a_failure_at_once() -> None:
    with serving(lambda n: answer().replace(b"200 OK", b"503 Busy")) as server:
        reader = Transport(some_settings(base_url=server.url), sleep=_no_pause)
        with pytest.raises(errors.ServerError):
            await reader.get_bytes("/v3/x", retries=False)
        await reader.aclose()
    assert len(server.requests) == 1


async def test_a_query_is_written_as_python_writes_it() -> None:
    query = {"session_ids": ["devin-0a", "devin-~_.b"], "name": "a b&c=ä/?", "first": 3, "none": None}
    with serving(lambda n: answer()) as server:
        reader = Transport(some_settings(base_url=server.url), sleep=_no_pause)
        await reader.get_bytes("/v3/x", query)
        await reader.aclose()
    expected = urlencode({name: value for name, value in query.items() if value is not None}, doseq=True)
    assert server.requests[0].split()[1].decode() == f"/v3/x?{expected}"


async def post(server: Server, count: int) -> list[Any]:
    """Post one after the other; the service is waited for in between, so that what it closes is seen as closed."""
    transport = Transport(some_settings(base_url=server.url), sleep=_no_pause)
    try:
        answers = []
        for number in range(count):
            answers.append(await transport.request("POST", "/v3/x", json={"n": number}))
            if server.is_hanging_up:
                await asyncio.to_thread(server.hung_up.wait, 10)
                await asyncio.sleep(0.01)  # what arrived is read by the loop
        return answers
    finally:
        await transport.aclose()


async def test_posts_come_over_one_connection_with_their_bodies() -> None:
    with serving(lambda n: answer()) as server:
        assert await post(server, 3) == [{"items": []}] * 3
    assert server.connections == 1
    assert b"".join(server.requests).count(b'{"n":') == 3


@pytest.mark.parametrize("last", [answer(BODY, "Connection: close"), answer(BODY, "X-Then: hang-up")])
async def test_a_post_is_never_sent_into_a_connection_that_the_service_has_closed(last: bytes) -> None:
    with serving(lambda n: last) as server:
        server.is_hanging_up = True
        assert await post(server, 3) == [{"items": []}] * 3
    assert server.connections == 3


async def test_an_answer_may_come_in_chunks_after_others_that_are_only_informational() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"item\r\n7\r\ns": []}\r\n0\r\n\r\n'
    with serving(lambda n: b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + chunked) as server:
        assert await post(server, 2) == [{"items": []}] * 2
    assert server.connections == 1


async def test_fifty_requests_at_a_time_wait_for_their_turn_among_forty_connections() -> None:
    arrived, first = threading.Semaphore(0), threading.Event()

    def reply(number: int) -> bytes | None:
        arrived.release()
        first.wait(300)
        return answer()

    with serving(reply) as server:
        transport = Transport(some_settings(base_url=server.url), sleep=_no_pause)
        sending = [asyncio.create_task(transport.request("POST", "/v3/x", json={})) for _ in range(50)]
        for _ in range(40):
            assert await asyncio.to_thread(arrived.acquire, timeout=10)
        assert not await asyncio.to_thread(arrived.acquire, timeout=0.05)
        first.set()
        assert await asyncio.gather(*sending) == [{"items": []}] * 50
        await transport.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "nowhere.invalid"])
@pytest.mark.parametrize("is_page", [False, True])
async def test_an_address_that_never_answered_and_where_nothing_listens_is_told_at_once(
    host: str, is_page: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    transport = Transport(some_settings(base_url=f"http://{host}:{port}", simulated=True), sleep=sleep)
    with pytest.raises(errors.ConnectionFailed) as refused:
        await (transport.get_bytes("/v3/x") if is_page else transport.request("GET", "/v3/x"))
    assert slept == []
    if host != "nowhere.invalid":
        assert refused.value.message.endswith("nothing listens there (connection refused)")
    await transport.aclose()


@pytest.mark.parametrize("is_page", [False, True])
async def test_a_service_that_has_answered_and_restarts_is_waited_for(is_page: bool) -> None:
    slept: list[float] = []
    with serving(lambda n: answer(BODY, "Connection: close")) as server:

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        transport = Transport(some_settings(base_url=server.url), sleep=sleep)
        read = transport.get_bytes if is_page else partial(transport.request, "GET")
        assert await read("/v3/x")
    with pytest.raises(errors.ConnectionFailed):
        await read("/v3/x")
    assert len(slept) == 3
    await transport.aclose()


async def test_a_request_that_is_given_up_leaves_its_place_to_others() -> None:
    served, goes_on = threading.Event(), threading.Event()

    def reply(number: int) -> bytes | None:
        served.set()
        if number == 1:
            goes_on.wait(300)
        return answer()

    with serving(reply) as server:
        transport = Transport(some_settings(base_url=server.url), sleep=_no_pause)
        left = asyncio.create_task(transport.request("POST", "/v3/x", json={}))
        assert await asyncio.to_thread(served.wait, 10)
        left.cancel()
        with suppress(asyncio.CancelledError):
            await left
        assert await transport.request("POST", "/v3/x", json={}) == {"items": []}
        goes_on.set()
        await transport.aclose()
    assert server.connections == 2


async def test_a_page_that_is_cut_off_is_asked_for_again() -> None:
    with serving(lambda n: answer() if n > 1 else answer().replace(b"Length: 13", b"Length: 999")) as server:
        assert await read(server) == [BODY]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (lambda n: None, errors.ConnectionLost, "closed the connection during GET /v3/x"),
        (lambda n: b"not http at all\r\n\r\n", errors.ConnectionLost, "closed the connection during GET /v3/x"),
        (
            lambda n: answer(b"no gzip at all", "Content-Encoding: gzip"),
            errors.UnreadableAnswer,
            "compression is broken",
        ),
        (lambda n: answer().replace(b"200 OK", b"403 No"), errors.Forbidden, "403"),
        (lambda n: answer().replace(b"200 OK", b"302 Found"), errors.UnreadableAnswer, "redirects"),
    ],
)
async def test_what_goes_wrong_is_told_as_for_any_request(reply: Any, error: Any, words: str) -> None:
    with serving(reply) as server, pytest.raises(error, match=words):
        await read(server)


async def test_a_service_that_does_not_answer_runs_into_the_time_limit() -> None:
    def silent(number: int) -> bytes | None:
        threading.Event().wait(1.0)
        return None

    with serving(silent) as server, pytest.raises(errors.RequestTimeout, match="no answer"):
        await read(server, timeout_seconds=0.05)


async def test_no_connection_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(errors.ConnectionFailed):
        await Transport(some_settings(base_url=url), sleep=_no_pause).get_bytes("/v3/x")


def _chunked(*parts: bytes, ends: bytes = b"\r\n") -> bytes:
    chunks = b"".join(b"%X;note=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + ends


LARGE = b"[%b]" % (b" " * 600_000)


@pytest.mark.parametrize(
    ("reply", "body", "connections"),
    [
        (answer(LARGE), LARGE, 1),
        (answer(b"[%b]" % (b" " * 5_000_000)), b"[%b]" % (b" " * 5_000_000), 1),
        (_chunked(BODY[:4], BODY[4:]), BODY, 1),
        (_chunked(LARGE[:300_000], LARGE[300_000:], ends=b"Expires: 0\r\nX: y\r\n\r\n"), LARGE, 1),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer(), BODY, 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + LARGE, LARGE, 2),
        (answer(BODY, "Connection: Keep-Alive, Close"), BODY, 2),
        (answer().replace(b"HTTP/1.1", b"HTTP/1.0"), BODY, 2),
        (answer() + b"more", BODY, 2),
    ],
    ids=[
        "large",
        "very large",
        "chunks",
        "chunks and more headers",
        "informed",
        "until the end",
        "last",
        "1.0",
        "more",
    ],
)
async def test_an_answer_may_end_in_any_way_that_http_knows(reply: bytes, body: bytes, connections: int) -> None:
    with serving(lambda n: reply) as server:
        assert await read(server, 2) == [body, body]
    assert server.connections == connections


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_an_answer_may_come_in_pieces_of_any_size(size: int) -> None:
    for whole in (_chunked(BODY[:4], BODY[4:], ends=b"X: y\r\n\r\n"), answer(BODY)):
        connection = connections._Connection(100)
        connection.connection_made(SendsNothing())
        request = h11.Request(method="GET", target="/", headers=[("Host", "localhost")])
        asking = asyncio.create_task(connection.ask(request, 10))
        await asyncio.sleep(0)
        for at in range(0, len(whole), size):
            assert not asking.done()
            connection.data_received(whole[at : at + size])
        assert (await asking).content == BODY
        assert connection.is_reusable


class SendsNothing(asyncio.Transport):
    def write(self, data: Any) -> None:
        pass


async def test_compressed_pages_that_are_read_at_once_are_not_mixed_up() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError), closing(writer):
            while asked := re.search(rb"first=(\d+) ", await reader.readuntil(b"\r\n\r\n")):
                await asyncio.sleep(0)
                content = gzip.compress(pages[int(asked[1])])
                whole = _chunked(content[:20], content[20:])
                writer.write(whole.replace(b"OK\r\n", b"OK\r\nContent-Encoding: gzip\r\n"))

    pages = {number: b"[%d]" % number * 1000 for number in range(20)}
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = Transport(some_settings(base_url=url))
        for _ in range(3):
            found = await asyncio.gather(*(transport.get_bytes("/v3/x", {"first": number}) for number in pages))
            assert found == [*pages.values()]
        await transport.aclose()


@pytest.mark.parametrize(
    "reply",
    [
        answer().replace(b"Length: 13", b"Length: -1"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
    ids=["length", "size of a chunk", "half a chunk", "endless head"],
)
async def test_an_answer_that_is_no_http_is_told_as_for_any_request(reply: bytes) -> None:
    served = iter([reply] * 4)
    with serving(lambda n: next(served)) as server:
        server.is_hanging_up = True
        with pytest.raises(errors.ConnectionLost, match="during GET /v3/x"):
            await read(server)
    assert len(server.requests) == 4


@pytest.mark.parametrize("reply", [answer(b" " * 101), _chunked(b" " * 101), answer().replace(b": 13", b": 9999")])
async def test_an_answer_that_is_too_large_is_not_read(reply: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_ANSWER", 100)
    with serving(lambda n: reply) as server, pytest.raises(errors.UnreadableAnswer, match="it is larger than"):
        await read(server)
    assert len(server.requests) == 1


async def test_all_addresses_of_a_host_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = listener.getsockname()
    with serving(lambda n: answer()) as server:
        port = int(server.url.rpartition(":")[2])
        hosts = {"both": [refusing, ("127.0.0.1", port)], "none": [refusing, refusing]}

        def addresses(host: str, *_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in hosts[host]]

        monkeypatch.setattr(socket, "getaddrinfo", addresses)
        server.url = f"http://both:{port}"
        assert await read(server) == [BODY]
        server.url = f"http://none:{port}"
        with pytest.raises(errors.ConnectionFailed, match="nothing listens there"):
            await read(server)


async def given_up(server: Server, sent: threading.Event) -> Transport:
    """Return a client that has asked for a page, and does not wait for the answer any more."""
    transport = Transport(some_settings(base_url=server.url))
    reading = asyncio.create_task(transport.get_bytes("/v3/x"))
    await asyncio.to_thread(sent.wait)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    return transport


async def test_the_connection_of_a_page_that_is_given_up_is_not_used_again() -> None:
    sent, left = threading.Event(), threading.Event()

    def late(number: int) -> bytes | None:
        if number == 1:
            sent.set()
            left.wait(300)
        return answer(b"[%d]" % number)

    with serving(late) as server:
        transport = await given_up(server, sent)
        left.set()
        assert await transport.get_bytes("/v3/x") == b"[2]"
        await transport.aclose()
    assert server.connections == 2


@pytest.fixture
def by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read pages as through a proxy."""

    def kind(*, verify: Any, limits: httpx.Limits) -> Any:
        return transport._Threads(httpx.HTTPTransport(verify=verify, limits=limits))

    monkeypatch.setattr(transport, "_for_pages", kind)


@pytest.mark.usefixtures("by_threads")
async def test_a_page_that_nobody_waits_for_is_given_up_between_two_parts() -> None:
    sent, left = threading.Event(), threading.Event()

    def slowly(number: int) -> bytes | None:
        sent.set()
        left.wait(300)
        return answer(b" " * 2_000_000)

    with serving(slowly) as server:
        transport = await given_up(server, sent)
        left.set()
        threads: Any = transport._pages
        while threads._under_way:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
        assert len(await transport.get_bytes("/v3/x")) == 2_000_000
        await transport.aclose()
    assert server.connections == 2  # read to its end, the first would have been used again


@pytest.mark.usefixtures("by_threads")
async def test_as_many_threads_as_requests_under_way_end_with_the_transport() -> None:
    before, both = set(threading.enumerate()), threading.Barrier(3)

    def together(number: int) -> bytes | None:
        both.wait(300)
        return answer()

    def carriers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "devin-pages" and thread not in before]

    with serving(together) as server:
        transport = Transport(some_settings(base_url=server.url))
        reads = [asyncio.create_task(transport.get_bytes("/v3/x")) for _ in range(3)]
        assert await asyncio.gather(*reads) == [BODY] * 3
        assert len(carriers()) == 3
        await transport.aclose()
    for thread in carriers():
        thread.join(10)
    assert carriers() == []


def test_the_collector_is_paused_for_as_long_as_anything_is_read_and_no_longer() -> None:
    assert gc.isenabled()
    with loop.paused_collector():
        with loop.paused_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), loop.paused_collector():
        raise ZeroDivisionError
    assert gc.isenabled()
    gc.disable()
    try:
        with loop.paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_interrupt_ends_the_pause_of_the_collector_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = threading.Event()

    async def read_for_long() -> None:
        with loop.paused_collector():
            reading.set()
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.2)

    def interrupted(future: Any) -> Any:
        reading.wait(300)
        assert not gc.isenabled()
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "slices", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run(read_for_long())
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"items": [{"event_id": "a", "source": "devin", "message": "hi"}], "has_next_page": false}', ["hi"]),
        (b'{"items": [{"event_id": "a", "source": "devin", "message": "half \\ud800"}]}', ["half ?"]),
        (b"<html>", None),
    ],
)
def test_conversations_of_many_sessions_are_read_like_pages(body: bytes, texts: list[str] | None) -> None:
    with serving(lambda n: answer(body)) as server:
        with Devin(KEY, org_id="org-x", base_url=server.url, journal=Journal(":memory:")) as devin:
            if texts is None:
                with pytest.raises(errors.UnreadableAnswer):
                    devin.messages_frame(["devin-" + "a" * 32])
                return
            frame = devin.messages_frame(["devin-" + "a" * 32, "devin-" + "b" * 32])
        assert frame["text"].tolist() == texts * 2
        assert frame["session_id"].tolist() == ["devin-" + "a" * 32, "devin-" + "b" * 32]
