"""Imported by notebooks of the browser tests: a session that cells move by hand, without any service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PhaseChange, PullRequest, Snapshot, phase_history
from devin_jupyter.models.steps import Approval, LiveView, PlanEntry, Step
from devin_jupyter.monitor.store import Connection

READ = """I read both repositories.

1. `refunds.py` builds SQL from strings
2. **login** is fine

```python
cursor.execute(f"select {x}")
```"""
START = datetime.now(UTC) - timedelta(minutes=12)
END = START + timedelta(minutes=11)


def message(number: int, text: str, source: str = "devin") -> Message:
    return Message(event_id=f"event-{number}", source=source, text=text, created_at=START + timedelta(minutes=number))


class FakeSubscription:
    """What `subscribe` of a made-up session returns."""

    def __init__(self, session: Any, callback: Callable[[Snapshot], None]) -> None:
        self._session, self._callback = session, callback
        session.callbacks.append(callback)

    def want(self, *, messages: bool, keep: bool) -> None:
        self._session.wanted.append(messages)

    def close(self) -> None:
        if self._callback in self._session.callbacks:
            self._session.callbacks.remove(self._callback)

    __call__ = close


class FakeSession:
    """A session handle whose snapshots the notebook makes up."""

    def __init__(self, number: int = 1, **fields: Any) -> None:
        bare = f"{number:032x}"
        usual: dict[str, Any] = {
            "session_id": f"devin-{bare}",
            "url": f"https://app.devin.ai/sessions/{bare}",
            "phase": Phase.WORKING,
            "created_at": START,
        }
        self.snapshot = Snapshot(**{**usual, **fields})
        self.asked: list[Any] = []
        self.callbacks: list[Callable[[Snapshot], None]] = []
        self.wanted: list[bool] = []
        self._on_trouble: Callable[[Connection], None] | None = None
        self._on_live: list[Callable[[LiveView], None]] = []
        self.live_view = LiveView(session_id=self.snapshot.session_id)
        self.phases: tuple[PhaseChange, ...] = phase_history((), self.snapshot, None)
        self.files = [{"name": name, "url": "", "source": "devin"} for name in ("report.csv", "coverage.html")]

    def subscribe(
        self,
        callback: Callable[[Snapshot], None],
        on_trouble: Callable[[Connection], None] | None = None,
        on_live: Callable[[LiveView], None] | None = None,
        **_: Any,
    ) -> FakeSubscription:
        self._on_trouble = on_trouble
        self._on_live += [on_live] if on_live else []
        return FakeSubscription(self, callback)

    def trouble(self, there_is: bool = True) -> None:
        assert self._on_trouble is not None
        since = END if there_is else None
        self._on_trouble(Connection(last_seen=END, troubled_since=since, problem="connection refused"))

    def show(self, **fields: Any) -> None:
        from dataclasses import replace

        self.snapshot = replace(self.snapshot, **fields)
        self.phases = phase_history(self.phases, self.snapshot, None)
        for callback in list(self.callbacks):
            callback(self.snapshot)

    def tell(self, **fields: Any) -> None:
        """Say what the live channel would."""
        from dataclasses import replace

        self.live_view = replace(self.live_view, **fields)
        for callback in self._on_live:
            callback(self.live_view)

    def approve(self) -> None:
        self.asked.append(("approve",))
        self.tell(approval=None)

    def reject(self) -> None:
        self.asked.append(("reject",))
        self.tell(approval=None)

    def cancel_turn(self) -> None:
        self.asked.append(("cancel_turn",))

    def attachments(self) -> list[dict[str, Any]]:
        return self.files

    def download(self) -> list[Any]:
        from pathlib import Path

        return [Path("devin-1") / entry["name"] for entry in self.files]

    def send(self, text: str, attach: Any = None, again: bool = False) -> None:
        self.asked.append(("send", text, attach))
        self.show(phase=Phase.QUEUED, question=None, send_pending=True)

    def stop(self) -> None:
        self.asked.append(("stop",))
        self.show(phase=Phase.STOPPED)

    def archive(self) -> None:
        raise RuntimeError("archiving is closed today")


def audit(**fields: Any) -> FakeSession:
    """A session with everything a panel can show."""
    rows = [
        {"file": "billing/refunds.py", "severity": "high", "lines": [12, 40], "advice": "Use a parameterised query."},
        {"file": "api/login.py", "severity": "low", "lines": [7], "advice": None},
    ]
    usual: dict[str, Any] = {
        "title": "Audit the payment API for injection flaws",
        "acus": 1.37,
        "max_acu_limit": 5,
        "repos": ("acme/api", "acme/billing"),
        "tags": ("security", "q4"),
        "mode": "fast",
        "org_id": "org-acme",
        "status": "running",
        "status_detail": "working",
        "pull_requests": (
            PullRequest("https://github.com/acme/api/pull/12", "open"),
            PullRequest("https://github.com/acme/billing/pull/7", "merged"),
        ),
        "structured_output": {"summary": "Two findings so far", "findings": rows, "complete": False},
        "output_is_fresh": True,
        "output_is_valid": True,
        "schema": {"type": "object"},
        "simulated": True,
        "messages": (
            message(0, "Audit the payment API and open a pull request per fix.", "user"),
            message(3, READ),
            message(8, "Opened [the first pull request](https://github.com/acme/api/pull/12). " + "And so on. " * 140),
        ),
    }
    return FakeSession(**{**usual, **fields})


PLAN = (
    PlanEntry("Read how queries are built", "completed"),
    PlanEntry("Parameterize the three that are not", "in_progress"),
    PlanEntry("Add a test for each", "pending"),
    PlanEntry("Open a pull request", "pending"),
)


def steps(count: int = 4) -> tuple[Step, ...]:
    """What Devin did: a thought, calls of tools, more of them."""
    at = datetime.now(UTC) - timedelta(seconds=90)
    first = (
        Step(kind="thought", title="The tests come first", text="The tests come first.\nThen the fix.", id="t1", at=at),
        Step(
            kind="tool", title="ran", input='rg -n "execute\\(f"', text="3 matches", status="completed", id="s1", at=at
        ),
        Step(kind="tool", title="edited", input="api/users.py api/report.py", status="completed", id="s2", at=at),
    )
    more = [
        Step(
            kind="tool",
            title="ran",
            input=f"pytest -k case_{n}",
            text=f"{n} passed",
            status="completed",
            id=f"m{n}",
            at=at,
        )
        for n in range(max(0, count - 4))
    ]
    now = datetime.now(UTC) - timedelta(seconds=8)
    last = Step(
        kind="tool", title="running", input="pytest tests/test_search.py", status="in_progress", id="now", at=now
    )
    return (*first, *more, last)


def at_work(session: FakeSession, count: int = 4) -> None:
    """Have the live channel tell of a session at work."""
    session.tell(state="on", activity="running pytest tests/test_search.py", plan=PLAN, steps=steps(count))


def asks_approval(session: FakeSession) -> None:
    session.tell(
        state="on", approval=Approval(id="r1", title="Push to the repository", text="git push origin fix-search")
    )


FINDINGS = (
    {"file": "api/users.py", "severity": "high", "summary": "The name goes into the statement by string formatting."},
    {"file": "api/report.py", "severity": "low", "summary": "The month is concatenated; it comes from a fixed list."},
)


def finished(**fields: Any) -> FakeSession:
    """A session whose answer is a list of records."""
    usual: dict[str, Any] = {
        "title": "Find places where user input reaches SQL without parameters",
        "phase": Phase.DONE,
        "acus": 1.84,
        "repos": ("acme/api",),
        "pull_requests": (PullRequest("https://github.com/acme/api/pull/418", "open"),),
        "structured_output": {"items": list(FINDINGS)},
        "output_is_valid": True,
        "updated_at": START + timedelta(minutes=4, seconds=2),
        "messages": (
            message(0, "Find the places.", "user"),
            message(1, "I found three places. Two of them are reachable from the public API.", "devin"),
            message(2, "Fix the first one, and add a test.", "user"),
            Message(
                "event-last",
                "devin",
                "Done: the query is parameterized, and `test_search_quotes` covers it. The other two are in modules "
                "without tests, so I left them as they are and wrote down what would have to change.\n\n"
                "1. `api/report.py` concatenates the month\n2. `api/old.py` is not used any more\n\n"
                "I ran the whole test suite twice; it is green both times, and coverage went up by a percent.",
                START + timedelta(minutes=6, seconds=2),
            ),
        ),
    }
    return audit(**{**usual, **fields})


def many(count: int) -> list[FakeSession]:
    """A thousand sessions in every phase."""
    phases = [Phase.WORKING, Phase.WORKING, Phase.QUEUED, Phase.YOUR_TURN, Phase.NEEDS_APPROVAL, Phase.ASLEEP]
    phases += [Phase.DONE, Phase.DONE, Phase.DONE, Phase.DONE, Phase.BLOCKED, Phase.STOPPED, Phase.FAILED]
    return [
        FakeSession(
            number,
            title=f"Upgrade service {number} to the new runtime and repair its tests",
            phase=phases[number % len(phases)],
            acus=None if number % 17 == 0 else round(0.1 + number % 40 / 9, 2),
            repos=(f"acme/service-{number}",),
            updated_at=START + timedelta(seconds=number),
            question="Which version of the database driver shall I use?" if number % len(phases) == 3 else None,
            pull_requests=(PullRequest(f"https://github.com/acme/service-{number}/pull/1", "open"),) * (number % 3),
            simulated=True,
        )
        for number in range(1, count + 1)
    ]


def hostile_sessions(first: int = 0, last: int | None = None) -> list[FakeSession]:
    """Sessions in which every text that a service or an agent can set is hostile."""
    from hostile import HOSTILE

    return [_hostile_session(number, text) for number, text in enumerate(HOSTILE[first:last], start=1 + first)]


def _hostile_session(number: int, text: str) -> FakeSession:
    session = _hostile_snapshot(number, text)
    step = {"title": text, "text": text, "input": text, "status": text, "tool": text}
    session.files = [{"name": text, "url": text, "source": text}]
    session.tell(
        state="on",
        activity=text,
        plan=(PlanEntry(text, text), PlanEntry(text, "in_progress"), PlanEntry(text, "constructor")),
        steps=(
            *(Step(kind=kind, id=f"{kind}-{text}", **step) for kind in ("thought", "tool", "message")),
            Step(kind="tool", id="constructor", title=text, status="constructor"),
        ),
        approval=Approval(id=text, title=text, text=text, kind=text),
    )
    return session


def _hostile_snapshot(number: int, text: str) -> FakeSession:
    return FakeSession(
        number,
        title=text,
        phase=Phase.YOUR_TURN,
        question=text,
        repos=(text,),
        tags=(text,),
        mode=text,
        status=text,
        pull_requests=(PullRequest(text, text), PullRequest(f"https://github.com/a/b/pull/1?{text}", text)),
        structured_output={text: text, "rows": [{text: [text]}]},
        output_is_fresh=True,
        messages=(message(1, text), message(2, text, "user")),
    )


def write_saved(name: str) -> None:
    """Write a notebook, never trusted, that holds the static form of every hostile session."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    from devin_jupyter import render

    bundles = [
        render.bundle(session.snapshot, transcript=True, message=session.snapshot.title or "", live=session.live_view)
        for session in hostile_sessions()
    ]
    cells = [new_code_cell("", outputs=[new_output("display_data", bundle)]) for bundle in bundles]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or JupyterLab asks for one
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), name)
