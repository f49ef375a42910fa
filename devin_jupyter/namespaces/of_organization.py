"""What belongs to the organization, for blocking callers. Documented in `devin_jupyter.api`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from devin_jupyter.api.consumption import Consumption as AsyncConsumption
from devin_jupyter.api.knowledge import Knowledge as AsyncKnowledge
from devin_jupyter.api.metrics import Metrics as AsyncMetrics
from devin_jupyter.api.paging import Raw, Raws
from devin_jupyter.api.playbooks import Playbooks as AsyncPlaybooks
from devin_jupyter.api.schedules import Schedules as AsyncSchedules
from devin_jupyter.api.secrets import Secrets as AsyncSecrets
from devin_jupyter.api.times import Moment
from devin_jupyter.loop import iterate, run_request
from devin_jupyter.namespaces.documented import as_in


@as_in(AsyncPlaybooks)
class Playbooks:
    def __init__(self, twin: AsyncPlaybooks) -> None:
        self._twin = twin

    def list(self, *, limit: int | None = None) -> Iterator[Raw]:
        return iterate(self._twin.list(limit=limit), unit="playbooks")

    def get(self, playbook: str) -> Raw:
        return run_request(self._twin.get(playbook))

    def create(self, title: str, body: str, *, macro: str | None = None) -> Raw:
        return run_request(self._twin.create(title, body, macro=macro))

    def update(
        self, playbook: str, *, title: str | None = None, body: str | None = None, macro: str | None = None
    ) -> Raw:
        return run_request(self._twin.update(playbook, title=title, body=body, macro=macro))

    def delete(self, playbook: str) -> Raw:
        return run_request(self._twin.delete(playbook))

    def ensure(self, title: str, body: str, *, macro: str | None = None) -> Raw:
        return run_request(self._twin.ensure(title, body, macro=macro))


@as_in(AsyncKnowledge)
class Knowledge:
    def __init__(self, twin: AsyncKnowledge) -> None:
        self._twin = twin

    def list(
        self,
        *,
        search: str | None = None,
        folder_path: str | None = None,
        pinned_repo: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Raw]:
        found = self._twin.list(search=search, folder_path=folder_path, pinned_repo=pinned_repo, limit=limit)
        return iterate(found, unit="notes")

    def get(self, note: str) -> Raw:
        return run_request(self._twin.get(note))

    def create(
        self,
        name: str,
        body: str,
        trigger: str,
        *,
        folder_id: str | None = None,
        is_enabled: bool | None = None,
        pinned_repo: str | None = None,
        macro: str | None = None,
    ) -> Raw:
        written = self._twin.create(
            name, body, trigger, folder_id=folder_id, is_enabled=is_enabled, pinned_repo=pinned_repo, macro=macro
        )
        return run_request(written)

    def update(self, note: str, **fields: Any) -> Raw:
        return run_request(self._twin.update(note, **fields))

    def delete(self, note: str) -> Raw:
        return run_request(self._twin.delete(note))

    def ensure(self, name: str, body: str, trigger: str, **optional: Any) -> Raw:
        return run_request(self._twin.ensure(name, body, trigger, **optional))

    def folders(self) -> Raws:
        return run_request(self._twin.folders())


@as_in(AsyncSecrets)
class Secrets:
    def __init__(self, twin: AsyncSecrets) -> None:
        self._twin = twin

    def list(self, *, limit: int | None = None) -> Iterator[Raw]:
        return iterate(self._twin.list(limit=limit), unit="secrets")

    def create(
        self, key: str, value: str, *, type: str = "key-value", is_sensitive: bool = True, note: str | None = None
    ) -> Raw:
        return run_request(self._twin.create(key, value, type=type, is_sensitive=is_sensitive, note=note))

    def delete(self, secret: str) -> Raw:
        return run_request(self._twin.delete(secret))

    def ensure(
        self,
        key: str,
        value: str,
        *,
        replace: bool = False,
        type: str = "key-value",
        is_sensitive: bool = True,
        note: str | None = None,
    ) -> Raw:
        stored = self._twin.ensure(key, value, replace=replace, type=type, is_sensitive=is_sensitive, note=note)
        return run_request(stored)


@as_in(AsyncSchedules)
class Schedules:
    def __init__(self, twin: AsyncSchedules) -> None:
        self._twin = twin

    def list(self, *, limit: int | None = None) -> Iterator[Raw]:
        return iterate(self._twin.list(limit=limit), unit="schedules")

    def get(self, schedule: str) -> Raw:
        return run_request(self._twin.get(schedule))

    def create(self, name: str, prompt: str, **fields: Any) -> Raw:
        return run_request(self._twin.create(name, prompt, **fields))

    def update(self, schedule: str, **fields: Any) -> Raw:
        return run_request(self._twin.update(schedule, **fields))

    def delete(self, schedule: str) -> Raw | None:
        return run_request(self._twin.delete(schedule))

    def ensure(self, name: str, prompt: str, **fields: Any) -> Raw:
        return run_request(self._twin.ensure(name, prompt, **fields))


@as_in(AsyncConsumption)
class Consumption:
    def __init__(self, twin: AsyncConsumption) -> None:
        self._twin = twin

    def daily(self, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        return run_request(self._twin.daily(since=since, until=until))

    def user(self, user_id: str, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        return run_request(self._twin.user(user_id, since=since, until=until))

    def service_user(self, service_user_id: str, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        return run_request(self._twin.service_user(service_user_id, since=since, until=until))

    def session(self, session_id: str, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        return run_request(self._twin.session(session_id, since=since, until=until))


@as_in(AsyncMetrics)
class Metrics:
    def __init__(self, twin: AsyncMetrics) -> None:
        self._twin = twin

    def usage(self, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        return run_request(self._twin.usage(since=since, until=until))

    def sessions(
        self,
        since: Moment,
        until: Moment,
        *,
        playbook_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        service_user_ids: Sequence[str] | None = None,
    ) -> Raw:
        return run_request(
            self._twin.sessions(
                since, until, playbook_id=playbook_id, user_ids=user_ids, service_user_ids=service_user_ids
            )
        )

    def prs(
        self,
        since: Moment,
        until: Moment,
        *,
        playbook_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        service_user_ids: Sequence[str] | None = None,
    ) -> Raw:
        return run_request(
            self._twin.prs(since, until, playbook_id=playbook_id, user_ids=user_ids, service_user_ids=service_user_ids)
        )

    def searches(self, since: Moment, until: Moment) -> Raw:
        return run_request(self._twin.searches(since, until))

    def dau(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> Raws:
        return run_request(self._twin.dau(since, until, min_sessions=min_sessions, min_searches=min_searches))

    def wau(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> Raws:
        return run_request(self._twin.wau(since, until, min_sessions=min_sessions, min_searches=min_searches))

    def mau(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> Raws:
        return run_request(self._twin.mau(since, until, min_sessions=min_sessions, min_searches=min_searches))

    def active_users(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> Raw:
        return run_request(self._twin.active_users(since, until, min_sessions=min_sessions, min_searches=min_searches))
