"""Budgets in ACUs: what is consumed, plus what open turns may still consume up to their caps.

A reservation is made in the transaction that writes the intent, so that two kernels cannot both have the last ACU.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

from devin_jupyter.errors import BudgetExceeded, OptionError
from devin_jupyter.journal.database import Database, row, rows

_PAYERS = """
    SELECT p.payer, p.baseline, s.session_id, s.acus, s.is_open, COALESCE(s.max_acu, i.max_acu) AS max_acu, i.tag
    FROM spending p
    LEFT JOIN sessions s ON s.session_id = p.payer
    LEFT JOIN intents i ON i.fingerprint = p.payer
    WHERE p.scope = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The state of a budget. All figures in ACUs."""

    scope: str
    limit: float | None
    consumed: float
    reserved: float
    """What open turns may still consume: cap minus consumed; unknown counts as the cap."""
    n_open: int
    uncapped: tuple[str, ...] = ()
    """Open sessions without a cap: nothing can be promised until their turns end."""
    unknown: tuple[str, ...] = ()
    """Sessions that are over, whose cost is unknown and not bounded by a cap."""

    @property
    def left(self) -> float | None:
        """What may still be reserved; None without a limit."""
        return None if self.limit is None else max(0.0, self.limit - self.consumed - self.reserved)

    @property
    def _is_blocked(self) -> bool:
        return self.limit is not None and bool(self.uncapped)

    def __repr__(self) -> str:
        sums = f"{self.consumed:g} consumed + {self.reserved:g} reserved by {self.n_open} open"
        limit = "no budget is set" if self.limit is None else f"{self.left:g} of {self.limit:g} ACU left"
        rest = f"; {self.uncapped[0]} is running without a cap: nothing may start" if self._is_blocked else ""
        rest += f"; {len(self.unknown)} of unknown cost not counted" if self.unknown else ""
        return f"{name_of(self.scope)}: {sums} = {self.consumed + self.reserved:g} ACU; {limit}{rest}"


class Budgets:
    """The part of the journal that counts money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, scope: str, acus: float | None, *, now: float) -> None:
        """Set the limit of a scope, None for no limit; what was spent stays spent."""
        with self._database.write("budget") as db:
            set_limit(db, scope, acus, now=now)

    def set_or_show(self, scope: str, acus: float | str | None = None, *, now: float) -> Account:
        """Set or show the budget of a scope; what was spent stays spent.

        Args:
            scope: whose.
            acus: the limit, `"off"` for none, None to show it.
            now: Unix seconds.

        Raises:
            OptionError: not a number above 0.
        """
        if acus == "off":
            self.set(scope, None, now=now)
        elif acus is not None:
            self.set(scope, _acus(acus), now=now)
        return self.account(scope)

    def count(self, scope: str, session_ids: Iterable[str]) -> None:
        """Count sessions in a scope with their full cost, if they do not count yet."""
        with self._database.write("budget") as db:
            values = [(scope, session_id) for session_id in session_ids]
            db.executemany("INSERT OR IGNORE INTO spending VALUES (?, ?, 0)", values)

    def account(self, scope: str) -> Account:
        """Return the state of a scope."""
        with self._database.read() as db:
            return account(db, scope)

    def refusal(
        self,
        scopes: Iterable[str],
        *,
        payer: str,
        cap: float | None,
        limits: Mapping[str, float | None],
        ending: str | None = None,
    ) -> BudgetExceeded | None:
        """Return what `check` would raise now, with limits that are about to be set; None if nothing."""
        with self._database.read() as db:
            try:
                check(db, scopes, payer=payer, cap=cap, limits=limits, ending=ending)
            except BudgetExceeded as refused:
                return refused
        return None

    def message_refusal(self, scopes: Iterable[str], session_id: str) -> BudgetExceeded | None:
        """Return what one more message to a session would raise now; None if nothing."""
        with self._database.read() as db:
            try:
                check_message(db, scopes, session_id)
            except BudgetExceeded as refused:
                return refused
        return None

    def open_payers(self, scopes: Iterable[str]) -> list[str]:
        """Return the open sessions that count in these scopes, to be read again before refusing."""
        found: dict[str, None] = {}
        with self._database.read() as db:
            for scope in scopes:
                found |= {item["session_id"]: None for item in rows(db, _PAYERS, scope) if item["is_open"]}
        return list(found)

    def scopes_of(self, session_id: str) -> list[str]:
        """Return the scopes that a session counts in."""
        with self._database.read() as db:
            return [item["scope"] for item in rows(db, "SELECT scope FROM spending WHERE payer = ?", session_id)]


def set_limit(db: sqlite3.Connection, scope: str, acus: float | None, *, now: float) -> None:
    """Inside a transaction: set the limit of a scope, None for no limit."""
    if acus is None:
        db.execute("DELETE FROM budgets WHERE scope = ?", (scope,))
    else:
        db.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?)", (scope, acus, now))


def check(
    db: sqlite3.Connection,
    scopes: Iterable[str],
    *,
    payer: str,
    cap: float | None,
    limits: Mapping[str, float | None] | None = None,
    ending: str | None = None,
) -> None:
    """Inside a transaction: refuse unless every budget among `scopes` still holds `cap` for `payer`.

    Args:
        db: the transaction.
        scopes: the budgets.
        payer: a session, or the fingerprint of an intent; what it has reserved already is not counted twice.
        cap: what it may consume, in ACUs.
        limits: in place of those that are set.
        ending: a session that is ended before: it reserves nothing more.

    Raises:
        BudgetExceeded: with the arithmetic.
    """
    for scope in scopes:
        now = account(db, scope, without=payer, ending=ending)
        if limits and scope in limits:
            now = replace(now, limit=limits[scope])
        if now.limit is None:
            continue
        if cap is None:
            raise BudgetExceeded(
                f"{name_of(scope)} is {now.limit:g} ACU, and this session has no cap",
                "nothing was sent and nothing was paid",
                "give it one with --max-acu N",
            )
        if now.uncapped:
            raise BudgetExceeded(
                f"{name_of(scope)} is {now.limit:g} ACU, and {now.uncapped[0]} is running without a cap",
                "nothing was sent and nothing was paid",
                "wait until its turn is over, or stop it",
            )
        _check_sum(now, cap)


