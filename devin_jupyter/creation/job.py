"""One request on its way to a session: its identity, its policy, and what the journal is told about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devin_jupyter.creation.policy import Policy
from devin_jupyter.journal.budgets import batch_scope, cell_scope, notebook_scope
from devin_jupyter.journal.entries import Start
from devin_jupyter.request import Fingerprint, SessionRequest, Where, fingerprints


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request, where it goes, and how it is to be started."""

    request: SessionRequest
    policy: Policy
    where: Where
    fingerprints: tuple[Fingerprint, ...]
    """The identity; then those that earlier versions of this package gave it."""
    base: str
    """The identity without its take."""

    @property
    def fingerprint(self) -> str:
        """The identity as the journal keeps it."""
        return self.fingerprints[0].text

    @property
    def tag(self) -> str:
        """The tag by which the service finds it."""
        return self.fingerprints[0].tag

    @property
    def own_limit(self) -> dict[str, float | None]:
        """The budget of the cell as it says it now, by its scope; a batch sets its own."""
        return {} if self.policy.batch else {self.scopes[-1]: self.policy.budget}

    def not_before(self, now: float) -> float | None:
        """Return the age that still counts as the same, as a Unix time."""
        return None if self.policy.max_age is None else now - self.policy.max_age

    def start(self) -> Start:
        """Return what is written down before the POST."""
        request, policy = self.request, self.policy
        return Start(
            fingerprint=self.fingerprint,
            base=self.base,
            tag=self.tag,
            take=request.take,
            base_url=self.where.base_url,
            org_id=self.where.org_id,
            api_version=self.where.api_version,
            cell=policy.guard,
            batch=policy.batch,
            prompt=request.prompt,
            incidental=request.incidental(),
            mode=request.mode,
            repos=request.repos,
            max_acu=request.max_acu,
            schema=request.schema.wire if request.schema else None,
            scopes=self.scopes,
            secret_names=tuple(name for name, secret in request.secrets.items() if secret.sensitive),
        )

    @property
    def scopes(self) -> tuple[str, ...]:
        """The budgets it counts in, whether or not they have a limit by now."""
        cell, batch = self.policy.guard, self.policy.batch
        scopes = [notebook_scope(cell.notebook)] if cell else []
        scopes.append(batch_scope(batch) if batch else cell_scope(cell, self.base))
        return tuple(scopes)


def make_job(request: SessionRequest, policy: Policy, where: Where) -> Job:
    """Return the job for a request."""
    first = replace(request, take=None)
    return Job(
        request=request,
        policy=policy,
        where=where,
        fingerprints=fingerprints(request, where),
        base=fingerprints(first, where)[0].text,
    )
