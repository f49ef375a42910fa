"""The routes of v3 that are about sessions: self, sessions, messages, tags, insights, and events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request
from starlette.responses import Response

from devin_jupyter.simulator import wire
from devin_jupyter.simulator.engine import SERVICE_USER, USER, Simulation
from devin_jupyter.simulator.outputs import schema_problem
from devin_jupyter.simulator.preload import AUTOMATION_OF
from devin_jupyter.simulator.sessions import Message, Session
from devin_jupyter.simulator.values import Dice, opaque
from devin_jupyter.simulator.wire import Problem, invalid, json_bytes, json_response, not_found, page_of

router = APIRouter()
ORG = "/v3/organizations/{org_id}"
SESSIONS = ORG + "/sessions"
SESSION = SESSIONS + "/{devin_id}"
PLATFORMS = ("linux", "windows", "build-farm")
"""The platform labels of the simulated organization, and its outpost pool; `inherit` means none."""
UNCONNECTED = "unconnected/"
"""Repositories of this owner are not connected to the simulated organization."""


async def _simulation(request: Request) -> Simulation:  # without `async` FastAPI would call it in a thread
    simulation: Simulation = request.app.state.simulation
    if "/enterprise/" in request.url.path:
        return simulation.across()
    org_id = request.path_params.get("org_id", simulation.config.org)
    return simulation if org_id == simulation.config.org else simulation.across(org_id)


Sim = Annotated[Simulation, Depends(_simulation)]
"""A route parameter of this type is given the simulation."""


def find(sim: Simulation, devin_id: str) -> Session:
    """Return the session for the id of a path; raises the 404, and the 403 of one that was migrated."""
    session = sim.sessions.get(devin_id.removeprefix("devin-"))
    if session is None or (sim.config.strict_ids and not devin_id.startswith("devin-")):
        raise not_found("Session")
    if session.migrated:
        raise Problem(403, "The session has been migrated and can no longer be acted on here", "migrated_session")
    return session


def check_schema(schema: dict[str, Any] | None) -> None:
    """Raise the 422 for a structured output schema that the service refuses."""
    problem = None if schema is None else schema_problem(schema)
    if problem:
        raise invalid(("body", "structured_output_schema"), problem)


def is_person(sim: Simulation, request: Request) -> bool:
    """Return whether a request comes with the personal access token, and so from a user."""
    return request.headers.get("authorization", "").partition(" ")[2].strip() == sim.config.pat


def check_platform(platform: str | None) -> None:
    """Raise the 400 for a platform that the organization has not; case does not matter."""
    if platform is not None and platform.lower() not in (*PLATFORMS, "inherit"):
        raise Problem(400, f"Unknown platform {platform!r}. Available platforms: {', '.join(PLATFORMS)}")


@router.get("/v3/self")
async def read_self(sim: Sim, request: Request) -> Response:
    org_id = None if sim.config.is_enterprise else sim.config.org
    if is_person(sim, request):
        user = {
            "user_id": USER,
            "user_name": "simulator user",
            "api_key_id": "key-simulator",
            "api_key_name": "notebook",
        }
        return json_response({"principal_type": "pat_user", **user, "org_id": sim.config.org})
    user = {"service_user_id": SERVICE_USER, "service_user_name": "simulator"}
    return json_response({"principal_type": "service_user", **user, "org_id": org_id})


# --- insights: what was found out about a session, once they were asked for ---
# (their routes come first: `/sessions/insights` must not be taken for an id)

ANALYSIS_SECONDS = 60.0
"""How long an analysis takes at speed 1."""
_SIZES = {"xs": 1.0, "s": 3.0, "m": 10.0, "l": 20.0}
_ISSUES = (
    ("setup", "The test suite could not be started at once", "Several minutes went into missing dependencies"),
    ("scope", "The request left open which modules count", "Devin looked at more files than needed"),
    ("access", "A private package index could not be reached", "One check was left out"),
)
_ADVICE = {
    "setup": ("Install the test dependencies when the machine is prepared", "machine_setup"),
    "scope": ("Name the modules in the prompt", "prompt_improvement"),
    "access": ("Give the repository access to the package index", "repo_config"),
}
_LANGUAGES = ("Python", "TypeScript", "Go", "Java", "SQL")
_TOOLS = ("pytest", "FastAPI", "React", "GitHub Actions", "Docker", "pandas")


def size_of(acus: float) -> str:
    """Return the size of a session that consumed so much."""
    return next((size for size, limit in _SIZES.items() if acus <= limit), "xl")


def _analysis(session: Session, now: float) -> dict[str, Any]:
    dice = Dice(session.seed, "analysis")
    issues = [
        {"id": f"issue-{number}", "label": label, "issue": issue, "impact": impact}
        for number, (label, issue, impact) in enumerate(dice.sample(_ISSUES, dice.below(3)), 1)
    ]
    advice = [(*_ADVICE[issue["label"]], issue["id"]) for issue in issues]
    steps = [("Asked", session.timeline.messages[0].text, "blue")]
    steps += [("Opened a pull request", pull.url, "green") for pull in session.timeline.pulls_at(now)]
    answers = [message for message in session.timeline.messages_at(now) if message.source == "devin"]
    steps += [("Answered", message.text, "gray") for message in answers[-1:]]
    prompt = str(session.request["prompt"])
    where = ", ".join(session.repos) or "the repository"
    used: list[str] = (session.request.get("knowledge_ids") or [])[:3]
    return {
        "action_items": [{"action_item": text, "type": kind, "issue_id": issue} for text, kind, issue in advice],
        "issues": issues,
        "timeline": [
            {"title": title, "description": text[:200], "color": color, "issue_id": None}
            for title, text, color in steps
        ],
        "classification": {
            "category": session.category or "other",
            "confidence": round(dice.between(0.6, 0.99), 2),
            "programming_languages": dice.sample(_LANGUAGES, 1 + dice.below(2)),
            "tools_and_frameworks": dice.sample(_TOOLS, 1 + dice.below(3)),
        },
        "suggested_prompt": {
            "original_prompt": prompt,
            "suggested_prompt": f"{prompt}\n\nWork in {where}; say which files you changed and how you tested.",
            "feedback_items": [
                {"summary": issue["label"], "details": issue["impact"], "excerpt": prompt[:80], "issue_id": issue["id"]}
                for issue in issues
            ],
        },
        "note_usage": {
            "good_usages": [
                {"note_id": note, "reason": "It was about this repository", "message": "Devin followed it"}
                for note in used
            ],
            "bad_usages": [],
        },
    }


def _analysis_asked(sim: Simulation, session: Session) -> float | None:
    """When the analysis was asked for; many of the preloaded sessions have one already."""
    kept = sim.store.table("insights").get(session.id)
    if kept is not None:
        return float(kept["asked"])
    return session.created_at if session.order < 0 and Dice(session.seed, "analysed").chance(0.6) else None


def _insights(sim: Simulation, session: Session, now: float) -> dict[str, Any]:
    asked = _analysis_asked(sim, session)
    sources = [message.source for message in session.timeline.messages_at(now)]
    is_ready = asked is not None and now >= asked + ANALYSIS_SECONDS / sim.config.speed
    return {
        **session.view(now),
        "num_devin_messages": sources.count("devin"),
        "num_user_messages": sources.count("user"),
        "session_size": size_of(session.timeline.frame_at(now).acus),
        "analysis": _analysis(session, now) if is_ready else None,
    }


@router.get(SESSIONS + "/insights")
async def read_all_insights(sim: Sim, query: Annotated[wire.SessionsQuery, Query()]) -> Response:
    return list_sessions(sim, query, lambda session, now: json_bytes(_insights(sim, session, now)))


@router.get(SESSION + "/insights")
async def read_insights(sim: Sim, devin_id: str) -> Response:
    return json_response(_insights(sim, find(sim, devin_id), sim.now()))


@router.post(SESSION + "/insights/generate")
async def generate_insights(sim: Sim, devin_id: str) -> Response:
    session, now = find(sim, devin_id), sim.now()
    if not any(message.source == "devin" for message in session.timeline.messages_at(now)):
        raise Problem(409, "The session has no message by Devin yet and is not eligible for insights")
    status = "already_exists" if _analysis_asked(sim, session) is not None else "started"
    if status == "started":
        sim.store.table("insights")[session.id] = {"asked": now}
    return json_response({"session_id": session.id, "status": status})


# --- the list: every filter, newest first, in pages whose cursors survive new arrivals ---

Test = Callable[[Session], bool]


def list_sessions(
    sim: Simulation, query: wire.SessionsQuery, row: Callable[[Session, float], bytes] = Session.read
) -> Response:
    """Answer with a page of sessions, each as `row(session, now)` shows it."""
    now, before = sim.now(), None
    if sim.is_across:
        rows = list(matching_sessions(sim, query, now))
        shown: Callable[[Session], Any] = lambda session: session.view(session.visible_time(now))  # noqa: E731
        return page_of("sessions", rows, query, lambda session: session.id, shown)
    if query.after:
        try:
            before = int(wire.decode_cursor("sessions", query.after))
        except ValueError:
            raise invalid(("query", "after"), "Invalid cursor", "cursor_invalid") from None
    found = matching_sessions(sim, query, now, before)
    page = list(islice(found, query.first))
    more = next(found, None) is not None
    cursor = wire.encode_cursor("sessions", page[-1].order) if page and more else None
    total = None if _tests(query, now) else len(sim.ordered)
    return wire.page_response([row(session, now) for session in page], cursor, total)


def matching_sessions(
    sim: Simulation, query: wire.SessionsQuery, now: float, before: int | None = None
) -> Iterator[Session]:
    """Yield the sessions that pass the filters, newest first, created before the one of order `before`."""
    tests = _tests(query, now)
    for session in _candidates(sim, query, before):
        if session.hidden_until <= now and all(test(session) for test in tests):
            yield session


def _candidates(sim: Simulation, query: wire.SessionsQuery, before: int | None) -> Iterator[Session]:
    if query.session_ids is not None:
        wanted = {identifier.removeprefix("devin-") for identifier in query.session_ids}
        named = (sim.sessions[identifier] for identifier in wanted if identifier in sim.sessions)
        rows = sorted(named, key=lambda session: -session.order)
        yield from (session for session in rows if before is None or session.order < before)
        return
    ordered = sim.ordered  # by time of creation, so a long history need not be walked for a short window
    start, stop = 0, len(ordered)
    if before is not None:
        stop = max(0, min(stop, before - ordered[0].order)) if ordered else 0
    if query.created_before is not None:
        stop = bisect_right(ordered, query.created_before + 1.0, hi=stop, key=lambda session: session.created_at)
    if query.created_after is not None:
        start = bisect_left(ordered, float(query.created_after), hi=stop, key=lambda session: session.created_at)
    for index in range(stop - 1, start - 1, -1):
        if not ordered[index].request.get("unlisted"):  # v1 has them; they can still be read by id
            yield ordered[index]


def _automation_of(session: Session) -> str | None:
    return session.extra.get("automation_id") or AUTOMATION_OF.get(session.schedule_id or "")


def _tests(query: wire.SessionsQuery, now: float) -> list[Test]:
    def equal(wanted: object, of: Callable[[Session], object]) -> Test | None:
        return None if wanted is None else lambda session: of(session) == wanted

    def among(wanted: Sequence[str] | None, of: Callable[[Session], str | None]) -> Test | None:
        return None if wanted is None else lambda session: of(session) in wanted

    def overlap(wanted: Sequence[str] | None, of: Callable[[Session], Sequence[str]]) -> Test | None:
        # any of the values is enough: the wider of the two readings of the documentation
        return None if wanted is None else lambda session: any(value in wanted for value in of(session))

    def since(bound: int | None, of: Callable[[Session], float]) -> Test | None:
        return None if bound is None else lambda session: int(of(session)) >= bound

    def until(bound: int | None, of: Callable[[Session], float]) -> Test | None:
        return None if bound is None else lambda session: int(of(session)) <= bound

    parent = query.parent_session_id
    tests = (
        among(query.origins, lambda session: session.origin),
        among(query.user_ids, lambda session: session.user_id),
        among(query.service_user_ids, lambda session: session.service_user_id),
        among(query.automation_ids, _automation_of),
        equal(query.playbook_id, lambda session: session.playbook_id),
        equal(query.schedule_id, lambda session: session.schedule_id),
        equal(query.category, lambda session: session.category if session.categorized_at <= now else None),
        equal(query.is_archived, lambda session: session.archived),
        equal(parent and parent.removeprefix("devin-"), lambda session: session.parent_session_id),
        overlap(query.tags, lambda session: session.tags),
        overlap(query.repo_names, lambda session: session.repos),
        since(query.created_after, lambda session: session.created_at),
        until(query.created_before, lambda session: session.created_at),
        since(query.updated_after, lambda session: session.updated_at(now)),
        until(query.updated_before, lambda session: session.updated_at(now)),
    )
    return [test for test in tests if test is not None]


# --- sessions, messages, tags ---


@router.post(SESSIONS)
async def create_session(sim: Sim, request: Request, body: Annotated[wire.SessionCreate, Body()]) -> Response:
    check_schema(body.structured_output_schema)
    check_platform(body.platform)
    for repo in body.repos or ():
        if repo.startswith(UNCONNECTED):
            raise Problem(400, f"Repository {repo!r} is not connected to this organization")
    check_tags(sim, body.tags)
    principal = (USER, None) if is_person(sim, request) else (None, SERVICE_USER)
    session = sim.create(
        body.model_dump(exclude={"session_secrets": {"__all__": {"value"}}}),
        user_id=principal[0],
        service_user_id=principal[1],
    )
    return json_response(session.answer(session.created_at))


@router.get(SESSIONS)
async def read_sessions(sim: Sim, query: Annotated[wire.SessionsQuery, Query()]) -> Response:
    return list_sessions(sim, query)


@router.get(SESSION)
async def read_session(sim: Sim, devin_id: str) -> Response:
    return Response(find(sim, devin_id).read(sim.now()), media_type="application/json")


@router.delete(SESSION)
async def terminate_session(sim: Sim, devin_id: str, archive: bool = False) -> Response:
    session = find(sim, devin_id)
    sim.terminate(session, archive=archive)
    return json_response(session.answer(sim.now()))


@router.post(SESSION + "/archive")
async def archive_session(sim: Sim, devin_id: str) -> Response:
    session = find(sim, devin_id)
    sim.archive(session)
    return json_response(session.answer(sim.now()))


@router.post(SESSION + "/unarchive")
async def unarchive_session(sim: Sim, devin_id: str) -> Response:
    session = find(sim, devin_id)
    sim.unarchive(session)
    return json_response(session.answer(sim.now()))


@router.get(SESSION + "/messages")
async def read_messages(sim: Sim, devin_id: str, query: Annotated[wire.PageQuery, Query()]) -> Response:
    session = find(sim, devin_id)
    messages = session.timeline.messages_at(session.visible_time(sim.now()))

    def view(message: Message) -> dict[str, Any]:
        said = {"event_id": message.event_id, "source": message.source, "message": message.text}
        return {**said, "created_at": int(message.at)}

    return page_of("messages", messages, query, lambda message: message.event_id, view)


@router.post(SESSION + "/messages")
async def send_message(sim: Sim, devin_id: str, body: Annotated[wire.MessageCreate, Body()]) -> Response:
    session = find(sim, devin_id)
    sim.send(session, body.message, user_id=body.message_as_user_id, files=body.attachment_urls)
    return json_response(session.answer(sim.now()))


@router.get(SESSION + "/tags")
async def read_tags(sim: Sim, devin_id: str) -> Response:
    return json_response({"tags": find(sim, devin_id).tags})


@router.post(SESSION + "/tags")
async def append_tags(sim: Sim, devin_id: str, body: Annotated[wire.TagsUpdate, Body()]) -> Response:
    session = find(sim, devin_id)
    return set_tags(sim, session, list(dict.fromkeys([*session.tags, *body.tags])))


@router.put(SESSION + "/tags")
async def replace_tags(sim: Sim, devin_id: str, body: Annotated[wire.TagsUpdate, Body()]) -> Response:
    return set_tags(sim, find(sim, devin_id), body.tags)


def check_tags(sim: Simulation, tags: Sequence[str] | None) -> None:
    """Raise the 400 for a tag that the enterprise does not allow."""
    if sim.config.allowed_tags is None:
        return
    allowed = sim.allowed_tags(sim.config.org)
    foreign = [tag for tag in tags or () if tag not in allowed]
    if foreign:
        raise Problem(400, f"Tag {foreign[0]!r} is not allowed. Allowed tags: {', '.join(allowed)}")


def set_tags(sim: Simulation, session: Session, tags: list[str]) -> Response:
    """Replace the tags of a session, and answer with them; raises the 422 for too many."""
    check_tags(sim, tags)
    if len(tags) > wire.TAGS_MAX:
        raise invalid(("body", "tags"), f"A session has at most {wire.TAGS_MAX} tags", "too_long")
    sim.tag(session, tags)
    return json_response({"tags": session.tags})


# --- events, which only an early description of v3 has; a switch of the simulator takes them away ---

EVENTS = SESSION + "/events"
Event = dict[str, Any]
_SUMMARY = ("event_id", "event_type", "category", "direction", "created_at", "summary")
_AROUND = 60
_WORK: tuple[tuple[str, str, str, Event], ...] = (
    ("shell_command", "shell", "Ran the tests", {"command": "pytest -q", "output": "41 passed in 3.02s"}),
    ("file_edit", "file", "Edited src/app.py", {"path": "src/app.py", "diff": "-    return None\n+    return result"}),
    ("code_search", "search", "Searched for callers", {"query": "load_settings(", "matches": 4}),
    ("todo_update", "todo", "Ticked off a step", {"done": 2, "open": 1}),
    ("browser_visit", "browser", "Read the documentation", {"url": "https://docs.example.com/guide"}),
)


def _events(sim: Simulation, devin_id: str) -> list[Event]:
    """Return all events up to now, oldest first: the session's timeline, and invented commands and edits in between."""
    if not sim.config.events:
        raise Problem(404, "Not Found")
    session, now = find(sim, devin_id), sim.now()
    found: list[tuple[float, str, str, str, str, Event]] = []
    for message in session.timeline.messages_at(now):
        direction = "incoming" if message.source == "user" else "outgoing"
        contents = {"message": message.text, "source": message.source}
        found.append((message.at, f"{message.source}_message", "message", direction, message.text, contents))
    found += [
        (pull.at, "pull_request_opened", "git", "outgoing", f"Opened {pull.url}", {"pr_url": pull.url})
        for pull in session.timeline.pulls_at(now)
    ]
    for number, frame in enumerate(session.timeline.frames):
        if frame.at > now:
            break
        state = {"status": frame.status, "status_detail": frame.detail}
        text = f"{frame.status} {frame.detail or ''}".strip()
        found.append((frame.at, "status_changed", "status", "outgoing", text, state))
        if frame.status == "running" and frame.detail == "working":
            kind, category, summary, work = Dice(session.seed, "event", number).pick(_WORK)
            found.append((frame.at, kind, category, "outgoing", summary, dict(work)))
    found.sort(key=lambda event: event[0])
    return [
        {
            "event_id": opaque("event", session.seed, "log", number),
            "event_type": kind,
            "category": category,
            "direction": direction,
            "created_at": int(at),
            "summary": summary[:200],
            "contents": contents,
        }
        for number, (at, kind, category, direction, summary, contents) in enumerate(found)
    ]


