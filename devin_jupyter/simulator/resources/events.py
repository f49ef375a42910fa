"""The events of a session, which only an early description of v3 has; a switch of the simulator takes them away.

They are read off the session's timeline, with made-up commands and edits in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from devin_jupyter.models.insights import EventDetailsQuery, EventSearchQuery, EventsQuery
from devin_jupyter.simulator.ids import Dice, opaque
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.problems import Problem, json_response
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.sessions_v3 import SESSION, find
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
EVENTS = SESSION + "/events"
Event = dict[str, Any]
_SUMMARY = ("event_id", "event_type", "category", "direction", "created_at", "summary")
_DETAIL = ("event_id", "event_type", "category", "direction", "created_at", "contents")
_AROUND = 60
_WORK: tuple[tuple[str, str, str, Event], ...] = (
    ("shell_command", "shell", "Ran the tests", {"command": "pytest -q", "output": "41 passed in 3.02s"}),
    ("file_edit", "file", "Edited src/app.py", {"path": "src/app.py", "diff": "-    return None\n+    return result"}),
    ("code_search", "search", "Searched for callers", {"query": "load_settings(", "matches": 4}),
    ("todo_update", "todo", "Ticked off a step", {"done": 2, "open": 1}),
    ("browser_visit", "browser", "Read the documentation", {"url": "https://docs.example.com/guide"}),
)


def _offered(store: Store, devin_id: str) -> Session:
    if not store.config.events:
        raise Problem(404, "Not Found")
    return find(store, devin_id)


def events_of(session: Session, now: float) -> list[Event]:
    """Return every event up to now, oldest first."""
    found = sorted(_all(session, now), key=lambda event: float(event["at"]))
    return [
        {**event, "event_id": opaque("event", session.seed, "log", number), "created_at": int(event["at"])}
        for number, event in enumerate(found)
    ]


def _all(session: Session, now: float) -> Iterator[Event]:
    for word in session.timeline.said(now):
        direction = "incoming" if word.source == "user" else "outgoing"
        contents = {"message": word.text, "source": word.source}
        yield _event(word.at, f"{word.source}_message", "message", direction, word.text, contents)
    for pull in session.timeline.opened(now):
        yield _event(pull.at, "pull_request_opened", "git", "outgoing", f"Opened {pull.url}", {"pr_url": pull.url})
    for number, frame in enumerate(session.timeline.frames):
        if frame.at > now:
            return
        state = {"status": frame.status, "status_detail": frame.detail}
        words = f"{frame.status} {frame.detail or ''}".strip()
        yield _event(frame.at, "status_changed", "status", "outgoing", words, state)
        if frame.status == "running" and frame.detail == "working":
            kind, category, summary, work = Dice(session.seed, "event", number).pick(_WORK)
            yield _event(frame.at, kind, category, "outgoing", summary, dict(work))


def _event(at: float, kind: str, category: str, direction: str, summary: str, contents: Event) -> Event:
    named = {"event_type": kind, "category": category, "direction": direction}
    return {"at": at, **named, "summary": summary[:200], "contents": contents}


def _passes(event: Event, query: EventsQuery) -> bool:
    tests = (
        query.categories is None or event["category"] in query.categories,
        query.event_types is None or event["event_type"] in query.event_types,
        query.direction is None or event["direction"] == query.direction,
        query.created_after is None or event["created_at"] >= query.created_after,
        query.created_before is None or event["created_at"] <= query.created_before,
    )
    return all(tests)


def _chosen(store: Store, devin_id: str, query: EventsQuery) -> list[Event]:
    session = _offered(store, devin_id)
    if query.categories is not None and query.event_types is not None:
        raise Problem(400, "Give categories or event_types, not both")
    return [event for event in events_of(session, store.now()) if _passes(event, query)]


@router.get(EVENTS)
async def read_events(store: StoreDep, devin_id: str, query: Annotated[EventsQuery, Query()]) -> Response:
    """Answer a page of events, oldest first."""
    rows = _chosen(store, devin_id, query)
    return page_of("events", rows, query, _id, lambda event: {name: event[name] for name in _SUMMARY})


@router.get(EVENTS + "/search")
async def search_events(store: StoreDep, devin_id: str, query: Annotated[EventSearchQuery, Query()]) -> Response:
    """Answer a page of the events in which some words occur."""
    rows = [
        {**event, "match_context": around}
        for event in _chosen(store, devin_id, query)
        if (around := _context(event, query.query)) is not None
    ]
    return page_of("hits", rows, query, _id, lambda event: {name: event[name] for name in (*_SUMMARY, "match_context")})


@router.get(EVENTS + "/details")
async def read_event_details(store: StoreDep, devin_id: str, query: Annotated[EventDetailsQuery, Query()]) -> Response:
    """Answer events in full."""
    events = events_of(_offered(store, devin_id), store.now())
    if query.event_ids is not None:
        if {"offset", "limit"} & query.model_fields_set:
            raise Problem(400, "Give event_ids, or offset and limit, not both")
        events = [event for event in events if event["event_id"] in query.event_ids]
    else:
        start = max(0, query.offset or 0)
        events = events[start : start + query.limit]
    return json_response({"items": [_detail(event, query.max_content_length) for event in events]})


def _id(event: Event) -> str:
    return str(event["event_id"])


def _context(event: Event, words: str) -> str | None:
    for text in (event["summary"], *(value for value in event["contents"].values() if isinstance(value, str))):
        place = text.casefold().find(words.casefold())
        if place >= 0:
            return str(text[max(0, place - _AROUND) : place + len(words) + _AROUND])
    return None


def _detail(event: Event, longest: int) -> Event:
    contents: Event = dict(event["contents"])
    cut = [name for name, value in contents.items() if isinstance(value, str) and len(value) > longest]
    contents |= {name: contents[name][:longest] for name in cut}
    return {**{name: event[name] for name in _DETAIL}, "contents": contents, "truncated_fields": cut or None}
