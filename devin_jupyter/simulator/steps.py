"""The updates of a simulated session on the live channel, over its whole life, each with its time.

Like all answers of the simulator, they depend on the timeline, the seed and the request only: two clients that attach
get the same updates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from devin_jupyter.simulator.sessions import WEB_APP, Frame, Message, Session, Work
from devin_jupyter.simulator.values import TOPICS, Dice, Topic, opaque

Json = dict[str, Any]
_KEY = "cognition.ai/"
_PR_LAG = 0.03
"""The part of a turn by which the channel reports a pull request before the REST API lists it."""
_CHUNK = 60


@dataclass(frozen=True, slots=True)
class Update:
    """One update, without what is the same for all."""

    at: float
    order: int
    """Among those of the same time."""
    key: str
    """What its event id is made from; unique in the session."""
    body: Json
    meta: Json
    message: str | None = None
    """The id of the message or thought that it is a piece of."""
    is_last: bool = True
    """No further piece follows."""

    @property
    def variant(self) -> str:
        """The ACP name of what it is."""
        return str(self.body["sessionUpdate"])

    @property
    def is_status(self) -> bool:
        """Whether it reports the session's status."""
        return f"{_KEY}statusEnum" in self.meta

    def params(self, session: Session, status: str | None, *, is_replay: bool = False) -> Json:
        """Return the parameters of the `session/update` notification.

        Args:
            session: whose update it is.
            status: the session's status at this time, for the snapshot.
            is_replay: it is sent again.
        """
        stamp = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        own = {f"{_KEY}eventId": opaque("event", session.seed, "live", self.key), f"{_KEY}timestamp": stamp}
        about = {f"{_KEY}url": WEB_APP + session.id, **({f"{_KEY}statusEnum": status} if status else {})}
        return {
            "sessionId": f"devin-{session.id}",
            "update": {**self.body, "_meta": {**self.meta, **own}},
            "_meta": {f"{_KEY}session": about, **({f"{_KEY}replay": True} if is_replay else {})},
        }


def updates_of(session: Session, turn_seconds: float) -> list[Update]:
    """Return every update of a session, past and planned, in order."""
    timeline, beat = session.timeline, min(0.05, turn_seconds / 400)
    found = [*_statuses(session)]
    if timeline.messages:
        found.append(_prompt(session))
    for message in timeline.messages[1:]:
        found += _message(message, beat)
    for work in timeline.work:
        found += [update for update in _work(session, work, beat) if update.at <= min(work.cut, work.until)]
    for number, pull in enumerate(timeline.pulls):
        told = {f"{_KEY}eventType": "pr_data_updated", f"{_KEY}prDataUpdated": {"prUrl": pull.url}}
        found.append(info(pull.at - _PR_LAG * turn_seconds, 4, f"pull-{number}", told))
    for number, act in enumerate(session.acts):
        if act["kind"] == "approval":
            found += _answered(session, act, number)
        elif act["kind"] == "cancel":
            found.append(info(act["at"], 4, f"pause-{number}", {f"{_KEY}eventType": "pause"}))
    return sorted(found, key=attrgetter("at", "order"))


def replayed(updates: list[Update]) -> list[Update]:
    """Return what is replayed of the updates so far: messages, calls as they are, the last plan and status."""
    aborted = {update.message for update in updates if update.meta.get(f"{_KEY}abort")}
    calls: dict[str, list[Update]] = {}
    kept: list[Update] = []
    plan = status = None
    for update in updates:
        if update.variant in ("user_message_chunk", "agent_message_chunk"):
            kept += [update] if update.message not in aborted else []
        elif "toolCallId" in update.body:
            calls.setdefault(update.body["toolCallId"], []).append(update)
        elif update.variant == "plan":
            plan = update
        elif update.is_status:
            status = update
        elif update.meta.get(f"{_KEY}eventType") == "pr_data_updated":
            kept.append(update)
    for changes in calls.values():
        body = {name: value for change in changes for name, value in change.body.items()}
        meta = {name: value for change in changes for name, value in change.meta.items()}
        body = {"title": "tool call", **body, "sessionUpdate": "tool_call"}
        kept.append(Update(changes[0].at, changes[0].order, changes[-1].key, body, meta))
    kept += [plan] if plan is not None else []
    kept.sort(key=attrgetter("at", "order"))
    return [*kept, *([status] if status is not None else [])]


