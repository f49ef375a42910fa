"""Imported by notebooks of the browser tests: a session that cells move by hand, without any service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
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

    def subscribe(
        self, callback: Callable[[Snapshot], None], on_trouble: Callable[[Connection], None] | None = None, **_: Any
    ) -> FakeSubscription:
        self._on_trouble = on_trouble
        return FakeSubscription(self, callback)

    def trouble(self, there_is: bool = True) -> None:
        assert self._on_trouble is not None
        since = END if there_is else None
        self._on_trouble(Connection(last_seen=END, troubled_since=since, problem="connection refused"))

    def show(self, **fields: Any) -> None:
        from dataclasses import replace

        self.snapshot = replace(self.snapshot, **fields)
        for callback in list(self.callbacks):
            callback(self.snapshot)

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

    bundles = [render.bundle(session.snapshot, transcript=True) for session in hostile_sessions()]
    cells = [new_code_cell("", outputs=[new_output("display_data", bundle)]) for bundle in bundles]
    nbformat.write(new_notebook(cells=cells), name)
