"""What the end of a turn is worth: the answer, or the exception that says why there is none and what to do.

Pure: a snapshot and a schema come in. Nothing here asks the service.
"""

from __future__ import annotations

from typing import Any

from devin_jupyter import errors
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.schema import Schema

_LONGEST_QUOTE = 300


def output_of(snapshot: Snapshot, schema: Schema | None) -> Any:
    """Return the typed structured output of the last turn; None where there is none.

    Raises:
        TurnOpen: Devin is still working on it.
        OutputInvalid: it does not fit the schema.
    """
    if not snapshot.turn_over and snapshot.recorded is not None:
        raise _recorded_at_work(errors.TurnOpen, snapshot)
    if not snapshot.turn_over:
        raise errors.TurnOpen(
            f"{_named(snapshot)} is still at work ({snapshot.phase.label}), its output is not final",
            _goes_on(snapshot),
            ".result() waits for it; .snapshot.structured_output is the interim value",
            session_id=snapshot.session_id,
        )
    if not _has_output(snapshot):
        return None
    if schema is None:
        return snapshot.structured_output
    return schema.load(
        snapshot.structured_output, session_id=snapshot.session_id, named=_named(snapshot), stands=_stands(snapshot)
    )


def answer_of(snapshot: Snapshot, schema: Schema | None) -> Any:
    """Return the answer of the last turn: the typed output, or without a schema Devin's last message.

    Raises:
        TurnError: there is no answer; the class says why.
        OutputInvalid: there is one that does not fit the schema.
    """
    if not snapshot.turn_over or snapshot.phase in _NO_ANSWER:
        raise problem_of(snapshot)
    if _has_output(snapshot):
        return output_of(snapshot, schema)
    word = snapshot.last_word
    if schema is None and snapshot.schema is None and (word is not None or snapshot.phase is Phase.DONE):
        return word.text if word is not None else None
    raise problem_of(snapshot)


def _has_output(snapshot: Snapshot) -> bool:
    """The answer itself may be None, where the schema says so and it came in an object."""
    return snapshot.structured_output is not None and snapshot.output_is_fresh


def problem_of(snapshot: Snapshot, *, waited: float | None = None) -> errors.TurnError:
    """Return the exception for a session without an answer.

    Args:
        snapshot: the session as last seen.
        waited: seconds after which waiting was given up.
    """
    if not snapshot.turn_over:
        return _still_open(snapshot, waited)
    kind, what, do = _PROBLEMS[snapshot.phase]
    do = _RAISE_CAP if _reached_cap(snapshot) else do
    do = _UNARCHIVE if snapshot.is_archived and snapshot.phase in (Phase.YOUR_TURN, Phase.ASLEEP) else do
    asked = f": {_quote(snapshot.question)}" if snapshot.question else ""
    filled = {"id": _named(snapshot), "url": snapshot.url, "why": _why(snapshot), "asked": asked}
    return kind(what.format(**filled), _stands(snapshot), do.format(**filled), session_id=snapshot.session_id)


_NO_ANSWER = (Phase.NEEDS_APPROVAL, Phase.BLOCKED, Phase.STOPPED, Phase.FAILED)
_WAITING = (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL, Phase.ASLEEP, Phase.BLOCKED)
_PROBLEMS: dict[Phase, tuple[type[errors.TurnError], str, str]] = {
    Phase.YOUR_TURN: (
        errors.NeedsReply,
        "{id} waits for your reply{asked}",
        "answer with .send('…') or a %%devin --to cell, then ask for .result() again",
    ),
    Phase.NEEDS_APPROVAL: (
        errors.NeedsApproval,
        "{id} waits for an approval{asked}",
        "give it in the web app, the API cannot: {url}",
    ),
    Phase.ASLEEP: (
        errors.SessionAsleep,
        "{id} fell asleep without an answer{asked}",
        ".send('…') wakes it",
    ),
    Phase.BLOCKED: (
        errors.SessionBlocked,
        "{id} was suspended: {why}",
        "lift the limit in the Devin settings, then .send('go on'); or see {url}",
    ),
    Phase.STOPPED: (
        errors.SessionStopped,
        "{id} was stopped, or ended, before it had an answer",
        "the next --take on the cell (take= in Python) starts another session, which costs again",
    ),
    Phase.FAILED: (
        errors.SessionFailed,
        "{id} failed on the service's side{why}",
        "see {url}; the next --take on the cell (take= in Python) starts another session, which costs again",
    ),
    Phase.DONE: (
        errors.OutputInvalid,
        "{id} finished without the structured output that was asked for",
        "ask for it with .send('submit the structured output'), then .result() again",
    ),
}
_REASONS = {
    "usage_limit_exceeded": "its ACU limit is used up",
    "out_of_credits": "the organization is out of credits",
    "out_of_quota": "the quota is used up",
    "no_quota_allocation": "no quota is allotted",
    "payment_declined": "the payment was declined",
    "org_usage_limit_exceeded": "the organization's usage limit is reached",
    "user_usage_limit_exceeded": "the user's usage limit is reached",
    "total_session_limit_exceeded": "the organization has too many sessions",
}


