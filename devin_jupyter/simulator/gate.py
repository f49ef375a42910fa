"""The outermost layer of the app: counts requests, checks keys, adds latency, and carries out faults.

Plain ASGI, because losing an answer means closing the connection below the framework.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from devin_jupyter.simulator.auth import refusal
from devin_jupyter.simulator.faults import Rule
from devin_jupyter.simulator.problems import json_bytes, problem_response
from devin_jupyter.simulator.routes import RouteTable
from devin_jupyter.simulator.store import Store

CONTROL = "/_sim/"
_LABEL = (b"x-devin-simulator", b"1")


class Gate:
    """Wraps the app of one store."""

    def __init__(self, app: ASGIApp, store: Store, routes: RouteTable) -> None:
        """Remember what stands behind the gate."""
        self._app, self._store, self._routes = app, store, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        labeled = _labelled(send)
        if scope["path"].startswith(CONTROL):
            await self._control(scope, receive, labeled)
            return
        template = self._routes.template(scope["path"])
        self._store.requests[f"{scope['method']} {template}"] += 1
        rule = self._store.faults.on_answer(scope["method"], template)
        if self._store.config.latency_ms:
            await asyncio.sleep(self._store.config.latency_ms / 1000)
        if rule is None:
            await self._serve(scope, receive, labeled)
        else:
            await self._spoil(rule, scope, receive, labeled, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and not _is_loopback(client[0]):
            await self._refuse(403, "The simulator is controlled from its own machine only", scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(scope["path"], Headers(scope=scope).get("authorization", ""), self._store.config)
        if refused:
            await self._refuse(*refused, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
        modern = self._store.config.problem_json and scope["path"].startswith("/v3")
        response = problem_response(status, detail, scope["path"], rfc9457=modern)
        if status == 401:
            response.headers["www-authenticate"] = "Bearer"
        await response(scope, receive, send)

    async def _spoil(self, rule: Rule, scope: Scope, receive: Receive, send: Send, wire: Send) -> None:
        if rule.kind == "drop_before":
            await _hang_up(receive, wire)
        elif rule.kind == "status":
            modern = self._store.config.problem_json and scope["path"].startswith("/v3")
            response = problem_response(
                rule.status, "simulated fault", scope["path"], rfc9457=modern, error_code=rule.error_code
            )
            if rule.retry_after is not None:
                response.headers["retry-after"] = f"{rule.retry_after:g}"
            await response(scope, receive, send)
        else:
            answer: list[Message] = []
            await self._serve(scope, receive, _collect(answer))
            if rule.kind == "drop_after":
                await _hang_up(receive, wire)
                return
            if rule.kind == "slow":
                await asyncio.sleep(rule.seconds)
            elif rule.kind == "linger":
                answer = _lingering(answer, parse_qs(scope["query_string"].decode("latin-1")).get("after"))
            else:
                answer = _cut_in_half(answer)
            for message in answer:
                await send(message)


def _labelled(send: Send) -> Send:
    async def labeled(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), _LABEL]
        await send(message)

    return labeled


def _collect(answer: list[Message]) -> Callable[[Message], Awaitable[None]]:
    async def collect(message: Message) -> None:
        answer.append(message)

    return collect


def _cut_in_half(answer: list[Message]) -> list[Message]:
    body = _body(answer)
    return _with_body(answer, body[: max(1, len(body) // 2)] or b"{")


def _lingering(answer: list[Message], after: list[str] | None) -> list[Message]:
    try:
        page = json.loads(_body(answer))
    except ValueError:  # no list
        return answer
    if after is None or not isinstance(page, dict) or page.get("end_cursor", "") is not None:
        return answer
    return _with_body(answer, json_bytes(page | {"has_next_page": True, "end_cursor": after[-1]}))


def _body(answer: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in answer[1:])


def _with_body(answer: list[Message], body: bytes) -> list[Message]:
    start = answer[0]
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return [
        {**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]},
        {"type": "http.response.body", "body": body},
    ]


async def _hang_up(receive: Receive, wire: Send) -> None:
    """Close the connection without an answer, which ASGI has no word for: reach for uvicorn's transport."""
    cycle: Any = getattr(wire, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise ConnectionError("dropped by a simulated fault")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