# --- status -----------------------------------------------------------------------------------------------------


def _statuses(session: Session) -> Iterator[Update]:
    before: tuple[str, str | None] | None = None
    frames = session.timeline.frames
    for number, frame in enumerate(frames):
        if (frame.status, frame.detail) == before:
            continue
        before = frame.status, frame.detail
        key = f"status-{frame.at:.6f}-{frame.status}-{frame.detail}"
        if frame.status == "new":
            following = next((other.at for other in frames[number:] if other.status != "new"), frame.at)
            for place, at in ((2, frame.at), (1, (frame.at + following) / 2)):
                yield status_update(at, f"{key}-{place}", "queued", queuePosition=place)
            continue
        if (frame.status, frame.detail) == ("suspended", "inactivity"):
            yield info(frame.at, 5, f"{key}-asleep", {f"{_KEY}eventType": "devin_suspended"})
        elif frame.status == "exit":
            yield info(frame.at, 5, f"{key}-gone", {f"{_KEY}eventType": "devin_exited"})
        yield status_update(frame.at, key, *_word(session, frame))


def _word(session: Session, frame: Frame) -> tuple[str, Json]:
    """Return the status of a frame as the channel names it, and its further keys."""
    ends_as = next((work.ends_as for work in session.timeline.work if work.until == frame.at), "")
    if frame.status in ("claimed", "creating"):
        return "initializing", {}
    if frame.status == "resuming":
        return "resume_requested", {}
    if frame.status == "running" and frame.detail == "waiting_for_approval":
        return "blocked", {"userActionRequired": "Approve a command"}
    if frame.status == "running" and frame.detail == "waiting_for_user":
        asks = "Answer a question" if ends_as == "question" else None
        return "blocked", {"statusMessage": "Your turn", "userActionRequired": asks}
    if frame.status == "running":
        return (
            ("finished", {"finishedOutcome": "completed"})
            if frame.detail == "finished"
            else (
                "working" if frame.detail in ("working", None) else frame.detail,
                {},
            )
        )
    if frame.status == "suspended" and frame.detail in ("inactivity", "user_request"):
        return "finished", {"finishedOutcome": "suspended"}
    if frame.status == "suspended":
        why = "The ACU limit is reached" if frame.detail == "usage_limit_exceeded" else "There are no credits left"
        return "blocked", {"statusReason": "user_quota_reached", "inputDisabledReason": why}
    if frame.status == "error":
        return "finished", {"finishedOutcome": "crashed", "statusReason": "error"}
    return "finished", {"finishedOutcome": "completed" if frame.detail == "finished" else "stopped"}


def status_update(at: float, key: str, word: str, said: Json | None = None, **more: Any) -> Update:
    """Return the update that reports a status, with further keys."""
    keys = {"eventType": "status_update", "statusEnum": word, **(said or {}), **more}
    return info(at, 6, key, {_KEY + name: value for name, value in keys.items()})


def info(at: float, order: int, key: str, meta: Json) -> Update:
    """Return an update that says nothing but its `_meta` keys."""
    return Update(at, order, key, {"sessionUpdate": "session_info_update"}, meta)


# --- messages ---------------------------------------------------------------------------------------------------


def _prompt(session: Session) -> Update:
    """Return the echo of the prompt, which comes when the work begins, and not when the session is created."""
    first, *others = session.timeline.messages
    began = (frame.at for frame in session.timeline.frames if frame.status == "running")
    at = max(first.at, min([next(began, first.at), *(other.at for other in others[:1])]))
    return _piece("user_message_chunk", at, 0, first.event_id, first.text, kind="initial_user_message")


def _message(message: Message, beat: float) -> Iterator[Update]:
    """Yield the pieces of a message; the last one comes at its time."""
    if message.source == "user":
        yield _piece("user_message_chunk", message.at, 0, message.event_id, message.text, kind="user_message")
        return
    texts = [message.text[start : start + _CHUNK] for start in range(0, len(message.text), _CHUNK)][:12]
    texts[-1:] = [message.text[_CHUNK * (len(texts) - 1) :]]
    rewrites = len(texts) > 2 and int(message.event_id[-1], 16) % 2 == 0
    if rewrites:  # as if Devin rewrote its first words
        texts[:2] = [texts[0][::-1], texts[0] + texts[1]]
    for number, text in enumerate(texts):
        at = message.at - (len(texts) - 1 - number) * beat
        more = {f"{_KEY}overwrite": True} if rewrites and number == 1 else {}
        last = number == len(texts) - 1
        yield _piece(
            "agent_message_chunk", at, number, message.event_id, text, last=last, kind="devin_message", meta=more
        )


