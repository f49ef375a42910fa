"""The updates of one session (ACP `session/update`, with Cognition's `_meta` keys), read into steps, plan and activity.

Everything is bounded: the number of steps, the length of each text, all texts together, the remembered event ids. Texts
come from an agent that reads the web: they are redacted and freed of invisible characters here, and never rendered.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from devin_jupyter.models.fields import spelled
from devin_jupyter.models.steps import DONE, Approval, Hint, LiveState, LiveView, PlanEntry, Step, StepKind
from devin_jupyter.redaction import redact
from devin_jupyter.text import INVISIBLE, one_line

MOST_STEPS = 300
MOST_CHARACTERS = 150_000
"""Of all steps of a session together; the oldest give way."""
LONGEST_TEXT = 20_000
"""Of a message or a thought, whose beginning is kept, and of an output, whose end is."""
LONGEST_INPUT = 4_000
MOST_ENTRIES = 200
MOST_EVENT_IDS = 4_096
_WORD, _TITLE, _ENTRY = 80, 200, 400

Raw = Mapping[str, Any]


_STATUS = {
    "initializing": "starting",
    "queued": "waiting for a machine",
    "resume_requested": "waking up",
    "working": "working",
    "running": "working",
    "blocked": "its turn is over",
    "waiting": "its turn is over",
    "paused": "paused",
    "suspend_requested": "going to sleep",
    "finished": "finished",
    "stopped": "stopped",
    "crashed": "failed",
    "error": "failed",
}
_OUTCOMES = {
    "completed": "finished",
    "stopped": "stopped",
    "suspended": "asleep",
    "expired": "expired",
    "crashed": "failed",
}
_OPEN = frozenset({"initializing", "queued", "resume_requested", "working", "running"})
_ACTIVITIES = {
    "deciding_action": "deciding what to do",
    "executing_actions": "carrying out its plan",
    "creating_plan": "making a plan",
    "waiting_for_shell": "waiting for a command to end",
    "waiting_for_ci": "waiting for CI",
}
_LIFECYCLE = frozenset({"devin_suspended", "devin_exited", "stop", "permission_resolved"})
_PERMISSION, _SECRET = "permission_request", "request_secret"
READS_REPORTS = True
"""Whether to read what the documents do not name and one program alone reports: `pause`, a request for a secret, the
reason `resume_restored`, the status in the answer to a load. All of it only shows, or leads to a look."""
_CLOSED = frozenset({"completed", "failed"})
# citation tags, which only the web app can follow; the last alternative is a tag whose end has not arrived yet
_TAG = re.compile(r"<ref_(?:file|snippet)\b([^<>]*)/?>(?:</ref_\w+>)?|<r(?:e(?:f(?:_[^<>]*)?)?)?$")
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*["']([^"']*)["']""")


def _cited(tag: re.Match[str]) -> str:
    named = dict(_ATTRIBUTE.findall(tag[1] or ""))
    name = named.get("file", "").rpartition("/")[2]
    return f"{name}:{named['lines']}" if name and "lines" in named else name


def clean(text: str) -> str:
    """Return a text without secrets, invisible characters and citation tags."""
    text = redact(INVISIBLE.sub("", text))
    return _TAG.sub(_cited, text) if "<r" in text else text


@dataclass(slots=True)
class _Draft:
    """A step that may still grow."""

    id: str
    kind: StepKind
    at: datetime | None
    status: str | None = None
    title: str = ""
    label: str = ""
    """What the title was made from."""
    parts: list[str] = field(default_factory=list)
    length: int = 0
    """Characters held, the input included."""
    cut: int = 0
    """Characters that were left out of the text."""
    input: str = ""
    tool: str | None = None
    request: str | None = None
    """The id of the approval that the tool call asks for."""
    is_announced: bool = True
    """False for a tool call of which only updates have arrived."""
    made: Step | None = None

    def append(self, text: str) -> int:
        """Add to the text, whose beginning is kept; return by how much it grew."""
        room = LONGEST_TEXT - self.length
        kept = text if len(text) <= room else text[: max(0, room)]
        self.cut += len(text) - len(kept)
        if kept:
            self.parts.append(kept)
        self.length += len(kept)
        self.made = None
        return len(kept)

    def step(self) -> Step:
        """Return the step as it is now."""
        if self.made is None:
            self.parts = ["".join(self.parts)]
            text = clean(self.parts[0])  # mostly the same object
            if self.cut and self.kind != "tool":
                text += f"… ({self.cut:,} more characters)"
            title = self.title or (one_line(text.lstrip("#*-> \n"), 120) if self.kind == "thought" else "")
            self.made = Step(
                id=self.id,
                kind=self.kind,
                title=title or ("…" if self.kind == "thought" else self.kind),
                status=self.status,
                text=text,
                at=self.at,
                tool=self.tool,
                input=clean(self.input),
            )
        return self.made


