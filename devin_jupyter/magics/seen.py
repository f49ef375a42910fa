"""What has been seen of the organization and the journal, for the completer: Tab reads this and never the network.

Commands that list things leave them here; a background thread adds the journal's sessions with their tags and
repositories. Names and titles only, in memory only.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakSet

REFRESH_SECONDS = 5.0
MOST = 200
Pairs = list[tuple[str, str]]
"""Values with what is shown beside them."""


class Seen:
    """Values by kind: `sessions`, `tags`, `repos`, `playbooks`, `knowledge`, `secrets`, `platforms`."""

    def __init__(self) -> None:
        """Have seen nothing yet."""
        self._values: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._read_at = float("-inf")

    def add(self, kind: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember values of a kind; the newest come first."""
        with self._lock:
            new = dict(pairs)
            self._values[kind] = new | {k: v for k, v in self._values.get(kind, {}).items() if k not in new}

    def get(self, kind: str) -> Pairs:
        """Return the values of a kind."""
        with self._lock:
            return list(self._values.get(kind, {}).items())

    def refresh(self, read: Callable[[], Iterable[Any]], *, wait: bool = False) -> None:
        """Have a thread read the journal's entries, unless that was done just now."""
        with self._lock:
            if time.monotonic() - self._read_at < REFRESH_SECONDS and not wait:
                return
            self._read_at = time.monotonic()
        thread = threading.Thread(target=self._take, args=(read,), name="devin-seen", daemon=True)
        thread.start()
        if wait:
            thread.join()

    def _take(self, read: Callable[[], Iterable[Any]]) -> None:
        try:
            snapshots = [entry.snapshot for entry in read() if entry.snapshot]
        except Exception:  # a journal that cannot be read is reported by what needs it, not by Tab
            return
        self.add_sessions(reversed(snapshots))

    def add_sessions(self, snapshots: Iterable[Any]) -> None:
        """Remember sessions with titles, and their tags and repositories; newest first."""
        snapshots = list(snapshots)
        self.add("sessions", ((one.session_id, f"{one.title or ''} ({one.phase.label})") for one in snapshots))
        self.add("tags", ((tag, "") for one in snapshots for tag in one.tags))
        self.add("repos", ((repo, "") for one in snapshots for repo in one.repos))


SEEN = Seen()


_warm: WeakSet[Any] = WeakSet()


def warm(client: Any) -> None:
    """Have the loop look up playbooks and knowledge once, so that Tab knows their names; a failure is no matter."""
    from devin_jupyter import loop

    if client not in _warm:
        _warm.add(client)
        loop.submit(_begin(client.asynchronous))


class _Looking:
    """What is being looked up; it ends with the client at the latest."""

    def __init__(self, client: Any) -> None:
        playbooks = _look(client, "playbooks", ("playbook_id",), "title")
        self._work = asyncio.gather(playbooks, _look(client, "knowledge", ("note_id", "id"), "name"))

    async def retire(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


async def _begin(client: Any) -> None:
    client.core.running["names for Tab"] = _Looking(client)


async def _look(client: Any, kind: str, keys: tuple[str, ...], label: str) -> None:
    with contextlib.suppress(Exception):
        found = [item async for item in getattr(client, kind).list(limit=MOST)]
        pairs = (
            (next((str(item[key]) for key in keys if item.get(key)), ""), str(item.get(label) or "")) for item in found
        )
        SEEN.add(kind, pairs)
