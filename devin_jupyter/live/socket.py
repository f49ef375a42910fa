"""The connection to the live channel: JSON-RPC 2.0 over one WebSocket. It asks, listens, and decides nothing.

The only importer of `websockets`, which was chosen over `aiohttp`, `httpx-ws` and `websocket-client`: it does nothing
else and is well kept; it runs on a plain asyncio loop; it limits the size of messages also when they are compressed,
pings by itself, and takes the proxies (HTTP, HTTPS, SOCKS) and the `ssl` context that `network` finds for the REST API.

Watching cannot act: `request` sends the methods of `WATCHING` and nothing else. What acts goes through `act`, which
sends the methods of `ACTS` and nothing else, and which only the explicit calls of a user reach.
"""

from __future__ import annotations

import asyncio
import collections
import json
import logging
import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from devin_jupyter import network
from devin_jupyter.errors import DevinError
from devin_jupyter.models.fields import parse_json
from devin_jupyter.redaction import redact
from devin_jupyter.text import one_line

logger = logging.getLogger("devin_jupyter.live")
_library = logging.getLogger("devin_jupyter.live.library")
_library.setLevel(logging.WARNING)  # at DEBUG it would write down the headers of the request, and so the token
RECENT: collections.deque[str] = collections.deque(maxlen=50)
"""What was sent last and how connections began and ended, for `%devin debug`: never a text or the token."""

PATH = "/acp/live"
WATCHING = frozenset({"initialize", "session/list", "session/load", "session/resume"})
"""The methods that watching may send; none of them costs anything or wakes anybody."""
CANCEL, RESPOND = "session/cancel", "_cognition.ai/permission/respond"
ACTS = frozenset({CANCEL, RESPOND})
"""The methods that an explicit call of the user may send."""
PROTOCOL = 1
NO_METHOD = -32601
LARGEST_FRAME = 1 << 20
"""Larger frames are dropped unread (bytes)."""
_LARGEST_MESSAGE = 8 << 20
"""A larger one ends the connection: it would have to be held in memory to be dropped."""
_CLOSING = 2.0
"""How many seconds the other side has to agree to the end."""
_PASSING = (408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)
_PERMISSION_REQUEST = "session/request_permission"
Raw = Mapping[str, Any]


