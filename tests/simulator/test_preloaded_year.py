"""A preloaded year that ends on a named day is the same on every day it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devin_jupyter.simulator.__main__ import main, parser
from devin_jupyter.simulator.config import Config


def _history(simulator: Any) -> list[dict[str, Any]]:
    with simulator.v3() as client:
        found: list[dict[str, Any]] = client.get("/sessions", params={"first": 200}).json()["items"]
        return found


def test_the_year_ends_on_the_day_that_is_named(simulator_with: Callable[..., Any]) -> None:
    simulator = simulator_with(preload=100, today="2026-03-01")
    before, last = _history(simulator), 1_772_323_200  # 2026-03-01
    simulator.reset()

    assert all(last - 366 * 86_400 <= item["created_at"] <= last + 86_400 for item in before)
    assert max(item["updated_at"] for item in before) <= last + 7 * 86_400
    assert _history(simulator) == before


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "1"])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        Config(today=day)
    with pytest.raises(SystemExit):
        main(["--today", day])


def test_the_command_takes_a_day() -> None:
    assert Config(**vars(parser().parse_args(["--today", "2026-03-01"]))).today == "2026-03-01"
