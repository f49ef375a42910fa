"""What the kept resources have in common: numbered ids, look-ups that answer 404, times."""

from __future__ import annotations

from datetime import UTC, datetime

from devin_jupyter.simulator.ids import opaque
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import not_found
from devin_jupyter.simulator.store import Store

ORG = "/v3/organizations/{org_id}"


def fresh_id(store: Store, prefix: str) -> str:
    """Return the next id with this prefix; it follows from the seed and from how many there were before."""
    counts = store.table("counts")
    number = counts.get(prefix, {"given": 0})["given"] + 1
    counts[prefix] = {"given": number}
    return opaque(prefix, store.config.seed, number)


def found(store: Store, kind: str, identifier: str, what: str) -> Record:
    """Return a kept record; raises the 404."""
    record = store.table(kind).get(identifier)
    if record is None:
        raise not_found(what)
    return record


def seconds(store: Store) -> int:
    """Return the time as most of v3 writes it."""
    return int(store.now())


def iso(moment: float) -> str:
    """Return a Unix time as schedules and v1 write it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
