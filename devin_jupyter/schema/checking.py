"""Answers held against a schema with jsonschema-rs, which is imported at the first check.

Formats count as Python reads them: a date-time without a zone is one, because that is what agents write.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from devin_jupyter.schema.places import Json, json_path

if TYPE_CHECKING:
    from jsonschema_rs import Draft7Validator

_LONGEST_MESSAGE = 300


class Checker:
    """A compiled schema."""

    def __init__(self, wire: Json) -> None:
        """Compile the schema. One from a file that somebody edited may be none: then nothing fits it."""
        import jsonschema_rs

        self._validator: Draft7Validator | None = None
        self._broken = ""
        try:
            self._validator = jsonschema_rs.Draft7Validator(wire, validate_formats=True, formats=_FORMATS)
        except (ValueError, RecursionError) as problem:
            self._broken = f"$: the schema itself cannot be read: {_short(str(problem))}"

    def is_valid(self, value: Any) -> bool:
        """Tell whether the value fits; what is no JSON does not."""
        try:
            return self._validator is not None and self._validator.is_valid(value)
        except (ValueError, RecursionError):
            return False

    def problems(self, value: Any) -> list[str]:
        """Return every problem with its place, ordered as jsonschema-rs finds them."""
        if self._validator is None:
            return [self._broken]
        try:
            found = list(self._validator.iter_errors(value))
        except (ValueError, RecursionError) as problem:
            return [f"$: not a JSON value: {problem}"]
        return [f"{json_path(error.instance_path)}: {_short(error.message)}" for error in found]


def _short(message: str) -> str:
    if len(message) <= _LONGEST_MESSAGE:
        return message
    half = _LONGEST_MESSAGE // 2
    return f"{message[:half]} … {message[-half:]}"  # the value stands in front, what is wrong with it at the end


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


_FORMATS = {
    "date": _reads(date.fromisoformat),
    "date-time": _reads(datetime.fromisoformat),
    "time": _reads(time.fromisoformat),
}
