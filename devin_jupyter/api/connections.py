"""GETs over connections that are used again, on the event loop: how the pages of long lists are read.

A page takes a third of the time that a general HTTP library needs for it. On threads it would compete with the loop for
the interpreter at every packet. Errors are OSError, TimeoutError, and h11's ProtocolError for what is not HTTP.
"""

from __future__ import annotations

import asyncio
import collections
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import h11

_LONGEST_HEAD = 64 * 1024
"""Bytes."""


class TooLarge(Exception):
    """An answer is larger than anything that is read into memory."""

    def __init__(self, status: int, most: int) -> None:
        super().__init__(f"it is larger than {most // 1_000_000:,} MB")
        self.status = status


class NotConnected(Exception):
    """There is no connection; the reason is its cause."""


class Answer(NamedTuple):
    """An answer to a GET."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


class Place(NamedTuple):
    """Where a service is."""

    host: str
    port: int
    is_secure: bool


class Connections:
    """Connections of one event loop to one service, of which there are as many as requests under way."""

    def __init__(self, context: ssl.SSLContext, *, kept_seconds: float, most: int) -> None:
        """Open nothing yet.

        Args:
            context: for TLS.
            kept_seconds: how long a connection may be idle until it is no longer used.
            most: bytes of an answer.
        """
        self._context, self._kept_seconds, self._most = context, kept_seconds, most
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._idle = collections.deque[tuple[_Connection, float]]()
        """Each with the time until which it may be used again (monotonic)."""

    async def get(
        self, place: Place, target: str, headers: Mapping[str, str], *, connect: float, read: float
    ) -> Answer:
        """Return the whole answer to a GET; its content as it was sent, which may be compressed.

        Args:
            place: where the service is.
            target: path and query.
            headers: of the request, `Host` included.
            connect: how many seconds a connection may take.
            read: how many seconds to wait for each part of the answer.

        Raises:
            NotConnected: there is no connection.
            OSError, TimeoutError, ProtocolError, TooLarge: see `_Connection.ask`.
        """
        request = h11.Request(method="GET", target=target, headers=[*headers.items()])
        while True:
            connection = idle = self._idle_connection()
            if connection is None:
                connection = await self._new_connection(place, connect)
            try:
                return await connection.ask(request, read)
            except ConnectionError:
                if idle is None:
                    raise
                # the service has closed it meanwhile
            finally:
                self._take_back(connection)

    async def aclose(self) -> None:
        """Close the connections."""
        self._is_closed = True
        self._close_idle()
        await asyncio.sleep(0)  # then the sockets are closed

    def close(self) -> None:
        """Close the connections soon; from any thread."""
        self._is_closed = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._close_idle)

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop()[0].abort()

    def _take_back(self, connection: _Connection) -> None:
        if connection.is_reusable and not self._is_closed:
            self._idle.append((connection, time.monotonic() + self._kept_seconds))
        else:
            connection.abort()

    def _idle_connection(self) -> _Connection | None:
        """Return a connection to be used again. One that was idle for long may be dead without a word."""
        while self._idle:
            connection, until = self._idle.pop()
            if connection.is_reusable and time.monotonic() < until:
                return connection
            connection.abort()
        return None

    async def _new_connection(self, place: Place, seconds: float) -> _Connection:
        """Connect to the first address of the host that answers; the reason is that of the last one otherwise."""
        self._loop = loop = asyncio.get_running_loop()
        security: dict[str, Any] = {"ssl": self._context, "server_hostname": place.host} if place.is_secure else {}
        problem = OSError("the host has no address")
        try:
            addresses = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        except OSError as unknown:
            raise NotConnected from unknown
        for *_, address in addresses:
            try:
                async with asyncio.timeout(seconds):
                    _, connection = await loop.create_connection(
                        lambda: _Connection(self._most), str(address[0]), int(address[1]), **security
                    )
                    return connection
            except OSError as refused:
                problem = refused
        raise NotConnected from problem


class _Connection(asyncio.Protocol):
    """Sends one request after the other, and reads the answer to each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[Answer] | None = None
        self._deadline: asyncio.Timeout
        self._has_begun = False
        """Something of the answer has come."""
        self._status, self._headers = 0, list[tuple[str, str]]()
        self._parts, self._size = list[bytes](), 0
        self.is_reusable = False
        """It is open, and everything that came was read."""

    async def ask(self, request: h11.Request, seconds: float) -> Answer:
        """Send a request and return its answer.

        Raises:
            ConnectionError: it was closed before an answer began.
            TimeoutError: nothing more came for so many seconds.
            ProtocolError: the answer is no HTTP, or ends too early.
            TooLarge: it is larger than anything that is read into memory.
        """
        self._answer, self._seconds = asyncio.get_running_loop().create_future(), seconds
        self._has_begun, self._parts, self._size = False, [], 0
        self.is_reusable = False  # until the answer is there
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self._transport.write((self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b""))
        async with asyncio.timeout(seconds) as self._deadline:
            return await self._answer

    def abort(self) -> None:
        """Close the connection at once."""
        self.is_reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_reusable = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():  # nobody waits for this
            self.abort()
            return
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
        self._has_begun = True
        self._read(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_reusable = False
        if self._answer is None or self._answer.done():
            return
        if exc is None and self._has_begun:
            self._read(b"")  # the end of the answer, or too early for one
        else:
            self._answer.set_exception(exc or ConnectionResetError("the service closed the connection"))

    def _read(self, data: bytes) -> None:
        """Go on with the answer, and finish it if all of it has come."""
        assert self._answer is not None
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    self._status = event.status_code
                    self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
                    self._allow(
                        max((int(value) for name, value in self._headers if name == "content-length"), default=0)
                    )
                elif isinstance(event, h11.Data):
                    self._parts.append(event.data)
                    self._size += len(event.data)
                    self._allow(self._size)
                elif isinstance(event, h11.EndOfMessage):
                    self.is_reusable = self._http.their_state is h11.DONE and not any(self._http.trailing_data)
                    self._answer.set_result(Answer(self._status, self._headers, b"".join(self._parts)))
                    return
        except (h11.ProtocolError, TooLarge) as problem:
            self._answer.set_exception(problem)

    def _allow(self, size: int) -> None:
        if size > self._most:
            raise TooLarge(self._status, self._most)
