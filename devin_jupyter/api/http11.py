"""HTTP/1.1 over asyncio without a proxy: the protocol is h11's, and the connections that are kept wait in a stack.

Each request takes the connection that was used last, and the others are not looked at: the pool of httpcore asks all of
them before each request and after it, which was most of what a request cost while many are under way.
"""

from __future__ import annotations

import asyncio
import collections
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field

import h11

_PART = 64 * 1024
"""Bytes of a body that are written at a time."""
_ADDRESS_SECONDS = 0.25
"""How long one address of a host may take before the next is tried beside it."""


class NotConnected(Exception):
    """There is no connection, and nothing was sent; its cause says why."""


class PoolBusy(Exception):
    """No connection came free in time; nothing was sent."""


class Disconnected(Exception):
    """The server closed the connection before or within its answer."""


@dataclass(slots=True)
class Request:
    """What is to be sent, ready for the wire."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: AsyncIterable[bytes]


class _Connection(asyncio.Protocol):
    """One connection. Belongs to its loop, and to one request at a time."""

    def __init__(self) -> None:
        self.http = h11.Connection(h11.CLIENT)
        self.idle_since = 0.0
        self._changed, self._may_write = asyncio.Event(), asyncio.Event()
        self._may_write.set()
        self._is_lost, self._problem = False, None
        self._transport: asyncio.Transport | None = None

    _problem: Exception | None

    # --- called by the loop -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.http.receive_data(data)
        self._changed.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._problem = exc
        self._end()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def _end(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.http.receive_data(b"")
        self._changed.set()
        self._may_write.set()

    # --- called by the request --------------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and nothing came while it was idle."""
        assert self._transport is not None
        return not (self._is_lost or self._transport.is_closing() or self.http.trailing_data[0])

    async def send(self, request: Request, seconds: float | None) -> None:
        """Send a request; a server that has answered early and hung up is no error here."""
        method, target, headers = request.method, request.target, request.headers
        unsent = bytearray(self.http.send(h11.Request(method=method, target=target, headers=headers)) or b"")
        async for part in request.body:
            unsent += self.http.send(h11.Data(data=part)) or b""
            if len(unsent) > _PART:
                await self._write(bytes(unsent), seconds)
                unsent.clear()
        unsent += self.http.send(h11.EndOfMessage()) or b""
        await self._write(bytes(unsent), seconds)  # a small request is one packet

    async def _write(self, data: bytes, seconds: float | None) -> None:
        assert self._transport is not None
        if data and not self._is_lost:
            self._transport.write(data)
        if not self._may_write.is_set():
            async with asyncio.timeout(seconds):
                await self._may_write.wait()

    async def receive(self, seconds: float | None) -> h11.Response | h11.Data | h11.EndOfMessage:
        """Return the next part of the answer.

        Raises:
            TimeoutError: nothing came for so many seconds.
            OSError: the connection broke.
            Disconnected: the server closed it.
            h11.RemoteProtocolError: this is not HTTP.
        """
        while True:
            self._changed.clear()
            if self._is_lost and not self.http.trailing_data[0]:
                if self._problem is not None:
                    raise self._problem
                if self.http.their_state is h11.SEND_RESPONSE:
                    raise Disconnected("Server disconnected without sending a response.")
            event = self.http.next_event()
            if isinstance(event, (h11.Response, h11.Data, h11.EndOfMessage)):
                return event
            if event is h11.NEED_DATA:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            elif not isinstance(event, h11.InformationalResponse):
                raise Disconnected(f"Server sent {event!r} in place of an answer.")

    def restart(self) -> bool:
        """Get ready for the next request, and return whether there may be one."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        self.idle_since = time.monotonic()
        return self.is_usable

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # also with something left to send: nobody waits for the answer


@dataclass(slots=True)
class Answer:
    """The head of an answer; the body is read from it, and it is closed in any case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    _connection: _Connection
    _pool: Pool
    _seconds: float | None
    _is_closed: bool = field(default=False, init=False)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Errors as in `Pool.send`."""
        while not isinstance(event := await self._connection.receive(self._seconds), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            yield bytes(event.data)

    async def read(self) -> bytes:
        """Return the whole body, and give the connection back. Errors as in `Pool.send`."""
        try:
            return b"".join([part async for part in self.parts()])
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back; one whose answer was not read to its end is closed."""
        if not self._is_closed:
            self._is_closed = True
            self._pool._take_back(self._connection)


