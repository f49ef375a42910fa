"""The app of a simulator: its routers, the control endpoints, and the middleware in front.

The middleware counts requests, checks keys, adds latency, and carries out faults. It is plain ASGI, because losing an
answer means closing the connection below the framework.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Callable
from email.utils import formatdate
from re import Pattern
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from devin_jupyter.simulator import v1, v3_enterprise, v3_metrics, v3_organization, v3_resources, v3_sessions
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.engine import Fault, Simulation
from devin_jupyter.simulator.live import LiveConnection
from devin_jupyter.simulator.v3_sessions import Sim
from devin_jupyter.simulator.wire import Problem, field_errors, json_bytes, json_response, problem_response

CONTROL = "/_sim/"
UNKNOWN_ROUTE = "(no such route)"
_LABEL = (b"x-devin-simulator", b"1")

# --- control endpoints, for tests: no key; they answer this machine only ---

control = APIRouter(prefix="/_sim")


class Advance(BaseModel):
    """The body of `POST /_sim/clock`."""

    advance: float = Field(ge=0, le=1e9, allow_inf_nan=False)


class Act(BaseModel):
    """The body of `POST /_sim/sessions`."""

    session: str
    act: Literal["archive", "archive_as_is", "migrate"]
    """An act of another user: `archive` suspends it, as the API does; `archive_as_is` freezes it in its state;
    `migrate` leaves it as it is in lists, and refuses everything else with `migrated_session`."""


class Rules(BaseModel):
    """The body of `POST /_sim/faults`."""

    rules: list[Fault]


@control.get("/stats")
async def stats(sim: Sim) -> Response:
    """Answer with how often each route was asked, and how many sessions were created."""
    created = sum(session.order >= 0 for session in sim.ordered)
    return json_response({"requests": dict(sim.requests), "sessions": created})


@control.post("/clock")
async def clock(sim: Sim, body: Annotated[Advance, Body()]) -> Response:
    """Add seconds to the simulated time."""
    sim.advance(body.advance)
    return json_response({"now": sim.now(), "advanced": sim.clock.advanced})


@control.post("/faults")
async def faults(sim: Sim, body: Annotated[Rules, Body()]) -> Response:
    """Replace all fault rules."""
    sim.replace_faults(body.rules)
    return json_response({"rules": [rule.model_dump(exclude_none=True) for rule in sim.faults.rules]})


@control.post("/sessions")
async def act(sim: Sim, body: Annotated[Act, Body()]) -> Response:
    """Act on a session as another user, or the service, would."""
    session = v3_sessions.find(sim, body.session)
    sim.archive(session) if body.act == "archive" else sim.hold(session, migrate=body.act == "migrate")
    return json_response({"session": session.id, "act": body.act})


@control.post("/reset")
async def reset(sim: Sim) -> Response:
    """Go back to the preloaded sessions."""
    sim.reset()
    return json_response({"reset": True})


ROUTERS: tuple[APIRouter, ...] = (
    *(control, v3_sessions.router, v3_resources.router, v3_metrics.router, v3_organization.router),
    *(v3_metrics.enterprise, v3_enterprise.router, v3_organization.tags),
    *(v1.router, v1.sentences),
)
"""Every router, in the order in which their routes are tried: literal segments before ids."""


class RouteTable:
    """Which route template a request belongs to, known before it is served: faults and counts are kept by template."""

    def __init__(self) -> None:
        self._fixed: set[str] = set()
        self._patterns: list[tuple[Pattern[str], str]] = []
        self._methods: dict[str, set[str]] = {}
        for route in (route for router in ROUTERS for route in router.routes):
            assert isinstance(route, APIRoute)
            self._methods.setdefault(route.path_format, set()).update(route.methods or ())
            if "{" in route.path:
                self._patterns.append((route.path_regex, route.path_format))
            else:
                self._fixed.add(route.path)

    def template(self, path: str) -> str:
        """Return the template for a path, `"(no such route)"` where there is none."""
        if path in self._fixed:
            return path
        return next((template for pattern, template in self._patterns if pattern.match(path)), UNKNOWN_ROUTE)

    def methods(self, path: str) -> list[str]:
        """Return the methods that are served on a path; no single route knows them all."""
        return sorted(self._methods.get(self.template(path), ()))


class Simulator(FastAPI):
    """The app, with the middleware in front; `.simulation` is its state."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        self.simulation = self.state.simulation = simulation
        # `include_router` copies every route for each app, and in newer FastAPIs looks for it twice for each request
        self.router.routes.extend(route for router in ROUTERS for route in router.routes)
        for error in (Problem, RequestValidationError, HTTPException):
            self.add_exception_handler(error, self._on_error)
        self._table = RouteTable()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await LiveConnection(self.simulation, scope, receive, send).serve()
            return
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return

        async def labeled(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(self.simulation.now(), usegmt=True).encode())
                message["headers"] = [*message.get("headers", ()), _LABEL, date]
            await send(message)

        if scope["path"].startswith(CONTROL):
            if _is_local(scope):
                await super().__call__(scope, receive, labeled)
            else:
                detail = "The simulator is controlled from its own machine only"
                await self._problem(scope, 403, detail)(scope, receive, labeled)
            return
        template = self._table.template(scope["path"])
        self.simulation.requests[f"{scope['method']} {template}"] += 1
        fault = self.simulation.faults.on_answer(scope["method"], template)
        if self.simulation.config.latency_ms:
            await asyncio.sleep(self.simulation.config.latency_ms / 1000)
        if fault is None:
            await self._serve(scope, receive, labeled)
        else:
            await self._serve_fault(fault, scope, receive, labeled, connection=send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = _refusal(scope["path"], Headers(scope=scope).get("authorization", ""), self.simulation.config)
        if refused is None:
            await super().__call__(scope, receive, send)
            return
        response = self._problem(scope, *refused)
        if refused[0] == 401:
            response.headers["www-authenticate"] = "Bearer"
        await response(scope, receive, send)

    async def _serve_fault(self, fault: Fault, scope: Scope, receive: Receive, send: Send, *, connection: Send) -> None:
        if await self._serve_none(fault, scope, receive, send, connection=connection):
            return
        query = scope["query_string"].decode("latin-1")
        if fault.kind == "empty_pages":
            page, query = _emptied(parse_qs(query), fault.polls)
            if page is not None:
                await json_response(page)(scope, receive, send)
                return
            scope = {**scope, "query_string": query.encode()}
        answer: list[Message] = []

        async def collect(message: Message) -> None:
            answer.append(message)

        await self._serve(scope, receive, collect)
        if fault.kind == "drop_after":
            await _hang_up(receive, connection)
            return
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault.kind in _ALTERED:
            body = b"".join(message.get("body", b"") for message in answer[1:])
            answer = _with_body(answer, _ALTERED[fault.kind](body, query))
        for message in answer:
            await send(message)

    async def _serve_none(self, fault: Fault, scope: Scope, receive: Receive, send: Send, *, connection: Send) -> bool:
        """Carry out a fault that comes before the request is served; return whether it was one."""
        if fault.kind == "drop_before":
            await _hang_up(receive, connection)
        elif fault.kind == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif fault.kind == "status":
            response = self._problem(scope, fault.status, "simulated fault", fault.error_code)
            if fault.retry_after is not None:
                response.headers["retry-after"] = f"{fault.retry_after:g}"
            await response(scope, receive, send)
        return fault.kind in ("drop_before", "hang", "status")

    def _problem(
        self, scope: Scope, status: int, detail: str | list[dict[str, Any]], error_code: str | None = None
    ) -> Response:
        modern = self.simulation.config.problem_json
        return problem_response(status, detail, scope["path"], rfc9457=modern, error_code=error_code)

    async def _on_error(self, request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            return self._problem(request.scope, 422, field_errors(error.errors()))
        if isinstance(error, Problem):
            return self._problem(request.scope, error.status, error.detail, error.error_code)
        assert isinstance(error, HTTPException)
        if error.status_code == 400:  # FastAPI's word for a body that is not even text; the service documents 422
            detail: dict[str, Any] = {"loc": ["body"], "msg": str(error.detail), "type": "json_invalid"}
            return self._problem(request.scope, 422, [detail])
        response = self._problem(request.scope, error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["allow"] = ", ".join(self._table.methods(request.url.path))
        return response


def create_app(config: Config) -> Simulator:
    """Return the app of a new simulator."""
    return Simulator(Simulation(config))


def _refusal(path: str, authorization: str, config: Config) -> tuple[int, str] | None:
    """Status and detail of the refusal for a request, or None: a key opens its own version, and one organization."""
    if path.startswith("/v1/"):
        keys, wrong_family = [config.v1_key], "cog_"
    elif path.startswith(("/v3/", "/v3beta1/")):
        keys, wrong_family = [config.api_key, config.pat], "apk_"
    else:
        return None
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        return 401, "Not authenticated"
    if not any(hmac.compare_digest(given.encode(), key.encode()) for key in keys):
        return (403, "Unauthorized") if given.startswith(wrong_family) else (401, "Invalid API key")
    parts = path.split("/", 5)
    if len(parts) > 3 and parts[1] != "v1" and parts[2] == "organizations" and parts[3] != config.org:
        is_counting = parts[4:5] == ["metrics"]  # of the rest, the other organizations have only what is listed
        if not (is_counting and config.is_enterprise and parts[3] in config.names):
            return 404, "Organization not found"
    return None


def _lingering(body: bytes, query: str) -> bytes:
    """The last page of a list, made to say that there is more, behind the cursor that led to it."""
    after = parse_qs(query).get("after")
    try:
        page = json.loads(body)
    except ValueError:
        return body
    if after is None or not isinstance(page, dict) or page.get("end_cursor", "") is not None:
        return body
    return json_bytes(page | {"has_next_page": True, "end_cursor": after[-1]})


_EMPTY = "empty-"


def _emptied(asked: dict[str, list[str]], pages: int) -> tuple[dict[str, Any] | None, str]:
    """Return the empty page in the place of the one that is asked for, if any, and the query for a real one."""
    after = asked.get("after", [_EMPTY + "0"])[0]
    if not after.startswith(_EMPTY):
        return None, urlencode(asked, doseq=True)
    number = int(after.removeprefix(_EMPTY))
    if number < pages:
        return {"items": [], "has_next_page": True, "end_cursor": f"{_EMPTY}{number + 1}", "total": None}, ""
    return None, urlencode({name: values for name, values in asked.items() if name != "after"}, doseq=True)


def _with_tags(value: Any, change: Callable[[list[str]], list[str] | None]) -> Any:
    """The same answer with other tags of the sessions in it."""
    if isinstance(value, list):
        return [_with_tags(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _with_tags(item, change) for name, item in value.items()}
    return changed | ({"tags": change(value["tags"])} if isinstance(value.get("tags"), list) else {})


_ALTERED: dict[str, Callable[[bytes, str], bytes]] = {
    "linger": lambda body, query: _lingering(body, query),
    "malformed": lambda body, _: body[: max(1, len(body) // 2)] or b"{",
    "bare_list": lambda body, _: b"[]",
    "no_tags": lambda body, _: json_bytes(_with_tags(json.loads(body), lambda tags: None)),
    "tag_case": lambda body, _: json_bytes(_with_tags(json.loads(body), lambda tags: [tag.upper() for tag in tags])),
}
"""What becomes of the body of an answer, given the query, by the kind of fault."""


def _with_body(answer: list[Message], body: bytes) -> list[Message]:
    start = answer[0]
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return [
        {**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]},
        {"type": "http.response.body", "body": body},
    ]


async def _hang_up(receive: Receive, connection: Send) -> None:
    """Close the connection without an answer, which ASGI has no word for: reach for uvicorn's transport."""
    cycle: Any = getattr(connection, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise ConnectionError("dropped by a simulated fault")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return not client or ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
