"""Finding one entry of a list by its id or its name, and telling what would change of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from devin_jupyter.errors import NotFound, OptionError, UnreadableAnswer
from devin_jupyter.text import closest

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the entries of one list are called: `Kind("note", "note_id", "name", "note-")`."""

    what: str
    id_field: str
    name_field: str
    prefix: str = ""
    """Ids begin with it, where an entry can be read by its id; names may begin with it too."""

    async def read(self, wanted: str, direct: Callable[[str], Awaitable[Raw]], entries: AsyncIterator[Raw]) -> Raw:
        """Return the entry with this id or name: read directly if it looks like an id, else from the list.

        Args:
            wanted: an id or a name.
            direct: reads one by its id.
            entries: the list.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        if wanted.startswith(self.prefix):
            try:
                return await direct(wanted)
            except NotFound:
                pass  # a name like an id
        return await self.find_or_fail(wanted, entries)

    async def find(self, wanted: str, entries: AsyncIterator[Raw]) -> Raw | None:
        """Return the entry with this id, else the one with this name; None without either.

        Raises:
            OptionError: several have the name.
        """
        named: list[Raw] = []
        async for entry in entries:
            if entry.get(self.id_field) == wanted:
                return entry
            if entry.get(self.name_field) == wanted:
                named.append(entry)
        if len(named) > 1:
            identifiers = ", ".join(str(entry.get(self.id_field)) for entry in named)
            raise OptionError(
                f"{len(named)} {self.what}s are called {wanted!r}", "nothing was changed", f"say which: {identifiers}"
            )
        return named[0] if named else None

    async def find_or_fail(self, wanted: str, entries: AsyncIterator[Raw]) -> Raw:
        """Like `find`, for callers that cannot go on without it.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        listed = [entry async for entry in entries]

        async def again() -> AsyncIterator[Raw]:
            for entry in listed:
                yield entry

        found = await self.find(wanted, again())
        if found is not None:
            return found
        near = closest(wanted, [str(entry.get(self.name_field)) for entry in listed])
        raise NotFound(
            f"no {self.what} has the id or name {wanted!r}",
            "nothing was changed",
            f"did you mean {near[0]!r}?" if near else f"there are {len(listed)}",
            status_code=404,
        )

    def id_of(self, entry: Raw) -> str:
        """Return the id by which an entry that was found is called on.

        Raises:
            UnreadableAnswer: the service listed it without one.
        """
        identifier = entry.get(self.id_field)
        if isinstance(identifier, str) and identifier:
            return identifier
        raise UnreadableAnswer(
            f"the service listed an entry without a {self.id_field}", "nothing was changed", "run it again in a while"
        )


def changes(present: Raw, wanted: Raw) -> Raw:
    """Return what of `wanted` an entry does not have yet; None counts as not said."""
    return {name: value for name, value in wanted.items() if value is not None and present.get(name) != value}
