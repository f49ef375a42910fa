"""Structured outputs of simulated sessions: which schemas are taken, and JSON values that fit them (Draft 7).

The values are a function of schema, seed and place: deterministic, realistic where the names of fields allow it,
bounded in size and depth. `Maker` aims well and does not promise; `output_for` validates what comes out and tries
again. `jsf` and `rstr` were no replacement: jsf 0.11 draws from the global random generator and leaves out `allOf`,
`if`, `contains` and `uniqueItems`; rstr 3.2 draws negated classes from a set, whose order changes with every process,
and fills `+` with up to 100 characters.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import string
from collections.abc import Callable
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined]  # the only parser of patterns there is
from re import _parser  # type: ignore[attr-defined]  # private, but libraries that write matching texts use it too
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from jsonschema_rs import Draft7Validator

from devin_jupyter.simulator.values import TOPICS, Dice, Topic, date_for, digest, range_for, text_for, tokens_of

SCHEMA_BYTES = 64 * 1024
"""The largest structured output schema, serialized with spaces and escapes, which is the most it can be."""
Schema = dict[str, Any]
Output = dict[str, Any]
Path = tuple[str | int, ...]
_TRIES = 8
_NODES = 5000
_DEEP, _DEEPEST = 5, 60
_LONG = 100_000
_LONGEST_MATCH = 2000
_FORMATS: dict[str, Callable[[Dice], str]] = {
    "date-time": lambda dice: f"{date_for(dice)}T{dice.below(24):02d}:{dice.below(60):02d}:00Z",
    "date": date_for,
    "time": lambda dice: f"{dice.below(24):02d}:{dice.below(60):02d}:00Z",
    "duration": lambda dice: f"PT{1 + dice.below(48)}H{dice.below(60)}M",
    **dict.fromkeys(("email", "idn-email"), lambda dice: f"dev{dice.below(100)}@example.com"),
    **dict.fromkeys(("hostname", "idn-hostname"), lambda dice: f"host{dice.below(100)}.example.com"),
    "ipv4": lambda dice: f"192.0.2.{dice.below(255)}",
    "ipv6": lambda dice: f"2001:db8::{dice.below(65536):x}",
    **dict.fromkeys(("uri", "iri"), lambda dice: f"https://example.com/item/{dice.below(1000)}"),
    **dict.fromkeys(("uri-reference", "iri-reference"), lambda dice: f"/item/{dice.below(1000)}"),
    "uri-template": lambda dice: "/item/{id}",
    "uuid": lambda dice: str(UUID(int=dice.below(1 << 64) << 64 | dice.below(1 << 64), version=4)),
    "json-pointer": lambda dice: f"/items/{dice.below(9)}",
    "relative-json-pointer": lambda dice: "0",
    "regex": lambda dice: "^[a-z]+$",
}
_TYPE_HINTS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "minItems", "maxItems", "contains", "uniqueItems"),
    "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
}


class Impossible(Exception):
    """No value was found for a schema."""


def schema_problem(schema: Schema) -> str | None:
    """Return why the service refuses this schema, or None."""
    if len(json.dumps(schema)) > SCHEMA_BYTES:
        return f"Schema exceeds {SCHEMA_BYTES} bytes"
    todo: list[Any] = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo.extend(node)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and not reference.startswith("#"):
                return f"Schema must be self-contained: external $ref {reference!r}"
            # these keywords hold data, in which `$ref` is an ordinary key
            todo.extend(value for key, value in node.items() if key not in ("const", "default", "enum", "examples"))
    try:
        validator(schema)
    except ValueError as error:
        return f"Not a valid JSON Schema (Draft 7): {str(error).splitlines()[0]}"
    return None


_FAILED_CELL = re.compile(r"^The cell that failed:\n+(`{3,})python\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)


def with_corrected_cell(output: Output, schema: Schema, prompt: str) -> Output:
    """Return an output whose `cell` and `patch` are code, where the prompt asks for the correction of a cell."""
    found = _FAILED_CELL.search(prompt)
    if found is None or not isinstance(output.get("cell"), str):
        return output
    before = found[2]
    lines = [*before.split("\n"), "# simulated: the correction would stand here"]
    patch = "\n".join(difflib.unified_diff(before.split("\n"), lines, "the cell", "the corrected cell", lineterm=""))
    corrected = {**output, "cell": "\n".join(lines)} | ({"patch": patch} if "patch" in output else {})
    return corrected if validator(schema).is_valid(corrected) else output


def validator(schema: Schema) -> Draft7Validator:
    """Return the compiled schema; raises ValueError where it is none."""
    return _compiled(json.dumps(schema))


@lru_cache(maxsize=64)
def _compiled(text: str) -> Draft7Validator:
    return Draft7Validator(json.loads(text), validate_formats=True, retriever=_refuse)


def _refuse(uri: str) -> Any:
    raise ValueError(f"external $ref {uri}")


def output_for(schema: Schema, *, seed: str, place: str, unlike: Output | None = None) -> Output | None:
    """Return an output that fits the schema and, where it can, differs from `unlike`; None where none was found."""
    fits, spare = validator(schema).is_valid, None
    for attempt in range(_TRIES):
        maker = Maker(schema, seed=digest(seed, attempt), place=place, lean=attempt >= _TRIES // 2)
        try:
            value = maker.make(schema)
            json.dumps(value, allow_nan=False)
        except (Impossible, RecursionError, ArithmeticError, LookupError, TypeError, ValueError):
            continue  # a schema that contradicts itself must not fail the request: the session then has no output
        if isinstance(value, dict) and fits(value):
            counted = _counted(value)
            spare = counted if fits(counted) else value
            if spare != unlike:
                break
    return spare


_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_MORE = frozenset(["add", "also", "another", "missing", "more", "additional"])
_FEWER = frozenset(["delete", "drop", "exclude", "ignore", "omit", "remove", "skip", "without"])


def revised(before: Output, schema: Schema, message: str, *, seed: str, place: str) -> Output | None:
    """Return the output after a follow-up: what the message does not mention stays; None where nothing fits.

    A message may name an item (by its position, or by one of its values), a field, and a value that the schema lists
    for it; it may ask for more items, or for fewer. Without any of these, one text of the answer is written anew.
    """
    fresh, fits = output_for(schema, seed=seed, place=place, unlike=before), validator(schema).is_valid
    if fresh is None:
        return None
    words = set(re.findall(r"[\w-]+", message.lower()))
    rows = next((name for name, item in before.items() if isinstance(item, list) and item), None)
    candidates: list[Output] = []
    if rows is not None and isinstance(fresh.get(rows), list):
        items, others = before[rows], [item for item in fresh[rows] if item not in before[rows]]
        places = [index for index in range(len(items)) if _is_named(index, items, message.lower())]
        places = places or [at % len(items) for word, at in _ORDINALS.items() if word in words]
        if words & _FEWER and places:
            candidates.append({**before, rows: [item for at, item in enumerate(items) if at not in places]})
        if words & _MORE and others and not places:
            candidates.append({**before, rows: [*items, others[0]]})
        for changed in _changes(schema, [*items, *fresh[rows]], words, message):
            at = places or (range(len(items)) if {"all", "each", "every"} & words else [0])
            candidates.append({**before, rows: [changed(item) if n in at else item for n, item in enumerate(items)]})
    candidates += [changed(before) for changed in _changes(schema, [fresh], words, message)]
    for candidate in (*candidates, fresh):
        counted = _counted(candidate)
        shown = counted if fits(counted) else candidate
        if shown != before and fits(shown):
            return shown
    return fresh


def _texts_of(item: Any) -> list[str]:
    values = item.values() if isinstance(item, dict) else [item]
    return [value.lower() for value in values if isinstance(value, str) and len(value) > 3]


def _is_named(index: int, items: list[Any], message: str) -> bool:
    """Whether a message holds a text that only this item has."""
    others = {text for at, item in enumerate(items) if at != index for text in _texts_of(item)}
    return any(text in message and text not in others for text in _texts_of(items[index]))


def _changes(schema: Schema, known: list[Any], words: set[str], message: str) -> list[Callable[[Any], Any]]:
    """Return ways to change a record into another of its kind, the one that the message asks for first.

    Args:
        schema: of the whole output.
        known: records of this kind, whose values may be used.
        words: of the message.
        message: the follow-up.
    """
    records = [item for item in known if isinstance(item, dict)]
    listed = [word for word in _listed_values(schema) if re.search(rf"\b{re.escape(word.lower())}\b", message.lower())]
    names = list(dict.fromkeys(name for item in records for name in item))
    named = [name for name in names if name.lower() in words or set(tokens_of(name)) & words]
    texts = [name for name in names if any(isinstance(item.get(name), str) and " " in item[name] for item in records)]

    def other(name: str) -> Callable[[Any], Any]:
        def changed(item: Any) -> Any:
            if not isinstance(item, dict) or name not in item:
                return item
            value = item[name]
            if isinstance(value, bool):
                return {**item, name: not value}
            fixes = [topic.fix if value == topic.text else topic.text for topic in TOPICS if value in topic.about]
            found = [*fixes, *(one[name] for one in reversed(records) if name in one and one[name] != value)]
            same = [other for other in found if type(other) is type(value)]
            return {**item, name: (same or found or [value])[0]}

        return changed

    def set_to(value: str) -> Callable[[Any], Any]:
        def changed(item: Any) -> Any:
            name = next((key for key in item if value in _listed_values(_property(schema, key))), None)
            return {**item, name: value} if name is not None else item

        return changed

    return [*map(set_to, listed), *map(other, named if not listed else ()), *map(other, texts), *map(other, names)]


def _listed_values(node: Any) -> list[str]:
    """Return the texts that a schema, or a part of it, lists as the only ones."""
    if isinstance(node, list):
        return [word for item in node for word in _listed_values(item)]
    if not isinstance(node, dict):
        return []
    here = [word for word in node.get("enum") or () if isinstance(word, str)]
    return [*here, *(word for key, item in node.items() if key != "enum" for word in _listed_values(item))]


def _property(node: Any, name: str) -> Any:
    """Return the first subschema of a property with this name."""
    if isinstance(node, list):
        return next((found for item in node if (found := _property(item, name)) is not None), None)
    if not isinstance(node, dict):
        return None
    properties = node.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    return next((found for item in node.values() if (found := _property(item, name)) is not None), None)


def _counted(value: Output) -> Output:
    """Let a `count` or `total` beside one list say how long the list is."""
    lists = [item for item in value.values() if isinstance(item, list)]
    if len(lists) != 1:
        return value
    counts = {name for name, item in value.items() if type(item) is int and {"count", "total"} & set(tokens_of(name))}
    return {name: len(lists[0]) if name in counts else item for name, item in value.items()}


def interim(final: Output, schema: Schema) -> Output | None:
    """Return an earlier submission: lists with their first item only, if the schema takes that."""
    early = {name: value[:1] if isinstance(value, list) else value for name, value in final.items()}
    return early if early != final and validator(schema).is_valid(early) else None


def partial(final: Output) -> Output:
    """Return a submission of which only the first field is filled in, fitting or not."""
    first = next(iter(final), None)
    return {name: value if name == first else None for name, value in final.items()}


def broken(final: Output, schema: Schema) -> Output:
    """Return an output that does not fit the schema, if there is any such object."""
    candidates: list[Output] = []
    for name in final:
        candidates.append({**final, name: {"unexpected": ["shape"]}})
        candidates.append({key: value for key, value in final.items() if key != name})
    candidates += [{}, {"unexpected": True}]
    fits = validator(schema).is_valid
    return next((candidate for candidate in candidates if not fits(candidate)), final)


class Maker:
    """Makes values for the schemas inside one root schema."""

    def __init__(self, root: Schema, *, seed: str, place: str, lean: bool = False) -> None:
        """Take the root, for local references; `lean` leaves out what may be left out."""
        self._root, self._seed, self._place, self._lean = root, seed, place, lean
        self._nodes = 0

    def make(self, schema: Any, path: Path = (), topic: Topic | None = None) -> Any:
        """Return a value for a subschema at a path of the output."""
        self._nodes += 1
        if schema is False or self._nodes > _NODES or len(path) > _DEEPEST:
            raise Impossible
        dice = Dice(self._seed, *path)
        schema = self._resolved({} if schema is True else schema, path, dice)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):  # simulated work mostly succeeds: where a value says so, it is the usual one
            return "done" if "done" in schema["enum"] and dice.chance(0.8) else dice.pick(schema["enum"])
        topic = topic or TOPICS[dice.below(len(TOPICS))]
        kind = _type_of(schema, dice, deep=self._is_deep(path)) if path else "object"
        name = next((part for part in reversed(path) if isinstance(part, str)), "")
        if kind == "object":
            return self._object(schema, path, dice)
        if kind == "array":
            return self._array(schema, path, dice)
        if kind == "string":
            return self._string(schema, name, dice, topic, at_top=len(path) <= 1)
        if kind in ("integer", "number"):
            return _number(schema, name, dice, whole=kind == "integer")
        return dice.chance(0.5) if kind == "boolean" else None

    def _is_deep(self, path: Path) -> bool:
        return self._lean or len(path) > _DEEP

    def _resolved(self, schema: Schema, path: Path, dice: Dice) -> Schema:
        """Follow references and choose among alternatives, until plain keywords are left."""
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = resolve(self._root, schema["$ref"])
            elif schema.get("allOf"):
                parts = [self._resolved(_as_schema(part), path, dice) for part in schema["allOf"]]
                schema = merged(_without(schema, "allOf"), *parts)
            elif schema.get("anyOf") or schema.get("oneOf"):
                word = "anyOf" if schema.get("anyOf") else "oneOf"
                schema = merged(_without(schema, word), self._choose(schema[word], path, dice))
            elif "if" in schema:
                chosen = ("if", "then") if dice.chance(0.7) else ("else",)
                parts = [_as_schema(schema[word]) for word in chosen if word in schema]
                schema = merged(_without(schema, "if", "then", "else"), *parts)
            else:
                return schema
        raise Impossible

    def _choose(self, branches: list[Any], path: Path, dice: Dice) -> Schema:
        usable = [_as_schema(branch) for branch in branches if branch is not False]
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

    def _object(self, schema: Schema, path: Path, dice: Dice) -> Output:
        properties = schema.get("properties", {})
        others = next(iter((schema.get("patternProperties") or {}).values()), schema.get("additionalProperties", True))
        names = self._names(schema, properties, path, dice)
        # neighbors in a list get different topics
        position = path[-1] if path and isinstance(path[-1], int) else 0
        topic = TOPICS[(int(digest(self._seed, *path[:-1])[:8], 16) + position) % len(TOPICS)]
        made = {name: self.make(properties.get(name, others), (*path, name), topic) for name in names}
        for index in range(schema.get("minProperties", 0) - len(made)):
            name = self._new_name(schema, index, dice)
            made[name] = self.make(properties.get(name, others), (*path, name), topic)
        return made

    def _names(self, schema: Schema, properties: Schema, path: Path, dice: Dice) -> list[str]:
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
        if isinstance(naming, dict) and naming.get("enum"):
            return str(naming["enum"][index])
        if isinstance(naming, dict) and naming.get("pattern"):
            return matching(naming["pattern"], dice) or f"k{index}"
        if schema.get("patternProperties") and schema.get("additionalProperties") is False:
            return matching(next(iter(schema["patternProperties"])), dice) or f"k{index}"
        return TOPICS[index % len(TOPICS)].package + ("" if index < len(TOPICS) else f"-{index}")

    def _array(self, schema: Schema, path: Path, dice: Dice) -> list[Any]:
        items = schema.get("items", True)
        low, high = int(schema.get("minItems", 0)), int(schema.get("maxItems", _NODES))
        if low > _NODES:
            raise Impossible
        if isinstance(items, list):
            count = max(low, min(high, len(items)))
            rest = schema.get("additionalItems", True)
            return [self.make(items[i] if i < len(items) else rest, (*path, i)) for i in range(count)]
        usual = 2 + dice.below(4) if len(path) <= 2 else 1 + dice.below(2)
        count = low if self._is_deep(path) or items is False else max(low, min(high, usual))
        made = [self.make(items, (*path, index)) for index in range(count)]
        if isinstance(schema.get("contains"), dict):
            made[:1] = [self.make(schema["contains"], (*path, 0))]
        if not schema.get("uniqueItems"):
            return made
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

    def _string(self, schema: Schema, name: str, dice: Dice, topic: Topic, *, at_top: bool) -> str:
        low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", _LONG))
        if low > _LONG:
            raise Impossible
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]](dice)
        text = text_for(name, topic, dice, place=self._place, at_top=at_top)
        if isinstance(schema.get("pattern"), str) and not re.search(schema["pattern"], text):
            text = matching(schema["pattern"], dice) or text
        elif len(text) < low:
            return (text + " " + topic.text * (1 + low // len(topic.text)))[:low]
        return text[:high]


def _number(schema: Schema, name: str, dice: Dice, *, whole: bool) -> int | float:
    low, high = range_for(name)  # the usual range for the name, unless the schema draws a narrower one
    lowest = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    highest = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    if lowest > low or high > highest:
        low, high = (
            lowest if lowest > -math.inf else min(low, highest - 10),
            highest if highest < math.inf else max(high, lowest + 10),
        )
    step = schema.get("multipleOf") or (1 if whole else 0)
    if step:
        first, last = math.ceil(low / step), math.floor(high / step)
        first += first * step == schema.get("exclusiveMinimum")
        last -= last * step == schema.get("exclusiveMaximum")
        multiple = (first + dice.below(max(1, last - first + 1))) * step
        return int(multiple) if whole or float(multiple).is_integer() else round(multiple, 10)
    value = dice.between(float(low), float(high))
    return round(value, 2) if low < round(value, 2) < high else value


def _type_of(schema: Schema, dice: Dice, *, deep: bool) -> str:
    """The given type, one of several, or the one that the other keywords imply."""
    kind = schema.get("type")
    if isinstance(kind, list):
        solid = [name for name in kind if name != "null"]
        if "null" in kind and (deep or not solid or dice.chance(0.1)):
            return "null"
        kind = dice.pick(solid)
    if kind:
        return str(kind)
    fallback = "integer" if schema.get("not") == {"type": "string"} else "string"
    return next((kind for kind, words in _TYPE_HINTS.items() if any(word in schema for word in words)), fallback)


def _as_schema(node: Any) -> Schema:
    if node is True:
        return {}
    if not isinstance(node, dict):
        raise Impossible
    return node


def _without(schema: Schema, *words: str) -> Schema:
    return {word: value for word, value in schema.items() if word not in words}


def merged(*parts: Schema) -> Schema:
    """Join schemas that must all hold; bounds take the tighter one, the rest the later one."""
    whole: Schema = {}
    for part in parts:
        for word, value in part.items():
            if word == "required":
                value = list(dict.fromkeys([*whole.get(word, []), *value]))
            elif word not in whole:
                pass
            elif word in ("properties", "patternProperties"):
                value = {**whole[word], **value}
            elif word in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
                value = max(value, whole[word])
            elif word in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
                value = min(value, whole[word])
            elif word == "enum":
                value = [item for item in whole[word] if item in value]
            whole[word] = value
    return whole


def resolve(root: Schema, reference: Any) -> Schema:
    """Return what a local `$ref` points to: a pointer, the root, or an anchor (`$id`)."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise Impossible
    node: Any = root
    if reference.startswith("#/"):
        for part in unquote(reference[2:]).split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            node = node[int(part)] if isinstance(node, list) else node[part]
        return _as_schema(node)
    if reference == "#":
        return _as_schema(root)
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if node.get("$id") == reference:
                return node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    raise Impossible


