"""One request on its way to a session: its identity, its policy, and what the journal is told about it."""

from __future__ import annotations

from dataclasses import dataclass

from devin_jupyter.models.policy import Policy
from devin_jupyter.models.snapshot import Facts, Where
from devin_jupyter.request import Fingerprint, SessionRequest, fingerprints


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request, where it goes, and how it is to be started."""

    request: SessionRequest
    policy: Policy
    facts: Facts
    """What is written down before the POST."""
    fingerprints: tuple[Fingerprint, ...]
    """The identity; then those that earlier versions of this package gave it."""

    @property
    def where(self) -> Where:
        """Where it is sent."""
        return self.facts.where

    @property
    def fingerprint(self) -> str:
        """The identity as the journal keeps it."""
        return self.fingerprints[0].text

    @property
    def base(self) -> str:
        """The identity without its take."""
        assert self.facts.base is not None
        return self.facts.base

    @property
    def tag(self) -> str:
        """The tag by which the service finds it."""
        return self.fingerprints[0].tag

    @property
    def own_limit(self) -> dict[str, float | None]:
        """The budget of the cell as it says it now, by its scope; a batch sets its own."""
        return self.policy.limits(self.base)

    def not_before(self, now: float) -> float | None:
        """Return the age that still counts as the same, as a Unix time."""
        return None if self.policy.max_age is None else now - self.policy.max_age


def make_job(request: SessionRequest, policy: Policy, where: Where, *, simulated: bool = False) -> Job:
    """Return the job for a request."""
    return Job(
        request=request,
        policy=policy,
        facts=request.facts(where, policy, simulated=simulated),
        fingerprints=fingerprints(request, where),
    )
