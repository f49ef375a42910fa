"""All state of one simulator in one place: clock, sessions, resource tables, faults, counts, and what keeps them.

It is touched from the server's event loop only, so that nothing here needs a lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from devin_jupyter.simulator.clock import Clock
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.engine import Engine
from devin_jupyter.simulator.faults import Faults
from devin_jupyter.simulator.persist import Blobs, Keeper, Table

DAY = 86400


class Store:
    """The state behind one app."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        """Open what `config.state` kept, or start empty with the preloaded sessions."""
        self.config = config
        self.clock = clock or Clock()
        self.keeper = Keeper(config.state)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        """Requests by `"METHOD route template"`."""
        self._seeders: list[Callable[[Store], None]] = []
        self._open()

    def table(self, kind: str) -> Table:
        """Return the records of one kind, such as `playbooks`."""
        if kind not in self._tables:
            self._tables[kind] = Table(kind, self.keeper)
        return self._tables[kind]

    def now(self) -> float:
        """Return the simulated Unix time."""
        return self.clock.now()

    def seed_with(self, seeder: Callable[[Store], None]) -> None:
        """Call `seeder(store)` now and after every reset, for records a fresh simulator has; not on kept state."""
        self._seeders.append(seeder)
        if not self._kept:
            seeder(self)

    def advance(self, seconds: float) -> None:
        """Add to the clock; idle sessions whose patience this ends fall asleep."""
        self.clock.advance(seconds)
        self._save_clock()
        self.engine.fall_asleep()

    def reset(self) -> None:
        """Go back to the start: no sessions but the preloaded, no faults, no counts, no added time."""
        self.keeper.clear()
        self.clock.reset()
        self.faults.replace([])
        self.requests.clear()
        self._open()
        for seeder in self._seeders:
            seeder(self)

    def close(self) -> None:
        """Close the state file."""
        self.keeper.close()

    def _open(self) -> None:
        meta = dict(self.keeper.load("meta"))
        self._kept = "start" in meta
        if not self._kept:
            today = _midnight(self.config.today) if self.config.today else int(self.clock.now()) // DAY * DAY
            meta["start"] = {"seed": self.config.seed, "preload": self.config.preload, "today": today}
            self.keeper.save("meta", "start", meta["start"])
        self.clock.restore([(start, length) for start, length in meta.get("jumps", [])])
        self._tables: dict[str, Table] = {}
        self.blobs = Blobs(self.keeper)
        self.engine = Engine(self.config, self.clock, self.keeper, self.faults, **meta["start"])
        self.sessions = self.engine.sessions

    def _save_clock(self) -> None:
        self.keeper.save("meta", "jumps", self.clock.jumps)


def _midnight(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def the_store(request: Request) -> Store:
    """Return the store of the app that serves this request."""
    store: Store = request.app.state.store
    return store


StoreDep = Annotated[Store, Depends(the_store)]
"""A route parameter of this type is given the store."""