_CLASSES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_lowercase + string.digits,
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    op.CATEGORY_NOT_WORD: "-",
    op.CATEGORY_NOT_SPACE: string.ascii_lowercase,
}


def matching(pattern: str, dice: Dice) -> str | None:
    """Return a text that should match a regular expression, or None where the pattern is beyond this writer."""
    try:
        return _Writer(dice).sequence(_parser.parse(pattern))
    except (re.error, ValueError, OverflowError, RecursionError, KeyError):
        return None


class _Writer:
    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._groups: dict[int, str] = {}
        self._written = 0

    def sequence(self, nodes: Any) -> str:
        return "".join(self._node(code, value) for code, value in nodes)

    def _node(self, code: Any, value: Any) -> str:
        if code in (op.AT, op.ASSERT, op.ASSERT_NOT):
            return ""
        if code is op.BRANCH:
            return self.sequence(self._dice.pick(value[1]))
        if code is op.SUBPATTERN:
            self._groups[value[0]] = text = self.sequence(value[3])
            return text
        if code is op.GROUPREF:
            return self._groups[value]
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            low, high, inner = value
            times = low + self._dice.below(min(int(high), low + 4) - low + 1)
            if times <= _LONGEST_MATCH:
                return "".join(self.sequence(inner) for _ in range(times))
        self._written += 1
        if self._written > _LONGEST_MATCH:
            raise ValueError("too long")
        return self._character(code, value)

    def _character(self, code: Any, value: Any) -> str:
        if code is op.LITERAL:
            return chr(value)
        if code is op.ANY:
            return "a"
        if code is op.NOT_LITERAL:
            return self._dice.pick(_characters([(op.NEGATE, None), (op.LITERAL, value)]))
        if code is op.IN:
            return self._dice.pick(_characters(value))
        raise ValueError(f"cannot write {code}")


def _characters(members: Any) -> str:
    letters = ""
    for code, value in members:
        if code is op.LITERAL:
            letters += chr(value)
        elif code is op.RANGE:
            letters += "".join(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
        elif code is op.CATEGORY:
            letters += _CLASSES[value]
    if members[0][0] is not op.NEGATE:
        return letters
    return "".join(letter for letter in string.ascii_letters + string.digits + "-_. " if letter not in letters)