def _chosen(sim: Simulation, devin_id: str, query: wire.EventsQuery) -> list[Event]:
    events = _events(sim, devin_id)
    if query.categories is not None and query.event_types is not None:
        raise Problem(400, "Give categories or event_types, not both")
    return [
        event
        for event in events
        if (query.categories is None or event["category"] in query.categories)
        and (query.event_types is None or event["event_type"] in query.event_types)
        and (query.direction is None or event["direction"] == query.direction)
        and (query.created_after is None or event["created_at"] >= query.created_after)
        and (query.created_before is None or event["created_at"] <= query.created_before)
    ]


def _only(*names: str) -> Callable[[Event], Event]:
    return lambda event: {name: event[name] for name in names}


@router.get(EVENTS)
async def read_events(sim: Sim, devin_id: str, query: Annotated[wire.EventsQuery, Query()]) -> Response:
    return page_of("events", _chosen(sim, devin_id, query), query, lambda event: event["event_id"], _only(*_SUMMARY))


@router.get(EVENTS + "/search")
async def search_events(sim: Sim, devin_id: str, query: Annotated[wire.EventSearchQuery, Query()]) -> Response:
    words = query.query.casefold()

    def context(event: Event) -> str | None:
        for text in (event["summary"], *(value for value in event["contents"].values() if isinstance(value, str))):
            start = text.casefold().find(words)
            if start >= 0:
                return str(text[max(0, start - _AROUND) : start + len(query.query) + _AROUND])
        return None

    found = [(event, context(event)) for event in _chosen(sim, devin_id, query)]
    hits = [{**event, "match_context": around} for event, around in found if around is not None]
    return page_of("hits", hits, query, lambda event: event["event_id"], _only(*_SUMMARY, "match_context"))


@router.get(EVENTS + "/details")
async def read_event_details(sim: Sim, devin_id: str, query: Annotated[wire.EventDetailsQuery, Query()]) -> Response:
    events, longest = _events(sim, devin_id), query.max_content_length
    if query.event_ids is None:
        start = max(0, query.offset or 0)
        events = events[start : start + query.limit]
    elif {"offset", "limit"} & query.model_fields_set:
        raise Problem(400, "Give event_ids, or offset and limit, not both")
    else:
        events = [event for event in events if event["event_id"] in query.event_ids]
    items = []
    for event in events:
        contents: Event = dict(event["contents"])
        cut = [name for name, value in contents.items() if isinstance(value, str) and len(value) > longest]
        contents |= {name: contents[name][:longest] for name in cut}
        details = {name: event[name] for name in _SUMMARY if name != "summary"}
        items.append({**details, "contents": contents, "truncated_fields": cut or None})
    return json_response({"items": items})
