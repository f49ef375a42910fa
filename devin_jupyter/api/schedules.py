"""Schedules: sessions that the service starts by itself, again and again or once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from devin_jupyter.api.arguments import check_fields
from devin_jupyter.api.named import Kind, changes
from devin_jupyter.api.paging import Raw, flatten, offset_pages
from devin_jupyter.api.service import Service
from devin_jupyter.models.ids import session_id as prefixed

_KIND = Kind("schedule", "scheduled_session_id", "name", "sched-")

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
    """The schedules of the organization. v3 only. Their times are ISO 8601; the id is `scheduled_session_id`.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

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

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        return await _KIND.read(schedule, self._read, self.list())

    async def create(self, /, name: str, prompt: str, **fields: Any) -> Raw:
        """Make a schedule. v3 only. (`POST …/schedules`)

        Args:
            name: what people see.
            prompt: what the sessions are asked to do.
            fields: `schedule_type` is `recurring` (the default: needs `frequency`, a cron line) or `one_time` (needs
                `scheduled_at`, a moment in the future with its zone; may have `target_devin_id`). There are also
                `interval_count`, `agent`, `notify_on` (`failure`, `always` or `never`), `bypass_approval`,
                `playbook_id`, `tags`, `slack_channel_id`, `slack_team_id`, `create_as_user_id`, `platform`.

        Raises:
            OptionError: a field that schedules do not have.
            Unprocessable: it could not run so: no cron line, or a moment that is past.
        """
        body = {"name": name, "prompt": prompt, **_checked(fields, CREATE_FIELDS)}
        return await self._service.call_mapping("schedules.create", json=body)

    async def update(self, /, schedule: str, **fields: Any) -> Raw:
        """Change a schedule; what is not given stays. v3 only. (`PATCH …/schedules/{id}`)

        Args:
            schedule: its id or name.
            fields: those of `create` but `create_as_user_id`, and `name`, `prompt`, `enabled` (False pauses it) and
                `run_as_user_id` (None goes back to the bot user).

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: a field that schedules do not have, or several of this name.
            Unprocessable: it could not run so.
        """
        checked = _checked(fields, UPDATE_FIELDS)
        return await self._change(await self.get(schedule), checked)

    async def delete(self, schedule: str) -> Raw | None:
        """Delete a schedule. v3 only. (`DELETE …/schedules/{id}`)

        Args:
            schedule: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        present = await self.get(schedule)
        answer = await self._service.call("schedules.delete", schedule_id=_KIND.id_of(present))
        return answer if isinstance(answer, dict) else None

    async def ensure(self, /, name: str, prompt: str, **fields: Any) -> Raw:
        """Make sure that a schedule of this name does this: create it, change it, or leave it alone. v3 only.

        Args:
            name: by which it is found.
            prompt: what the sessions are asked to do.
            fields: as for `create`.

        Raises:
            OptionError: a field that schedules do not have, or several of this name.
            Unprocessable: it could not run so.
        """
        checked = _checked(fields, CREATE_FIELDS)
        present = await _KIND.find(name, self.list())
        if present is None:
            return await self.create(name, prompt, **checked)
        wanted = {"prompt": prompt, **{key: value for key, value in checked.items() if key in UPDATE_FIELDS}}
        # what is not said anew is not sent: the moment of a single run may be past by now
        change = {key: wanted[key] for key in changes(_comparable(present), _comparable(wanted))}
        return await self._change(present, change) if change else present

    async def _read(self, identifier: str) -> Raw:
        return await self._service.call_mapping("schedules.get", schedule_id=identifier)

    async def _change(self, present: Raw, fields: Raw) -> Raw:
        return await self._service.call_mapping("schedules.update", schedule_id=_KIND.id_of(present), json=fields)


def _comparable(fields: Raw) -> Raw:
    """Return fields of a request or an answer in one spelling: the service writes times and ids its own way."""
    playbook, moment, target = fields.get("playbook"), fields.get("scheduled_at"), fields.get("target_devin_id")
    return (
        fields
        | ({"playbook_id": playbook.get("playbook_id")} if isinstance(playbook, dict) else {})
        | ({"scheduled_at": _instant(moment)} if isinstance(moment, str) else {})
        | ({"target_devin_id": prefixed(target)} if isinstance(target, str) else {})
    )


def _instant(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return text


def _checked(fields: Raw, known: tuple[str, ...]) -> Raw:
    check_fields("schedule", fields, known)
    target = fields.get("target_devin_id")
    written = {name: _iso(value) for name, value in fields.items()}
    return written | ({"target_devin_id": prefixed(target)} if isinstance(target, str) else {})


def _iso(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
