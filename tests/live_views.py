"""What the live channel would tell, for tests without a socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from devin_jupyter import Devin, Session, loop
from devin_jupyter.models.steps import Approval, LiveView, PlanEntry, Step

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def step(kind: Any = "tool", title: str = "Run the tests", **fields: Any) -> Step:
    """Return a step; a tool call that runs unless told otherwise."""
    usual: dict[str, Any] = {"at": AT, "id": f"{kind}-{title}"}
    if kind == "tool":
        usual |= {"status": "in_progress", "tool": "execute", "input": "make test"}
    return Step(kind=kind, title=title, **{**usual, **fields})


def live_view(session_id: str, **fields: Any) -> LiveView:
    """Return a view of a session at work, with the given fields replaced."""
    usual: dict[str, Any] = {
        "state": "on",
        "steps": (step("thought", "Look at the tests", text="Look at the tests first."), step()),
        "plan": (
            PlanEntry("Read", "completed"),
            PlanEntry("Change", "in_progress"),
            PlanEntry("Test", "pending"),
        ),
        "activity": "running the tests",
    }
    return LiveView(session_id=session_id, **{**usual, **fields})


def approval(**fields: str) -> Approval:
    """Return an approval that is waited for."""
    usual = {"id": "request-1", "title": "Run a command", "text": "rm -rf build", "kind": "command"}
    return Approval(**{**usual, **fields})


def tell(devin: Devin, session: Session, **fields: Any) -> LiveView:
    """Have the store of a client say of a session what the live channel would; return that."""
    view = live_view(session.id, **fields)

    async def there() -> None:
        devin.core.store.set_live(session.id, view)

    loop.run(there())
    return view
