"""The one table of fields: what it says of a response, the snapshot and the frame say too."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime

import pytest

from devin_jupyter.frames import SessionRows
from devin_jupyter.models import wire
from devin_jupyter.models.fields import FIELDS, KEYS, KNOWN_KEYS, read_session
from devin_jupyter.models.snapshot import Snapshot

COMPUTED = {"user_name", "phase", "needs_you", "n_prs", "n_merged", "n_messages", "duration", "repos", "extra"}
V1_ONLY = {"status_enum", "pull_request", "requesting_user_email", "messages", "snapshot_id", "is_new_session"}

STORED = [
    "session_id",
    "url",
    "phase",
    "status",
    "status_detail",
    "title",
    "acus",
    "max_acu_limit",
    "created_at",
    "updated_at",
    "tags",
    "pull_requests",
    "structured_output",
    "output_is_fresh",
    "output_is_valid",
    "question",
    "messages",
    "send_pending",
    "api_version",
    "org_id",
    "user_id",
    "service_user_id",
    "playbook_id",
    "parent_session_id",
    "child_session_ids",
    "is_archived",
    "origin",
    "category",
    "subcategory",
    "mode",
    "repos",
    "fingerprint",
    "schema",
    "observed_at",
    "simulated",
    "recorded",
    "extra",
]
"""The fields of a snapshot in journals, lock files and saved notebooks that are there: none may ever be renamed."""


def test_what_was_stored_can_be_read() -> None:
    assert set(STORED) <= {field.name for field in fields(Snapshot)}


def test_names_and_keys_are_distinct() -> None:
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    for version in KEYS:
        assert len(set(KEYS[version].values())) == len(KEYS[version])


def test_every_row_is_a_field_of_the_snapshot_or_is_computed_from_one() -> None:
    attributes = {field.name for field in fields(Snapshot)} | {"needs_you"}
    assert {field.name for field in FIELDS} - attributes <= {"n_prs", "n_merged", "n_messages", "duration", "user_name"}


def test_a_row_without_a_key_is_computed_and_one_with_a_key_is_in_the_responses() -> None:
    assert {field.name for field in FIELDS if not field.v3} == COMPUTED
    keys = set(wire.Session.__annotations__)
    assert {key for field in FIELDS for key in (field.v3, field.v1) if key} <= keys


def test_what_has_no_row_is_extra() -> None:
    known = set(wire.Session.__annotations__) - V1_ONLY
    assert known - KNOWN_KEYS["v3"] == {"automation_id", "error_code"} & known
    found = read_session({"session_id": "a", "mood": "good"}, "v3")
    assert found["extra"] == {"mood": "good"}


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_words_have_their_known_values_as_categories(version: str) -> None:
    frame = SessionRows(api_version=version).frame()
    assert sorted(frame.columns) == sorted(field.name for field in FIELDS if field.column)
    for field in FIELDS:
        if field.column == "word":
            assert tuple(frame[field.name].dtype.categories) == field.values


ONE_MORE_ROW = """
import sys, types
from datetime import UTC, datetime
from pathlib import Path
import devin_jupyter.models as models

path = Path(models.__file__).with_name("fields.py")
last = '    Field("extra", "object"),'
source = path.read_text("utf-8")
assert source.count(last) == 1
table = types.ModuleType("devin_jupyter.models.fields")
sys.modules[table.__name__] = table
exec(source.replace(last, '    Field("automation_id", "text", "automation_id"),' + chr(10) + last), vars(table))

from devin_jupyter.frames import SessionRows
from devin_jupyter.models import snapshot

raw = {"session_id": "a" * 32, "status": "new", "created_at": 1, "updated_at": 1, "automation_id": "auto-1"}
rows = SessionRows()
rows.add([raw])
other = raw | {"session_id": "b", "automation_id": "auto-2"}
rows.add_snapshots([snapshot.observe(other, snapshot.Record(session_id="b"), at=datetime.now(UTC))])
frame = rows.frame()
assert frame["automation_id"].tolist() == ["auto-1", "auto-2"], frame["automation_id"]
assert str(frame["automation_id"].dtype).startswith("str")
assert frame["extra"].isna().all()
"""


def test_one_more_row_is_one_more_column_also_for_handles() -> None:
    """What a new field of the responses takes. A handle has it in `extra` until `Snapshot` gets an attribute."""
    observed = (
        'snapshot.observe(raw | {"session_id": "b", "automation_id": "auto-2"}, snapshot.Known(), at=datetime.now(UTC))'
    )
    subprocess.run([sys.executable, "-c", ONE_MORE_ROW.replace("OBSERVED", observed)], check=True)


@pytest.mark.parametrize(
    "written",
    [
        *(1796040000, 1796040000.0, 1796040000000, 1796040000000000, "1796040000", "1796040000000"),
        *("2026-11-30T12:00:00Z", "2026-11-30T12:00:00+00:00", "2026-11-30T13:00:00+01:00", "2026-11-30 12:00:00"),
    ],
)
def test_a_time_is_read_in_every_form_that_services_give(written: object) -> None:
    found = read_session({"session_id": "a", "created_at": written}, "v3")

    assert found["created_at"] == datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, True, "soon", "", float("nan"), 10**40, "9" * 400, [], {}])
def test_what_is_no_time_is_none(written: object) -> None:
    assert read_session({"session_id": "a", "created_at": written}, "v3").get("created_at") is None
