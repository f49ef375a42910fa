"""The live channel of the simulator: JSON-RPC over the WebSocket `/acp/live`, for its personal access token.

Each update that `steps` plans is sent at its time to every connection that has loaded the session. Faults set up by
`POST /_sim/faults` are carried out here.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from operator import attrgetter
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.engine import Fault, LiveFaultKind, Simulation
from devin_jupyter.simulator.sessions import WEB_APP, Session
from devin_jupyter.simulator.steps import (
    Json,
    Update,
    abort,
    info,
    replayed,
    request_id,
    status_update,
    updates_of,
)

PATH = "/acp/live"
_INVALID, _NO_METHOD, _BAD_PARAMS, _NOT_FOUND = -32600, -32601, -32602, -32002
_LONGEST_PAUSE = 0.5
_ACTIVE_PAGE = 50


class _Refusal(Exception):
    """An error answer to a request."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Attachment:
    """A session that a connection has loaded, and the time up to which its updates were sent."""

    def __init__(self, session: Session, turn_seconds: float, until: float) -> None:
        self.session, self.until = session, until
        self._turn_seconds = turn_seconds
        self._streaming: set[str] = set()
        self.refresh()
        self.past = self._track([update for update in self.updates if update.at <= until])
        """The updates before it was loaded."""

    def refresh(self) -> list[Update]:
        """Plan again after an act; return the updates that abort messages which now stay unfinished."""
        self.updates = updates_of(self.session, self._turn_seconds)
        kept = {update.message for update in self.updates}
        lost, self._streaming = self._streaming - kept, self._streaming & kept
        return [abort(self.until, message) for message in sorted(lost)]

    def due(self, now: float) -> list[Update]:
        """Return the updates whose time has come since the last call."""
        first = bisect_right(self.updates, self.until, key=attrgetter("at"))
        found = self.updates[first : bisect_right(self.updates, now, key=attrgetter("at"))]
        self.until = max(self.until, now)
        return self._track(found)

    def _track(self, updates: list[Update]) -> list[Update]:
        """Note which messages have begun and not ended, and return the updates."""
        for update in updates:
            if update.message is not None:
                (self._streaming.discard if update.is_last else self._streaming.add)(update.message)
        return updates

    def next(self) -> float:
        """Return when the next update comes."""
        place = bisect_right(self.updates, self.until, key=attrgetter("at"))
        return self.updates[place].at if place < len(self.updates) else math.inf

    def status(self, at: float) -> str | None:
        """Return the last status that was sent up to a time."""
        sent = (update for update in reversed(self.updates) if update.is_status and update.at <= at)
        last = next(sent, None)
        return None if last is None else str(last.meta["cognition.ai/statusEnum"])


