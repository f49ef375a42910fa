"""The filters of the lists of sessions and of their insights: checked, and written the way the service takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from devin_jupyter.api.arguments import as_list, at_most
from devin_jupyter.api.paging import Raw
from devin_jupyter.api.times import unix
from devin_jupyter.errors import Unsupported
from devin_jupyter.models.ids import session_id as prefixed

Pages = AsyncIterator[list[Raw]]
_MOMENTS = ("created_after", "created_before", "updated_after", "updated_before")
FILTERS = (
    "session_ids",
    *_MOMENTS,
    "tags",
    "playbook_id",
    "origins",
    "schedule_id",
    "user_ids",
    "service_user_ids",
    "repo_names",
    "category",
    "is_archived",
    "automation_ids",
    "parent_session_id",
)
"""The filters of the v3 lists. Times are datetimes or Unix seconds."""
V1_FILTERS = ("tags", "user_email")


def query_of(filters: Mapping[str, Any], api_version: str) -> Raw:
    """Return the query for filters; None is none.

    Raises:
        Unsupported: a filter that this API version does not have.
        OptionError: no session id, or no moment.
    """
    known = V1_FILTERS if api_version == "v1" else FILTERS
    given = {name: value for name, value in filters.items() if value is not None}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise Unsupported(
            f"{api_version} cannot filter sessions by {', '.join(unknown)}",
            "nothing was sent",
            f"{api_version} filters by {', '.join(known)}",
        )
    return {name: _written(name, value) for name, value in given.items()}


def with_all_tags(read: Callable[[int | None], Pages], tags: Any, limit: int | None) -> Pages:
    """Go through pages, keeping the sessions that carry all tags: whether the service means any is not documented.

    Args:
        read: goes through the pages up to a limit.
        tags: one or several; without any, every session is kept.
        limit: at most so many sessions.
    """
    wanted = set(as_list(tags))
    return _tagged(read(None), wanted, at_most(limit)) if wanted else read(limit)


def _written(name: str, value: Any) -> Any:
    if name in _MOMENTS:
        return unix(value)
    if name == "session_ids":
        return [prefixed(identifier) for identifier in as_list(value)]
    if name == "parent_session_id":
        return prefixed(value)
    return str(value).lower() if isinstance(value, bool) else value


async def _tagged(pages: Pages, tags: set[str], left: int | None) -> Pages:
    async for page in pages:
        kept = [item for item in page if tags <= set(as_list(item.get("tags")))][:left]
        if kept:
            yield kept
        left = None if left is None else left - len(kept)
        if left == 0:
            return
