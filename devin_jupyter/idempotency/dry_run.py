"""What a dry run shows: create or attach and why, and what it may cost. From the journal alone; nothing is sent."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from devin_jupyter.idempotency.attach import CreateResult, cell_name, difference, not_recorded, recorded, state
from devin_jupyter.idempotency.create import CreateCall, Creator
from devin_jupyter.models.snapshot import Policy, Record, Where
from devin_jupyter.recorded import LockFile
from devin_jupyter.request import SessionRequest, lacking
from devin_jupyter.text import format_amount, format_utc

MODE_COSTS = {"fast": "about 4 times the price of normal, and 2 times as fast"}
MOST_COMPARED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, for `--dry-run`."""

    action: str
    """`create`, `attach`, `replay` (from a lock file) or `refuse`."""
    why: str
    session_id: str | None
    fingerprint: str
    tag: str
    body: dict[str, Any]
    """The exact body; values of secrets masked."""
    costs: tuple[str, ...]
    """Cap, mode, budgets, and what similar sessions have cost."""
    notes: tuple[str, ...] = ()
    """How parts of the request were read, where that may surprise."""

    def reworded(self, word: Callable[[str], str]) -> Plan:
        """Return the plan with its sentences changed by a function."""
        notes = tuple(map(word, self.notes))
        return replace(self, why=word(self.why), costs=tuple(map(word, self.costs)), notes=notes)


Decision = tuple[str, str, str | None]
"""The action, why, and the session."""


async def plan(creator: Creator, request: SessionRequest, policy: Policy | None = None) -> Plan:
    """Return what `Creator.start` would do, from the journal and the lock file alone: nothing is sent."""
    call = await creator.call(request, policy or Policy())

    def decide() -> Plan:
        action, why, session_id = _decision(call)
        costs = () if action in ("attach", "replay") else _costs(call)
        return _plan(request, call.facts.where, (action, why, session_id), costs, call.tag)

    return await asyncio.to_thread(decide)


def plan_replay(request: SessionRequest, lock: LockFile, api_version: str) -> Plan:
    """Return what replaying a request would do: where there is no key, a lock file is all that can be asked."""
    found = recorded(request, lock)
    decision = _replays(found) if found is not None else ("refuse", not_recorded(lock).message, None)
    where = Where("", None, api_version)
    return _plan(request, where, decision, (), request.fingerprint(where).tag)


def _plan(request: SessionRequest, where: Where, decision: Decision, costs: tuple[str, ...], tag: str) -> Plan:
    action, why, session_id = decision
    identity = request.fingerprint(where)
    idempotent = request.take is None if where.api_version == "v1" else None
    return Plan(
        action=action,
        why=why,
        session_id=session_id,
        fingerprint=identity.text,
        tag=tag,
        body=request.preview(where.api_version, tag=tag or None, idempotent=idempotent),
        costs=("nothing: the session is there already",) if action in ("attach", "replay") else costs,
        notes=(*request.notes, *_typed_by(request)),
    )


def _typed_by(request: SessionRequest) -> tuple[str, ...]:
    playbook = request.options.get("playbook")
    if not playbook or request.schema is not None:
        return ()
    return (f"without --schema the answer is read by the schema of {playbook}, if it has one",)


def _decision(call: CreateCall) -> Decision:
    """Take the steps of `once` as far as the journal knows."""
    journal, policy = call.creator.journal, call.policy
    record = None if policy.take_new else journal.session_for(*call.identity.texts, not_before=call.not_before)
    if record is not None:
        is_sure = record.facts.where.org_id == call.facts.where.org_id
        unless = "" if is_sure else ", if it is of this organization, which its v1 key did not tell"
        return "attach", f"the journal has {_named(record)} for the same request{unless}", record.session_id
    held = None if policy.take_new else call.recorded()
    if held is not None:
        return _replays(held)
    intents = (journal.intents.get(text) for text in call.identity.texts)
    if any(intent is not None and intent.posts for intent in intents):
        return (
            "create",
            f"unless an earlier attempt succeeded: the service is first searched for {call.mark}",
            None,
        )
    earlier = call.earlier()
    before = earlier if earlier is not None and earlier.is_open else None
    refused = _refusal(call, before)
    if refused is not None:
        return refused
    why = f"the journal has none; the service is first searched for the tag {call.identity.tag}"
    if policy.take_new:
        why = "--new asks for the next unused take"
    stops = f"; {_named(before)} is stopped permanently first (--replace)" if before and policy.replace else ""
    return "create", why + stops, None