class LiveConnection:
    """One WebSocket."""

    def __init__(self, sim: Simulation, scope: Scope, receive: Receive, send: Send) -> None:
        self._sim, self._scope, self._receive, self._send = sim, scope, receive, send
        self._attached: dict[str, Attachment] = {}
        self._wake = asyncio.Event()
        self._changed = False
        self._is_introduced = False
        self._n_sent = 0
        self._is_silent = False
        self._methods: Mapping[str, Callable[[Json], Json]] = {
            "initialize": self._initialize,
            "session/list": self._list,
            "session/new": self._new,
            "_cognition.ai/permission/respond": self._respond,
        }

    async def serve(self) -> None:
        """Accept or refuse the connection, and serve it to its end."""
        sim = self._sim
        sim.requests[f"GET {PATH}"] += 1
        refused = _refused(self._scope, sim)
        await self._receive()  # websocket.connect
        if refused is not None:
            headers = [(b"content-type", b"text/plain")]
            await self._send({"type": "websocket.http.response.start", "status": refused, "headers": headers})
            await self._send({"type": "websocket.http.response.body", "body": b"refused"})
            return
        await self._send({"type": "websocket.accept", "headers": [(b"x-devin-simulator", b"1")]})
        sim.listeners[self._on_change] = None
        sender = asyncio.create_task(self._send_updates())
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                if message.get("text") is not None:
                    await self._read(message["text"])
                if self._is_silent:
                    await sender
        except OSError:  # uvicorn raises one where the other side is gone
            pass
        finally:
            del sim.listeners[self._on_change]
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _on_change(self) -> None:
        self._changed = True
        self._wake.set()

    # --- requests -----------------------------------------------------------------------------------------------

    async def _read(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            await self._write({"id": None, "error": {"code": -32700, "message": "Parse error"}})
            return
        if isinstance(message, dict) and "method" not in message and ("result" in message or "error" in message):
            return  # an answer to what was asked by a fault
        method = message.get("method") if isinstance(message, dict) else None
        number = message.get("id") if isinstance(message, dict) else None
        if not isinstance(method, str) or isinstance(number, (dict, list)):
            number = number if isinstance(number, (str, int)) else None
            await self._write({"id": number, "error": {"code": _INVALID, "message": "Invalid request"}})
            return
        self._sim.requests[f"ACP {method}"] += 1
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if number is None:
            if method == "session/cancel" and self._is_introduced:
                session = self._session(params)
                if session is not None:
                    self._sim.cancel(session)
            return
        try:
            result = await self._answer(method, params)
        except _Refusal as refusal:
            await self._write({"id": number, "error": {"code": refusal.code, "message": str(refusal)}})
            return
        if result is not None:
            await self._write({"id": number, "result": result})
        if method == "session/load" and result is not None:
            await self._after_load(self._attached[params["sessionId"].removeprefix("devin-")])

    async def _answer(self, method: str, params: Json) -> Json | None:
        """Return the result; None where a fault wants none."""
        if method != "initialize" and not self._is_introduced:
            raise _Refusal(_INVALID, "Send initialize first")
        if self._fault("live_no_method", method) is not None:
            raise _Refusal(_NO_METHOD, "Method not found")
        if method == "session/load":
            return await self._load(params)
        known = self._methods.get(method)
        if known is None:
            raise _Refusal(_NO_METHOD, "Method not found")
        return known(params)

    def _initialize(self, params: Json) -> Json:
        self._is_introduced = True
        prompts = {"image": True, "embeddedContext": True, "_meta": {"cognition.ai/maxEmbeddedResourceBytes": 1 << 20}}
        return {
            "protocolVersion": 2 if self._fault("live_version") is not None else 1,
            "agentInfo": {"name": "devin", "version": "1.0.0"},
            "authMethods": [],
            "agentCapabilities": {
                "loadSession": True,
                "promptCapabilities": prompts,
                "sessionCapabilities": {"list": {}},
                "_meta": {"cognition.ai/tailReplay": True},
            },
        }

    def _list(self, params: Json) -> Json:
        now, asked = self._sim.now(), params.get("_meta")
        limit = asked.get("cognition.ai/limit") if isinstance(asked, dict) else None
        limit = limit if isinstance(limit, int) and 0 < limit < _ACTIVE_PAGE else _ACTIVE_PAGE
        cursor = params.get("cursor") or "0"
        if not isinstance(cursor, str) or not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
            raise _Refusal(_BAD_PARAMS, "Unknown cursor")
        start = int(cursor)
        newest = self._sim.ordered[::-1][start : start + limit + 1]
        rows = []
        for session in newest[:limit]:
            about = {"cognition.ai/url": WEB_APP + session.id, "cognition.ai/orgId": session.org_id}
            stamp = Update(session.updated_at(now), 0, "", {"sessionUpdate": ""}, {}).params(session, None)
            updated = stamp["update"]["_meta"]["cognition.ai/timestamp"]
            row = {"sessionId": f"devin-{session.id}", "cwd": "/", "title": session.title, "updatedAt": updated}
            rows.append({**row, "_meta": about})
        return {"sessions": rows, "nextCursor": str(start + limit) if len(newest) > limit else None}

    def _new(self, params: Json) -> Json:
        """Answer with a draft, of which the REST API knows nothing."""
        return {"sessionId": f"devin-{self._sim.store.fresh_id('draft').rpartition('-')[2]}"}

    def _respond(self, params: Json) -> Json:
        session, asked, approved = self._session(params), params.get("permissionRequestId"), params.get("approved")
        if session is None:
            raise _Refusal(_NOT_FOUND, "Session not found")
        waiting = session.timeline.work[-1] if session.timeline.work else None
        is_asked = waiting is not None and asked == request_id(session, waiting)
        if not isinstance(approved, bool) or not is_asked:
            raise _Refusal(_BAD_PARAMS, "Nothing waits for this permission")
        if not self._sim.answer_approval(session, approved=approved):
            raise _Refusal(_BAD_PARAMS, "Nothing waits for this permission")
        return {"eventId": f"event-{asked}"}

    def _session(self, params: Json) -> Session | None:
        named = params.get("sessionId")
        return self._sim.sessions.get(named.removeprefix("devin-")) if isinstance(named, str) else None

    async def _load(self, params: Json) -> Json | None:
        session, servers = self._session(params), params.get("mcpServers")
        if not isinstance(servers, list) or not all(isinstance(params.get(name), str) for name in ("sessionId", "cwd")):
            raise _Refusal(_BAD_PARAMS, "sessionId, cwd and mcpServers are required")
        fault = self._fault("live_error")
        if session is None or fault is not None:
            raise _Refusal((fault.code if fault else None) or _NOT_FOUND, "Session not found")
        now = self._sim.now()
        attachment = Attachment(session, self._sim.config.turn_seconds, now)
        flood = self._fault("live_flood")
        for number in range(flood.count if flood else 0):
            text = f"Earlier step {number}. {'It took a while. ' * 12}"
            message = f"flood-{number}"
            body = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
            update = Update(session.created_at, 0, message, {**body, "messageId": message}, {})
            await self._notify(attachment, update, is_replay=True)
        for update in replayed(attachment.past):
            await self._notify(attachment, update, is_replay=True)
        if self._fault("live_early") is not None:
            early = status_update(now, f"early-{now}", "working")
            await self._notify(attachment, early)
        if self._fault("live_no_answer") is not None:
            return None
        self._attached[session.id] = attachment
        about = {"cognition.ai/statusEnum": attachment.status(now), "cognition.ai/url": WEB_APP + session.id}
        return {"configOptions": [], "_meta": {name: value for name, value in about.items() if value}}

    async def _after_load(self, attachment: Attachment) -> None:
        session = attachment.session
        if (fault := self._fault("live_repeat")) is not None:
            for update in [update for update in attachment.updates if update.at <= attachment.until][-fault.count :]:
                await self._notify(attachment, update)
        if self._fault("live_garbage") is not None:
            await self._send({"type": "websocket.send", "text": "{ this is no JSON"})
            await self._send({"type": "websocket.send", "text": "[1, 2]"})
            await self._send({"type": "websocket.send", "bytes": b"\x00\x01"})
        if self._fault("live_big") is not None:
            content = {"type": "text", "text": "x" * 5_000_000}
            body = {"sessionUpdate": "agent_message_chunk", "content": content, "messageId": "big"}
            await self._notify(attachment, Update(attachment.until, 0, "big", body, {}))
        if self._fault("live_unknown") is not None:
            odd = Update(attachment.until, 0, "odd-1", {"sessionUpdate": "hologram", "depth": 3}, {})
            await self._notify(attachment, odd)
            await self._notify(attachment, status_update(attachment.until, "odd-2", "levitating"))
            await self._notify(attachment, info(attachment.until, 0, "odd-3", {"cognition.ai/eventType": "daydream"}))
        if self._fault("live_permission") is not None:
            call = {"toolCallId": "odd-call", "title": "Delete everything"}
            options = [{"optionId": "allow_once", "name": "Allow", "kind": "allow_once"}]
            asked = {"sessionId": f"devin-{session.id}", "toolCall": call, "options": options}
            await self._write({"id": "asked-1", "method": "session/request_permission", "params": asked})
        self._wake.set()

    # --- what happens -------------------------------------------------------------------------------------------

    async def _send_updates(self) -> None:
        """Send every update of the loaded sessions when its time has come."""
        while True:
            self._wake.clear()
            changed, self._changed = self._changed, False
            now = self._sim.now()
            for attachment in tuple(self._attached.values()):
                for update in [*(attachment.refresh() if changed else ()), *attachment.due(now)]:
                    await self._notify(attachment, update)
                    self._n_sent += 1
                    if await self._interrupt():
                        return
            pause = min((each.next() for each in self._attached.values()), default=math.inf) - self._sim.now()
            try:
                async with asyncio.timeout(min(_LONGEST_PAUSE, max(0.0, pause))):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _interrupt(self) -> bool:
        """Carry out the faults that end a connection; return whether one did."""
        for rule in self._sim.faults.rules:
            if rule.kind not in ("live_close", "live_half_open") or rule.times == 0 or self._n_sent < rule.count:
                continue
            self._fault(rule.kind)
            if rule.kind == "live_close":
                await self._send({"type": "websocket.close", "code": rule.code or 1012, "reason": "service restart"})
                return True
            self._is_silent = True
            transport = getattr(getattr(self._send, "__self__", None), "transport", None)
            if transport is not None:
                transport.pause_reading()  # no ping is read, and so none is answered
            await asyncio.Event().wait()
        return False

    async def _notify(self, attachment: Attachment, update: Update, *, is_replay: bool = False) -> None:
        says = next((rule for rule in self._sim.faults.rules if rule.kind == "live_says" and rule.times != 0), None)
        status = says.word if says is not None else attachment.status(update.at)
        params = update.params(attachment.session, status, is_replay=is_replay)
        if says is not None and update.is_status:
            params["update"]["_meta"]["cognition.ai/statusEnum"] = says.word
        await self._write({"method": "session/update", "params": params})

    async def _write(self, message: Json) -> None:
        await self._send({"type": "websocket.send", "text": json.dumps({"jsonrpc": "2.0", **message})})

    def _fault(self, kind: LiveFaultKind, method: str | None = None) -> Fault | None:
        return self._sim.faults.on_live(kind, method)


def _refused(scope: Scope, sim: Simulation) -> int | None:
    """Return the HTTP status that an upgrade is refused with, or None."""
    query = scope["query_string"].decode("latin-1")
    takes_query = bool(query) and sim.faults.on_live("live_query_token") is not None
    if scope["path"] != PATH or (query and not takes_query):
        return 404
    if (fault := sim.faults.on_live("live_refuse")) is not None:
        return fault.status
    scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
    if takes_query:
        scheme, given = "bearer", (parse_qs(query).get("token") or [""])[0]
    return _token_status(given.strip() if scheme.lower() == "bearer" else "", sim.config)


def _token_status(token: str, config: Config) -> int | None:
    if hmac.compare_digest(token.encode(), config.pat.encode()):
        return None
    return 403 if token and hmac.compare_digest(token.encode(), config.api_key.encode()) else 401
