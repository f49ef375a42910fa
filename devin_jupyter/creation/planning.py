"""What a dry run shows: create or attach and why, and what it may cost. From the journal alone; nothing is sent."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from devin_jupyter.attachments import lacking
from devin_jupyter.creation import wording
from devin_jupyter.creation.guard import earlier
from devin_jupyter.creation.job import Job, make_job
from devin_jupyter.creation.policy import Plan, Started
from devin_jupyter.creation.replay import not_recorded, recorded
from devin_jupyter.journal import Journal
from devin_jupyter.models.policy import Policy
from devin_jupyter.models.snapshot import Record, Where
from devin_jupyter.recorded import LockFile
from devin_jupyter.request import SessionRequest
from devin_jupyter.text import format_acus, format_utc

MODE_COSTS = {"fast": "about 4 times the price of normal, and 2 times as fast"}
MOST_COMPARED = 50
_FREE = "nothing: the session is there already"
_AT_NO_COST = ("attach", "replay")


def plan(job: Job, journal: Journal, now: float, held: Started | None) -> Plan:
    """Return what starting this job would do; `held` is what a lock file holds of it."""
    decision = _decision(job, journal, now, held)
    return _plan(job, decision, () if decision[0] in _AT_NO_COST else tuple(_costs(job, journal)))


def plan_replay(request: SessionRequest, policy: Policy, lock: LockFile, api_version: str) -> Plan:
    """Return what replaying a request would do: where there is no key, a lock file is all that can be asked."""
    job = make_job(request, policy, Where("", None, api_version))
    found = recorded(request, lock)
    if found is not None:
        return _plan(job, _replays(found), ())
    return _plan(job, ("refuse", not_recorded(lock).message, None), ())


def _plan(job: Job, decision: tuple[str, str, str | None], costs: tuple[str, ...]) -> Plan:
    action, why, session_id = decision
    idempotent = job.request.take is None if job.where.api_version == "v1" else None
    return Plan(
        action=action,
        why=why,
        session_id=session_id,
        fingerprint=job.fingerprint,
        tag=job.tag,
        body=job.request.preview(job.where.api_version, tag=job.tag, idempotent=idempotent),
        costs=(_FREE,) if action in _AT_NO_COST else costs,
    )


def _decision(job: Job, journal: Journal, now: float, held: Started | None) -> tuple[str, str, str | None]:
    for item in job.fingerprints:
        entry = journal.session_for(item.text, not_before=job.not_before(now))
        if entry is not None and not job.policy.take_new:
            return "attach", f"the journal has {_named(entry)} for the same request", entry.session_id
    if held is not None:
        return _replays(held)
    intent = journal.intents.get(job.fingerprint)
    if intent is not None and intent.posts:
        return "create", f"unless an earlier try has: the service is first asked for the tag {job.tag}", None
    before = _at_work(job, journal)
    refused = _refusal(job, journal, before)
    if refused is not None:
        return refused
    why = f"the journal has none; the service is first asked for the tag {job.tag}"
    if job.policy.take_new:
        why = "the next free take was asked for"
    stops = f"; {_named(before)} is stopped for good before (--replace)" if before and job.policy.replace else ""
    return "create", why + stops, None


def _replays(found: Started) -> tuple[str, str, str | None]:
    return "replay", found.notice or "", found.session_id


def _refusal(job: Job, journal: Journal, before: Record | None) -> tuple[str, str, str | None] | None:
    """What the guards would say, in their order."""
    halted = journal.flags.halted_since()
    if halted is not None:
        return "refuse", f"everything was halted on {format_utc(halted)}; %devin resume lifts it", None
    if problem := lacking(job.request.secrets):
        return "refuse", f"{problem.message}; {problem.hint}", None
    policy = job.policy
    if before is not None and policy.interactive and not (policy.replace or policy.beside):
        name = wording.cell_name(policy.guard)
        why = f"{name} was changed while" if name == "this cell" else f"{name} had another text before, and"
        return "refuse", f"{why} {_named(before)} is at work", before.session_id
    refused = journal.budgets.refusal(
        job.facts.scopes,
        payer=job.fingerprint,
        cap=job.request.max_acu,
        limits=job.own_limit,
        ending=before.session_id if before and policy.replace else None,
    )
    if refused is not None:
        return "refuse", f"{refused.message}; {refused.hint}", None
    return None


def _at_work(job: Job, journal: Journal) -> Record | None:
    """The session of the cell's earlier text, if it was at work when last seen."""
    entry = earlier(job, journal)
    return entry if entry is not None and entry.is_open else None


def _named(entry: Record) -> str:
    return f"{entry.session_id} of {format_utc(entry.started_at)} ({wording.state(entry.snapshot, entry)})"


def _costs(job: Job, journal: Journal) -> list[str]:
    request = job.request
    cap = f"at most {request.max_acu} ACU (--max-acu)" if request.max_acu else "no cap: --max-acu N sets one"
    lines = [cap]
    if request.mode in MODE_COSTS:
        lines.append(f"mode {request.mode}: {MODE_COSTS[request.mode]}")
    lines += [
        str(account) for scope in job.facts.scopes if (account := journal.budgets.account(scope)).limit is not None
    ]
    if job.policy.budget is not None:
        lines.append(f"refused beyond {job.policy.budget:g} ACU (--budget)")
    past = _similar(job, journal.finished(base_url=job.where.base_url, org_id=job.where.org_id))
    return [*lines, past] if past else lines


def _similar(job: Job, finished: list[Record]) -> str:
    """The nearest kind of likeness that any finished session has."""
    request, wire = job.request, job.facts.wire_schema
    kinds: tuple[tuple[str, Callable[[Record], bool]], ...] = (
        ("of this request", lambda entry: entry.facts.base == job.base),
        ("with this schema", lambda entry: wire is not None and entry.facts.wire_schema == wire),
        ("on these repositories", lambda entry: bool(request.repos) and set(entry.facts.repos) == set(request.repos)),
        (f"in mode {request.mode or 'as set'}", lambda entry: entry.facts.mode == request.mode),
    )
    for words, is_alike in kinds:
        acus = [entry.acus for entry in finished if entry.acus and is_alike(entry)][:MOST_COMPARED]
        if acus:
            low, high = format_acus(min(acus)), format_acus(max(acus))
            middle = format_acus(statistics.median(acus))
            return f"{len(acus)} finished {words}: {low} to {high}, median {middle}"
    return ""