class Transcript:
    """What the live channel has told of one session so far."""

    def __init__(self, session_id: str, earlier: Iterable[Step] = (), seen: Collection[Any] = ()) -> None:
        """Begin with a replay.

        Args:
            session_id: `devin-…`.
            earlier: the steps known from before, which a replay confirms, completes, or leaves out.
            seen: the `seen` of the transcript before, whose events may come again.
        """
        self.session_id = session_id
        self.is_replaying = True
        self.plan: tuple[PlanEntry, ...] = ()
        self.approval: Approval | None = None
        self.asks: str | None = None
        self.word: str | None = None
        """The newest status."""
        self._earlier = tuple(earlier)
        self._drafts: dict[str, _Draft] = {}
        self.characters = 0
        """How much its steps hold together."""
        self._seen_before = seen
        self.seen: dict[Any, None] = {}
        """The newest event ids."""
        self._before: tuple[str, str] | None = None
        """Variant and key of the message that is being written."""
        self._nameless = 0
        self._announced: str | None = None
        self._beside: str | None = None
        """The status that was told last beside an update."""
        self._is_typing = False
        self._steps: tuple[Step, ...] | None = None

    # --- reading ----------------------------------------------------------------------------------------------

    def apply(self, params: Raw, now: datetime) -> Hint:
        """Read the `params` of one `session/update`.

        Args:
            params: as they arrived; anything unknown in them is ignored.
            now: the time of arrival, for live updates without a time of their own.
        """
        hint = self._read(params, now)
        told, self._beside = self._beside, _status_in(_meta(params)) or self._beside
        if self._beside not in (told, self.word):  # it has changed, and no update has said so
            hint |= _hint_of(self._beside)
        return Hint.NONE if self.is_replaying else hint

    def _read(self, params: Raw, now: datetime) -> Hint:
        update = params.get("update")
        if not isinstance(update, Mapping):
            return Hint.NONE
        variant, meta = update.get("sessionUpdate"), _meta(update)
        read = VARIANTS.get(variant) if isinstance(variant, str) else None
        if read is None:
            return Hint.NONE
        event = meta.get("cognition.ai/eventId")
        if isinstance(event, str):
            text = _text_of(update.get("content")) if variant in _CHUNKS else None
            key = event if text is None else (event, hash(text))  # pieces of a message may share an id
            if key in self.seen or (key in self._seen_before and not self.is_replaying):
                return Hint.NONE
            self.seen[key] = None
            if len(self.seen) > MOST_EVENT_IDS:
                del self.seen[next(iter(self.seen))]
        if variant not in _CHUNKS:
            self._before = None
        if meta.get("cognition.ai/eventType") == "status_update" and "cognition.ai/statusEnum" not in meta:
            meta = {**meta, "cognition.ai/statusEnum": _status_in(_meta(params))}
        at = _time(meta.get("cognition.ai/timestamp")) or (None if self.is_replaying else now)
        return read(self, update, meta, at)

    def loaded(self, result: Any) -> Hint:
        """End the replay with the answer to the load, and return what the status in it, or the replayed one, may mean.

        What happened while the replay went on is told as part of it, and never again.
        """
        self.end_replay()
        told = _status_in(_meta(result)) if READS_REPORTS and isinstance(result, Mapping) else None
        hint = _hint_of(told or self.word)
        return Hint.STATUS if Hint.OVER in hint else Hint.NONE

    def end_replay(self) -> None:
        """Join the replay with the earlier steps: it is right where it says something, but leaves out thoughts."""
        if not self.is_replaying:
            return
        self.is_replaying = False
        earlier = [step for step in self._earlier if not step.id.startswith(_NAMELESS)]
        if not earlier:
            return
        replayed, self._drafts, self.characters = self._drafts, {}, 0
        following: dict[str | None, list[Step]] = {}
        anchor: str | None = None
        for step in earlier:
            if step.id in replayed:
                anchor = step.id
                draft = replayed[anchor]
                draft.at, draft.made = step.at or draft.at, None
            else:
                following.setdefault(anchor, []).append(step)
        for step in following.get(None, ()):
            self._keep(_settled(step))
        for identifier, draft in replayed.items():
            self._keep(draft)
            for step in following.get(identifier, ()):
                self._keep(_settled(step))
        if all(draft.at is not None for draft in self._drafts.values()):  # what changed last was replayed last
            self._drafts = dict(sorted(self._drafts.items(), key=lambda item: item[1].at or _NEVER))

    def view(self, state: LiveState, reason: str | None = None) -> LiveView:
        """Return what is known now."""
        if self._steps is None:
            made = tuple([draft.made or draft.step() for draft in self._drafts.values()])
            # a first replay shows as it grows; a later one only once it is known what it leaves out
            self._steps = self._earlier if self.is_replaying and self._earlier else made
        return LiveView(
            session_id=self.session_id,
            state=state,
            reason=reason,
            steps=self._steps,
            plan=self.plan,
            activity=self._activity(),
            approval=self.approval,
            asks=self.asks,
        )

    def _activity(self) -> str | None:
        if self.word is not None and self.word not in _OPEN and self.word in _STATUS:
            return None
        if self._is_typing:
            return "writing a message"
        for draft in reversed(self._drafts.values()):
            if draft.kind == "tool" and draft.status == "in_progress" and draft.title:
                return draft.title
            if draft.kind in ("message", "status"):
                break
        return self._announced

    # --- one method for each variant --------------------------------------------------------------------------

    def _chunk(self, update: Raw, meta: Raw, at: datetime | None) -> Hint:
        variant, text = str(update["sessionUpdate"]), _text_of(update.get("content"))
        if meta.get("cognition.ai/chain") not in (None, "main"):
            return Hint.NONE
        key = update.get("messageId") or meta.get("cognition.ai/eventId")
        if not isinstance(key, str):
            if self._before is not None and self._before[0] == variant:
                key = self._before[1]
            else:
                self._nameless += 1
                key = f"{_NAMELESS}{self._nameless}"
        self._before, self._is_typing = (variant, key), False
        kind: StepKind = "thought" if variant == "agent_thought_chunk" else "message"
        identifier = key if kind == "message" else f"thought {key}"
        if meta.get("cognition.ai/abort") is True:
            self._drop(identifier)
            return Hint.NONE
        draft, is_new = self._drafts.get(identifier), False
        if draft is None:
            if not text:
                return Hint.NONE
            draft, is_new = _Draft(identifier, kind, at), True
            if kind == "message":
                draft.status = "user" if variant == "user_message_chunk" else "devin"
                draft.title = "You" if draft.status == "user" else "Devin"
            self._keep(draft)
        elif meta.get("cognition.ai/overwrite") is True:
            self.characters -= draft.length
            draft.parts, draft.length, draft.cut = [], 0, 0
        if draft.kind == "message" and "cognition.ai/questions" in meta:
            text += _questions(meta["cognition.ai/questions"])
        self._grow(draft.append(text))
        return Hint.MESSAGE if is_new and kind == "message" else Hint.NONE

    def _tool(self, update: Raw, meta: Raw, at: datetime | None) -> Hint:
        call = update.get("toolCallId")
        if not isinstance(call, str):
            return Hint.NONE
        identifier = f"tool {call}"
        draft, is_call = self._drafts.get(identifier), update["sessionUpdate"] == "tool_call"
        is_late = False
        if draft is None:
            draft = _Draft(identifier, "tool", at, status="pending", title="tool call", is_announced=is_call)
            self._keep(draft)
        elif is_call and not draft.is_announced:  # its updates overtook it: what they said stays
            draft.is_announced = is_late = True
            known = {"title": draft.label, "kind": draft.tool, "status": draft.status != "pending"}
            update = {name: value for name, value in update.items() if not known.get(name)}
        elif is_call:  # creates or replaces
            self.characters -= draft.length
            draft.parts, draft.length, draft.input, draft.status = [], 0, "", "pending"
        draft.made = None
        title = _label(update, meta)
        if title and title != draft.label:
            draft.label, draft.title = title, _line(title, _TITLE)
        draft.tool = _word(update.get("kind")) or draft.tool
        draft.status = _status(update) or draft.status
        before = draft.length
        given = None if is_late and draft.input else _input(update, meta)
        output = None if is_late and any(draft.parts) else _output(update, meta)
        if given is not None:
            draft.length += len(given) - len(draft.input)
            draft.input = given
        if output is not None:
            draft.length += len(output) - sum(map(len, draft.parts))
            draft.parts = [output]
        self._grow(draft.length - before)
        self._permission(call, draft, meta)
        return Hint.NONE

    def _permission(self, call: str, draft: _Draft, meta: Raw) -> None:
        if meta.get("cognition.ai/eventType") == _PERMISSION or "cognition.ai/permissionType" in meta:
            draft.request = _word(meta.get("cognition.ai/requestId")) or draft.request or call
        if draft.request is None:
            return
        if draft.status == "pending":
            kind = _word(meta.get("cognition.ai/permissionType"))
            text = clean(draft.input) or clean("".join(draft.parts))
            self.approval = Approval(id=draft.request, title=draft.title, text=text, kind=kind)
        elif self.approval is not None and self.approval.id == draft.request:
            self.approval = None

    def _read_plan(self, update: Raw, meta: Raw, at: datetime | None) -> Hint:
        listed = update.get("entries")
        entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
        self.plan = tuple(
            PlanEntry(_line(str(entry.get("content") or ""), _ENTRY), _status(entry) or "pending")
            for entry in entries[:MOST_ENTRIES]
        )
        if not self.plan:
            return Hint.NONE
        done = sum(entry.status == "completed" for entry in self.plan)
        identifier = f"plan {hash(tuple(entry.text for entry in self.plan)) & 0xFFFFFFFF:x}"
        draft = self._drafts.get(identifier)
        if draft is None:
            draft = _Draft(identifier, "plan", at)
            self._keep(draft)
        lines = "\n".join(f"[{_BOXES.get(entry.status, ' ')}] {entry.text}" for entry in self.plan)[:LONGEST_TEXT]
        before = draft.length
        draft.title, draft.parts, draft.length, draft.made = (
            f"Plan: {done} of {len(self.plan)} done",
            [lines],
            len(lines),
            None,
        )
        self._grow(draft.length - before)
        return Hint.NONE

    def _info(self, update: Raw, meta: Raw, at: datetime | None) -> Hint:
        event = _word(meta.get("cognition.ai/eventType"))
        if event == "simple_activity_update":
            activity = _word(meta.get("cognition.ai/activityEnum"))
            self._announced = _ACTIVITIES.get(activity, activity.replace("_", " ")) if activity else None
            return Hint.NONE
        if event == "is_typing":
            self._is_typing = meta.get("cognition.ai/isTyping") is True
            return Hint.NONE
        if event == "pr_data_updated":
            return self._pull_request(meta.get("cognition.ai/prDataUpdated"), at)
        if event == "permission_resolved":
            self.approval = None
        is_status = event == "status_update" or "cognition.ai/statusEnum" in meta
        if is_status:
            return self._status(meta, at)
        if event in _LIFECYCLE or (READS_REPORTS and event == "pause"):
            return Hint.STATUS | Hint.OVER
        return Hint.NONE

    def _pull_request(self, data: Any, at: datetime | None) -> Hint:
        url = data.get("prUrl") if isinstance(data, Mapping) else None
        if not isinstance(url, str):
            return Hint.STATUS
        url = clean(url)[:_ENTRY]
        identifier = f"pull_request {url}"
        if identifier not in self._drafts:
            name = re.sub(r"^https?://[^/]+/([^/]+/[^/]+)/(?:pull|-/merge_requests)/(\d+).*$", r"\1#\2", url)
            draft = _Draft(identifier, "pull_request", at, title=one_line(name, _TITLE), parts=[url], length=len(url))
            self._keep(draft)
        return Hint.STATUS

    def _status(self, meta: Raw, at: datetime | None) -> Hint:
        word = _status_word(meta)
        outcome = _word(meta.get("cognition.ai/finishedOutcome"))
        hint = Hint.STATUS
        if "cognition.ai/userActionRequired" in meta:
            asked = meta["cognition.ai/userActionRequired"]
            self.asks = _line(asked, _ENTRY) if isinstance(asked, str) and asked else None
        if word is None:
            return hint
        is_restored = READS_REPORTS and meta.get("cognition.ai/statusReason") == "resume_restored"
        if word in _STATUS and word not in _OPEN and not is_restored:
            hint |= Hint.OVER
            self._is_typing, self._announced = False, None
        else:
            self.approval, self.asks = None, None
        title = _OUTCOMES.get(outcome or "", "") or _STATUS.get(word, word.replace("_", " "))
        said = meta.get("cognition.ai/statusMessage") or meta.get("cognition.ai/inputDisabledReason") or self.asks
        place = meta.get("cognition.ai/queuePosition")
        if isinstance(place, int) and word == "queued":
            title = f"{title}, number {place}"
            self._announced = title
        is_same, self.word = word == self.word and not outcome, word
        if is_same and not isinstance(place, int):
            return hint
        event = meta.get("cognition.ai/eventId")
        if not isinstance(event, str):
            self._nameless += 1
            event = f"{_NAMELESS}{self._nameless}"
        text = clean(str(said))[:LONGEST_INPUT] if said else ""
        identifier = event if event.startswith(_NAMELESS) else f"status {event}"
        draft = _Draft(identifier, "status", at, status=word, title=title, parts=[text], length=len(text))
        self._keep(draft)
        return hint

    def _ignore(self, update: Raw, meta: Raw, at: datetime | None) -> Hint:
        return Hint.NONE

    # --- within the limits ------------------------------------------------------------------------------------

    def _keep(self, draft: _Draft) -> None:
        self._drop(draft.id)
        self._drafts[draft.id] = draft
        if len(self._drafts) > MOST_STEPS:
            self._drop(next(iter(self._drafts)))
        self._grow(draft.length)

    def _drop(self, identifier: str) -> None:
        draft = self._drafts.pop(identifier, None)
        if draft is not None:
            self.characters -= draft.length
            self._steps = None

    def _grow(self, by: int) -> None:
        self.characters += by
        self._steps = None
        while self.characters > MOST_CHARACTERS and len(self._drafts) > 1:
            self._drop(next(iter(self._drafts)))


