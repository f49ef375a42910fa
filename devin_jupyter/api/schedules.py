"""Schedules: sessions that the service starts by itself, again and again or once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from devin_jupyter.api.named import differs, find, find_or_fail, id_of
from devin_jupyter.api.paging import Raw, flatten, offset_pages
from devin_jupyter.api.service import Service
from devin_jupyter.errors import OptionError

CREATE_FIELDS = (
    "schedule_type",
    "frequency",
    "scheduled_at",
    "interval_count",
    "agent",
    "notify_on",
    "bypass_approval",
    "playbook_id",
    "tags",
    "target_devin_id",
    "slack_channel_id",
    "slack_team_id",
    "create_as_user_id",
    "platform",
)
UPDATE_FIELDS = (
    "name",
    "prompt",
    "enabled",
    "run_as_user_id",
    *(field for field in CREATE_FIELDS if field != "create_as_user_id"),
)


class Schedules:
    """The schedules of the organisation. v3 only. Their times are ISO 8601; the id is `scheduled_session_id`."""

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Raw]:
        """Go through the schedules. v3 only. (`GET …/schedules`)

        Args:
            limit: at most so many.
        """

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("schedules.list", params=paging)

        pages = offset_pages(fetch, key="scheduled_session_id", limit=limit, page_size=100)
        async for item in flatten(pages):
            yield item

    async def get(self, schedule: str) -> Raw:
        """Read a schedule. v3 only. (`GET …/schedules/{id}`)

        Args:
            schedule: its id or name.
        """
        if schedule.startswith("sched-"):
            return await self._service.call_mapping("schedules.get", schedule_id=schedule)
        return await find_or_fail(
            self.list(), schedule, what="schedule", id_field="scheduled_session_id", name_field="name"
        )

    async def create(self, name: str, prompt: str, **fields: Any) -> Raw:
        """Make a schedule. v3 only. (`POST …/schedules`)

        Args:
            name: what people see.
            prompt: what the sessions are asked to do.
            fields: `CREATE_FIELDS`: `frequency` is a cron line (needed for the type `recurring`, which is the
                default), `scheduled_at` a moment in the future with its zone (for `one_time`).
        """
        body = {"name": name, "prompt": prompt, **_checked(fields, CREATE_FIELDS)}
        return await self._service.call_mapping("schedules.create", json=body)

    async def update(self, schedule: str, **changes: Any) -> Raw:
        """Change a schedule; what is not given stays. v3 only. (`PATCH …/schedules/{id}`)

        Args:
            schedule: its id or name.
            changes: `UPDATE_FIELDS`; `enabled=False` pauses it, `run_as_user_id=None` goes back to the bot user.
        """
        checked = _checked(changes, UPDATE_FIELDS)
        identifier = await self._id(schedule)
        return await self._service.call_mapping("schedules.update", schedule_id=identifier, json=checked)

    async def delete(self, schedule: str) -> Raw | None:
        """Delete a schedule. v3 only. (`DELETE …/schedules/{id}`)

        Args:
            schedule: its id or name.
        """
        answer = await self._service.call("schedules.delete", schedule_id=await self._id(schedule))
        return answer if isinstance(answer, dict) else None

    async def ensure(self, name: str, prompt: str, **fields: Any) -> Raw:
        """Make sure that a schedule of this name does this: create it, change it, or leave it alone. v3 only.

        Args:
            name: by which it is found.
            prompt: what the sessions are asked to do.
            fields: as for `create`.
        """
        checked = _checked(fields, CREATE_FIELDS)
        found = find(self.list(), name, what="schedule", id_field="scheduled_session_id", name_field="name")
        present = await found
        if present is None:
            return await self.create(name, prompt, **checked)
        wanted = {"prompt": prompt, **{key: value for key, value in checked.items() if key in UPDATE_FIELDS}}
        if not differs(_comparable(present), wanted):
            return present
        return await self.update(id_of(present, "scheduled_session_id"), **wanted)

    async def _id(self, schedule: str) -> str:
        if schedule.startswith("sched-"):
            return schedule
        return id_of(await self.get(schedule), "scheduled_session_id")


def _comparable(present: Raw) -> Raw:
    playbook = present.get("playbook")
    return present | ({"playbook_id": playbook.get("playbook_id")} if isinstance(playbook, dict) else {})


def _checked(fields: Mapping[str, Any], known: tuple[str, ...]) -> Raw:
    for name in fields:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise OptionError(
                f"a schedule has no field {name!r}",
                "nothing was sent",
                f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}",
            )
    return {name: _iso(value) for name, value in fields.items()}


def _iso(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
