"""All state of one simulator, and the acts on its sessions: create, send, terminate, archive, tags, sleep.

Every act is kept, and done again on restart. What a session shows is a function of seed, request, order and the times
of the acts on it, never of when it was read. Everything here is touched from the server's event loop only, so that
nothing needs a lock.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.preload import first_automations, preloaded_sessions, sessions_of_others
from devin_jupyter.simulator.scenarios import IDLE, Opener, plan_turn, repos_in, scenarios_of, title_of
from devin_jupyter.simulator.sessions import Frame, Message, Pull, Session
from devin_jupyter.simulator.store import FOLDERS, PLAYBOOKS, Store
from devin_jupyter.simulator.values import category_of, digest, opaque
from devin_jupyter.simulator.wire import Problem

DAY = 86400
IDLE_SECONDS = 1800.0
"""An idle session falls asleep after this much time added through `/_sim/clock`; passing time does not count."""
SERVICE_USER = "service-user-simulator"
"""The principal behind the v3 key."""
USER = "user-simulator"
"""The principal behind the personal access token."""
_CONTENT = ("prompt", "repos", "devin_mode", "structured_output_schema", "max_acu_limit", "playbook_id")
"""The fields that a session's id, texts, costs and output follow from; tags and titles do not change the work."""
_KNOWLEDGE_FOLDERS = (("Conventions", None), ("Python", "Conventions"), ("Operations", None))
"""Name and parent of the folders of a fresh simulator: neither API has a way to make one."""
_OVER = ("exit", "error")


class Clock:
    """Simulated time: real Unix seconds plus what `/_sim/clock` added.

    It also knows which part of a time span was added, because idle sessions fall asleep by added time only: no session
    goes to sleep while its user reads.
    """

    def __init__(self, real: Callable[[], float] = time.time, *, offset: float = 0.0) -> None:
        self._real, self._offset = real, offset
        self.restore([])

    def restore(self, jumps: list[tuple[float, float]]) -> None:
        """Restore the advances of an earlier run: simulated time before each, and its length."""
        self.jumps = list(jumps)
        self.advanced = sum(length for _, length in jumps)

    def now(self) -> float:
        """Return the simulated Unix time."""
        return self._real() + self._offset + self.advanced

    def advance(self, seconds: float) -> None:
        """Add seconds to the clock."""
        self.restore([*self.jumps, (self.now(), seconds)])

    def idle_deadline(self, since: float, idle_seconds: float) -> float | None:
        """Return when `idle_seconds` added seconds had passed after `since`; None if that has not happened yet."""
        for start, length in self.jumps:
            skipped = max(0.0, since - start)
            counted = length - skipped
            if counted <= 0:
                continue
            if counted >= idle_seconds:
                return start + skipped + idle_seconds
            idle_seconds -= counted
        return None


LiveFaultKind = Literal[
    "live_refuse",
    "live_query_token",
    "live_version",
    "live_no_method",
    "live_error",
    "live_no_answer",
    "live_early",
    "live_flood",
    "live_repeat",
    "live_close",
    "live_half_open",
    "live_garbage",
    "live_big",
    "live_unknown",
    "live_says",
    "live_permission",
]
FaultKind = Literal[
    "drop_before",
    "drop_after",
    "status",
    "slow",
    "hang",
    "malformed",
    "linger",
    "empty_pages",
    "bare_list",
    "no_tags",
    "tag_case",
    "hide_new",
    "stale",
    "deaf",
]
ON_STATE = ("hide_new", "stale", "deaf")
"""The faults of sessions; all other kinds are faults of the answers to requests."""
_NOT_ON_ANSWERS = (*ON_STATE, *get_args(LiveFaultKind))


