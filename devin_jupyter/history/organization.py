"""What belongs to an organization or an enterprise, read concurrently and passed to the builders in `frames`.

Every function takes the core of a client and runs on its loop. Nothing here imports pandas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

from devin_jupyter import frames
from devin_jupyter.api.analytics import Metrics
from devin_jupyter.api.organization import Automations, Repositories, Reviews, pull_request_url
from devin_jupyter.api.query import When, org_ids_of, to_utc
from devin_jupyter.errors import ApiError, Forbidden, NotFound, OptionError, UnreadableAnswer
from devin_jupyter.loop import gather_limited
from devin_jupyter.models import wire
from devin_jupyter.models.fields import parse_time
from devin_jupyter.text import kind_of

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.session import Core


async def repositories(core: Core, *, indexing: bool = False, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    """Return the repositories that the organization can see, as a frame.

    Args:
        core: the client.
        indexing: also read whether they are indexed.
        limit: the most to return.
        filters: `filter_name`, `only_repo_paths`, `exclude_repo_paths`.
    """
    listed = Repositories(core.service).list(load_indexing_status=indexing, limit=limit, **filters)
    return frames.repositories([item async for item in listed])


async def members(core: Core, *, emails: bool = False) -> pd.DataFrame:
    """Return the members of the organization, direct ones and those through groups, as a frame.

    Args:
        core: the client.
        emails: with a column of e-mail addresses.
    """
    groups: list[wire.Member] = []
    direct = [member async for member in core.members.list(emails=emails)]
    with suppress(NotFound):  # an organization without an identity provider
        groups = [member async for member in core.members.idp_users(emails=emails)]
    found = [("member", one) for one in direct] + [("group member", one) for one in groups]
    return frames.members(found, emails=emails)


async def automations(core: Core, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    """Return the automations as a frame.

    Args:
        core: the client.
        limit: the most to return.
        filters: those of `automations.list`.
    """
    return frames.automations([item async for item in Automations(core.service).list(limit=limit, **filters)])


async def reviews(core: Core, pull_requests: Any = None, *, org_ids: Any = None) -> pd.DataFrame:
    """Return the reviews of pull requests as a frame, one row each.

    Args:
        core: the client.
        pull_requests: URLs, or a frame with a column `url` or `pr_url`; None for those requested from this machine.
        org_ids: "all" where they are of any organization of an enterprise.
    """
    urls = await core.reviewer.urls() if pull_requests is None else urls_of(pull_requests)

    async def read(url: str) -> tuple[str, Mapping[str, Any] | None, str | None]:
        try:
            if org_ids is not None:
                return url, await core.enterprise.review(url), None
            return url, await Reviews(core.service).get(url), None
        except NotFound:
            return url, None, None
        except Forbidden:
            raise
        except ApiError as problem:
            return url, None, problem.message

    return frames.reviews(await gather_limited(read, urls))


def urls_of(pull_requests: Any) -> list[str]:
    """Return the URLs of pull requests, each once.

    Raises:
        OptionError: one of them is no such URL, or a frame without a column for them.
    """
    columns = getattr(pull_requests, "columns", None)
    if columns is not None:
        name = next((name for name in ("pr_url", "url") if name in columns), None)
        if name is None:
            raise OptionError("the frame has no column 'url' or 'pr_url'", hint="give a frame of pull requests")
        pull_requests = [url for url in pull_requests[name] if isinstance(url, str)]
    elif isinstance(pull_requests, str):
        pull_requests = [pull_requests]
    if not isinstance(pull_requests, Iterable):
        raise OptionError(f"{kind_of(pull_requests)} is not a list of pull requests", hint="give their URLs")
    return list(dict.fromkeys(map(pull_request_url, pull_requests)))


# --- an enterprise ---------------------------------------------------------------------------------------------


async def organizations(core: Core) -> pd.DataFrame:
    """Return the organizations of an enterprise as a frame."""
    return frames.organizations([item async for item in core.enterprise.organizations()])


async def enterprise_consumption(core: Core, cycle: Any = None) -> pd.DataFrame:
    """Return the ACUs of each organization and day of a billing cycle as a frame.

    Args:
        core: the client.
        cycle: a day in it, how many cycles before the newest (0, 1, …), or a pair of times; None for the newest.
    """
    enterprise = core.enterprise
    listed = [item async for item in enterprise.organizations()]
    after, before = await _bounds(core, cycle)

    async def read(organization: wire.Organization) -> wire.Consumption:
        return await enterprise.organization_daily(organization["org_id"], since=after, until=before)

    if not all(isinstance(item.get("org_id"), str) for item in listed):
        raise UnreadableAnswer(
            "an item of the list of organizations has no id", "nothing was changed", "try again later"
        )
    limits: dict[str, Any] = {item["org_id"]: item.get("max_cycle_acu_limit") for item in listed}
    answers, set_limits = await asyncio.gather(gather_limited(read, listed), _limits(core))
    return frames.enterprise_consumption(zip(listed, answers, strict=True), (after, before), {**limits, **set_limits})


async def _limits(core: Core) -> dict[str, Any]:
    """Return the limits set for organizations; the organizations name theirs, too."""
    try:
        found = [item async for item in core.enterprise.acu_limits()]
    except (Forbidden, NotFound):
        return {}
    return {str(item["org_id"]): item.get("cycle_acu_limit") for item in found if item.get("org_id")}


async def _bounds(core: Core, cycle: Any) -> tuple[int, int]:
    now = datetime.now(UTC)
    if isinstance(cycle, (tuple, list)) and len(cycle) == 2:
        start, end = (to_utc(one, now, "cycle") for one in cycle)
        if start is None or end is None or end <= start:
            raise _no_cycle(cycle)
        return int(start.timestamp()), int(end.timestamp())
    cycles = sorted([_span_of(item, now) async for item in core.enterprise.cycles()], reverse=True)
    if not cycles:
        raise OptionError("the enterprise has no billing cycle yet", "nothing was read")
    if cycle is None:
        return cycles[0]
    if isinstance(cycle, int) and not isinstance(cycle, bool) and 0 <= cycle < len(cycles):
        return cycles[cycle]
    if isinstance(cycle, (str, date)):
        day = to_utc(cycle, now, "cycle")
        assert day is not None
        moment = day.timestamp() + (12 * 3600 if day.hour == 0 else 0)  # a cycle begins at 08:00 UTC of its first day
        found = next((one for one in cycles if one[0] <= moment < one[1]), None)
        if found is not None:
            return found
    raise _no_cycle(cycle)


def _span_of(cycle: wire.Cycle, now: datetime) -> tuple[int, int]:
    """Return the bounds of a cycle in Unix seconds; one that does not say its end lasts until now."""
    after, before = parse_time(cycle.get("after")), parse_time(cycle.get("before"))
    if after is None:
        raise UnreadableAnswer("a billing cycle does not say when it began", "nothing was changed", "try again later")
    return int(after.timestamp()), int((before or max(now, after)).timestamp())


def _no_cycle(cycle: Any) -> OptionError:
    hint = "give a day in it, 0 for the newest, 1 for the one before, or a pair of times"
    return OptionError(f"cycle={cycle!r:.80} is no billing cycle", "nothing was read", hint)


async def audit_logs(
    core: Core,
    since: When = None,
    until: When = None,
    action: str | Sequence[str] | None = None,
    *,
    org_id: str | None = None,
    emails: bool = False,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return the audit log as a frame, the newest first.

    Args:
        core: the client.
        since: a time, see `When`.
        until: a time, see `When`.
        action: only this one, or these.
        org_id: only of this organization.
        emails: with e-mail addresses.
        limit: the most to return.
    """
    now = datetime.now(UTC)
    span: dict[str, Any] = {"since": to_utc(since, now), "until": to_utc(until, now, "until"), "limit": limit}
    wanted = [action] if action is None or isinstance(action, str) else [*action]

    async def read(one: str | None) -> list[wire.AuditLog]:
        if org_id is None:
            return [item async for item in core.enterprise.audit_logs(action=one, **span)]
        return [item async for item in core.enterprise.organization_audit_logs(org_id, action=one, **span)]

    found = [item for part in await gather_limited(read, wanted) for item in part]
    found.sort(key=lambda item: item.get("created_at") or 0, reverse=True)
    names = await core.enterprise.names() if any(item.get("user_id") for item in found) else {}
    return frames.audit_logs(found[:limit], names, emails=emails)