_NEVER = datetime.min.replace(tzinfo=UTC)
_NAMELESS = "nameless "
"""What the ids of steps begin with that have none of their own: after a reload they cannot be told apart."""
_CHUNKS = frozenset({"user_message_chunk", "agent_message_chunk", "agent_thought_chunk"})
_BOXES = {"completed": "x", "in_progress": "~"}
VARIANTS: dict[str, Callable[[Transcript, Raw, Raw, datetime | None], Hint]] = {
    **dict.fromkeys(_CHUNKS, Transcript._chunk),
    "tool_call": Transcript._tool,
    "tool_call_update": Transcript._tool,
    "plan": Transcript._read_plan,
    "session_info_update": Transcript._info,
    **dict.fromkeys(
        ("available_commands_update", "current_mode_update", "config_option_update", "usage_update"),
        Transcript._ignore,
    ),
}


def _meta(value: Raw) -> Raw:
    found = value.get("_meta")
    return found if isinstance(found, Mapping) else {}


def _status_in(meta: Raw) -> str | None:
    """Return the status in the `_meta` of a notification or an answer, where it may be in a snapshot of the session."""
    about = meta.get("cognition.ai/session")
    return _status_word(about if isinstance(about, Mapping) else meta)


def _status_word(meta: Raw) -> str | None:
    return _word(spelled(meta.get("cognition.ai/statusEnum"), _STATUS))


