"""The arithmetic that a batch shows before it spends: caps, budgets, and what an edited template would repeat."""

from __future__ import annotations

from collections.abc import Sequence

from devin_jupyter.batches.plan import Item
from devin_jupyter.errors import BudgetExceeded

FREE_ROWS = 10
"""So many sessions may start without a cap or a budget."""


def check_caps(items: Sequence[Item], budget: float | None) -> None:
    """Refuse sessions that nothing would stop.

    Args:
        items: what would be run.
        budget: the ACUs that bound this batch, from `--budget` or the notebook's; None without one.

    Raises:
        BudgetExceeded: more than ten sessions without a cap or a budget, or a session without a cap under a budget.
    """
    uncapped = [item for item in items if item.request.max_acu is None]
    if not uncapped or (budget is None and len(items) <= FREE_ROWS):
        return
    count = len(items)
    if budget is None:
        raise BudgetExceeded(
            f"{count} sessions, {_of_them(len(uncapped), count)} without a cap: nothing bounds what they cost "
            f"(at 5 ACU each, {count} × 5 = {count * 5:,} ACU)",
            "nothing was sent",
            f"--max-acu 5 caps each one ({count} × 5 = {count * 5:,} ACU at most); "
            f"--budget 100 --max-acu 5 starts no more than 100 ACU can pay for; --limit 3 tries three first",
        )
    share = int(budget // count)
    fits = (
        f"--max-acu {share} lets all {count} run under it"
        if share
        else f"the budget is below 1 ACU for each of {count}"
    )
    raise BudgetExceeded(
        f"{_of_them(len(uncapped), count)} of {count} sessions have no cap; the budget of {budget:g} ACU needs one",
        "nothing was sent",
        f"add --max-acu N ({fits})",
    )


def _of_them(part: int, whole: int) -> str:
    return "all" if part == whole else str(part)


def most_of(items: Sequence[Item]) -> int | None:
    """Return the ACUs that these sessions can cost together; None where one has no cap."""
    caps = [item.request.max_acu for item in items]
    return None if any(cap is None for cap in caps) else sum(cap for cap in caps if cap is not None)


def cost_line(items: Sequence[Item], budget: float | None) -> str:
    """Return one line of arithmetic: sessions × cap, and the budget beside it."""
    most = most_of(items)
    caps = {item.request.max_acu for item in items}
    if most is None:
        text = f"{len(items)} session{'s' * (len(items) != 1)}, no cap on each: no upper limit"
    elif len(caps) == 1:
        text = f"{len(items)} × {caps.pop()} = {most:,} ACU at most"
    else:
        text = f"{len(items)} sessions, {most:,} ACU at most"
    return text if budget is None else f"{text}; budget {budget:g} ACU"
