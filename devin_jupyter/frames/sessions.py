"""Sessions as a frame: raw pages or snapshots in, one row a session out.

Twenty thousand sessions pass through here, so they are read column by column and no object is made per row, except
for the few the journal knows more about. What it says must equal what a `Snapshot` of the same answer says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.frames.columns import Codes, frame_of, numbers, times
from devin_jupyter.frames.pull_requests import count, counted
from devin_jupyter.frames.shapes import SESSIONS
from devin_jupyter.models.fields import FIELDS, KEYS, KNOWN_KEYS, NO_ID, UNTOUCHED, WEB_APP, word
from devin_jupyter.models.fields import identifier as read_identifier
from devin_jupyter.models.ids import bare_id
from devin_jupyter.models.phase import Phase, PhaseInputs, phase_of
from devin_jupyter.models.snapshot import Record, Snapshot, observe

Raw = Mapping[str, Any]

_READ = {
    version: [(field, key) for field in FIELDS if field.column and (key := field.key(version))]
    for version in ("v3", "v1")
}
"""Columns that are a field of the response, and its key."""
_PULL_REQUESTS = {version: KEYS[version]["pull_requests"] for version in KEYS}
_WAITS = (Phase.YOUR_TURN.value, Phase.NEEDS_APPROVAL.value)
_BARE = re.compile("[0-9a-f]{32}")


class SessionRows:
    """Collects sessions, each once, column by column."""

    def __init__(
        self, *, api_version: str = "v3", org_id: str | None = None, known: Mapping[str, Record] | None = None
    ) -> None:
        """Start empty.

        Args:
            api_version: of the raw answers.
            org_id: the organization, where the answers do not say it.
            known: by session id, what the journal knows and the service does not say.
        """
        self._version, self._org_id, self._known = api_version, org_id, known or {}
        self._words = {column.name: Codes(column.values) for column in SESSIONS if column.kind == "word"}
        self._data: dict[str, list[Any]] = {column.name: [] for column in SESSIONS if column.kind != "word"}
        self._seen: set[str] = set()
        self.provisional: dict[str, bool] = {}
        """Of the sessions that are known better, whether their output is not the final answer."""
        self._phases = _Phases(api_version)

    def __len__(self) -> int:
        """Return the number of sessions so far."""
        return len(self._seen)

    def add(self, items: Sequence[Raw], *, at: datetime | None = None) -> int:
        """Add the raw sessions of a page and return how many were new.

        Args:
            items: `SessionResponse`s of v3 or session objects of v1.
            at: when the answer came, for the sessions the journal knows.
        """
        identifiers = [_prefixed(item) for item in items]
        before = len(self._seen)
        if self._seen.isdisjoint(identifiers) and len(set(identifiers)) == len(items):
            self._seen.update(identifiers)
        else:
            items, identifiers = self._new_ones(items, identifiers)
        if self._known and not self._known.keys().isdisjoint(identifiers):
            items, identifiers = self._without_known(items, identifiers, at)
        if items:
            self._add_columns(items, identifiers)
        return len(self._seen) - before

    def add_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Add sessions that were read before."""
        for snapshot in snapshots:
            self._seen.add(snapshot.session_id)
            self.provisional[snapshot.session_id] = not snapshot.output_is_final
            for name, codes in self._words.items():
                codes.extend([getattr(snapshot, name)])
            facts = dict(zip(("n_prs", "n_merged", "repos"), counted(snapshot.pull_requests), strict=True))
            for name, column in self._data.items():
                column.append(facts.get(name) if name in facts else _attribute(snapshot, name))
            self._data["repos"][-1] = list(snapshot.repos) or facts["repos"]

    def frame(self, *, newest_first: bool = False, order: Sequence[str] | None = None) -> pd.DataFrame:
        """Return what was collected, which is gone afterwards.

        Args:
            newest_first: sort by `created_at`.
            order: session ids, in the order that is wanted instead.
        """
        data: dict[str, Any] = dict(self._data)
        self._data = {}
        data |= {name: codes.categorical() for name, codes in self._words.items()}
        for name in ("created_at", "updated_at"):
            data[name] = times(data[name])
        data["acus"] = _mask_unreported(numbers(data["acus"]), data)
        is_named = not newest_first
        places = _as_named(data["session_id"], order) if is_named else by_time(data["created_at"], data["session_id"])
        frame = frame_of(SESSIONS, data)
        return frame if places is None else frame.take(places).reset_index(drop=True)

    def _new_ones(self, items: Sequence[Raw], identifiers: list[str]) -> tuple[list[Raw], list[str]]:
        kept: list[Raw] = []
        names: list[str] = []
        for item, name in zip(items, identifiers, strict=True):
            if name not in self._seen or name == NO_ID:
                self._seen.add(name)
                kept.append(item)
                names.append(name)
        return kept, names

    def _without_known(
        self, items: Sequence[Raw], identifiers: list[str], at: datetime | None
    ) -> tuple[list[Raw], list[str]]:
        pairs = list(zip(items, identifiers, strict=True))
        moment = at or datetime.now(UTC)
        for item, name in pairs:
            if name in self._known:
                self.add_snapshots([observe(item, self._known[name], at=moment)])
        rest = [(item, name) for item, name in pairs if name not in self._known]
        return [item for item, _ in rest], [name for _, name in rest]

    def _add_columns(self, items: Sequence[Raw], identifiers: list[str]) -> None:
        cells: dict[str, list[Any]] = {}
        for field, key in _READ[self._version]:
            values = _values(items, key)
            cells[field.name] = list(map(field.cell, values)) if field.cell else values
        cells["session_id"] = identifiers
        urls = zip(cells["url"], identifiers, strict=True)
        cells["url"] = [url if url and type(url) is str else WEB_APP + bare_id(name) for url, name in urls]
        has_output = [output is not None for output in cells["structured_output"]]
        cells["phase"] = self._phases.of(zip(cells["status"], cells["status_detail"], has_output, strict=True))
        cells["needs_you"] = [phase in _WAITS for phase in cells["phase"]]
        counts = map(count, _values(items, _PULL_REQUESTS[self._version]))
        cells["n_prs"], cells["n_merged"], cells["repos"] = map(list, zip(*counts, strict=True))
        cells["extra"] = _extras(items, KNOWN_KEYS[self._version])
        if "org_id" not in cells:
            cells["org_id"] = [self._org_id] * len(items)
        nothing = [None] * len(items)  # in the columns that this version does not have
        for name, codes in self._words.items():
            codes.extend(cells.get(name, nothing))
        for name, column in self._data.items():
            column += cells.get(name, nothing)