class Pool:
    """Connections to servers, each used for one request after the other. Belongs to the loop that uses it."""

    def __init__(self, context: ssl.SSLContext, *, at_most: int, kept: int, kept_seconds: float) -> None:
        """Open nothing yet.

        Args:
            context: for TLS.
            at_most: connections at a time.
            kept: idle connections that stay open.
            kept_seconds: how long they do.
        """
        self._context, self._kept, self._kept_seconds = context, kept, kept_seconds
        self._free = asyncio.Semaphore(at_most)
        self._idle: dict[tuple[str, str, int], collections.deque[_Connection]] = {}
        self._used = set[_Connection]()
        self._places: dict[_Connection, tuple[str, str, int]] = {}

    async def send(
        self, place: tuple[str, str, int], request: Request, *, connect: float | None, read: float | None
    ) -> Answer:
        """Send a request and return the head of its answer.

        Args:
            place: scheme, host and port.
            request: what to send.
            connect: seconds to wait for a connection.
            read: seconds to wait for each part of the answer.

        Raises:
            NotConnected, PoolBusy: nothing was sent.
            TimeoutError, OSError, Disconnected, h11.ProtocolError: there was no answer.
        """
        try:
            async with asyncio.timeout(connect):
                await self._free.acquire()
        except TimeoutError:
            raise PoolBusy("no connection came free") from None
        try:
            connection = self._kept_one(place) or await self._open(place, connect)
        except BaseException:
            self._free.release()
            raise
        self._used.add(connection)
        self._places[connection] = place
        try:
            await connection.send(request, read)
            head = await connection.receive(read)
            assert isinstance(head, h11.Response)
        except BaseException:
            self._take_back(connection)
            raise
        return Answer(head.status_code, head.headers.raw_items(), connection, self, read)

    def close(self) -> None:
        """Close all connections; requests under way fail."""
        idle, self._idle = self._idle, {}
        for connection in (*self._used, *(each for kept in idle.values() for each in kept)):
            connection.close()

    def _kept_one(self, place: tuple[str, str, int]) -> _Connection | None:
        idle = self._idle.get(place)
        if not idle:
            return None
        oldest = time.monotonic() - self._kept_seconds
        while idle and idle[0].idle_since < oldest:
            idle.popleft().close()
        while idle:
            connection = idle.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return None

    async def _open(self, place: tuple[str, str, int], seconds: float | None) -> _Connection:
        scheme, host, port = place
        context = self._context if scheme == "https" else None
        loop = asyncio.get_running_loop()
        opening = loop.create_task(
            loop.create_connection(
                _Connection,
                host,
                port,
                ssl=context,
                server_hostname=host if context else None,
                happy_eyeballs_delay=_ADDRESS_SECONDS,
            )
        )
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_drop)  # cancelled itself it could leave a socket open that has just connected
            raise
        except OSError as problem:  # a TimeoutError is one
            opening.cancel()
            for _ in range(2):  # a handshake that failed leaves the socket to be closed by the loop
                await asyncio.sleep(0)
            raise NotConnected from problem
        return connection

    def _take_back(self, connection: _Connection) -> None:
        self._used.discard(connection)
        idle = self._idle.setdefault(self._places.pop(connection), collections.deque())
        self._free.release()
        if len(idle) < self._kept and connection.restart():
            idle.append(connection)
        else:
            connection.close()


def _drop(opening: asyncio.Task[tuple[asyncio.Transport, _Connection]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].close()
