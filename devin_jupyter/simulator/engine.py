"""Acts on sessions: create, send, terminate, archive, tags, sleep.

Every act is a deed: it is kept, and done again on restart. What a session shows is a function of seed, request,
order and the times of its deeds, never of anybody's reading.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from devin_jupyter.simulator.categories import category_of
from devin_jupyter.simulator.clock import Clock
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.faults import Faults
from devin_jupyter.simulator.ids import digest, opaque
from devin_jupyter.simulator.persist import Keeper
from devin_jupyter.simulator.preload import preloaded
from devin_jupyter.simulator.problems import Problem
from devin_jupyter.simulator.scenarios import IDLE, scenarios_of
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.texts import repos_in, title_of
from devin_jupyter.simulator.timeline import Frame, Word
from devin_jupyter.simulator.turns import Opener, plan_turn

IDLE_SECONDS = 1800.0
"""An idle session falls asleep after this much time added through `/_sim/clock`; passing time does not count."""
SERVICE_USER = "service-user-simulator"
"""The principal behind the v3 key."""
_CONTENT = ("prompt", "repos", "devin_mode", "structured_output_schema", "max_acu_limit", "playbook_id")
"""The fields that a session's id, texts, costs and output follow from; tags and titles do not change the work."""
_ASLEEP, _OVER = ("suspended",), ("exit", "error")

Deed = dict[str, Any]


