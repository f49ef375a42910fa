"""A service that repeats every secret it is told, wherever text can stand.

It stands between the client and a simulator: requests go on with the simulator's key, answers come back with the
key of the caller and every secret's value so far added to messages, titles, outputs, names and errors.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from canaries.leaks import ORG_SECRET, SESSION_SECRET, V1_KEY, V3_KEY, forms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TEXTS = {"message", "title", "detail", "msg", "content", "name", "note_usage", "analysis", "error", "status_message"}
"""Fields whose text a person reads."""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def poisoned(value: Any, told: str, *, inside: bool = False) -> Any:
    """Add what was told to every text that a person reads."""
    if isinstance(value, dict):
        free = inside or "structured_output" in value
        return {
            name: poisoned(item, told, inside=inside or (free and name == "structured_output") or name in TEXTS)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item, told, inside=inside) for item in value]
    is_free = inside and isinstance(value, str) and len(value) > 12  # a shorter one may be a choice of the schema
    return f"{value} {told}" if is_free else value


class Echo:
    """The service, and everything secret that it was told."""

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator
        self.told: list[str] = []
        self.failing: dict[str, int] = {}
        """Methods whose requests are all answered with an error status."""

    async def answer(self, request: Request) -> Response:
        """Pass a request on, and poison the answer."""
        body = await request.body()
        self._listen(request, body)
        told = " ".join([f"Authorization: {request.headers.get('authorization')}", *self.told])
        if request.method in self.failing:
            return Response(json.dumps({"detail": told}), self.failing[request.method], media_type="application/json")
        headers = {"authorization": f"Bearer {self._key(request)}"}
        if "content-type" in request.headers:
            headers["content-type"] = request.headers["content-type"]
        url = f"{self._simulator.url}{request.url.path}"
        async with httpx.AsyncClient(trust_env=False) as client:
            query = request.url.query.encode()
            passed = await client.request(request.method, url, params=query, content=body, headers=headers, timeout=30)
        return Response(self._poison(passed, told), passed.status_code, media_type=passed.headers.get("content-type"))

    def _key(self, request: Request) -> str:
        keys = {V3_KEY: self._simulator.api_key, V1_KEY: self._simulator.v1_key}
        return str(keys.get(request.headers.get("authorization", "").removeprefix("Bearer "), "cog_wrong"))

    def _listen(self, request: Request, body: bytes) -> None:
        for secret in (SESSION_SECRET, ORG_SECRET):
            if any(form in body for form in forms(secret)):
                self.told = sorted({*self.told, secret})

    def _poison(self, passed: httpx.Response, told: str) -> bytes:
        try:
            return json.dumps(poisoned(passed.json(), told)).encode()
        except ValueError:
            return passed.content


@contextmanager
def echo_service(simulator: Any) -> Iterator[tuple[str, Echo]]:
    """Run the service on a free loopback port; gives its address."""
    echo = Echo(simulator)
    app = Starlette(routes=[Route("/{path:path}", echo.answer, methods=METHODS)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", echo
    finally:
        server.should_exit = True
        thread.join(10)
