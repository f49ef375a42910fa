"""Finding our sessions on the service by their tag, and telling ours from a colleague's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

from devin_jupyter.api.analytics import Account
from devin_jupyter.api.sessions import Sessions
from devin_jupyter.errors import ApiError, Forbidden, OptionError
from devin_jupyter.models.ids import session_id
from devin_jupyter.models.snapshot import parse_time

Raw = Mapping[str, Any]
_ASKED_ONE_BY_ONE = 20
_AT_A_TIME = 8
_PAGES_A_TAG = 0.12
"""Reading the whole list is given up once it has taken this many pages for every tag sought."""


class Lookup:
    """Asks the service which sessions carry a tag."""

    def __init__(self, sessions: Sessions, account: Account, api_version: str) -> None:
        self._sessions, self._account, self._is_v1 = sessions, account, api_version == "v1"
        self._principal: Raw | None = None

    async def find(self, tag: str) -> list[Raw]:
        """Return the sessions with this tag, oldest first; also archived ones."""
        if self._is_v1:
            return _oldest_first(await self._list(tags=[tag]), tag)
        listed = await asyncio.gather(  # the default of the list is not documented
            *(self._list(tags=[tag], is_archived=is_archived) for is_archived in (False, True))
        )
        return _oldest_first([item for items in listed for item in items], tag)

    async def find_new(self, tag: str, known_before: Set[str], as_user: str | None) -> Raw | None:
        """Return the oldest session of this principal with this tag that was not there before, or None."""
        for raw in await self.find(tag):
            if id_of(raw) not in known_before and await self.is_mine(raw, as_user):
                return raw
        return None

    async def sweep(self, tags: Iterable[str]) -> dict[str, list[Raw]]:
        """Return the sessions with each of many tags, by reading the list or tag by tag, whichever is shorter."""
        wanted = dict.fromkeys(tags)
        if len(wanted) > _ASKED_ONE_BY_ONE:
            listed = await self._read_through(len(wanted))
            if listed is not None:
                return {tag: _oldest_first(listed, tag) for tag in wanted}
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def ask(tag: str) -> list[Raw]:
            async with turns:
                return await self.find(tag)

        return dict(zip(wanted, await asyncio.gather(*map(ask, wanted)), strict=True))

    async def is_mine(self, raw: Mapping[str, Any], as_user: str | None) -> bool:
        """Return whether this key's principal started the session; True if the service does not tell."""
        owners = {raw.get("service_user_id"), raw.get("user_id")} - {None}
        if self._is_v1 or not owners or as_user in owners:
            return True
        mine = await self._my_names()
        return not mine or bool(owners & mine)

    async def doubt(self, raw: Mapping[str, Any], as_user: str | None) -> str:
        """Return what to say of a session that counts as ours since the key may not ask who it is; or nothing."""
        owners = {raw.get("service_user_id"), raw.get("user_id")} - {None}
        if self._is_v1 or not owners or as_user in owners or await self._my_names():
            return ""
        return f"{owner_of(raw)} started it, and this key may not ask whether that is you"

    async def _my_names(self) -> set[str]:
        if self._principal is None:
            try:
                self._principal = cast(Raw, await self._account.self())
            except Forbidden:
                self._principal = {}
            except ApiError:
                return set()
        names = ("service_user_id", "user_id", "creator_service_user_id")
        return {str(self._principal[name]) for name in names if self._principal.get(name)}

    async def _read_through(self, n_tags: int) -> list[Raw] | None:
        """Return all tagged sessions, or None when the list is too long to be read through."""
        left = max(4, int(n_tags * _PAGES_A_TAG))
        kept: list[Raw] = []
        for filters in [{}] if self._is_v1 else [{"is_archived": False}, {"is_archived": True}]:
            async for page in self._sessions.pages(**filters):
                kept += [item for item in page if our_tags(item)]
                left -= 1
                if left < 0:
                    return None
        return kept

    async def _list(self, **filters: Any) -> list[Raw]:
        return [item async for page in self._sessions.pages(**filters) for item in page]


def owner_of(raw: Mapping[str, Any]) -> str:
    """Return who started a session, in the service's words."""
    return str(raw.get("user_id") or raw.get("service_user_id") or raw.get("requesting_user_email") or "somebody else")


def id_of(raw: Mapping[str, Any]) -> str | None:
    """Return the prefixed id of a raw session, or None where it has none."""
    try:
        return session_id(str(raw.get("session_id") or ""))
    except OptionError:
        return None


def made_at(raw: Mapping[str, Any]) -> float | None:
    """Return when a raw session was made, in Unix seconds."""
    moment = parse_time(raw.get("created_at"))
    return moment.timestamp() if moment else None


def our_tags(raw: Mapping[str, Any]) -> list[str]:
    """Return the `nb-…` tags of a raw session: which requests of this package it stands for."""
    tags = raw.get("tags")
    return [tag for tag in tags if isinstance(tag, str) and tag.startswith("nb-")] if isinstance(tags, list) else []


def _oldest_first(listed: Iterable[Raw], tag: str) -> list[Raw]:
    """The filter may mean any or all tags, or be ignored: what counts is the tag on the session."""
    found = {identifier: item for item in listed if tag in our_tags(item) and (identifier := id_of(item))}
    return [found[key] for key in sorted(found, key=lambda key: (made_at(found[key]) or 0.0, key))]