def _piece(
    variant: str,
    at: float,
    number: int,
    message: str,
    text: str,
    *,
    last: bool = True,
    kind: str = "",
    meta: Json | None = None,
) -> Update:
    body = {"sessionUpdate": variant, "content": {"type": "text", "text": text}, "messageId": message}
    known = {f"{_KEY}eventType": kind} if kind else {}
    return Update(at, 1, f"{message}-{number}", body, {**known, **(meta or {})}, message=message, is_last=last)


def abort(at: float, message: str) -> Update:
    """Return the update that takes a message back."""
    return _piece("agent_message_chunk", at, -1, message, "", meta={f"{_KEY}abort": True})


# --- the work of a turn -----------------------------------------------------------------------------------------


def _work(session: Session, work: Work, beat: float) -> Iterator[Update]:
    """Yield thoughts, tool calls, plans and activities of one turn."""
    dice = Dice(session.seed, "steps", work.number)
    topic = dice.pick(TOPICS)
    place = f"/home/ubuntu/{session.repos[0].rsplit('/', 1)[-1] if session.repos else 'workspace'}"
    start = next(
        (frame.at for frame in session.timeline.frames if frame.at >= work.at and frame.detail in _AT_WORK), work.at
    )

    def at(part: float) -> float:
        return start + part * max(0.0, work.until - start)

    def key(name: str) -> str:
        return f"{work.number}-{name}"

    yield _activity(at(0.02), key("deciding"), "deciding_action")
    thought = f'First I look at <ref_file file="{place}/{topic.file}" />, where `{topic.symbol}` is.'
    cut = thought.index("file=")  # a tag that arrives in two pieces
    yield from _thought(at(0.05), beat, key("thought-1"), [thought[:cut], thought[cut:], f" {topic.text}"])
    yield _plan(at(0.12), key("plan-1"), topic, 0)
    yield _activity(at(0.14), key("executing"), "executing_actions")
    read = _Call(key("read"), "read", f"Read {topic.file}", {"path": f"{place}/{topic.file}"})
    yield from read.run(at(0.16), at(0.22), f"def {topic.symbol}(request):\n    …", beat)
    search = _Call(key("search"), "search", f"Search for callers of {topic.symbol}", {"query": f"{topic.symbol}("})
    yield from search.run(at(0.25), at(0.3), f"{1 + dice.below(6)} matches in {1 + dice.below(3)} files", beat)
    unknown = {"sessionUpdate": "tool_call_update", "toolCallId": key("unseen"), "title": "Index the workspace"}
    yield Update(at(0.32), 2, key("unseen"), {**unknown, "status": "completed"}, {})
    yield _plan(at(0.36), key("plan-2"), topic, 1)
    yield from _thought(at(0.4), beat, key("thought-2"), [f"{topic.fix} ", "A small change is enough."])
    edit = _Call(key("edit"), "edit", f"Edit {topic.file}", {"path": f"{place}/{topic.file}"})
    diff = {
        "type": "diff",
        "path": f"{place}/{topic.file}",
        "oldText": f"def {topic.symbol}(request):\n    return None\n",
        "newText": f"def {topic.symbol}(request):\n    return checked(request)\n",
    }
    yield from edit.run(at(0.46), at(0.52), "", beat, content=[diff])
    test = _Call(key("test-1"), "execute", "Run the tests", {"command": "pytest -q"}, place)
    yield from test.run(at(0.55), at(0.62), "1 failed, 40 passed in 3.02s", beat, exit_code=1)
    scrapped = opaque("message", session.seed, work.number, "scrapped")
    yield _piece("agent_message_chunk", at(0.63), 0, scrapped, "I think I am d", last=False)
    yield abort(at(0.64), scrapped)
    yield from _thought(at(0.66), beat, key("thought-3"), ["One test still expects ", "the old behavior."])
    again = _Call(key("edit-2"), "edit", f"Edit tests/test_{topic.symbol}.py", {"path": f"{place}/tests"})
    yield from again.run(at(0.7), at(0.74), "Updated 1 assertion", beat)
    yield _plan(at(0.76), key("plan-3"), topic, 2)
    last = _Call(key("test-2"), "execute", "Run the tests again", {"command": "pytest -q"}, place)
    yield from last.run(at(0.78), at(0.88), "41 passed in 3.10s", beat, exit_code=0)
    if work.ends_as == "approval":
        yield approval_call(session, work)
        return
    yield _typing(at(0.92), key("typing"), is_typing=True)
    if work.finishes:
        yield _plan(at(0.95), key("plan-4"), topic, 3)
    yield _typing(at(0.99), key("typed"), is_typing=False)


