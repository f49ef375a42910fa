"""What the property tests share: how many examples they take, random JSON, and answers to corrupt."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devin_jupyter.errors import DevinError

SHORT, LONG = 30, 1500
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "null", "NaN", "devin-", "-1", "1e999", "2026-02-30", "\x00", "\ud800", "running", "https://"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def short_and_long(test: Callable[..., Any]) -> Any:
    """Run a property test for a moment by default, and long with `-m fuzz`."""
    long = pytest.param(LONG, marks=[pytest.mark.fuzz, pytest.mark.timeout(1800)])
    return pytest.mark.parametrize("examples", [SHORT, long], ids=["short", "long"])(test)


def check_examples(examples: int, check: Callable[..., object], *strategies: st.SearchStrategy[Any]) -> None:
    """Call `check` with this many examples: the same ones every time, without FUZZ_ANEW."""
    chosen = settings(
        max_examples=examples,
        deadline=None,
        derandomize="FUZZ_ANEW" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    def run(values: tuple[Any, ...]) -> None:
        check(*values)

    chosen(given(st.tuples(*strategies))(run))()


@dataclass(frozen=True)
class ErrorText:
    """The text of an error of ours."""

    text: str


def value_or_error(work: Callable[..., Any], *args: Any, kind: type[DevinError] = DevinError) -> Any:
    """Return what `work` does; an error of this kind, in at most three lines, is an answer too. Any other is not."""
    try:
        return work(*args)
    except kind as refusal:
        lines = refusal.lines
    assert 1 <= len(lines) <= 3
    return ErrorText("\n".join(lines))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, from the whole down to its leaves."""
    found = [path]
    if isinstance(value, dict):
        found += [place for key, item in value.items() for place in places(item, (*path, key))]
    elif isinstance(value, list):
        found += [place for index, item in enumerate(value) for place in places(item, (*path, index))]
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with something else in one place."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return changed


def without(value: Any, path: tuple[Any, ...]) -> Any:
    """A copy of a JSON value with one place missing."""
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return changed


@st.composite
def corrupted(draw: st.DrawFn, sound: Any) -> Any:
    """A good answer with junk in one to three places, or with places missing."""
    answer = sound
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(answer)))
        drop = path and draw(st.booleans()) and draw(st.booleans())
        answer = without(answer, path) if drop else replaced(answer, path, draw(JSON))
        if not isinstance(answer, (dict, list)):
            break
    return answer