class ChannelLost(Exception):
    """There is no connection, or no longer; the reason is one line for a person."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(one_line(redact(reason)))
        self.is_final = is_final
        """Trying again would not help."""

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return str(self.args[0])


class Refused(Exception):
    """The service answered a request with an error."""

    def __init__(self, method: str, error: Raw) -> None:
        code, data = error.get("code"), error.get("data")
        self.code = code if isinstance(code, int) else 0
        self.data: Raw = data if isinstance(data, Mapping) else {}
        detail = self.data.get("detail")
        words = detail if isinstance(detail, str) and detail else error.get("message") or "no reason given"
        super().__init__(one_line(redact(f"{words} ({method}: {self.code})")))


class _Connect(connect):
    """Follows no redirect: the token is for one host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Socket:
    """An open connection. Belongs to the loop that opened it."""

    def __init__(
        self, connection: ClientConnection, on_notification: Callable[[str, Raw], None], *, patience: float = 15.0
    ) -> None:
        self._connection, self._on_notification = connection, on_notification
        self._patience = patience
        """How many seconds the other side may take nothing: a ping would wait behind what it does not take."""
        self._answers: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        """The method and the answer of each request, by its number."""
        self._number = 0
        self.dropped = 0
        """Frames that could not be read: not JSON, binary, or too large."""

    async def listen(self) -> None:
        """Read until the connection ends, and pass every notification on.

        Raises:
            ChannelLost: it has ended.
        """
        reason = "the connection was lost"
        try:
            while True:
                await self._read(await self._connection.recv())
        except ConnectionClosed as problem:
            close = problem.rcvd or problem.sent
            if close is not None and close.code != 1000:
                reason += f" ({f'{close.code} {one_line(close.reason, 80)}'.rstrip()})"
        raise self._end(reason)

    async def request(self, method: str, params: Raw) -> Any:
        """Send a request that only watches, and return the result.

        Raises:
            Refused: the service answered with an error.
            ChannelLost: the connection has ended.
        """
        return await self._ask(method, params, WATCHING)

    async def act(self, method: str, params: Raw) -> Any:
        """Send something that changes the session, because the user asked for it; return the result, if it has one.

        Raises:
            Refused: the service answered with an error.
            ChannelLost: the connection has ended.
        """
        if method == CANCEL:
            await self._write({"method": method, "params": params}, ACTS)
            return None
        return await self._ask(method, params, ACTS)

    async def close(self) -> None:
        """Close the connection."""
        self._end("closed")
        try:
            async with asyncio.timeout(_CLOSING + 1.0):
                await self._connection.close()
        except TimeoutError:  # even the word that it closes is not taken
            self._connection.transport.abort()

    async def _ask(self, method: str, params: Raw, allowed: frozenset[str]) -> Any:
        self._number += 1
        number = self._number
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = method, answer
        try:
            await self._write({"id": number, "method": method, "params": params}, allowed)
            return await answer
        finally:
            self._answers.pop(number, None)

    async def _write(self, message: dict[str, Any], allowed: frozenset[str]) -> None:
        """Send one message: the only place that writes to the socket."""
        method = message.get("method")
        if method is not None:
            if method not in allowed:
                raise ValueError(f"{method} is not allowed here")
            log(f"sent {method}")
        try:
            async with asyncio.timeout(self._patience):
                await self._connection.send(json.dumps({"jsonrpc": "2.0", **message}))
        except ConnectionClosed:
            raise ChannelLost("the connection was lost") from None
        except TimeoutError:
            raise ChannelLost("the connection was lost: the other side takes nothing any more") from None

    async def _read(self, frame: str | bytes) -> None:
        try:
            message = parse_json(frame) if isinstance(frame, str) and len(frame) <= LARGEST_FRAME else None
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.dropped += 1
            return
        method, number = message.get("method"), message.get("id")
        if isinstance(method, str):
            params = message.get("params")
            if number is None:
                self._on_notification(method, params if isinstance(params, dict) else {})
            elif method != _PERMISSION_REQUEST:  # whatever a watcher answers to that one would count for the session
                error = {"code": NO_METHOD, "message": "this client only watches"}
                await self._write({"id": number, "error": error}, frozenset())
            return
        asked = self._answers.get(number) if isinstance(number, int) else None
        if asked is None or asked[1].done():
            return
        method, answer = asked
        if isinstance(message.get("error"), dict):
            error, message["error"] = message["error"], None
            answer.set_exception(Refused(method, error))
        else:
            answer.set_result(message.get("result"))

    def _end(self, reason: str) -> ChannelLost:
        for _, answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ChannelLost(reason))
        log(reason)
        return ChannelLost(reason)