_AT_WORK = ("working", "pondering")


@dataclass(frozen=True, slots=True)
class _Call:
    """A tool call."""

    id: str
    kind: str
    title: str
    given: Json
    cwd: str = ""

    def run(
        self,
        start: float,
        end: float,
        output: str,
        beat: float,
        *,
        content: list[Json] | None = None,
        exit_code: int | None = None,
    ) -> Iterator[Update]:
        """Yield its announcement, its start and its end."""
        meta = {f"{_KEY}cwd": self.cwd} if self.cwd else {}
        known = {"toolCallId": self.id, "title": self.title, "kind": self.kind}
        call = {"sessionUpdate": "tool_call", **known, "status": "pending", "rawInput": self.given}
        yield Update(start, 2, f"{self.id}-0", call, meta)
        change = {"sessionUpdate": "tool_call_update", "toolCallId": self.id}
        yield Update(start + beat, 2, f"{self.id}-1", {**change, "status": "in_progress"}, {})
        result = content or [{"type": "content", "content": {"type": "text", "text": output}}]
        code = {} if exit_code is None else {f"{_KEY}exitCode": exit_code}
        ended = {**change, "status": "failed" if exit_code else "completed", "content": result}
        yield Update(max(end, start + 2 * beat), 2, f"{self.id}-2", ended, code)


def request_id(session: Session, work: Work) -> str:
    """Return the id of the approval that a turn ends with."""
    return opaque("request", session.seed, work.number)


def approval_call(session: Session, work: Work) -> Update:
    """Return the tool call that asks for an approval; it comes just before the status that says so."""
    body = {
        "sessionUpdate": "tool_call",
        "toolCallId": f"{work.number}-approval",
        "title": "Run git push",
        "kind": "other",
        "status": "pending",
        "rawInput": {"command": "git push origin HEAD"},
    }
    keys = {"eventType": "permission_request", "permissionType": "command", "requestId": request_id(session, work)}
    meta = {_KEY + name: value for name, value in keys.items()}
    return Update(math.nextafter(work.until, 0), 5, f"{work.number}-approval", body, meta)


def _answered(session: Session, act: Json, number: int) -> Iterator[Update]:
    asked = next(work for work in reversed(session.timeline.work) if work.until <= act["at"])
    told = {f"{_KEY}eventType": "permission_resolved", f"{_KEY}approved": act["approved"]}
    yield info(act["at"], 3, f"resolved-{number}", told)
    change = {"sessionUpdate": "tool_call_update", "toolCallId": f"{asked.number}-approval"}
    status = "completed" if act["approved"] else "failed"
    yield Update(act["at"], 4, f"resolved-{number}-call", {**change, "status": status}, {})


def _thought(at: float, beat: float, name: str, texts: list[str]) -> Iterator[Update]:
    for number, text in enumerate(texts):
        yield _piece("agent_thought_chunk", at + number * beat, number, name, text, last=number == len(texts) - 1)


def _activity(at: float, key: str, word: str) -> Update:
    return info(at, 3, key, {f"{_KEY}eventType": "simple_activity_update", f"{_KEY}activityEnum": word})


def _typing(at: float, key: str, *, is_typing: bool) -> Update:
    return info(at, 3, key, {f"{_KEY}eventType": "is_typing", f"{_KEY}isTyping": is_typing})


def _plan(at: float, key: str, topic: Topic, done: int) -> Update:
    texts = (f"Find the cause in {topic.file}", topic.fix, "Run the whole test suite")
    entries = [
        {
            "content": text,
            "priority": "medium",
            "status": "completed" if place < done else "in_progress" if place == done else "pending",
        }
        for place, text in enumerate(texts)
    ]
    return Update(at, 2, key, {"sessionUpdate": "plan", "entries": entries}, {})
