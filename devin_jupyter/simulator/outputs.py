"""Structured outputs of simulated sessions: final, interim, partial and broken ones, by schema and seed."""

from __future__ import annotations

import json
from typing import Any

from devin_jupyter.simulator.ids import digest
from devin_jupyter.simulator.keywords import Impossible
from devin_jupyter.simulator.making import Maker
from devin_jupyter.simulator.schemas import validator
from devin_jupyter.simulator.words import tokens_of

_TRIES = 8
Output = dict[str, Any]


def output_for(schema: dict[str, Any], *, seed: str, place: str, unlike: Output | None = None) -> Output | None:
    """Return an output that fits the schema and, where it can, differs from `unlike`; None where none was found."""
    judge, spare = validator(schema), None
    for attempt in range(_TRIES):
        maker = Maker(schema, seed=digest(seed, attempt), place=place, lean=attempt >= _TRIES // 2)
        try:
            value = maker.make(schema)
        except (Impossible, RecursionError, ArithmeticError, LookupError, TypeError, ValueError):
            continue  # a schema full of contradictions is no reason to fail: there is no output then
        if isinstance(value, dict) and _is_json(value) and judge.is_valid(value):
            counted = _counted(value)
            spare = counted if judge.is_valid(counted) else value
            if spare != unlike:
                break
    return spare


def interim(final: Output, schema: dict[str, Any]) -> Output | None:
    """Return an earlier submission: lists with their first item only, if the schema takes that."""
    early = {name: value[:1] if isinstance(value, list) else value for name, value in final.items()}
    return early if early != final and validator(schema).is_valid(early) else None


def partial(final: Output) -> Output:
    """Return a submission of which only the first field is filled in, whatever the schema says."""
    first = next(iter(final), None)
    return {name: value if name == first else None for name, value in final.items()}


def broken(final: Output, schema: dict[str, Any]) -> Output:
    """Return an output that does not fit the schema, if there is any such object."""
    judge = validator(schema)
    candidates: list[Output] = []
    for name in final:
        candidates.append({**final, name: {"unexpected": ["shape"]}})
        candidates.append({key: value for key, value in final.items() if key != name})
    candidates += [{}, {"unexpected": True}]
    return next((candidate for candidate in candidates if not judge.is_valid(candidate)), final)


def _counted(value: Output) -> Output:
    """Let a `count` or `total` beside one list say how long the list is."""
    lists = [item for item in value.values() if isinstance(item, list)]
    if len(lists) != 1:
        return value
    counts = {name for name, item in value.items() if type(item) is int and {"count", "total"} & set(tokens_of(name))}
    return {name: len(lists[0]) if name in counts else item for name, item in value.items()}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
