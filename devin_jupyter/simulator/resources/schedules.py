"""Schedules of v3: they keep their data and never run. Their times are ISO 8601, their pages go by offset."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from devin_jupyter.models.resources import ScheduleCreate, SchedulesQuery, ScheduleUpdate
from devin_jupyter.simulator.engine import SERVICE_USER
from devin_jupyter.simulator.pages import page_response
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import invalid, json_bytes, json_response, not_found
from devin_jupyter.simulator.resources.records import ORG, found, fresh_id, iso
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
SCHEDULES = ORG + "/schedules"
SCHEDULE = SCHEDULES + "/{schedule_id}"
PAGE = 100
_CRON = re.compile(r"[\w*/,\-#?]+( +[\w*/,\-#?]+){4}", re.ASCII)
_CLEARED_BY_NULL = (
    "playbook_id",
    "frequency",
    "scheduled_at",
    "slack_channel_id",
    "slack_team_id",
    "tags",
    "target_devin_id",
    "platform",
)
"""Fields that a null in a change empties; anywhere else null means unchanged."""


def _check(schedule: dict[str, Any], given: set[str], now: float) -> None:
    """Raise the 422 for a schedule that could not run."""
    single = schedule["schedule_type"] == "one_time"
    if single and schedule["scheduled_at"] is None:
        raise invalid(("body", "scheduled_at"), "A one_time schedule needs scheduled_at")
    if not single and schedule["frequency"] is None:
        raise invalid(("body", "frequency"), "A recurring schedule needs frequency, a cron expression")
    if schedule["frequency"] is not None and not _CRON.fullmatch(schedule["frequency"].strip()):
        raise invalid(("body", "frequency"), "Not a cron expression of five fields")
    if schedule["target_devin_id"] is not None and not single:
        raise invalid(("body", "target_devin_id"), "Only a one_time schedule can have a target session")
    if "scheduled_at" in given and schedule["scheduled_at"] is not None:
        _check_moment(schedule["scheduled_at"], now)


def _check_moment(text: str, now: float) -> None:
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        raise invalid(("body", "scheduled_at"), "The time needs a zone")
    if moment <= datetime.fromtimestamp(now, UTC):
        raise invalid(("body", "scheduled_at"), "The time must lie in the future")


def _view(store: Store, schedule: Record) -> dict[str, Any]:
    hidden = ("playbook_id", "run_as_user_id", "deleted")
    playbook_id, moment = schedule["playbook_id"], schedule["scheduled_at"]
    title = store.table("playbooks").get(playbook_id or "", {}).get("title")
    return {
        **{name: value for name, value in schedule.items() if name not in hidden},
        "scheduled_at": None if moment is None else iso(datetime.fromisoformat(moment.upper()).timestamp()),
        "playbook": None if playbook_id is None else {"playbook_id": playbook_id, "title": title},
        "last_executed_at": None,
        "last_error_at": None,
        "last_error_message": None,
        "consecutive_failures": 0,
    }


def _kept(store: Store, schedule_id: str) -> Record:
    schedule = found(store, "schedules", schedule_id, "Schedule")
    if schedule["deleted"]:
        raise not_found("Schedule")
    return schedule


@router.get(SCHEDULES)
async def read_schedules(store: StoreDep, query: Annotated[SchedulesQuery, Query()]) -> Response:
    """Answer a stretch of the schedules, oldest first."""
    rows = [schedule for schedule in store.table("schedules").values() if not schedule["deleted"]]
    stop = query.offset + (query.limit or PAGE)
    page = [json_bytes(_view(store, schedule)) for schedule in rows[query.offset : stop]]
    return page_response(page, str(stop) if stop < len(rows) else None, len(rows))


@router.post(SCHEDULES)
async def create_schedule(store: StoreDep, body: Annotated[ScheduleCreate, Body()]) -> Response:
    """Keep a schedule."""
    fields = body.model_dump(exclude={"create_as_user_id"})
    _check(fields, set(fields), store.now())
    identifier, now = fresh_id(store, "sched"), iso(store.now())
    schedule = {
        "scheduled_session_id": identifier,
        "org_id": store.config.org,
        **fields,
        "enabled": True,
        "created_by": body.create_as_user_id or SERVICE_USER,
        "created_at": now,
        "updated_at": now,
        "deleted": False,
    }
    store.table("schedules")[identifier] = schedule
    return json_response(_view(store, schedule))


@router.get(SCHEDULE)
async def read_schedule(store: StoreDep, schedule_id: str) -> Response:
    """Answer one schedule."""
    return json_response(_view(store, _kept(store, schedule_id)))


@router.patch(SCHEDULE)
async def update_schedule(store: StoreDep, schedule_id: str, body: Annotated[ScheduleUpdate, Body()]) -> Response:
    """Change what is named of a schedule."""
    old = _kept(store, schedule_id)
    given = body.model_dump(exclude_unset=True)
    change = {name: value for name, value in given.items() if value is not None or name in _CLEARED_BY_NULL}
    if "run_as_user_id" in given:
        change["created_by"] = given["run_as_user_id"] or SERVICE_USER
    schedule = {**old, **change}
    _check(schedule, set(given), store.now())
    store.table("schedules")[schedule_id] = {**schedule, "updated_at": iso(store.now())}
    return json_response(_view(store, store.table("schedules")[schedule_id]))


@router.delete(SCHEDULE)
async def delete_schedule(store: StoreDep, schedule_id: str) -> Response:
    """Forget a schedule and answer what it was; its record stays, as the service deletes softly."""
    schedule = _kept(store, schedule_id)
    store.table("schedules")[schedule_id] = {**schedule, "deleted": True, "updated_at": iso(store.now())}
    return json_response(_view(store, schedule))
