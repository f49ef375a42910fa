"""The list of sessions: every filter of v3, newest first, in pages whose cursors survive new arrivals."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from starlette.responses import Response

from devin_jupyter.models.v3 import SessionsQuery
from devin_jupyter.simulator.pages import decode_cursor, encode_cursor, page_response
from devin_jupyter.simulator.problems import invalid
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.store import Store

Test = Callable[[Session], bool]


def list_sessions(
    store: Store, query: SessionsQuery, row: Callable[[Session, float], bytes] = Session.read
) -> Response:
    """Answer a page of sessions, each as `row(session, now)` shows it."""
    now = store.now()
    found = matching(store, query, now, before=_place(query))
    page = list(islice(found, query.first))
    more = next(found, None) is not None
    cursor = encode_cursor("sessions", page[-1].order) if page and more else None
    total = None if _tests(query, now) else len(store.engine.ordered)
    return page_response([row(session, now) for session in page], cursor, total)


def matching(store: Store, query: SessionsQuery, now: float, before: int | None = None) -> Iterator[Session]:
    """Yield the sessions that pass the filters, newest first, created before the place `before`."""
    tests = _tests(query, now)
    for session in _candidates(store, query, before):
        if session.hidden_until <= now and all(test(session) for test in tests):
            yield session


def _place(query: SessionsQuery) -> int | None:
    if not query.after:
        return None
    place = decode_cursor("sessions", query.after)
    try:
        return int(place)
    except ValueError:
        raise invalid(("query", "after"), "Invalid cursor", "cursor_invalid") from None


def _candidates(store: Store, query: SessionsQuery, before: int | None) -> Iterator[Session]:
    if query.session_ids is not None:
        wanted = {identifier.removeprefix("devin-") for identifier in query.session_ids}
        named = (store.sessions[identifier] for identifier in wanted if identifier in store.sessions)
        rows: Sequence[Session] = sorted(named, key=lambda session: -session.order)
        yield from (session for session in rows if before is None or session.order < before)
        return
    ordered = store.engine.ordered
    first = ordered[0].order if ordered else 0
    stop = len(ordered) if before is None else max(0, min(len(ordered), before - first))
    if query.created_before is not None:
        stop = bisect_right(ordered, query.created_before + 1.0, hi=stop, key=_created)
    start = (
        0 if query.created_after is None else bisect_left(ordered, float(query.created_after), hi=stop, key=_created)
    )
    for index in range(stop - 1, start - 1, -1):
        if not ordered[index].request.get("unlisted"):  # v1 has such; who knows the id finds it all the same
            yield ordered[index]


def _created(session: Session) -> float:
    """They stand in the order they were created in, so a long history need not be walked for a short window."""
    return session.created_at


def _tests(query: SessionsQuery, now: float) -> list[Test]:
    tests: list[Test | None] = [
        _among(query.origins, lambda session: session.origin),
        _among(query.user_ids, lambda session: session.user_id),
        _among(query.service_user_ids, lambda session: session.service_user_id),
        _among(query.automation_ids, lambda session: session.extra.get("automation_id")),
        _equal(query.playbook_id, lambda session: session.playbook_id),
        _equal(query.schedule_id, lambda session: session.schedule_id),
        _equal(query.category, lambda session: session.category if session.categorised_at <= now else None),
        _equal(query.is_archived, lambda session: session.archived),
        _overlap(query.tags, lambda session: session.tags),
        _overlap(query.repo_names, lambda session: session.repos),
        _since(query.created_after, lambda session: session.created_at),
        _until(query.created_before, lambda session: session.created_at),
        _since(query.updated_after, lambda session: session.updated_at(now)),
        _until(query.updated_before, lambda session: session.updated_at(now)),
    ]
    if query.parent_session_id is not None:
        parent = query.parent_session_id.removeprefix("devin-")
        tests.append(_equal(parent, lambda session: session.parent_session_id))
    return [test for test in tests if test is not None]


def _equal(wanted: object, of: Callable[[Session], object]) -> Test | None:
    return None if wanted is None else lambda session: of(session) == wanted


def _among(wanted: Sequence[str] | None, of: Callable[[Session], str | None]) -> Test | None:
    return None if wanted is None else lambda session: of(session) in wanted


def _overlap(wanted: Sequence[str] | None, of: Callable[[Session], Sequence[str]]) -> Test | None:
    """Any of the values is enough: the wider of the two readings of the documentation."""
    return None if wanted is None else lambda session: any(value in wanted for value in of(session))


def _since(bound: int | None, of: Callable[[Session], float]) -> Test | None:
    return None if bound is None else lambda session: int(of(session)) >= bound


def _until(bound: int | None, of: Callable[[Session], float]) -> Test | None:
    return None if bound is None else lambda session: int(of(session)) <= bound
