"""What goes wrong on purpose: rules that match a request and say how its answer is lost, late, wrong or refused.

Here are the rules and their counting only; `gate` carries them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, Field

Kind = Literal["drop_before", "drop_after", "status", "slow", "malformed", "linger", "hide_new", "stale"]
ON_ANSWERS = ("drop_before", "drop_after", "status", "slow", "malformed", "linger")


class Rule(BaseModel):
    """One fault. Without `method` or `route` it matches any; without `times` it stays until it is replaced."""

    kind: Kind
    """`linger`: the last page of a list says that there is more, behind the cursor that led to it."""
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
    """How many reads after a message show the old state (`stale`)."""

    def matches(self, method: str, route: str) -> bool:
        """Tell whether the rule is for this request."""
        if self.times == 0:
            return False
        return self.method in (None, method) and self.route in (None, route)


class Rules(BaseModel):
    """The body of `POST /_sim/faults`."""

    rules: list[Rule]


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        """Start without any."""
        self.rules: list[Rule] = []

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put these rules in the place of all others."""
        self.rules = [rule.model_copy(update={"method": rule.method and rule.method.upper()}) for rule in rules]

    def on_answer(self, method: str, route: str) -> Rule | None:
        """Return the first rule for the answer to this request, and count it."""
        return self._take(rule for rule in self.rules if rule.kind in ON_ANSWERS and rule.matches(method, route))

    def on_state(self, kind: Kind) -> Rule | None:
        """Return the first rule of kind `hide_new` or `stale`, and count it; these match any request."""
        return self._take(rule for rule in self.rules if rule.kind == kind and rule.times != 0)

    def hidden_seconds(self) -> float:
        """Return for how long lasting `hide_new` rules keep a session out of the list."""
        return max((rule.seconds for rule in self.rules if rule.kind == "hide_new" and rule.times is None), default=0.0)

    def _take(self, rules: Iterable[Rule]) -> Rule | None:
        rule = next(iter(rules), None)
        if rule is not None and rule.times is not None:
            rule.times -= 1
        return rule
