"""What a structured answer must look like: any source of a schema in, Draft 7 out, answers checked and typed.

Knows neither the network nor the notebook. pydantic and jsonschema-rs are imported when first needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from devin_jupyter.errors import OutputInvalid, SchemaError
from devin_jupyter.schema.draft7 import Checker, Json, is_object, json_path, to_draft7, without_names
from devin_jupyter.schema.sources import (
    Reader,
    is_schema_like,
    is_type,
    named_kind,
    not_a_schema,
    read_shorthand,
    resolve,
    type_schema,
    wrapped,
    wrapped_key,
)
from devin_jupyter.text import nearest

__all__ = ["Schema", "from_wire", "is_schema_like", "json_path", "load_schema"]


@dataclass(frozen=True)
class Schema:
    """A schema as it is sent, and the way from a raw answer to a typed one."""

    wire: Json
    """Self-contained Draft 7, an object at the top: what is sent."""
    source: object = field(default=None, compare=False, repr=False)
    """What it was made from: a type, a dict, a text, a path."""
    reader: Reader | None = field(default=None, compare=False, repr=False)
    """Reads the (unwrapped) answer into the source's type; None leaves dicts and lists."""

    @property
    def item_key(self) -> str | None:
        """The property that holds the whole answer, where a list or scalar was wrapped in an object."""
        return wrapped_key(self.wire)

    @property
    def is_list(self) -> bool:
        """Whether the answer is a list (of rows)."""
        return self.item_key == "items"

    def identity(self) -> Json:
        """Return what makes two schemas the same: the wire without titles and `$schema`."""
        return without_names(self.wire)

    def check(self, value: Any) -> list[str]:
        """Return every problem of a raw answer as `"$.json.path: what is wrong"`; none when it is valid."""
        return self._checker.problems(value)

    def is_valid(self, value: Any) -> bool:
        """Return whether a raw answer fits."""
        return self._checker.is_valid(value)

    def load(
        self,
        value: Any,
        *,
        session_id: str = "",
        named: str = "",
        stands: str = "the session is not changed by this",
    ) -> Any:
        """Return the answer typed: an instance of the source, unwrapped, or plain dicts and lists.

        Args:
            value: the raw answer.
            session_id: whose it is, for the error.
            named: what its message calls the session, in place of the id.
            stands: how the session stands and what it has cost, for the error.

        Raises:
            OutputInvalid: with every problem, and the raw value.
        """
        problems = self.check(value)
        if problems:
            raise invalid_output(problems, value, session_id, stands, named)
        answer = self.unwrapped(value)
        if self.reader is None:
            return answer
        typed, problems = self.reader(answer)
        if problems:
            raise invalid_output(self._outside(problems), value, session_id, stands, named)
        return typed

    def unwrapped(self, value: Any) -> Any:
        """Return the raw answer without the object around it, where there is one."""
        key = self.item_key
        return value[key] if key and isinstance(value, Mapping) and key in value else value

    def _outside(self, problems: list[str]) -> list[str]:
        key = self.item_key
        return [f"$.{key}{problem[1:]}" for problem in problems] if key else problems

    @cached_property
    def _checker(self) -> Checker:
        return Checker(self.wire)


def invalid_output(problems: list[str], raw: Any, session_id: str, stands: str, named: str = "") -> OutputInvalid:
    """Return the exception for an answer that does not fit, naming the first problem and counting the rest."""
    more = f" (and {len(problems) - 1} more in .problems)" if len(problems) > 1 else ""
    start = f"{named or session_id}: " if session_id else ""
    return OutputInvalid(
        f"{start}the structured output does not fit the schema at {problems[0]}{more}",
        f"{stands}; .snapshot.structured_output holds the raw answer",
        "ask for a correction with .send('…'), which costs more, then call .result()",
        session_id=session_id,
        problems=problems,
        raw=raw,
    )


def load_schema(spec: object, namespace: Mapping[str, Any] | None = None, *, folder: Path | None = None) -> Schema:
    """Return the schema for anything that describes one.

    Args:
        spec: a `Schema`, a type (pydantic model, dataclass, TypedDict, `list[Model]`, scalar), a JSON Schema dict, a
            path, or a text: JSON in braces, a `.json` file, the shorthand `name:type, …`, or a name in `namespace`.
        namespace: the notebook's variables.
        folder: what relative paths start from; the working directory by default.

    Raises:
        SchemaError: it cannot be read, translated or sent; the message points to the place.
    """
    if isinstance(spec, Schema):
        return spec
    if isinstance(spec, Mapping):
        return Schema(to_draft7(spec), spec)
    if isinstance(spec, Path):
        return Schema(to_draft7(_file(spec, folder)), spec)
    if isinstance(spec, str):
        return _from_text(spec.strip(), namespace or {}, folder)
    if is_type(spec):
        return _from_type(spec)
    raise SchemaError(
        f"{named_kind(spec)} is not a schema",
        hint="give a pydantic model, a dataclass, a TypedDict, list[Model], JSON Schema, a .json file or name:type, …",
    )


def from_wire(wire: Mapping[str, Any]) -> Schema:
    """Return the schema that was once sent, to read answers as plain dicts and lists; nothing is translated again."""
    return Schema(dict(wire), wire)


def _from_text(text: str, namespace: Mapping[str, Any], folder: Path | None) -> Schema:
    if not text:
        raise SchemaError("the schema is empty", hint="name a model, a .json file, JSON in braces, or name:type, …")
    if text.startswith("{"):
        return Schema(to_draft7(_parsed(text, "the schema")), text)
    if text.endswith(".json"):
        return Schema(to_draft7(_file(Path(text), folder)), text)
    if ":" in text:
        return Schema(to_draft7(read_shorthand(text)), text)
    found = resolve(text, namespace)
    if isinstance(found, str):
        return _from_text(found.strip(), {}, folder)
    if found is None or not (isinstance(found, (Mapping, Path, Schema)) or is_type(found)):
        raise not_a_schema(text, found)
    return load_schema(found, namespace, folder=folder)


def _from_type(spec: object) -> Schema:
    schema, reader = type_schema(spec)
    whole = schema if is_object(schema, schema) else wrapped(schema)
    return Schema(to_draft7(whole), spec, reader)


def _file(path: Path, folder: Path | None) -> Json:
    place = (folder or Path()) / path.expanduser()
    try:
        text = place.read_text("utf-8-sig")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        beside = [entry.name for entry in place.parent.glob("*.json")] if isinstance(problem, OSError) else []
        raise SchemaError(
            f"the schema file {path} cannot be read: {reason.lower()}{nearest(path.name, beside, n=3)}",
            f"looked for at {place.absolute()}; nothing was sent",
            "a path starts at the working directory of the kernel; %pwd shows it",
        ) from None
    return _parsed(text, str(path))


def _parsed(text: str, name: str) -> Json:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        lost = "quote JSON on the option line with single quotes; otherwise its double quotes are lost"
        do = lost if '"' not in text else "correct it; a JSON Schema is an object in braces"
        raise SchemaError(f"{name} is not valid JSON: {problem.msg} at {place}", hint=do) from None
    except RecursionError:
        raise SchemaError(f"{name} is nested too deeply") from None
    if not isinstance(value, dict):
        raise SchemaError(f"{name} is JSON but not an object", hint="a JSON Schema is an object in braces")
    return value