_UNARCHIVE = "it is archived and takes no messages: .unarchive() first, then .send('…')"
_RAISE_CAP = (
    "raise its cap in the web app, then .send('go on'): {url}; "
    "or the next --take with a higher --max-acu starts another session, which costs again"
)


def _reached_cap(snapshot: Snapshot) -> bool:
    """The same word stands for the session's own cap and for a limit of the organization."""
    return snapshot.status_detail == "usage_limit_exceeded" and snapshot.max_acu_limit is not None


def _why(snapshot: Snapshot) -> str:
    detail = snapshot.status_detail or ""
    if snapshot.phase is Phase.FAILED:
        return f" ({detail})" if detail not in ("", "error") else ""
    reason = _REASONS.get(detail)
    if _reached_cap(snapshot):
        reason = f"its own cap, --max-acu {snapshot.max_acu_limit}, is reached"
    return f"{reason} ({detail})" if reason else detail or "the service gives no reason"


def _recorded_at_work(kind: type[errors.TurnError], snapshot: Snapshot) -> errors.TurnError:
    """A recorded session does not go on here: nothing waits for it, and nothing stops it."""
    return kind(
        f"{_named(snapshot)} was at work ({snapshot.phase.label}) when it was recorded on {snapshot.recorded}",
        f"its answer is not recorded; {cost(snapshot)}",
        "set DEVIN_API_KEY and open it by its id, or ask who recorded it to run %devin lock again",
        session_id=snapshot.session_id,
    )


def _still_open(snapshot: Snapshot, waited: float | None) -> errors.TurnError:
    if snapshot.recorded is not None:
        return _recorded_at_work(errors.WaitTimeout, snapshot)
    after = f" after {waited:g} s of waiting" if waited is not None else ""
    return errors.WaitTimeout(
        f"{_named(snapshot)} is still at work ({snapshot.phase.label}){after}",
        _goes_on(snapshot),
        ".wait() or .result() waits on; .stop() ends it for good",
        session_id=snapshot.session_id,
    )


def detached(snapshot: Snapshot) -> errors.Detached:
    """Return what an interrupted wait says: the session goes on, what it has cost, how to stop it."""
    state = "goes on" if not snapshot.turn_over else f"is as it was ({snapshot.phase.label})"
    return errors.Detached(
        f"{_named(snapshot)} {state}, {cost(snapshot)}; the same cell again, .wait() or %devin wait picks it up, "
        f".stop() ends it, {snapshot.url} shows it"
    )


def stopped(snapshot: Snapshot) -> errors.Detached:
    """Return what an interrupted wait says where the interrupt was to stop the session."""
    what = f"interrupted: {_named(snapshot)} was stopped for good, as --on-interrupt stop says"
    return errors.Detached(what, _stands(snapshot))


def _named(snapshot: Snapshot) -> str:
    return f"{snapshot.session_id} (simulated)" if snapshot.simulated else snapshot.session_id


def cost(snapshot: Snapshot) -> str:
    """Return what a session has consumed, in words."""
    return "ACU unknown" if snapshot.acus is None else f"{snapshot.acus:.10g} ACU so far"


def _goes_on(snapshot: Snapshot) -> str:
    return f"the session goes on, {cost(snapshot)}"


def _stands(snapshot: Snapshot) -> str:
    if snapshot.phase is Phase.DONE:
        return f"the turn is over, {cost(snapshot)}"
    return f"the session {'stands still' if snapshot.phase in _WAITING else 'is over'}, {cost(snapshot)}"


def _quote(text: str) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return f"“{text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + '…'}”"