def _replays(found: CreateResult) -> Decision:
    return "replay", found.notice or "", found.session_id


def _refusal(call: CreateCall, before: Record | None) -> Decision | None:
    """Return what the guards would say, in their order.

    Args:
        call: the create call.
        before: the session for the cell's earlier prompt, if it was working when last seen.
    """
    journal, policy = call.creator.journal, call.policy
    halted = journal.halted_since()
    if halted is not None:
        return (
            "refuse",
            f"no session can start until you run %devin resume (%devin stop --all of {format_utc(halted)})",
            None,
        )
    if problem := lacking(call.request.secrets):
        return "refuse", f"{problem.message}; {problem.hint}", None
    if before is not None and policy.interactive and not (policy.replace or policy.beside):
        name = cell_name(policy.guard)
        why = f"{name} was edited while" if name == "this cell" else f"{name} asked for something else before, and"
        edit = difference(before.facts, call.facts)
        return "refuse", f"{why} {_named(before)} is working ({edit})", before.session_id
    refused = journal.budgets.refusal(
        call.facts.scopes,
        payer=call.fingerprint,
        cap=call.request.max_acu,
        limits=call.limits,
        ending=before.session_id if before and policy.replace else None,
    )
    return None if refused is None else ("refuse", f"{refused.message}; {refused.hint}", None)


def _named(record: Record) -> str:
    return f"{record.session_id} of {format_utc(record.started_at)} ({state(record.snapshot, record)})"


def _costs(call: CreateCall) -> tuple[str, ...]:
    request, journal = call.request, call.creator.journal
    lines = [f"at most {request.max_acu} ACU (--max-acu)" if request.max_acu else "no cap: --max-acu N sets one"]
    if request.mode in MODE_COSTS:
        lines.append(f"mode {request.mode}: {MODE_COSTS[request.mode]}")
    accounts = map(journal.budgets.account, call.facts.scopes)
    lines += [str(account) for account in accounts if account.limit is not None]
    if call.policy.budget is not None:
        lines.append(f"refused beyond {call.policy.budget:g} ACU (--budget)")
    where = call.facts.where
    past = _similar(call, journal.finished(base_url=where.base_url, org_id=where.org_id))
    return (*lines, past) if past else tuple(lines)


def _similar(call: CreateCall, finished: list[Record]) -> str:
    """Return what finished sessions of the nearest kind of likeness have cost."""
    request, wire = call.request, call.facts.wire_schema
    kinds: tuple[tuple[str, Callable[[Record], bool]], ...] = (
        ("of this request", lambda record: record.facts.base in call.bases),
        ("with this schema", lambda record: wire is not None and record.facts.wire_schema == wire),
        ("on these repositories", lambda record: bool(request.repos) and set(record.facts.repos) == set(request.repos)),
        (f"in mode {request.mode}" if request.mode else "", lambda record: record.facts.mode == request.mode),
    )
    for words, is_alike in kinds:
        acus = [record.acus for record in finished if record.acus and is_alike(record)][:MOST_COMPARED]
        if acus:
            low, high, middle = (format_amount(find(acus)) for find in (min, max, statistics.median))
            span = low if low == high else f"{low}–{high}"
            kind = f" {words}" if words else ""
            return f"past sessions{kind}: {span} ACU, median {middle} ({len(acus)} finished)"
    return ""