def _hint_of(status: str | None) -> Hint:
    is_over = status is not None and status in _STATUS and status not in _OPEN
    return Hint.STATUS | Hint.OVER if is_over else Hint.STATUS


def _word(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value if len(value) < _WORD and value.isidentifier() and value.isascii() else one_line(value, _WORD)


def _status(raw: Raw) -> str | None:
    return _word(spelled(raw.get("status"), ("pending", "in_progress", *DONE)))


def _line(text: str, limit: int) -> str:
    return one_line(_TAG.sub(_cited, text) if "<r" in text else text, limit)


def _time(value: Any) -> datetime | None:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass  # no time that can be read: a step is shown without one
    return None


def _text_of(block: Any) -> str:
    """Return the text of a content block, or of an array of them."""
    if isinstance(block, list):
        return "".join(map(_text_of, block))
    if not isinstance(block, Mapping):
        return ""
    if isinstance(block.get("text"), str):
        return str(block["text"])
    resource = block.get("resource")
    if isinstance(resource, Mapping) and isinstance(resource.get("text"), str):
        return str(resource["text"])
    name = block.get("name") or block.get("uri")
    return f"[{name or block['type']}]" if isinstance(block.get("type"), str) else ""


def _questions(listed: Any) -> str:
    lines = []
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping) and isinstance(each.get("question"), str):
            options = each.get("options")
            among = ", ".join(map(str, options)) if isinstance(options, list) else ""
            lines.append(f"\n\n{each['question']}" + (f" ({among})" if among else ""))
    return "".join(lines)