async def open_socket(
    base_url: str,
    token: str,
    on_notification: Callable[[str, Raw], None],
    *,
    cookies: dict[str, str] | None = None,
    ping_seconds: float = 15.0,
    open_seconds: float = 20.0,
) -> Socket:
    """Connect, and return the open socket.

    Args:
        base_url: of the REST API.
        token: a personal access token; sent in a header, to this host only.
        on_notification: called with the method and the parameters of every notification.
        cookies: of earlier connections, by name; those of this one are added.
        ping_seconds: how often to ping; a pong that takes as long counts as the end of the connection.
        open_seconds: how long connecting may take.

    Raises:
        ChannelLost: it did not come about.
    """
    parts = urlsplit(base_url)
    kept = {} if cookies is None else cookies
    headers = {"Authorization": f"Bearer {token}"}
    if kept:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in kept.items())
    began = time.perf_counter()
    proxy, certificates = None, None
    options: dict[str, Any] = {}
    try:
        proxy = network.find_proxy(base_url)
        if parts.scheme == "https":
            certificates = network.find_certificates()
            options["ssl"] = network.trusting(certificates)
            if proxy is not None and proxy.url.startswith("https:"):
                options["proxy_ssl"] = options["ssl"]
        connection = await _Connect(
            f"ws{parts.scheme.removeprefix('http')}://{parts.netloc}{parts.path}{PATH}",
            additional_headers=headers,
            user_agent_header=f"devin-jupyter/{_own_version()}",
            proxy=proxy.url if proxy is not None else None,
            open_timeout=open_seconds,
            ping_interval=ping_seconds,
            ping_timeout=ping_seconds,
            close_timeout=_CLOSING,
            max_size=_LARGEST_MESSAGE,
            logger=_library,
            **options,
        )
    except Exception as problem:
        lost = _not_opened(problem, base_url, proxy, certificates)
        log(f"no connection in {time.perf_counter() - began:.3f} s: {lost.reason}")
        raise lost from None
    if connection.response is not None:
        for line in connection.response.headers.get_all("Set-Cookie"):
            kept.update(_cookie(line))
    log(f"connected in {time.perf_counter() - began:.3f} s")
    return Socket(connection, on_notification, patience=ping_seconds)


_STATUSES = {
    401: "the service does not accept the personal access token (401)",
    403: "the service refuses the live channel to this token (403)",
    404: "this host has no live channel (404)",
}


def log(line: str) -> None:
    """Note a line for `%devin debug`, and log it."""
    RECENT.append(f"{time.strftime('%H:%M:%S')} {line}")
    logger.debug("%s", line)


def _not_opened(
    problem: Exception, base_url: str, proxy: network.Proxy | None, certificates: network.Certificates | None
) -> ChannelLost:
    """Return why there is no connection; beside its own exceptions, the library lets others through."""
    if isinstance(problem, DevinError):  # a proxy or a certificate is set wrongly
        return ChannelLost(problem.message, is_final=True)
    if isinstance(problem, InvalidStatus):
        status = problem.response.status_code
        words = _STATUSES.get(status, f"the service refused the connection ({status})")
        return ChannelLost(words, is_final=status not in _PASSING)
    if isinstance(problem, ImportError) and proxy is not None:
        missing = f"{proxy.variable} is a SOCKS proxy, which needs the package python-socks"
        return ChannelLost(missing, is_final=True)
    if isinstance(problem, TimeoutError):
        return ChannelLost(f"no answer from {urlsplit(base_url).netloc} in time")
    is_foreign = isinstance(problem, (OSError, ValueError, WebSocketException))
    if not is_foreign and type(problem).__module__.partition(".")[0] != "python_socks":
        raise problem
    return ChannelLost(network.failed(base_url, problem, proxy, certificates).message)


def _cookie(line: str) -> dict[str, str]:
    """Return name and value of a `Set-Cookie` header: a load balancer may want to see them again."""
    try:
        return {name: morsel.coded_value for name, morsel in SimpleCookie(line).items()}
    except CookieError:
        return {}


def _own_version() -> str:
    try:
        return version("devin-jupyter")
    except PackageNotFoundError:  # run from a checkout
        return "0"


def agreed(result: Any) -> None:
    """Check the answer to `initialize`.

    Raises:
        ChannelLost: it speaks another version of the protocol.
    """
    spoken = result.get("protocolVersion") if isinstance(result, Mapping) else None
    if spoken != PROTOCOL:
        raise ChannelLost(f"the service speaks another version of the protocol ({spoken!r})", is_final=True)


def hello() -> Raw:
    """Return the parameters of `initialize`: nothing that the service could hand a duty to."""
    return {
        "protocolVersion": PROTOCOL,
        "clientInfo": {"name": "devin-jupyter", "version": _own_version()},
        "clientCapabilities": {
            "fs": {"readTextFile": False, "writeTextFile": False},
            "terminal": False,
            "_meta": {"cognition.ai/partialContent": True, "cognition.ai/messageGrouping": True},
        },
    }