class _Phases(dict[tuple[Any, Any, bool], str]):
    """Phases of sessions we know nothing more about, by status, detail and whether there is an output."""

    def __init__(self, api_version: str) -> None:
        super().__init__()
        self._version = api_version

    def of(self, keys: Iterable[tuple[Any, Any, bool]]) -> list[str]:
        keys = list(keys)
        try:
            return [self[key] for key in keys]
        except TypeError:  # unhashable
            return [self[word(status), word(detail), has_output] for status, detail, has_output in keys]

    def __missing__(self, key: tuple[Any, Any, bool]) -> str:
        status, detail, has_output = key
        facts = PhaseInputs(api_version=self._version, status=word(status), detail=word(detail), has_answer=has_output)
        phase = self[key] = phase_of(facts).value
        return phase


def _values(items: Sequence[Raw], field: str) -> list[Any]:
    try:
        return list(map(itemgetter(field), items))
    except KeyError:
        return [item.get(field) for item in items]


def _prefixed(item: Raw) -> str:
    text = item.get("session_id")
    return "devin-" + text if isinstance(text, str) and _BARE.fullmatch(text) else read_identifier(item)


def _extras(items: Sequence[Raw], fields: Collection[str]) -> list[dict[str, Any] | None]:
    unknown = set[str]().union(*items).difference(fields)
    if not unknown:
        return [None] * len(items)
    found = [{name: item[name] for name in item if name in unknown and item[name] is not None} for item in items]
    return [extra or None for extra in found]


def _attribute(snapshot: Snapshot, name: str) -> Any:
    version = snapshot.api_version
    if name == "extra":
        known = KNOWN_KEYS[version]
        return {key: found for key, found in snapshot.extra.items() if found is not None and key not in known} or None
    if name in KEYS["v3"] and name not in KEYS[version] and name != "org_id":
        return None  # unknown on v1, though the attribute may have a default
    if not hasattr(snapshot, name):
        return snapshot.extra.get(KEYS[version].get(name, ""))
    value = getattr(snapshot, name)
    if isinstance(value, datetime) and not value.microsecond:
        return int(value.timestamp())  # a column of integers is made many times faster
    return list(value) if isinstance(value, tuple) else value


def _mask_unreported(acus: Any, data: Mapping[str, Any]) -> Any:
    """Zero on a session that has worked means not reported, so it is null."""
    zero = (acus == 0).to_numpy(dtype=bool, na_value=False)
    if zero.any():
        status = pd.Series(data["status"])
        untouched = status.isin(UNTOUCHED) | (status.notna() & (data["created_at"] == data["updated_at"]))
        acus[zero & ~untouched.to_numpy()] = pd.NA
    return acus


def _as_named(found: Sequence[str], order: Sequence[str] | None) -> Any:
    if order is None or list(found) == list(order):
        return None
    places = {name: place for place, name in enumerate(found)}
    return [places[name] for name in order if name in places]


def by_time(created: Any, session_ids: Sequence[str]) -> Any:
    """Return the places that put sessions in order, the newest first; None where they are so already."""
    seconds = np.where(created.isna(), np.iinfo("int64").min + 1, created.asi8)
    order = np.argsort(-seconds, kind="stable")
    same = np.flatnonzero(np.diff(seconds[order]) == 0)
    for run in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else ():
        second = slice(run[0], run[-1] + 2)  # created in the same second: in the order of their ids
        order[second] = sorted(order[second], key=lambda place: session_ids[place])
    return None if (np.diff(order) == 1).all() else order
