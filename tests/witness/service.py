"""A service that answers from frozen JSON, written by hand so that no change of the simulator reaches the witnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

BASE_URL = "https://api.devin.example"
ORG = "org-witness"
KEY = "cog_witness_key_of_nobody_1234"
_BOUNDS = {"created_after": 1, "created_before": -1, "updated_after": 1, "updated_before": -1}


class Service:
    """The sessions and messages of `service.json`, over v3; `posts` lists what was paid for."""

    def __init__(self, file: Path) -> None:
        frozen = json.loads(file.read_text("utf-8"))
        self.sessions: dict[str, Any] = {one["session_id"]: one for one in frozen["sessions"]}
        self.messages: dict[str, list[Any]] = frozen["messages"]
        self.posts: list[str] = []
        self.is_away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if self.is_away:
            raise httpx.ConnectError("the service is away", request=request)
        method, path = request.method, request.url.path
        prefix = f"/v3/organizations/{ORG}/sessions"
        if path == "/v3/self":
            return httpx.Response(200, json={"principal_type": "service_user", "org_id": ORG} | self._me())
        if not path.startswith(prefix):
            return httpx.Response(404, json={"detail": f"{path} is not frozen"})
        parts = path.removeprefix(prefix).strip("/").split("/")
        if parts == [""]:
            return self._list(request) if method == "GET" else self._create(json.loads(request.content))
        found = self.sessions.get(parts[0].removeprefix("devin-")) or self.sessions.get(parts[0])
        if found is None:
            return httpx.Response(404, json={"detail": "Session not found"})
        if parts[1:] == ["messages"]:
            return self._converse(request, found)
        if method == "DELETE":
            found |= {"status": "exit", "status_detail": None}
        return httpx.Response(200, json=found)

    def _me(self) -> dict[str, Any]:
        one = next(iter(self.sessions.values()))
        return {"service_user_id": one.get("service_user_id"), "service_user_name": "witness"}

    def _list(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        rows = sorted(self.sessions.values(), key=lambda one: (-one["created_at"], one["session_id"]))
        if ids := asked.get_list("session_ids"):
            rows = [one for one in rows if {one["session_id"], f"devin-{one['session_id']}"} & set(ids)]
        if tags := asked.get_list("tags"):
            rows = [one for one in rows if set(tags) & set(one["tags"])]
        for name, sign in _BOUNDS.items():
            if name in asked:
                field = name.partition("_")[0] + "_at"
                rows = [one for one in rows if sign * (int(one[field]) - float(asked[name])) >= 0]
        if "is_archived" in asked:
            rows = [one for one in rows if one["is_archived"] is (asked["is_archived"] == "true")]
        return _page(rows, asked)

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        self.posts.append(body["prompt"])
        like = next(iter(self.sessions.values()))
        made = {name: None if value is None else type(value)() for name, value in like.items()}
        identifier = f"{len(self.posts):032x}"
        made |= {"session_id": identifier, "url": f"https://app.devin.ai/sessions/{identifier}", "org_id": ORG}
        made |= {"status": "running", "status_detail": "working", "tags": body.get("tags", []), "acus_consumed": 0.0}
        made |= {"created_at": like["created_at"] + 10**6, "updated_at": like["created_at"] + 10**6}
        self.sessions[identifier], self.messages[identifier] = made, []
        return httpx.Response(200, json=made)

    def _converse(self, request: httpx.Request, session: dict[str, Any]) -> httpx.Response:
        held = self.messages[session["session_id"]]
        if request.method == "GET":
            return _page(held, request.url.params)
        text = json.loads(request.content)["message"]
        self.posts.append(text)
        said = {"event_id": f"event-{len(held)}", "source": "user", "message": text, "created_at": 2_000_000_000}
        held.append(said)
        return httpx.Response(200, json=session)


def _page(rows: list[Any], asked: httpx.QueryParams) -> httpx.Response:
    at, first = int(asked.get("after") or 0), int(asked.get("first", 100))
    more = at + first < len(rows)
    page = {"items": rows[at : at + first], "has_next_page": more, "end_cursor": str(at + first) if more else None}
    return httpx.Response(200, json=page | {"total": len(rows)})
