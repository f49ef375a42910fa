"""The small report a batch asks for when no schema is given, so that every row ends in something countable."""

from __future__ import annotations

from typing import Any

DONE, NEEDS_INPUT, FAILED = "done", "needs_input", "failed"
REPORT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "outcome": {
            "type": "string",
            "enum": [DONE, NEEDS_INPUT, FAILED],
            "description": "done: what was asked for is finished; needs_input: a person must answer first; "
            "failed: it could not be done",
        },
        "summary": {"type": "string", "description": "what was done, in one to three sentences"},
        "question": {"type": ["string", "null"], "description": "what a person must answer, if outcome is needs_input"},
    },
    "required": ["outcome", "summary", "question"],
    "additionalProperties": False,
}
"""Draft 7, as it is sent."""
OFF = "none"
"""What `--schema none` says: ask for no report."""


def is_off(spec: Any) -> bool:
    """Return whether the report was turned off."""
    return isinstance(spec, str) and spec.strip().lower() == OFF


def outcome(output: Any) -> str | None:
    """Return the outcome that an output reports, where it is a report."""
    word = output.get("outcome") if isinstance(output, dict) else None
    return word if word in (DONE, NEEDS_INPUT, FAILED) else None


def question(output: Any) -> str | None:
    """Return the question that a report asks, where it asks one."""
    if outcome(output) != NEEDS_INPUT:
        return None
    text = output.get("question") or output.get("summary")
    return text if isinstance(text, str) else None
