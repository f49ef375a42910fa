"""GETs over connections that are used again, on the event loop: how the pages of long lists are read.

A page takes a sixth of the time that a general HTTP library needs for it. On threads it would compete with the loop for
the interpreter at every packet. Errors are those of Python: OSError, TimeoutError, and HTTPException for what is not
HTTP.
"""

from __future__ import annotations

import asyncio
import collections
import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LONGEST_HEAD = 64 * 1024
_BUFFER, _MOST_BUFFER = 256 * 1024, 4 * 1024 * 1024
"""Bytes of the buffer of a connection, and of one that is kept."""


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
            OSError, TimeoutError, HTTPException, TooLarge: see `_Connection.ask`.
        """
        request = "".join([f"GET {target} HTTP/1.1\r\n", *(f"{name}: {headers[name]}\r\n" for name in headers), "\r\n"])
        while True:
            connection = idle = self._idle_connection()
            if connection is None:
                connection = await self._new_connection(place, connect)
            try:
                return await connection.ask(request.encode("ascii"), read)
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


class _Connection(asyncio.BufferedProtocol):
    """Sends one request after the other, and reads the answer to each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer, self._end = bytearray(_BUFFER), 0
        """What came of the answer is before the end."""
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[Answer] | None = None
        self._deadline: asyncio.Timeout
        self._head: _Head | None = None
        self.is_reusable = False
        """It is open, and everything that came was read."""

    async def ask(self, request: bytes, seconds: float) -> Answer:
        """Send a request and return its answer.

        Raises:
            ConnectionError: it was closed before an answer began.
            TimeoutError: nothing more came for so many seconds.
            HTTPException: the answer is no HTTP, or ends too early.
            TooLarge: it is larger than anything that is read into memory.
        """
        loop = asyncio.get_running_loop()
        self._answer, self._head, self._end, self._seconds = loop.create_future(), None, 0, seconds
        self.is_reusable = False  # until the answer is there
        self._transport.write(request)
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

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._end == len(self._buffer):
            larger = bytearray(2 * self._end)
            larger[: self._end] = self._buffer
            self._buffer = larger
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._answer is None or self._answer.done():  # nobody waits for this
            self.abort()
            return
        self._end += nbytes
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
        self._read(is_end=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_reusable = False
        if self._answer is None or self._answer.done():
            return
        if not self._end:
            self._answer.set_exception(exc or ConnectionResetError("the service closed the connection"))
            return
        self._read(is_end=exc is None)
        if not self._answer.done():
            self._answer.set_exception(http.client.HTTPException("the response is cut off"))

    def _read(self, *, is_end: bool) -> None:
        """Finish the answer if all of it has come."""
        assert self._answer is not None
        try:
            if self._head is None:
                self._head = self._read_head()
            if self._head is None:
                return
            if max(self._end - self._head.size, self._head.length or 0) > self._most:
                raise TooLarge(self._head.status, self._most)
            content = self._head.content(self._buffer, self._end, is_end=is_end)
        except (http.client.HTTPException, TooLarge) as problem:
            self._answer.set_exception(problem)
            return
        if content is not None:
            is_clean = self._head.at == self._end and len(self._buffer) <= _MOST_BUFFER
            self.is_reusable = self._head.keeps_open and is_clean and not is_end
            self._answer.set_result(Answer(self._head.status, self._head.headers, content))

    def _read_head(self) -> _Head | None:
        """Return the head of the answer, past those that only inform; None until it is there."""
        start = 0
        while (size := self._buffer.find(b"\r\n\r\n", start, self._end) + 4) > 3:
            head = _Head(bytes(self._buffer[start:size]), size)
            if head.status >= 200:
                return head
            start = size
        if self._end > _LONGEST_HEAD:
            raise http.client.LineTooLong("header")
        return None


class _Head:
    """The status and the headers of an answer, and how far its content was read."""

    def __init__(self, text: bytes, size: int) -> None:
        """Read them.

        Args:
            text: up to the empty line.
            size: where the content begins.
        """
        line, _, rest = text.partition(b"\r\n")
        match = _STATUS.fullmatch(line)
        if match is None:
            raise http.client.BadStatusLine(repr(line[:80]))
        self.status, self.size = int(match[2]), size
        fields = http.client.parse_headers(io.BytesIO(rest))
        self.headers = fields.items()
        self.is_chunked = fields.get("Transfer-Encoding", "").strip().lower() == "chunked"
        self.length = _length(fields.get("Content-Length")) if not self.is_chunked else None
        if self.status in (204, 304):
            self.length, self.is_chunked = 0, False
        options = {option.strip().lower() for option in fields.get("Connection", "").split(",")}
        has_end = self.is_chunked or self.length is not None
        self.keeps_open = has_end and match[1] == b"1" and "close" not in options
        self.at = size
        """What is before this was read."""
        self._chunks = list[bytes]()

    def content(self, buffer: bytearray, end: int, *, is_end: bool) -> bytes | None:
        """Return the content if all of it is there, before `end` in the buffer; `is_end` if nothing more will come."""
        if self.is_chunked:
            return self._chunked(buffer, end)
        if self.length is None:
            self.at = end
            return bytes(memoryview(buffer)[self.size : end]) if is_end else None
        if end < self.size + self.length:
            return None
        self.at = self.size + self.length
        return bytes(memoryview(buffer)[self.size : self.at])

    def _chunked(self, buffer: bytearray, end: int) -> bytes | None:
        while (line := buffer.find(b"\r\n", self.at, end)) >= 0:
            match = _SIZE.fullmatch(buffer, self.at, line)
            if match is None:
                raise http.client.HTTPException("a part of the answer has no size")
            start, size = line + 2, int(match[1], 16)
            if not size:  # the last one; there may be more headers
                empty = line if buffer.startswith(b"\r\n", start, end) else buffer.find(b"\r\n\r\n", start, end)
                if empty < 0 or end < empty + 4:
                    return None
                self.at = empty + 4
                return b"".join(self._chunks)
            if end < start + size + 2:
                return None
            self._chunks.append(bytes(memoryview(buffer)[start : start + size]))
            self.at = start + size + 2
        return None


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.strip().isdecimal():
        raise http.client.HTTPException("the answer has no valid length")
    return int(text)
