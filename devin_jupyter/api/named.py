"""Finding one entry of a list by its id or its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from difflib import get_close_matches
from typing import Any

from devin_jupyter.errors import NotFound, OptionError, UnreadableAnswer

Raw = dict[str, Any]


async def find(entries: AsyncIterator[Raw], wanted: str, *, what: str, id_field: str, name_field: str) -> Raw | None:
    """Return the entry with this id, else the one with this name; None without either.

    Raises:
        OptionError: several have the name.
    """
    named: list[Raw] = []
    async for entry in entries:
        if entry.get(id_field) == wanted:
            return entry
        if entry.get(name_field) == wanted:
            named.append(entry)
    if len(named) > 1:
        identifiers = ", ".join(str(entry.get(id_field)) for entry in named)
        raise OptionError(
            f"{len(named)} {what}s are called {wanted!r}", "nothing was changed", f"say which: {identifiers}"
        )
    return named[0] if named else None


async def find_or_fail(entries: AsyncIterator[Raw], wanted: str, *, what: str, id_field: str, name_field: str) -> Raw:
    """Like `find`, for callers that cannot go on without it.

    Raises:
        NotFound: there is none; names the nearest.
    """
    listed = [entry async for entry in entries]

    async def again() -> AsyncIterator[Raw]:
        for entry in listed:
            yield entry

    found = await find(again(), wanted, what=what, id_field=id_field, name_field=name_field)
    if found is not None:
        return found
    near = get_close_matches(wanted, [str(entry.get(name_field)) for entry in listed], 1)
    raise NotFound(
        f"no {what} has the id or name {wanted!r}",
        "nothing was changed",
        f"did you mean {near[0]!r}?" if near else f"there are {len(listed)}",
        status_code=404,
    )


def differs(present: Raw, wanted: Raw) -> bool:
    """Tell whether writing `wanted` would change anything; None counts as not said."""
    return any(value is not None and present.get(name) != value for name, value in wanted.items())


def id_of(entry: Raw, id_field: str) -> str:
    """Return the id by which an entry that was found is called on.

    Raises:
        UnreadableAnswer: the service listed it without one.
    """
    identifier = entry.get(id_field)
    if isinstance(identifier, str) and identifier:
        return identifier
    raise UnreadableAnswer(
        f"the service listed an entry without a {id_field}", "nothing was changed", "run it again in a while"
    )
