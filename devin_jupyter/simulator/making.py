"""Makes a JSON value for a Draft 7 schema: deterministic, realistic where names allow it, bounded in size and depth.

It aims well and does not promise: `outputs` validates what comes out and tries again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from devin_jupyter.simulator.ids import Dice, digest
from devin_jupyter.simulator.keywords import Impossible, Schema, as_schema, merged, resolve, type_of, without
from devin_jupyter.simulator.patterns import matching
from devin_jupyter.simulator.words import TOPICS, Topic, date_for, range_for, text_for

_NODES = 5000
_DEEP, _DEEPEST = 5, 60
_LONG = 100_000
_FORMATS: dict[str, Callable[[Dice], str]] = {
    "date-time": lambda dice: f"{date_for(dice)}T{dice.below(24):02d}:{dice.below(60):02d}:00Z",
    "date": date_for,
    "time": lambda dice: f"{dice.below(24):02d}:{dice.below(60):02d}:00Z",
    "duration": lambda dice: f"PT{1 + dice.below(48)}H{dice.below(60)}M",
    "email": lambda dice: f"dev{dice.below(100)}@example.com",
    "idn-email": lambda dice: f"dev{dice.below(100)}@example.com",
    "hostname": lambda dice: f"host{dice.below(100)}.example.com",
    "idn-hostname": lambda dice: f"host{dice.below(100)}.example.com",
    "ipv4": lambda dice: f"192.0.2.{dice.below(255)}",
    "ipv6": lambda dice: f"2001:db8::{dice.below(65536):x}",
    "uri": lambda dice: f"https://example.com/item/{dice.below(1000)}",
    "iri": lambda dice: f"https://example.com/item/{dice.below(1000)}",
    "uri-reference": lambda dice: f"/item/{dice.below(1000)}",
    "iri-reference": lambda dice: f"/item/{dice.below(1000)}",
    "uri-template": lambda dice: "/item/{id}",
    "uuid": lambda dice: str(UUID(int=dice.below(1 << 64) << 64 | dice.below(1 << 64), version=4)),
    "json-pointer": lambda dice: f"/items/{dice.below(9)}",
    "relative-json-pointer": lambda dice: "0",
    "regex": lambda dice: "^[a-z]+$",
}


class Maker:
    """Makes values for the schemas inside one root schema."""

    def __init__(self, root: Schema, *, seed: str, place: str, lean: bool = False) -> None:
        """Take the root, for local references; `lean` leaves out whatever may be left out."""
        self._root, self._seed, self._place, self._lean = root, seed, place, lean
        self._nodes = 0

    def make(self, schema: Any, path: tuple[str | int, ...] = (), topic: Topic | None = None) -> Any:
        """Return a value for a subschema at a path of the output."""
        self._nodes += 1
        if schema is False or self._nodes > _NODES or len(path) > _DEEPEST:
            raise Impossible
        dice = Dice(self._seed, *path)
        schema = self._settled({} if schema is True else schema, path, dice)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return _choice(schema["enum"], dice)
        topic = topic or TOPICS[dice.below(len(TOPICS))]
        kind = type_of(schema, dice, deep=self._is_deep(path)) if path else "object"
        if kind == "object":
            return self._object(schema, path, dice)
        if kind == "array":
            return self._array(schema, path, dice)
        if kind == "string":
            return self._string(schema, path, dice, topic)
        if kind in ("integer", "number"):
            return _number(schema, _name(path), dice, whole=kind == "integer")
        return dice.chance(0.5) if kind == "boolean" else None

    def _is_deep(self, path: tuple[str | int, ...]) -> bool:
        return self._lean or len(path) > _DEEP

    def _settled(self, schema: Schema, path: tuple[str | int, ...], dice: Dice) -> Schema:
        """Follow references and choose among alternatives, until plain keywords are left."""
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = resolve(self._root, schema["$ref"])
            elif schema.get("allOf"):
                parts = [self._settled(as_schema(part), path, dice) for part in schema["allOf"]]
                schema = merged(without(schema, "allOf"), *parts)
            elif schema.get("anyOf") or schema.get("oneOf"):
                word = "anyOf" if schema.get("anyOf") else "oneOf"
                branch = self._choose(schema[word], path, dice)
                schema = merged(without(schema, word), branch)
            elif "if" in schema:
                chosen = ("if", "then") if dice.chance(0.7) else ("else",)
                parts = [as_schema(schema[word]) for word in chosen if word in schema]
                schema = merged(without(schema, "if", "then", "else"), *parts)
            else:
                return schema
        raise Impossible

    def _choose(self, branches: list[Any], path: tuple[str | int, ...], dice: Dice) -> Schema:
        usable = [as_schema(branch) for branch in branches if branch is not False]
        null = [branch for branch in usable if branch.get("type") == "null"]
        if null and (self._is_deep(path) or dice.chance(0.1)):
            return null[0]
        others = [branch for branch in usable if branch not in null] or usable
        if [branch.get("type") for branch in others] == ["number", "string"]:  # a decimal, which not every text is
            others = others[:1]
        if self._is_deep(path):  # an alternative without a reference does not recurse
            others = [branch for branch in others if "$ref" not in branch] or others
        if not others:
            raise Impossible
        return dice.pick(others)

    def _object(self, schema: Schema, path: tuple[str | int, ...], dice: Dice) -> dict[str, Any]:
        properties = schema.get("properties", {})
        names = self._names(schema, properties, path, dice)
        topic = _topic(self._seed, path)
        made = {}
        for name in names:
            made[name] = self.make(self._property(schema, properties, name), (*path, name), topic)
        for index in range(schema.get("minProperties", 0) - len(made)):
            name = self._new_name(schema, index, dice)
            made[name] = self.make(self._property(schema, properties, name), (*path, name), topic)
        return made

    def _names(self, schema: Schema, properties: Schema, path: tuple[str | int, ...], dice: Dice) -> list[str]:
        required = list(schema.get("required", []))
        optional = [name for name in properties if name not in required and properties[name] is not False]
        wanted = set(required)
        if not self._is_deep(path):
            room = schema.get("maxProperties", _NODES) - len(required)
            wanted |= set([name for name in optional if dice.chance(0.9)][: max(0, int(room))])
        for name in sorted(wanted):
            needs = schema.get("dependencies", {}).get(name)
            wanted |= set(needs) if isinstance(needs, list) else set()
        ordered = [name for name in properties if name in wanted]
        ordered += sorted(wanted - set(ordered))
        open_ended = isinstance(schema.get("additionalProperties"), dict) and not properties
        if open_ended and not ordered and not self._is_deep(path):
            ordered = [self._new_name(schema, index, dice) for index in range(2 + dice.below(2))]
        if not path and not ordered and not schema.get("minProperties"):
            ordered = ["summary", "details"]
        return ordered

    def _new_name(self, schema: Schema, index: int, dice: Dice) -> str:
        naming = schema.get("propertyNames")
        patterns = schema.get("patternProperties") or {}
        if isinstance(naming, dict) and (naming.get("enum") or naming.get("pattern")):
            return (
                str(naming["enum"][index]) if naming.get("enum") else matching(naming["pattern"], dice) or f"k{index}"
            )
        if patterns and schema.get("additionalProperties") is False:
            return matching(next(iter(patterns)), dice) or f"k{index}"
        return TOPICS[index % len(TOPICS)].package + ("" if index < len(TOPICS) else f"-{index}")

    def _property(self, schema: Schema, properties: Schema, name: str) -> Any:
        if name in properties:
            return properties[name]
        return next(iter((schema.get("patternProperties") or {}).values()), schema.get("additionalProperties", True))

    def _array(self, schema: Schema, path: tuple[str | int, ...], dice: Dice) -> list[Any]:
        items = schema.get("items", True)
        low, high = int(schema.get("minItems", 0)), int(schema.get("maxItems", _NODES))
        if low > _NODES:
            raise Impossible
        if isinstance(items, list):
            count = max(low, min(high, len(items)))
            rest = schema.get("additionalItems", True)
            return [self.make(items[i] if i < len(items) else rest, (*path, i)) for i in range(count)]
        usual = 2 + dice.below(4) if len(path) <= 2 else 1 + dice.below(2)
        count = low if self._is_deep(path) else max(low, min(high, usual))
        if items is False:
            count = low
        made = [self.make(items, (*path, index)) for index in range(count)]
        if isinstance(schema.get("contains"), dict):
            made[:1] = [self.make(schema["contains"], (*path, 0))]
        return self._different(made, items, path, low) if schema.get("uniqueItems") else made

    def _different(self, made: list[Any], items: Any, path: tuple[str | int, ...], low: int) -> list[Any]:
        different: list[Any] = []
        for value in made:
            if value not in different:
                different.append(value)
        for index in range(len(made), len(made) + 20 * low):
            if len(different) >= low:
                break
            value = self.make(items, (*path, index))
            if value not in different:
                different.append(value)
        return different

    def _string(self, schema: Schema, path: tuple[str | int, ...], dice: Dice, topic: Topic) -> str:
        low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", _LONG))
        if low > _LONG:
            raise Impossible
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]](dice)
        text = text_for(_name(path), topic, dice, place=self._place, at_top=len(path) <= 1)
        if isinstance(schema.get("pattern"), str) and not re.search(schema["pattern"], text):
            text = matching(schema["pattern"], dice) or text
        elif len(text) < low:
            text = text + " " + topic.text * (1 + low // len(topic.text))
            return text[:low]
        return text[:high]


def _topic(seed: str, path: tuple[str | int, ...]) -> Topic:
    """Neighbours in a list get different topics."""
    last = path[-1] if path and isinstance(path[-1], int) else 0
    start = int(digest(seed, *path[:-1])[:8], 16)
    return TOPICS[(start + last) % len(TOPICS)]


def _name(path: tuple[str | int, ...]) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _number(schema: Schema, name: str, dice: Dice, *, whole: bool) -> int | float:
    low, high = _bounds(schema, name)
    step = schema.get("multipleOf") or (1 if whole else 0)
    if step:
        first, last = math.ceil(low / step), math.floor(high / step)
        first += first * step == schema.get("exclusiveMinimum")
        last -= last * step == schema.get("exclusiveMaximum")
        multiple = (first + dice.below(max(1, last - first + 1))) * step
        return int(multiple) if whole or float(multiple).is_integer() else round(multiple, 10)
    value = dice.between(float(low), float(high))
    return round(value, 2) if low < round(value, 2) < high else value


def _bounds(schema: Schema, name: str) -> tuple[float, float]:
    """The usual range for the name, unless the schema draws a narrower one."""
    low, high = range_for(name)
    lowest = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    highest = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    if lowest <= low and high <= highest:
        return low, high
    return (
        lowest if lowest > -math.inf else min(low, highest - 10),
        highest if highest < math.inf else max(high, lowest + 10),
    )


def _choice(values: list[Any], dice: Dice) -> Any:
    """Simulated work mostly succeeds: where a value says so, it is the usual one."""
    return "done" if "done" in values and dice.chance(0.8) else dice.pick(values)