class Fault(BaseModel):
    """A rule for what goes wrong. Without `method` or `route` it matches any; without `times` it stays in force."""

    kind: FaultKind | LiveFaultKind
    """`linger`: the last page of a list says that there is more, behind the cursor that led to it. `empty_pages`: a
    list begins with `polls` empty pages that say that there is more. `bare_list`: a list is `[]`. `no_tags` and
    `tag_case`: sessions are shown without their tags, or with those in capitals. `hang`: no answer comes. `deaf`: a
    message is accepted and has no effect.

    Of the live channel, see `live`: the upgrade is answered with `status` (`live_refuse`), `?token=` is taken
    (`live_query_token`), another protocol version is spoken (`live_version`), `method` is unknown (`live_no_method`),
    a load is answered with the error `code` (`live_error`) or never (`live_no_answer`), a status comes before its
    answer (`live_early`), `count` events are replayed (`live_flood`), the last `count` come again after it
    (`live_repeat`). After `count` updates the connection is closed with `code` (`live_close`) or stays open in silence
    (`live_half_open`). After a load come frames that are no JSON (`live_garbage`), a frame of 5 MB (`live_big`),
    unknown variants (`live_unknown`), a request for a permission (`live_permission`). The status that is sent is
    always `word` (`live_says`).
    """
    method: str | None = None
    route: str | None = None
    """A route template, such as `/v3/organizations/{org_id}/sessions`."""
    times: int | None = Field(default=None, ge=0)
    """How many requests (or, for `hide_new` and `stale`, new sessions or messages) it still applies to."""
    status: int = Field(default=503, ge=400, le=599)
    error_code: str | None = None
    """Of an answer of kind `status`, such as `user_frozen` with 403."""
    retry_after: float | None = None
    seconds: float = Field(default=5.0, ge=0)
    """How long an answer takes (`slow`) or a new session stays unlisted (`hide_new`)."""
    polls: int = Field(default=3, ge=0)
    """How many reads after a message show the old state (`stale`), or how many pages are empty (`empty_pages`)."""
    moved: bool = False
    """While the old state is shown (`stale`), `updated_at` has moved already."""
    code: int | None = None
    """Of a closed connection (1012 by default) or a JSON-RPC error (-32002)."""
    count: int = Field(default=3, ge=0, le=1_000_000)
    word: str = "working"


