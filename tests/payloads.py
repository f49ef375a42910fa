"""Hand-made answers of both versions, and strategies for strange ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

HEX = "0123456789abcdef" * 2

V3: dict[str, Any] = {
    "session_id": HEX,
    "url": f"https://app.devin.ai/sessions/{HEX}",
    "org_id": "org-a",
    "status": "running",
    "status_detail": "waiting_for_user",
    "created_at": 1_790_000_000,
    "updated_at": 1_790_000_500,
    "acus_consumed": 1.25,
    "tags": ["team:a", "nb-0123456789abcdef"],
    "pull_requests": [
        {"pr_url": "https://github.com/acme/api/pull/7", "pr_state": "merged"},
        {"pr_url": "https://github.com/acme/web/pull/8", "pr_state": "open"},
    ],
    "title": "Fix it",
    "user_id": "user-a",
    "service_user_id": None,
    "playbook_id": "playbook-a",
    "parent_session_id": "f" * 32,
    "child_session_ids": ["e" * 32],
    "is_archived": False,
    "origin": "api",
    "category": "bug_fixing",
    "subcategory": "Crash fix",
    "structured_output": {"n": 1},
    "devin_mode": "normal",
    "automation_id": None,
}
V1: dict[str, Any] = {
    "session_id": f"devin-{HEX}",
    "status": "running",
    "status_enum": "blocked",
    "title": "Fix it",
    "created_at": "2026-11-21T18:04:00.123456+00:00",
    "updated_at": "2026-11-21T19:04:00+01:00",
    "snapshot_id": None,
    "playbook_id": "playbook-a",
    "tags": ["team:a"],
    "pull_request": {"url": "https://github.com/acme/api/pull/7"},
    "structured_output": "free text",
    "requesting_user_email": "a@acme.test",
}


def session(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A v3 session with an id of its own."""
    return {**V3, "session_id": f"{number:032x}", **changes}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
"""Anything that a JSON parser can hand out, half surrogates, NaN and huge integers included."""


def strange(payload: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The payload with some fields replaced by anything, left out, or added."""
    fields = st.dictionaries(st.sampled_from([*payload, "new_field"]), json_values, max_size=6)
    gone = st.sets(st.sampled_from([name for name in payload if name != "session_id"]), max_size=3)
    return st.builds(
        lambda changed, without: {name: value for name, value in {**payload, **changed}.items() if name not in without},
        fields,
        gone,
    )
