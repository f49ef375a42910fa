"""Puts the simulator together: the routers, the error shapes, the gate in front."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from devin_jupyter.simulator import control, sessions_v3, v1_resources, v1_sessions
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.gate import Gate
from devin_jupyter.simulator.problems import Problem, field_errors, problem_response
from devin_jupyter.simulator.resources import (
    consumption,
    enterprise,
    events,
    files,
    insights,
    knowledge,
    metrics,
    playbooks,
    schedules,
    secrets,
)
from devin_jupyter.simulator.routes import RouteTable
from devin_jupyter.simulator.store import Store

ROUTERS: tuple[APIRouter, ...] = (
    control.router,
    insights.router,
    sessions_v3.router,
    events.router,
    files.router,
    playbooks.router,
    knowledge.router,
    secrets.router,
    schedules.router,
    consumption.router,
    metrics.router,
    enterprise.router,
    v1_sessions.router,
    v1_resources.router,
    v1_resources.sentences,
)
"""Every router, in the order in which their routes are tried: literal segments before ids."""


class Simulator(FastAPI):
    """A FastAPI app behind its gate."""

    def __init__(self, store: Store) -> None:
        """Build the app around a store."""
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        self.store = self.state.store = store
        store.seed_with(knowledge.seed_folders)
        for router in ROUTERS:
            self.include_router(router)
        self.add_exception_handler(Problem, _problem)
        self.add_exception_handler(RequestValidationError, _invalid)
        self.add_exception_handler(HTTPException, _http_error)
        self.state.table = RouteTable(ROUTERS)
        self._gate = Gate(super().__call__, store, self.state.table)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection through the gate."""
        await self._gate(scope, receive, send)


def create_app(config: Config) -> Simulator:
    """Return the app of a new simulator; `.store` is its state."""
    return Simulator(Store(config))


def _respond(request: Request, status: int, detail: str | list[dict[str, object]]) -> Response:
    store: Store = request.app.state.store
    modern = store.config.problem_json and request.url.path.startswith("/v3")
    return problem_response(status, detail, request.url.path, rfc9457=modern)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _respond(request, error.status, error.detail)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _respond(request, 422, field_errors(error.errors()))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's word for a body that is not even text; the service documents 422
        return _respond(request, 422, [{"loc": ["body"], "msg": str(error.detail), "type": "json_invalid"}])
    response = _respond(request, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(request.app.state.table.methods(request.url.path))
    return response