class Faults:
    """The rules in force and their counters; the app's middleware applies those on answers."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def replace(self, rules: Iterable[Fault]) -> None:
        """Put these rules in the place of all others."""
        self.rules = [rule.model_copy() for rule in rules]
        for rule in self.rules:
            if rule.method is not None and not rule.kind.startswith("live_"):
                rule.method = rule.method.upper()

    def on_answer(self, method: str, route: str) -> Fault | None:
        """Return the first rule for the answer to this request, and count it."""
        return self._take(
            rule
            for rule in self.rules
            if rule.kind not in _NOT_ON_ANSWERS and rule.method in (None, method) and rule.route in (None, route)
        )

    def on_state(self, kind: FaultKind) -> Fault | None:
        """Return the first rule of a kind of `ON_STATE`, and count it; these match any request."""
        return self._take(rule for rule in self.rules if rule.kind == kind)

    def on_live(self, kind: LiveFaultKind, method: str | None = None) -> Fault | None:
        """Return the first rule for the live channel of this kind, and count it."""
        return self._take(rule for rule in self.rules if rule.kind == kind and rule.method in (None, method))

    def hidden_seconds(self) -> float:
        """Return for how long lasting `hide_new` rules keep a session out of the list."""
        return max((rule.seconds for rule in self.rules if rule.kind == "hide_new" and rule.times is None), default=0.0)

    def _take(self, rules: Iterable[Fault]) -> Fault | None:
        rule = next((rule for rule in rules if rule.times != 0), None)
        if rule is not None and rule.times is not None:
            rule.times -= 1
        return rule


class Simulation:
    """Clock, sessions, records, faults and counts of one simulator."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        """Open the file of `config.state`, or start with the preloaded sessions only."""
        self.config = config
        self.clock = clock or Clock(offset=config.clock_offset)
        self.store = Store(config.state, seed=config.seed)
        self.faults = Faults()
        self.is_across = False
        """Whether the sessions are those of all organizations; their `order` then has no meaning."""
        self.requests: Counter[str] = Counter()
        """Requests by `"METHOD route template"`, and those of the live channel by `"ACP method"`."""
        self.listeners: dict[Callable[[], None], None] = {}
        """Called after each act that changes what was planned."""
        self._open()

    def _open(self) -> None:
        meta = dict(self.store.load("meta"))
        is_new = "start" not in meta
        if is_new:
            day = self.config.today
            now = self.clock.now() if day is None else datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
            meta["start"] = {"seed": self.config.seed, "preload": self.config.preload, "today": int(now) // DAY * DAY}
            self.store.save("meta", "start", meta["start"])
        self.clock.restore([(start, length) for start, length in meta.get("jumps", [])])
        start = meta["start"]
        self._seed: int = start["seed"]
        self._repeats: Counter[str] = Counter()
        self.ordered: list[Session] = preloaded_sessions(
            start["preload"], seed=start["seed"], today=start["today"], org_id=self.config.org
        )
        """Every session, oldest first."""
        self._past = len(self.ordered)
        self.others: list[Session] = sessions_of_others(
            start["preload"], seed=start["seed"], today=start["today"], names=[*self.config.names][1:]
        )
        """Past sessions of the other organizations of the enterprise."""
        self._past_pulls: dict[str, list[tuple[Session, Pull]]] = {}
        for session in (*self.others, *self.ordered):
            for pull in session.timeline.pulls:
                self._past_pulls.setdefault(pull.url, []).append((session, pull))
        self.sessions = {session.id: session for session in self.ordered}
        """By bare id."""
        self._across: dict[str | None, tuple[list[Session], dict[str, Session]]] = {}
        """What a view of an organization, or of all, shows; until another session is started."""
        if is_new:
            self._add_folders()
            for automation in first_automations(start["today"]):
                self.store.table("automations")[automation["automation_id"]] = automation
        acts: dict[str, list[dict[str, Any]]] = {}
        for _, kept in self.store.load("deeds"):  # the name in files since the first release
            acts.setdefault(kept["session"], []).append(kept["deed"])
        for _, birth in self.store.load("sessions"):
            self._start(birth)
        everyone = {session.id: session for session in self.others} | self.sessions
        for session_id, todo in acts.items():
            for act in todo:
                self._apply(everyone[session_id], act)

    def _add_folders(self) -> None:
        ids: dict[str | None, str | None] = {None: None}
        for name, parent in _KNOWLEDGE_FOLDERS:
            path = f"/{parent}/{name}" if parent else f"/{name}"
            fields = {"name": name, "path": path, "parent_folder_id": ids[parent], "created_at": int(self.now())}
            ids[name] = self.store.create(FOLDERS, fields)["folder_id"]

    def across(self, org_id: str | None = None) -> Simulation:
        """Return a view for the key of an enterprise: the sessions of one organization, or of all."""
        if org_id not in self._across:
            found = [one for one in (*self.others, *self.ordered) if org_id in (None, one.org_id)]
            found.sort(key=lambda session: session.created_at)
            self._across[org_id] = found, {session.id: session for session in found}
        view = copy.copy(self)
        view.ordered, view.sessions = self._across[org_id]
        view.is_across = True
        return view

    def past_pull(self, url: str) -> Pull | None:
        """Return the pull request of this URL that a preloaded session opened."""
        found = self._past_pulls.get(url, ())
        return next((pull for session, pull in found if session.id in self.sessions), None)

    def allowed_tags(self, org_id: str) -> list[str]:
        """Return the session tags on the list of an organization; it counts where `config.allowed_tags` is set."""
        kept = self.store.table("org_tags").get(org_id)
        found: list[str] = kept["tags"] if kept else list(self.config.allowed_tags or ())
        return found

    def now(self) -> float:
        """Return the simulated Unix time."""
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        """Add to the clock; sessions that have been idle for too long by then fall asleep."""
        self.clock.advance(seconds)
        self._notify()
        self.store.save("meta", "jumps", self.clock.jumps)
        for session in self.ordered:
            last = session.timeline.frames[-1]
            if last.status == "running" and last.detail in IDLE:
                deadline = self.clock.idle_deadline(max(last.at, session.touched), IDLE_SECONDS)
                if deadline is not None:
                    self._do(session, {"kind": "sleep", "at": deadline})

    def replace_faults(self, rules: Iterable[Fault]) -> None:
        """Replace the rules: what the old ones hid is listed again, and the new ones may hide recent sessions."""
        self.faults.replace(rules)
        seconds = self.faults.hidden_seconds()
        for session in self.ordered:
            session.stale_polls = 0
            session.hidden_until = session.created_at + seconds if session.order >= 0 else 0.0

    def reset(self) -> None:
        """Go back to the start: only the preloaded sessions, no faults, no counts, no added time."""
        self.store.clear()
        self.clock.restore([])
        self.faults.replace([])
        self.requests.clear()
        self._open()
        self._notify()

    def create(
        self,
        request: dict[str, Any],
        *,
        api_version: str = "v3",
        user_id: str | None = None,
        service_user_id: str | None = SERVICE_USER,
    ) -> Session:
        """Start a session for the body of a create call (v3 names); without a schema, it has that of its playbook."""
        playbook = self.store.table(PLAYBOOKS.kind).get(request.get("playbook_id") or "", {})
        if request.get("structured_output_schema") is None and playbook.get("structured_output_schema"):
            request = {**request, "structured_output_schema": playbook["structured_output_schema"]}
        birth = {
            "at": self.now(),
            "request": request,
            "api_version": api_version,
            "origin": "api",
            "user_id": request.get("create_as_user_id") or user_id,
            "service_user_id": service_user_id,
            "extra": {},
        }
        session = self._start(birth)
        self.store.save("sessions", session.id, birth)
        rule = self.faults.on_state("hide_new")
        session.hidden_until = session.created_at + rule.seconds if rule else 0.0
        return session

    def send(self, session: Session, text: str, *, user_id: str | None = None, files: list[str] | None = None) -> None:
        """Send a message: it steers a working session, starts a turn of an idle one and wakes a sleeping one.

        An archived session takes the message and does nothing.

        Raises:
            Problem: 409 for a session that takes no messages.
        """
        now = self.now()
        status = session.timeline.frame_at(now).status
        if status in _OVER:
            raise Problem(409, f"Session devin-{session.id} has ended ({status}) and takes no messages")
        if session.archived:
            self._do(session, {"kind": "unheard", "at": now, "text": text, "user_id": user_id})
            return
        if status == "suspended" and session.request.get("resumable") is False:
            raise Problem(409, f"Session devin-{session.id} was disposable and cannot be resumed")
        rule = self.faults.on_state("stale")
        if rule:
            session.stale_polls, session.stale_at = rule.polls, math.nextafter(now, 0)
            session.stale_moved = rule.moved
        kind = "message" if self.faults.on_state("deaf") is None else "unheard"
        self._do(session, {"kind": kind, "at": now, "text": text, "user_id": user_id, "files": files or []})

    def terminate(self, session: Session, *, archive: bool = False) -> None:
        """Terminate a session; one that has ended stays as it is."""
        if session.timeline.frame_at(self.now()).status not in _OVER:
            self._do(session, {"kind": "terminate", "at": self.now()})
        if archive:
            self.archive(session)

    def archive(self, session: Session) -> None:
        """Archive a session, and suspend it if it runs."""
        if not session.archived:
            self._do(session, {"kind": "archive", "at": self.now()})

    def hold(self, session: Session, *, migrate: bool = False) -> None:
        """Freeze a session as it is: archived, or migrated to another organization."""
        self._do(session, {"kind": "migrate" if migrate else "hold", "at": self.now()})

    def unarchive(self, session: Session) -> None:
        """Take a session out of the archive."""
        if session.archived:
            self._do(session, {"kind": "unarchive", "at": self.now()})

    def answer_approval(self, session: Session, *, approved: bool) -> bool:
        """Approve or reject what a session waits for; return False for a session that waits for no approval."""
        now = self.now()
        if session.timeline.frame_at(now).detail != "waiting_for_approval":
            return False
        self._do(session, {"kind": "approval", "at": now, "approved": approved})
        return True

    def cancel(self, session: Session) -> None:
        """Cancel the turn of a session, which stays usable; in its first moments, and when idle, nothing happens."""
        frame = session.timeline.frame_at(self.now())
        if frame.status == "running" and frame.detail not in IDLE:
            self._do(session, {"kind": "cancel", "at": self.now()})

    def tag(self, session: Session, tags: list[str]) -> None:
        """Replace the tags; repeated ones are kept once."""
        self._do(session, {"kind": "tags", "at": self.now(), "tags": list(dict.fromkeys(tags))})

    def _start(self, birth: dict[str, Any]) -> Session:
        request, at = birth["request"], birth["at"]
        prompt: str = request["prompt"]
        content = json.dumps({name: request.get(name) for name in _CONTENT}, sort_keys=True)
        self._repeats[content] += 1
        seed = digest(self._seed, content, self._repeats[content])
        category, subcategory = category_of(prompt, seed)
        session = Session(
            id=opaque("", seed, "session"),
            order=len(self.ordered) - self._past,
            created_at=at,
            request=request,
            seed=seed,
            title=request.get("title") or title_of(prompt),
            mode=request.get("devin_mode") or "normal",
            tags=list(dict.fromkeys(request.get("tags") or [])),
            attempt=self._repeats[content],
            repos=tuple(request.get("repos") or repos_in(prompt)),
            org_id=self.config.org,
            origin=birth["origin"],
            api_version=birth["api_version"],
            user_id=birth["user_id"],
            service_user_id=birth["service_user_id"],
            playbook_id=request.get("playbook_id"),
            category=category,
            subcategory=subcategory,
            categorized_at=at + 0.3 * self.config.turn_seconds,
            extra=dict(birth["extra"]),
        )
        if "unknown" in scenarios_of(request.get("tags")):  # values that no documentation names, as a service may grow
            session.category, session.subcategory = "time_travel", "Paradox"
            session.origin, session.mode = "carrier_pigeon", "swe-2-preview"
            session.extra |= {"automation_id": None, "confidence_band": {"low": 0.4, "high": 0.9}, "weather": "fair"}
        session.timeline.extend(messages=[Message(at, "user", prompt, opaque("event", seed, 0), birth["user_id"])])
        plan_turn(session, Opener(at, prompt, request.get("attachment_urls") or ()), self.config.turn_seconds)
        self._across.clear()
        self.ordered.append(session)
        self.sessions[session.id] = session
        return session

    def _do(self, session: Session, act: dict[str, Any]) -> None:
        self._apply(session, act)
        self._notify()
        self.store.save("deeds", f"{session.id}/{len(session.acts)}", {"session": session.id, "deed": act})

    def _notify(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def _open_turn(self, session: Session, act: dict[str, Any]) -> None:
        at, timeline = act["at"], session.timeline
        before, planned_end = timeline.frame_at(at), timeline.frames[-1].at
        timeline.cut(at)
        if act["kind"] == "approval":
            opener = Opener(at, str(session.request["prompt"]), before=before, approved=act["approved"])
        else:
            opener = Opener(at, act["text"], act["files"], before, planned_end)
            event_id = opaque("event", session.seed, "message", len(session.acts))
            timeline.extend(messages=[Message(at, "user", act["text"], event_id, act["user_id"])])
        plan_turn(session, opener, self.config.turn_seconds)

    def _apply(self, session: Session, act: dict[str, Any]) -> None:
        kind, at, timeline = act["kind"], act["at"], session.timeline
        session.acts.append(act)
        session.drop_rendering()
        if kind in ("hold", "migrate"):
            timeline.cut(at)
            session.archived, session.migrated = session.archived or kind == "hold", kind == "migrate"
            return
        if kind == "unheard":
            event_id = opaque("event", session.seed, "message", len(session.acts))
            timeline.extend(messages=[Message(at, "user", act["text"], event_id, act["user_id"])])
            return
        if kind in ("message", "approval"):
            self._open_turn(session, act)
            return
        session.touch(at)
        if kind in _STOPS:
            _stop(session, at, *_STOPS[kind])
        elif kind == "archive":
            session.archived = True
            if timeline.frame_at(at).status not in ("suspended", *_OVER):
                _stop(session, at, "suspended", "user_request")
        elif kind == "unarchive":
            session.archived = False
        else:
            session.tags = list(act["tags"])


_STOPS = {
    "terminate": ("exit", None),
    "cancel": ("running", "waiting_for_user"),
    "sleep": ("suspended", "inactivity"),
}
"""Status and detail of a session after the acts that end its turn."""


def _stop(session: Session, at: float, status: str, detail: str | None) -> None:
    last = session.timeline.frame_at(at)
    session.timeline.cut(at)
    session.timeline.extend(frames=[Frame(at, status, detail, last.acus, last.output)])
