"""One HTTP exchange with the service: auth, retries of safe calls, the three error bodies as exceptions.

The only importer of httpx. It knows nothing of sessions, and a POST or PATCH is never repeated here: whether a
paid act may be repeated is decided where its intent is written down.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import json
import logging
import os
import queue
import re
import ssl
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlsplit

import h11
import httpx
from httpx_retries import Retry, RetryTransport

from devin_jupyter import errors, network
from devin_jupyter.api.connections import Answer, Connections, NotConnected, Place, TooLarge
from devin_jupyter.api.responses import RequestInfo, error_from, retry_after, unreadable
from devin_jupyter.config import Settings, is_loopback
from devin_jupyter.loop import acts_sent, new_thread
from devin_jupyter.redaction import contains_secret, redact, redact_response

logger = logging.getLogger("devin_jupyter.http")
logging.getLogger("devin_jupyter").addHandler(logging.NullHandler())
_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)
logging.getLogger("httpx").addFilter(lambda record: not _is_ours.get())  # it has a line for each request, as we have
RECENT: collections.deque[str] = collections.deque(maxlen=100)
"""The last exchanges for `%devin debug`, also without logging: a line each, beginning with the time of day."""
_LOG_LINE = "%(method)s %(path)s %(status)s in %(seconds).3f s, retries: %(retries)d"
_RETRIED_STATUS = (408, 429, 500, 502, 503, 504, 520, 522, 524, 529)
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_HOPS = 5
_LONGEST_CALL = 8
"""The most that a call may take with all its tries and the pauses between them, in time-outs."""
# a UnicodeError comes from the name of a host, before there is a connection
_NEVER_APPLIED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, UnicodeError)
_BELOW_HTTPX = ("httpx", "httpcore", "socksio", "anyio", "h11", "idna")
_ELSEWHERE_SECONDS = 10.0
_POOLS = 8
_LIMITS = httpx.Limits(max_connections=40, max_keepalive_connections=40, keepalive_expiry=20.0)
Sleep = Callable[[float], Awaitable[None]]
Files = Mapping[str, tuple[str, bytes]]


LONGEST_RETRY_AFTER = 60.0
"""Seconds that a request waits where the service asks for it; where it asks for more, the error says until when."""


MOST_ANSWER, MOST_FILE = 100_000_000, 1_000_000_000
"""Bytes of an answer and of a downloaded file, after decompression."""


class _WholeAnswers(httpx.AsyncBaseTransport):
    """Reads the body where requests are retried, so that one that is cut off is; and no more of it than a limit."""

    def __init__(self, wire: httpx.AsyncBaseTransport) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the response with its body."""
        response = await self._wire.handle_async_request(request)
        most = request.extensions.get("most_bytes", MOST_ANSWER)
        size, headers = 0, response.headers
        try:
            response.request = request
            if "content-encoding" not in headers and int(headers.get("content-length") or most + 1) <= most:
                await response.aread()
                return response
            parts = []
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > most:
                    raise TooLarge(response.status_code, most)
        finally:
            await response.aclose()
        kept = [(name, value) for name, value in headers.multi_items() if name not in _OF_THE_BODY]
        return httpx.Response(
            response.status_code, headers=kept, content=b"".join(parts), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()


class _Pools(httpx.AsyncBaseTransport):
    """Several pools of connections, of which each request takes the one with the least to do.

    A pool of httpcore looks at all its connections before each request and after it: with forty of them in one, a
    request takes seven times as long as alone.
    """

    def __init__(self, pools: Iterable[httpx.AsyncBaseTransport]) -> None:
        self._busy = dict.fromkeys(pools, 0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the response with its body."""
        pool = min(self._busy, key=self._busy.__getitem__)
        self._busy[pool] += 1
        try:
            return await pool.handle_async_request(request)
        finally:
            self._busy[pool] -= 1

    async def aclose(self) -> None:
        """Close the connections."""
        for pool in self._busy:
            await pool.aclose()


_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class _AskedToWait(Exception):
    """The service asks for a longer wait than a request takes upon itself."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


class _RetryPolicy(Retry):
    """Three more tries with growing, jittered pauses. A wait that the service asks for is honored up to a limit.

    Where nothing listens, or nothing has that name, and no answer ever came from there, the address is mistyped.
    """

    pause: Sleep = staticmethod(asyncio.sleep)
    was_reached: Callable[[], bool] = staticmethod(lambda: True)

    def is_retryable_exception(self, exception: Exception) -> bool:
        is_mistyped = network.is_refused(exception) or network.is_unknown_host(exception)
        return super().is_retryable_exception(exception) and (type(self).was_reached() or not is_mistyped)

    async def asleep(self, response: httpx.Response | Exception) -> None:
        wanted = retry_after(response.headers) if isinstance(response, httpx.Response) else None
        if wanted is not None and wanted > LONGEST_RETRY_AFTER:
            assert isinstance(response, httpx.Response)
            raise _AskedToWait(response)
        seconds = self.backoff_strategy() if wanted is None else min(wanted, self.max_backoff_wait)
        await type(self).pause(seconds)


def _retry_policy(sleep: Sleep, was_reached: Callable[[], bool]) -> Retry:
    parts = {"pause": staticmethod(sleep), "was_reached": staticmethod(was_reached)}
    kind = type("_RetryPolicy", (_RetryPolicy,), parts)
    return kind(  # type: ignore[no-any-return]
        total=3,
        allowed_methods=("GET", "PUT", "DELETE"),
        status_forcelist=_RETRIED_STATUS,
        backoff_factor=0.4,
        backoff_jitter=0.5,
        max_backoff_wait=LONGEST_RETRY_AFTER,
    )


_NO_RETRY = Retry(total=0)
_left_to_the_parent: list[httpx.AsyncClient | _Pages | _Threads] = []


class Transport:
    """Sends requests to one API host with one key. Belongs to the loop that uses it first."""

    def __init__(
        self,
        settings: Settings,
        *,
        wire: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Open nothing yet.

        Args:
            settings: host, key and time-outs.
            wire: what carries the requests, in place of the network (for tests).
            sleep: how to pause between tries.
        """
        self._settings, self._wire, self._sleep = settings, wire, sleep
        self._client: httpx.AsyncClient | None = None
        self._former: list[httpx.AsyncClient] = []
        """Clients from before a change of the environment, which may be in use until this is closed."""
        self._environment: tuple[str | None, ...] = ()
        self._pages: _Pages | _Threads | None = None
        """What carries the pages of long lists."""
        self._page_base: httpx.URL
        self._page_headers: dict[str, str]
        self._send_page: Callable[[httpx.Request], Coroutine[Any, Any, httpx.Response]]
        self._send_one: Callable[[httpx.Request], Coroutine[Any, Any, httpx.Response]]
        self._proxy: network.Proxy | None = None
        self._certificates: network.Certificates | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._closing: weakref.finalize[[asyncio.AbstractEventLoop, httpx.AsyncClient], Transport] | None = None
        self.date: tuple[str, float] | None = None
        """The `Date` of the last answer, and when it came (monotonic)."""
        self._reached = threading.Event()
        """There was an answer from the address: it is not mistyped."""
        self._auth = {"Authorization": f"Bearer {settings.api_key}"}

    def __reduce__(self) -> Any:
        raise TypeError("a connection holds a key and is not pickled; pickle the client, or the id of a session")

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Files | None = None,
        info: RequestInfo | None = None,
        retries: bool = True,
        text: bool = False,
    ) -> Any:
        """Send one request and return the parsed JSON of its answer, None for an empty one.

        Args:
            method: the HTTP method.
            path: beginning with `/v3` or `/v1`, ids already quoted.
            params: the query; a list repeats its key, None leaves a key out.
            json: the body.
            files: the body as multipart: field → (file name, content).
            info: what error messages may say about the request.
            retries: False for callers that pace themselves.
            text: a body that is not JSON is returned as it is.

        Raises:
            ApiError: the service refused; the class follows the status.
            ConnectionTrouble: there was no answer.
        """
        info = info or RequestInfo(method, path, api_version=self._settings.api_version)
        response = await self._send(info, params=params, json=json, files=files, retries=retries)
        return parse_response(info, response.status_code, response.content, text=text)

    async def get_bytes(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        info: RequestInfo | None = None,
        retries: bool = True,
    ) -> bytes:
        """Return the body of a GET unparsed, for callers that read many pages their own way."""
        info = info or RequestInfo("GET", path)
        body = await self._read_page(info, params, retries=retries)
        if not contains_secret(body):
            return body
        return json.dumps(parse_response(info, 200, body)).encode()

    async def _read_page(self, info: RequestInfo, params: Mapping[str, Any] | None, *, retries: bool) -> bytes:
        """Return the body of a GET, where all goes well without the objects that httpx makes for each request.

        Anything but a 200 becomes the first try of a request as any other.
        """
        self._open()
        if self._wire is not None or sys.platform == "emscripten":  # which has no threads
            return (await self._send(info, params=params, retries=retries)).content
        pages = self._open_pages()
        started, seconds = time.perf_counter(), self._settings.timeout_seconds
        within = seconds * (_LONGEST_CALL if retries else 1)
        first: Answer | Exception | None = None
        if isinstance(pages, _Pages):
            try:
                query = _encoded(_query_pairs(params))
                target = f"{self._page_base.path.rstrip('/')}{info.path}?{query}".rstrip("?")
                async with asyncio.timeout(within):
                    first = await pages.read(self._page_base, target, self._page_headers, seconds)
            except UnicodeEncodeError:
                pass  # of half a character, which is reported as for any request
            except (httpx.HTTPError, TimeoutError, TooLarge, UnicodeError) as problem:
                first = problem
        if isinstance(first, Answer):
            self._reached.set()
        if isinstance(first, Answer) and first.status == 200:
            _log(info, first.status, started)
            if date := next((value for name, value in first.headers if name.lower() == "date"), ""):
                self.date = date, time.monotonic()
            return first.content
        left = max(0.0, within - (time.perf_counter() - started)) if retries else within  # else nothing more is sent
        response = await self._send(info, params=params, retries=retries, is_page=True, first=first, within=left)
        return response.content

    async def fetch(self, path: str, *, info: RequestInfo | None = None) -> bytes:
        """Return the content of a file, following redirects; the key is never sent along."""
        client = self._open()
        info = info or RequestInfo("GET", path)
        url = httpx.URL(self._settings.base_url + path)
        for hop in range(_MOST_HOPS):
            self._check_download(url)
            request = client.build_request(
                "GET", url, headers=None if hop else self._auth, extensions={"most_bytes": MOST_FILE}
            )
            response = await self._exchange(info, request)
            if response.status_code not in _REDIRECTS:
                break
            url = _joined(info, url, response.headers.get("location", ""))
        else:
            raise unreadable(info, response.status_code, b"", "it redirects in a loop")
        if response.status_code != 200:
            raise error_from(info, response.status_code, response.headers, response.content)
        return response.content

    async def aclose(self) -> None:
        """Close the connections; a later request opens new ones."""
        client, self._client = self._client, None
        pages, self._pages = self._pages, None
        if pages is not None:
            await pages.aclose()
        if self._closing is not None:
            self._closing.detach()
        former, self._former = self._former, []
        for one in (*former, client):
            if one is not None:
                await one.aclose()

    async def _send(
        self,
        info: RequestInfo,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Files | None = None,
        retries: bool = True,
        is_page: bool = False,
        first: Answer | Exception | None = None,
        within: float | None = None,
    ) -> httpx.Response:
        extensions: dict[str, Any] = {} if retries else {"retry": _NO_RETRY}
        if first is not None:
            extensions["first"] = first
        url = self._settings.base_url + info.path
        try:
            request = self._open().build_request(
                info.method,
                url,
                params=_query_pairs(params),
                json=json,
                files=files,
                headers=self._auth,
                extensions=extensions,
            )
        except httpx.InvalidURL as problem:
            raise errors.OptionError(f"{url} is not a valid address: {problem}") from None
        except UnicodeEncodeError:
            raise errors.OptionError(
                f"a text for {info.method} {info.path} contains half a character (a lone surrogate)",
                hint='clean it: text.encode("utf-8", "replace").decode()',
            ) from None
        except ValueError as problem:  # the service itself may have answered with such a number, which is written back
            raise errors.OptionError(
                f"a value for {info.method} {info.path} cannot be written as JSON: {problem}",
                hint="give a number that is neither infinite nor NaN",
            ) from None
        if within is None and not files:
            within = self._settings.timeout_seconds * (_LONGEST_CALL if retries else 1)
        response = await self._exchange(info, request, within, is_page=is_page)
        if response.status_code in _REDIRECTS:
            elsewhere = urlsplit(response.headers.get("location", "")).netloc or "elsewhere"
            raise unreadable(info, response.status_code, b"", f"it redirects to {elsewhere}")
        if not response.is_success:
            raise self._refusal(info, response)
        return response

    def _refusal(self, info: RequestInfo, response: httpx.Response) -> errors.ApiError:
        """Return the error for a refusal, with what the settings may have to do with it."""
        status, settings = response.status_code, self._settings
        refused = error_from(info, status, response.headers, response.content)
        if status == 404 and (path := urlsplit(settings.base_url).path):
            refused.note(f"the address of the API has the path {path}, which may be too much")
        if status == 403 and info.level == "enterprise" and settings.key_source == "the simulator":
            refused.hint = (
                "%devin simulator --organizations 12 has an enterprise "
                "(in Python: dj.connect(simulator=True, organizations=12))"
            )
        if status in (401, 403, 404) and settings.url_note:
            refused.note(settings.url_note)
        return refused

    async def _exchange(
        self, info: RequestInfo, request: httpx.Request, within: float | None = None, *, is_page: bool = False
    ) -> httpx.Response:
        """Send a request; all tries together get `within` seconds, as httpx limits only the wait for each byte."""
        started = time.perf_counter()
        ours = _is_ours.set(True)
        if request.method != "GET" and (acts := acts_sent.get()) is not None:
            acts.append(request.method)
        send = self._way(request, is_page=is_page)
        try:
            try:
                async with asyncio.timeout(within):
                    # in a task of its own: none of the callers is resumed at every step of httpx
                    response = await asyncio.create_task(send(request))
            except TimeoutError:
                raise httpx.ReadTimeout("the response is cut off") from None
        except TooLarge as problem:
            _log(info, problem.status, started)
            raise unreadable(info, problem.status, b"", str(problem)) from None
        except _AskedToWait as refusal:
            status = refusal.response.status_code
            _log(info, status, started)
            raise error_from(info, status, refusal.response.headers, b"") from None
        except Exception as problem:
            # beside its own exceptions, httpx lets some through: of sockets, ssl, encodings of host names, SOCKS
            is_foreign = isinstance(problem, (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError))
            if not is_foreign and type(problem).__module__.partition(".")[0] not in _BELOW_HTTPX:
                raise
            _log(info, type(problem).__name__, started)
            trouble = self._trouble(info, problem, time.perf_counter() - started)
            if self._settings.url_note:
                trouble.note(self._settings.url_note)
            raise trouble from None
        finally:
            _is_ours.reset(ours)
        self._reached.set()
        _log(info, response.status_code, started, response.extensions.get("retry"))
        if date := response.headers.get("date"):
            self.date = date, time.monotonic()
        return response

    def _way(
        self, request: httpx.Request, *, is_page: bool
    ) -> Callable[[httpx.Request], Coroutine[Any, Any, httpx.Response]]:
        """Return what sends a request. What creates something goes through the client, where tracing tools hook in."""
        client = self._open()
        if is_page:
            self._open_pages()
            return self._send_page
        return client.send if request.method == "POST" else self._send_one

    def _open(self) -> httpx.AsyncClient:
        if sys.platform == "emscripten" and self._wire is None:
            raise errors.SetupError(
                "the Devin API cannot be reached from pyodide (JupyterLite), which has no sockets",
                "nothing was sent",
                "recorded notebooks work there: put NAME.devin.json beside the notebook, or dj.from_notebook(path)",
            )
        loop = asyncio.get_running_loop()
        if self._client is not None and self._loop is not loop:
            self._leave_to_the_parent()
        environment = tuple(map(os.environ.get, network.VARIABLES))
        if self._wire is None and self._client is not None and self._environment != environment:
            self._former.append(self._client)
            self._client, self._pages = None, None
        if self._client is None:
            self._loop, self._pid, self._environment = loop, os.getpid(), environment
            whole = _Pools(map(_WholeAnswers, [self._wire] if self._wire else self._network()))
            wire = RetryTransport(whole, retry=_retry_policy(self._sleep, self._reached.is_set))
            # past the client, whose redirects, cookies and kinds of login are for other services
            self._send_one = wire.handle_async_request
            self._client = httpx.AsyncClient(
                transport=wire,
                headers={"User-Agent": _user_agent(), "Accept": "application/json"},
                timeout=httpx.Timeout(self._settings.timeout_seconds, connect=min(10, self._settings.timeout_seconds)),
                follow_redirects=False,
            )
            self._closing = weakref.finalize(self, _close_later, loop, self._client)
            self._closing.atexit = False
        return self._client

    def _open_pages(self) -> _Pages | _Threads:
        """Return what reads pages, at a fraction of what the client takes for each."""
        if self._pages is None:
            self._pages = _wire_to(self._settings.base_url, _for_pages)[0]
            self._send_page = RetryTransport(
                _AfterFirst(self._pages), retry=_retry_policy(self._sleep, self._reached.is_set)
            ).handle_async_request
            self._page_base = httpx.URL(self._settings.base_url)
            self._page_headers = dict(self._open().build_request("GET", self._page_base, headers=self._auth).headers)
            weakref.finalize(self, self._pages.close).atexit = False
        return self._pages

    def _leave_to_the_parent(self) -> None:
        """In a forked child: the sockets are the parent's, and closing them could disturb it."""
        if self._pid == os.getpid():
            raise RuntimeError("this client belongs to another event loop; make one for each, or aclose() it there")
        if self._closing is not None:
            self._closing.detach()
        left = (*self._former, self._client, self._pages)
        _left_to_the_parent.extend(one for one in left if one is not None)
        self._client, self._former, self._pages = None, [], None

    def _network(self) -> list[httpx.AsyncHTTPTransport]:
        self._proxy = self._certificates = None
        pools, self._proxy, self._certificates = _wire_to(self._settings.base_url, _for_requests)
        return pools

    def _trouble(self, info: RequestInfo, problem: Exception, seconds: float) -> errors.DevinError:
        settings = self._settings
        host = urlsplit(settings.base_url).netloc
        words = redact(str(problem)) or type(problem).__name__
        act = f"{info.method} {info.path}"
        retry = "check the network and DEVIN_API_URL, then run it again"
        unsure = "nothing was changed" if info.method == "GET" else "the request may have been applied"
        if isinstance(problem, _NEVER_APPLIED) or type(problem).__module__.startswith("socksio"):
            return network.failed(settings.base_url, problem, self._proxy, self._certificates)
        if isinstance(problem, httpx.TimeoutException):
            waited = f"{settings.timeout_seconds:g} s"
            waited += f", tried for {seconds:.0f} s" if seconds > 1.5 * settings.timeout_seconds else ""
            return errors.RequestTimeout(f"no answer from {host} to {act} within {waited}", unsure, retry)
        if isinstance(problem, httpx.DecodingError):
            return unreadable(info, 200, b"", "its compression is broken")
        return errors.ConnectionLost(f"{host} closed the connection during {act}: {words}", unsure, retry)

    def _check_download(self, url: httpx.URL) -> None:
        safe = url.scheme == "https" or (url.scheme == "http" and (is_loopback(url.host) and self._settings.simulated))
        if not safe:
            raise errors.UnreadableAnswer(
                f"the file is offered at {url.scheme}://{url.host}, which is not https",
                "nothing was downloaded",
                "open the session in the web app to fetch it",
            )


async def post_elsewhere(url: str, body: Mapping[str, Any]) -> None:
    """Post JSON to an address that is not the service's, by the same proxy and certificates, without a key.

    Raises:
        ConnectionTrouble, SetupError: it did not arrive.
        DevinError: the address did not accept it.
    """
    host = urlsplit(url).hostname or ""
    wire, proxy, certificates = _wire_to(url, httpx.AsyncHTTPTransport)
    async with httpx.AsyncClient(
        transport=wire, timeout=_ELSEWHERE_SECONDS, follow_redirects=False, headers={"User-Agent": _user_agent()}
    ) as client:
        try:
            async with asyncio.timeout(2 * _ELSEWHERE_SECONDS):
                response = await client.post(url, json=dict(body))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
            if isinstance(problem, _NEVER_APPLIED):
                raise network.failed(url, problem, proxy, certificates) from None
            words = redact(str(problem)) or type(problem).__name__
            raise errors.ConnectionLost(f"{host} did not answer: {words}") from None
    if not response.is_success:
        raise errors.DevinError(f"{host} answered {response.status_code}")


class _AfterFirst(httpx.AsyncBaseTransport):
    """Tells of the first try of a request, which was made without it, and makes the others."""

    def __init__(self, wire: httpx.AsyncBaseTransport) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        first = request.extensions.pop("first", None)
        if isinstance(first, Exception):
            raise first
        if isinstance(first, Answer):
            return _whole(first, request)
        return await self._wire.handle_async_request(request)


class _Pages(httpx.AsyncBaseTransport):
    """Reads pages where no proxy is between."""

    def __init__(self, context: ssl.SSLContext) -> None:
        kept = _LIMITS.keepalive_expiry or 0.0
        self._connections = Connections(context, kept_seconds=kept, most=MOST_ANSWER)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target, seconds = request.url.raw_path.decode("ascii"), request.extensions["timeout"]["read"]
        return _whole(await self.read(request.url, target, dict(request.headers), seconds), request)

    async def read(self, url: httpx.URL, target: str, headers: dict[str, str], seconds: float) -> Answer:
        """Return the answer to a GET, its content unpacked.

        Args:
            url: scheme, host and port.
            target: path and query.
            headers: of the request.
            seconds: how long to wait for each part.
        """
        is_secure = url.scheme == "https"
        place = Place(url.raw_host.decode("ascii"), url.port or (443 if is_secure else 80), is_secure)
        try:
            answer = await self._connections.get(place, target, headers, connect=min(10, seconds), read=seconds)
        except (NotConnected, h11.ProtocolError, OSError) as problem:
            raise _as_httpx(problem) from problem.__cause__ or problem
        if not any(name.lower() == "content-encoding" for name, _ in answer.headers):
            return answer
        packed = httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(answer.content))
        return answer._replace(content=_all_of(packed.iter_bytes(), answer.status))

    async def aclose(self) -> None:
        await self._connections.aclose()

    def close(self) -> None:
        """Close the connections soon; from any thread."""
        self._connections.close()


class _Threads(httpx.AsyncBaseTransport):
    """Sends each request on a thread of its own choosing, of which there are as many as requests under way.

    Through a proxy, a sync client takes half the time of the async one. The threads are daemons: an abandoned request
    must not delay the exit of the process.
    """

    def __init__(self, wire: httpx.BaseTransport) -> None:
        self._wire = wire
        self._work = queue.SimpleQueue[tuple[Callable[[_IsWanted], Any], asyncio.Future[Any]] | None]()
        self._under_way = self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.run(partial(self._read, request))

    async def run(self, work: Callable[[_IsWanted], R]) -> R:
        """Return what `work` returns on a thread; it may ask whether anybody still waits for that."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._under_way += 1
        if self._under_way > self._count:
            self._count += 1
            new_thread(self._serve, "devin-pages").start()
        self._work.put((work, answer))
        return await answer

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """End the threads that wait, and close the connections."""
        for _ in range(self._count):
            self._work.put(None)
        self._wire.close()

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            work, answer = item
            found: Any = None
            problem: Exception | None = None
            try:
                found = work(lambda answer=answer: not answer.cancelled())  # type: ignore[misc]
            except Exception as raised:
                problem = raised
            with suppress(RuntimeError):  # the loop is closed
                answer.get_loop().call_soon_threadsafe(self._deliver, answer, found, problem)
            del item, work, answer, found, problem  # nothing is kept while there is nothing to do

    def _read(self, request: httpx.Request, is_wanted: _IsWanted) -> httpx.Response:
        """Send a request, and return the response with its body, as `_WholeAnswers` does."""
        response = self._wire.handle_request(request)
        try:
            content = _all_of(response.iter_bytes(), response.status_code, is_wanted)
        finally:
            response.close()
        return _whole(Answer(response.status_code, response.headers.multi_items(), content), request)

    def _deliver(self, answer: asyncio.Future[Any], found: Any, problem: Exception | None) -> None:
        self._under_way -= 1
        if answer.done():  # given up
            return
        if problem is not None:
            answer.set_exception(problem)
        else:
            answer.set_result(found)


_IsWanted = Callable[[], bool]
R = TypeVar("R")


def _all_of(parts: Iterable[bytes], status: int, is_wanted: _IsWanted = lambda: True) -> bytes:
    kept, size = list[bytes](), 0
    for part in parts:
        size += len(part)
        if size > MOST_ANSWER:
            raise TooLarge(status, MOST_ANSWER)
        if not is_wanted():
            raise httpx.ReadError("nobody waits for the answer")
        kept.append(part)
    return b"".join(kept)


def _whole(answer: Answer, request: httpx.Request) -> httpx.Response:
    kept = [(name, value) for name, value in answer.headers if name.lower() not in _OF_THE_BODY]
    return httpx.Response(answer.status, headers=kept, content=answer.content, request=request)


def _as_httpx(problem: Exception) -> Exception:
    """Return an error of `Connections` as httpx calls it."""
    if isinstance(problem, NotConnected):
        kind = httpx.ConnectTimeout if isinstance(problem.__cause__, TimeoutError) else httpx.ConnectError
        return kind(str(problem.__cause__))
    if isinstance(problem, TimeoutError):
        return httpx.ReadTimeout(str(problem))
    if isinstance(problem, h11.ProtocolError):
        return httpx.RemoteProtocolError(str(problem) or type(problem).__name__)
    return httpx.ReadError(str(problem))


def _for_pages(*, verify: ssl.SSLContext, limits: httpx.Limits, proxy: httpx.Proxy | None = None) -> _Pages | _Threads:
    if proxy is None:
        return _Pages(verify)
    return _Threads(httpx.HTTPTransport(verify=verify, limits=limits, proxy=proxy))


def _for_requests(
    *, verify: ssl.SSLContext, limits: httpx.Limits, proxy: httpx.Proxy | None = None
) -> list[httpx.AsyncHTTPTransport]:
    most, kept = (limits.max_connections or 0) // _POOLS, (limits.max_keepalive_connections or 0) // _POOLS
    parts = httpx.Limits(max_connections=most, max_keepalive_connections=kept, keepalive_expiry=limits.keepalive_expiry)
    return [httpx.AsyncHTTPTransport(verify=verify, limits=parts, proxy=proxy) for _ in range(_POOLS)]


W = TypeVar("W")


def _wire_to(base_url: str, kind: Callable[..., W]) -> tuple[W, network.Proxy | None, network.Certificates | None]:
    """Return the real thing, with the proxy and the certificates that the environment names."""
    if urlsplit(base_url).scheme == "http":
        # no trust anchors are loaded, which takes 50 ms: a download that leaves this machine over TLS is refused
        return kind(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), limits=_LIMITS), None, None
    host = urlsplit(base_url).hostname or ""
    proxy, certificates = network.find_proxy(base_url), network.find_certificates()
    try:
        context = network.trusting(certificates)
    except OSError as problem:
        raise network.unusable_key_log(problem) or problem from None
    if proxy is None:
        return kind(verify=context, limits=_LIMITS), None, certificates
    try:
        chosen = httpx.Proxy(proxy.url, ssl_context=context if proxy.url.startswith("https:") else None)
        return kind(verify=context, limits=_LIMITS, proxy=chosen), proxy, certificates
    except ImportError:
        raise network.socks_missing(proxy, host) from None
    except (httpx.InvalidURL, ValueError, TypeError):
        raise network.invalid_proxy(proxy, host) from None


def parse_response(request: RequestInfo, status: int, body: bytes, *, text: bool = False) -> Any:
    """Return the JSON value of a success, secrets masked; None for an empty body.

    Args:
        request: the request.
        status: of the answer.
        body: of the answer.
        text: a body that is not JSON is returned as it is.

    Raises:
        UnreadableAnswer: it is neither.
    """
    if not body.strip():
        return None
    try:
        answer = json.loads(body)
        return redact_response(answer) if contains_secret(body) else answer
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        if text and not body.lstrip().startswith(b"<"):
            return body.decode("utf-8", "replace").strip()
        raise unreadable(request, status, body) from None


def _close_later(loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> None:
    """Close the connections of a client that was dropped: garbage is collected on any thread, sockets belong to one."""
    closing = client.aclose()
    try:
        asyncio.run_coroutine_threadsafe(closing, loop)
    except RuntimeError:
        closing.close()  # the loop is closed, and its sockets with it


def _joined(info: RequestInfo, url: httpx.URL, location: str) -> httpx.URL:
    try:
        if location:
            return url.join(location)
    except httpx.InvalidURL:
        pass  # reported below, like a missing address
    raise unreadable(info, 307, b"", "it redirects to an invalid address")


@functools.cache  # reading a distribution's metadata takes longer than making a client
def _user_agent() -> str:
    try:
        ours = version("devin-jupyter")
    except PackageNotFoundError:  # run from a checkout
        ours = "0"
    return f"devin-jupyter/{ours} httpx/{httpx.__version__}"


def _query_pairs(params: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    """Return a query as the API takes it: a list repeats its key, None leaves a key out."""
    pairs: list[tuple[str, Any]] = []
    for key, value in (params or {}).items():
        values = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        pairs.extend((key, item) for item in values if item is not None)
    return pairs


def _encoded(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return a query as `urlencode` does, where most values, such as a hundred ids, need no encoding."""
    texts = ((key, str(value)) for key, value in pairs)
    return "&".join([f"{key}={text if _UNRESERVED(text) else quote_plus(text)}" for key, text in texts])


_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def _log(request: RequestInfo, outcome: int | str, started: float, retry: object = None) -> None:
    """Log a finished exchange, reads at DEBUG: method, path, outcome and time; never a body, a query or the key.

    Args:
        request: the request.
        outcome: the status, or the name of the exception.
        started: the `time.perf_counter()` at its start.
        retry: what the retrying transport left with the response.
    """
    seconds, retries = time.perf_counter() - started, getattr(retry, "attempts_made", 0)
    facts = {"method": request.method, "path": request.path, "status": outcome, "seconds": seconds, "retries": retries}
    RECENT.append(f"{time.strftime('%H:%M:%S')} {_LOG_LINE % facts}")
    # reads, polls above all, would fill a log: an hour of watching is hundreds of lines
    level = logging.DEBUG if request.method == "GET" else logging.INFO
    logger.log(level, _LOG_LINE, facts, extra={"http": facts})