_MOST_PERIODS = 400


async def metrics(
    core: Core, since: When = None, until: When = None, *, every: str = "week", org_ids: Any = None
) -> pd.DataFrame:
    """Return the service's own figures, one row per period, as a frame.

    Args:
        core: the client.
        since: a time, see `When`; by default 30 days ago.
        until: a time, see `When`; by default now.
        every: `day`, `week` or `month`.
        org_ids: these organizations, each with rows of its own, or "all" for the whole enterprise, counted as one.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    start, end = to_utc(since, now) or now - timedelta(days=30), to_utc(until, now, "until") or now
    if every not in _PERIODS:
        raise OptionError(f"unknown every={every!r:.80}", "nothing was read", f"give one of {', '.join(_PERIODS)}")
    edges = [start]
    while edges[-1] < end and len(edges) <= _MOST_PERIODS:
        edges.append(min(end, _PERIODS[every](edges[-1])))
    if edges[-1] < end:
        raise OptionError(f"that is more than {_MOST_PERIODS} periods", "nothing was read", "give a longer every=")
    counted: list[tuple[str | None, Metrics]]
    if org_ids is None:
        figures = Metrics(core.service)
        counted = [(await core.service.org_id(), figures)]
    elif "all" in (ids := org_ids_of(org_ids)):
        counted = [(None, core.enterprise.metrics)]
    else:
        counted = [(org_id, Metrics(core.service, org_id=org_id)) for org_id in ids]

    async def count(asked: tuple[tuple[str | None, Metrics], tuple[datetime, datetime]]) -> dict[str, Any]:
        (org_id, figures), (since, until) = asked
        reads = (figures.sessions, figures.prs, figures.searches, figures.active_users)
        answers: list[Mapping[str, Any]] = [await read(since, until) for read in reads]
        counts = {name: value for answer in answers for name, value in answer.items()}
        return {**counts, "org_id": org_id, "since": since, "until": until}

    return frames.metrics(await gather_limited(count, product(counted, pairwise(edges))))


def _month_later(moment: datetime) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return moment.replace(year=year, month=month + 1, day=1, hour=0, minute=0, second=0, microsecond=0)


_PERIODS: Mapping[str, Callable[[datetime], datetime]] = {
    "day": lambda moment: moment + timedelta(days=1),
    "week": lambda moment: moment + timedelta(days=7),
    "month": _month_later,
}
"""The functions that return when the next period begins; a month is a calendar month."""


async def guardrail_violations(
    core: Core,
    since: When = None,
    until: When = None,
    *,
    org_id: str | None = None,
    texts: bool = False,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return the violations of guardrails as a frame, the newest first.

    Args:
        core: the client.
        since: a time, see `When`.
        until: a time, see `When`.
        org_id: only of this organization.
        texts: with the text of the violation and its explanation.
        limit: the most to return.
    """
    now, enterprise = datetime.now(UTC), core.enterprise
    span: dict[str, Any] = {"since": to_utc(since, now), "until": to_utc(until, now, "until"), "limit": limit}
    if org_id is None:
        listed = enterprise.guardrail_violations(**span)
    else:
        listed = enterprise.organization_guardrail_violations(org_id, **span)
    return frames.guardrail_violations([item async for item in listed], texts=texts)