def _label(update: Raw, meta: Raw) -> str:
    title = update.get("title")
    if READS_REPORTS and meta.get("cognition.ai/eventType") == _SECRET:
        title = f"Asks for the secret {meta.get('cognition.ai/secretName') or ''}; give it in the web app"
    title = title or meta.get("cognition.ai/headline")
    return title if isinstance(title, str) and title.strip() else ""


def _input(update: Raw, meta: Raw) -> str | None:
    """Return what a tool call was given; None where an update does not say."""
    raw = update.get("rawInput")
    if isinstance(raw, Mapping) and isinstance(raw.get("command"), str):
        given = str(raw["command"])
    elif isinstance(raw, str):
        given = raw
    elif raw is not None:
        given = _json(raw)
    else:
        names = _INPUTS + _REPORTED_INPUTS if READS_REPORTS else _INPUTS
        found = next((meta[name] for name in names if isinstance(meta.get(name), str)), None)
        if found is None:
            return None
        given = str(found)
    return given[:LONGEST_INPUT]


_INPUTS = tuple(f"cognition.ai/{name}" for name in ("command", "query", "listDirectory"))
_REPORTED_INPUTS = ("cognition.ai/note",)


def _output(update: Raw, meta: Raw) -> str | None:
    """Return the end of what a tool call gave; None where an update does not say."""
    listed, raw = update.get("content"), update.get("rawOutput")
    if isinstance(listed, list):
        text = "\n".join(filter(None, map(_tool_text, listed)))
    elif isinstance(raw, str):
        text = raw
    elif raw is not None:
        text = _json(raw)
    else:
        text = None
    code = meta.get("cognition.ai/exitCode")
    if isinstance(code, int) and code:
        text = f"{text or ''}\nexit code {code}".lstrip("\n")
    return text if text is None or len(text) <= LONGEST_TEXT else f"…{text[1 - LONGEST_TEXT :]}"


def _tool_text(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    if item.get("type") == "diff":
        return _diff(item)
    return _text_of(item["content"]) if "content" in item else _text_of(item)


def _diff(item: Raw) -> str:
    old, new = (str(item.get(name) or "")[:LONGEST_INPUT].splitlines() for name in ("oldText", "newText"))
    path = str(item.get("path") or "")
    return "\n".join(difflib.unified_diff(old, new, path, path, n=1, lineterm=""))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return ""


def _settled(step: Step) -> _Draft:
    """Return an earlier step as one that may go on."""
    text = len(step.text) + len(step.input)
    return _Draft(
        step.id,
        step.kind,
        step.at,
        step.status,
        step.title,
        parts=[step.text],
        length=text,
        input=step.input,
        tool=step.tool,
        made=step,
    )