class Engine:
    """All sessions of one simulator."""

    def __init__(
        self, config: Config, clock: Clock, keeper: Keeper, faults: Faults, *, seed: int, preload: int, today: int
    ) -> None:
        """Make the preloaded sessions, then every kept one by doing its deeds again."""
        self._config, self._clock, self._keeper, self._faults = config, clock, keeper, faults
        self._seed = seed
        self._alike: Counter[str] = Counter()
        self.ordered: list[Session] = preloaded(preload, seed=seed, today=today, org_id=config.org)
        """Oldest first."""
        self._past = len(self.ordered)
        self.sessions = {session.id: session for session in self.ordered}
        """By bare id."""
        self._restore()

    def create(
        self,
        request: dict[str, Any],
        *,
        api_version: str = "v3",
        origin: str = "api",
        user_id: str | None = None,
        service_user_id: str | None = SERVICE_USER,
        extra: dict[str, Any] | None = None,
    ) -> Session:
        """Start a session for the body of a create call (v3 names)."""
        birth = {
            "at": self._clock.now(),
            "request": request,
            "api_version": api_version,
            "origin": origin,
            "user_id": request.get("create_as_user_id") or user_id,
            "service_user_id": service_user_id,
            "extra": extra or {},
        }
        session = self._born(birth)
        self._keeper.save("sessions", session.id, birth)
        rule = self._faults.on_state("hide_new")
        session.hidden_until = session.created_at + rule.seconds if rule else 0.0
        return session

    def send(self, session: Session, text: str, *, user_id: str | None = None, files: list[str] | None = None) -> None:
        """Give a message to a session: it steers a working one, gives an idle one a turn, wakes a sleeping one."""
        now = self._clock.now()
        self._refuse_message(session, now)
        rule = self._faults.on_state("stale")
        if rule:
            session.stale_polls, session.stale_at = rule.polls, math.nextafter(now, 0)
        self._do(session, {"kind": "message", "at": now, "text": text, "user_id": user_id, "files": files or []})

    def terminate(self, session: Session, *, archive: bool = False) -> None:
        """End a session for good; one that is over stays as it is."""
        if session.timeline.frame(self._clock.now()).status not in _OVER:
            self._do(session, {"kind": "terminate", "at": self._clock.now()})
        if archive:
            self.archive(session)

    def archive(self, session: Session) -> None:
        """Put a session into the archive, and to sleep if it is awake."""
        if not session.archived:
            self._do(session, {"kind": "archive", "at": self._clock.now()})

    def unarchive(self, session: Session) -> None:
        """Take a session out of the archive."""
        if session.archived:
            self._do(session, {"kind": "unarchive", "at": self._clock.now()})

    def tag(self, session: Session, tags: list[str]) -> None:
        """Replace the tags; repeated ones are kept once."""
        self._do(session, {"kind": "tags", "at": self._clock.now(), "tags": list(dict.fromkeys(tags))})

    def fall_asleep(self) -> None:
        """Put every session to sleep whose patience the added time has used up."""
        for session in self.ordered:
            last = session.timeline.frames[-1]
            if last.status == "running" and last.detail in IDLE:
                deadline = self._clock.idle_deadline(max(last.at, session.touched), IDLE_SECONDS)
                if deadline is not None:
                    self._do(session, {"kind": "sleep", "at": deadline})

    def apply_faults(self) -> None:
        """Take up new fault rules: what older ones hid or held back shows again, what is young may be hidden."""
        seconds = self._faults.hidden_seconds()
        for session in self.ordered:
            session.stale_polls = 0
            session.hidden_until = session.created_at + seconds if session.order >= 0 else 0.0

    def _born(self, birth: dict[str, Any]) -> Session:
        request, at = birth["request"], birth["at"]
        content = json.dumps({name: request.get(name) for name in _CONTENT}, sort_keys=True)
        self._alike[content] += 1
        seed = digest(self._seed, content, self._alike[content])
        repos = tuple(request.get("repos") or repos_in(request["prompt"]))
        category, subcategory = category_of(request["prompt"], seed)
        session = Session(
            id=opaque("", seed, "session"),
            order=len(self.ordered) - self._past,
            created_at=at,
            request=request,
            seed=seed,
            title=request.get("title") or title_of(request["prompt"]),
            mode=request.get("devin_mode") or "normal",
            tags=list(dict.fromkeys(request.get("tags") or [])),
            attempt=self._alike[content],
            repos=repos,
            org_id=self._config.org,
            origin=birth["origin"],
            api_version=birth["api_version"],
            user_id=birth["user_id"],
            service_user_id=birth["service_user_id"],
            playbook_id=request.get("playbook_id"),
            category=category,
            subcategory=subcategory,
            categorised_at=at + 0.3 * self._config.turn_seconds,
            extra=dict(birth["extra"]),
        )
        if "unknown" in scenarios_of(request.get("tags")):
            _estrange(session)
        prompt = request["prompt"]
        session.timeline.extend(words=[Word(at, "user", prompt, opaque("event", seed, 0), birth["user_id"])])
        plan_turn(session, Opener(at, prompt, request.get("attachment_urls") or ()), self._config.turn_seconds)
        self.ordered.append(session)
        self.sessions[session.id] = session
        return session

    def _restore(self) -> None:
        deeds: dict[str, list[Deed]] = {}
        for _, kept in self._keeper.load("deeds"):
            deeds.setdefault(kept["session"], []).append(kept["deed"])
        for _, birth in list(self._keeper.load("sessions")):
            self._born(birth)
        for session_id, todo in deeds.items():
            for deed in todo:
                self._apply(self.sessions[session_id], deed)

    def _do(self, session: Session, deed: Deed) -> None:
        self._apply(session, deed)
        key = f"{session.id}/{len(session.deeds)}"
        self._keeper.save("deeds", key, {"session": session.id, "deed": deed})

    def _apply(self, session: Session, deed: Deed) -> None:
        kind, at = deed["kind"], deed["at"]
        session.deeds.append(deed)
        session.forget_rendering()
        if kind == "message":
            self._take_message(session, deed)
            return
        session.touch(at)
        if kind == "terminate":
            _stop(session, at, "exit", None)
        elif kind == "sleep":
            _stop(session, at, "suspended", "inactivity")
        elif kind == "archive":
            session.archived = True
            if session.timeline.frame(at).status not in (*_ASLEEP, *_OVER):
                _stop(session, at, "suspended", "user_request")
        elif kind == "unarchive":
            session.archived = False
        else:
            session.tags = list(deed["tags"])

    def _take_message(self, session: Session, deed: Deed) -> None:
        at, timeline = deed["at"], session.timeline
        opener = Opener(at, deed["text"], deed["files"], timeline.frame(at), timeline.frames[-1].at)
        timeline.cut(at)
        event_id = opaque("event", session.seed, "message", len(session.deeds))
        timeline.extend(words=[Word(at, "user", deed["text"], event_id, deed["user_id"])])
        plan_turn(session, opener, self._config.turn_seconds)

    def _refuse_message(self, session: Session, now: float) -> None:
        status = session.timeline.frame(now).status
        if status in _OVER:
            raise Problem(409, f"Session devin-{session.id} has ended ({status}) and takes no messages")
        if session.archived:
            raise Problem(409, f"Session devin-{session.id} is archived and takes no messages")
        if status in _ASLEEP and session.request.get("resumable") is False:
            raise Problem(409, f"Session devin-{session.id} was disposable and cannot be resumed")


def _stop(session: Session, at: float, status: str, detail: str | None) -> None:
    last = session.timeline.frame(at)
    session.timeline.cut(at)
    session.timeline.extend(frames=[Frame(at, status, detail, last.acus, last.output)])


def _estrange(session: Session) -> None:
    """Give a session values that no documentation names, as a service that grew would."""
    session.category, session.subcategory = "time_travel", "Paradox"
    session.origin, session.mode = "carrier_pigeon", "swe-2-preview"
    session.extra |= {"automation_id": None, "confidence_band": {"low": 0.4, "high": 0.9}, "weather": "fair"}