def _check_sum(now: Account, cap: float) -> None:
    total = now.consumed + now.reserved + cap
    if now.limit is None or total <= now.limit + 1e-9:
        return
    raise BudgetExceeded(
        f"{name_of(now.scope)} is {now.limit:g} ACU: {now.consumed:g} consumed + {now.reserved:g} reserved by"
        f" {now.n_open} open + {cap:g} for this one = {total:g}",
        "nothing was sent and nothing was paid",
        ", or ".join(_ways_out(now, cap, total)),
    )


def _ways_out(now: Account, cap: float, total: float) -> list[str]:
    left = (now.limit or 0.0) - now.consumed - now.reserved
    return [
        f"raise the budget to {math.ceil(total * 100) / 100:g}",
        *([f"lower --max-acu to {math.floor(left)}"] if 1 <= left < cap else []),
        *(["wait until open turns are over"] if now.n_open else []),
    ]


def account(db: sqlite3.Connection, scope: str, *, without: str = "", ending: str | None = None) -> Account:
    """Inside a transaction: return the state of a scope without one payer, and once another has ended."""
    limit = row(db, "SELECT acus FROM budgets WHERE scope = ?", scope)
    consumed = reserved = 0.0
    n_open, uncapped, unknown = 0, list[str](), list[str]()
    for item in rows(db, _PAYERS, scope):
        if item["payer"] == without or (item["session_id"] is None and item["tag"] is None):
            continue
        used, kept, is_open = _exposure(item, is_ending=item["payer"] == ending)
        consumed, reserved, n_open = consumed + used, reserved + (kept or 0.0), n_open + is_open
        if kept is None:
            (uncapped if is_open else unknown).append(item["payer"])
    return Account(
        scope=scope,
        limit=limit["acus"] if limit else None,
        consumed=round(consumed, 6),
        reserved=round(reserved, 6),
        n_open=n_open,
        uncapped=tuple(uncapped),
        unknown=tuple(unknown),
    )


def _exposure(item: sqlite3.Row, *, is_ending: bool) -> tuple[float, float | None, bool]:
    """Return consumed, reserved (None: nothing bounds it) and whether the turn is open."""
    is_open = item["session_id"] is None or (bool(item["is_open"]) and not is_ending)
    cap, acus, baseline = item["max_acu"], item["acus"], item["baseline"]
    if acus is None and not is_open:  # over, with an unknown cost: it may have cost its cap
        return (float(cap), 0.0, False) if cap is not None else (0.0, None, False)
    used = max(0.0, (acus or 0.0) - baseline)
    if not is_open:
        return used, 0.0, False
    return used, (max(0.0, cap - max(acus or 0.0, baseline)) if cap is not None else None), True


def join(db: sqlite3.Connection, scopes: Iterable[str], session_id: str) -> None:
    """Inside a transaction: let a session that gets a message count in these scopes, from what it has consumed on.

    Raises:
        BudgetExceeded: a budget does not hold what the session may still consume.
    """
    scopes = tuple(scopes)
    check_message(db, scopes, session_id)
    found = row(db, "SELECT acus FROM sessions WHERE session_id = ?", session_id)
    consumed = (found["acus"] or 0.0) if found else 0.0
    for scope in scopes:
        db.execute("INSERT OR IGNORE INTO spending VALUES (?, ?, ?)", (scope, session_id, consumed))


def check_message(db: sqlite3.Connection, scopes: Iterable[str], session_id: str) -> None:
    """Inside a transaction: refuse unless every budget holds what a session may consume for one more message.

    Raises:
        BudgetExceeded: with the arithmetic.
    """
    found = row(db, "SELECT acus, max_acu FROM sessions WHERE session_id = ?", session_id)
    acus, cap = (found["acus"] or 0.0, found["max_acu"]) if found else (0.0, None)
    for scope in scopes:
        counted = row(db, "SELECT baseline FROM spending WHERE scope = ? AND payer = ?", scope, session_id)
        baseline = counted["baseline"] if counted else acus
        limit = row(db, "SELECT acus FROM budgets WHERE scope = ?", scope)
        if limit and cap is None:
            raise BudgetExceeded(
                f"{name_of(scope)} is {limit['acus']:g} ACU, and {session_id} has no cap that is known here",
                "nothing was sent and nothing was paid",
                "lift the budget (%devin budget --off), or send from a notebook without one",
            )
        check(db, [scope], payer=session_id, cap=None if cap is None else max(0.0, cap - baseline))


def name_of(scope: str) -> str:
    """Return how a message calls the budget of a scope."""
    kind, _, name = scope.partition(" ")
    if kind == "cell":
        return "the budget of this cell"
    return f"the budget of the {kind} {PurePath(name).name}"


def _acus(said: float | str) -> float:
    try:
        value = float(said)
    except (TypeError, ValueError):
        value = 0.0
    if isinstance(said, bool) or not 0 < value < float("inf"):
        raise OptionError(
            f"a budget is a number of ACUs above 0, or off, not {said!r}",
            hint="for example %devin budget 20; %devin budget --off lifts it",
        )
    return value
