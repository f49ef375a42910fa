"""The tags of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devin_jupyter.api.answers import unreadable
from devin_jupyter.api.arguments import as_list
from devin_jupyter.api.service import Service
from devin_jupyter.models.ids import session_id as prefixed
from devin_jupyter.models.snapshot import FINGERPRINT_TAG


class Tags:
    """Reads, adds and replaces tags. At most 50 a session.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def get(self, session_id: str) -> list[str]:
        """Read all tags, the `nb-…` tag by which this package finds its sessions included. (`GET …/tags`)

        Args:
            session_id: in any form.

        Raises:
            NotFound: no such session.
        """
        answer = await self._service.call_mapping("tags.get", session_id=prefixed(session_id))
        return _tags_of(answer)

    async def append(self, session_id: str, tags: Iterable[str]) -> list[str]:
        """Add tags and return all of them; v1 reads them first. (`POST …/tags`, v1: `PUT`)

        Args:
            session_id: in any form.
            tags: one or several to add; one that is there already is not doubled.

        Raises:
            NotFound: no such session.
            Unprocessable: more than 50.
        """
        identifier, added = prefixed(session_id), list(dict.fromkeys(as_list(tags)))
        if self._service.is_v1:
            together = list(dict.fromkeys([*await self.get(identifier), *added]))
            return await self._write("tags.append", identifier, together)
        return await self._write("tags.append", identifier, added)

    async def replace(self, session_id: str, tags: Iterable[str]) -> list[str]:
        """Replace the tags and return all of them. (`PUT …/tags`)

        The `nb-…` tag stays: without it the session would not be found again, and be paid for twice.

        Args:
            session_id: in any form.
            tags: one or several to put in their place.

        Raises:
            NotFound: no such session.
            Unprocessable: more than 50.
        """
        identifier = prefixed(session_id)
        kept = [tag for tag in await self.get(identifier) if tag.startswith(FINGERPRINT_TAG)]
        return await self._write("tags.replace", identifier, list(dict.fromkeys([*as_list(tags), *kept])))

    async def _write(self, operation: str, identifier: str, tags: list[str]) -> list[str]:
        answer = await self._service.call(operation, session_id=identifier, json={"tags": tags})
        if self._service.is_v1:
            return tags
        if not isinstance(answer, dict):
            raise unreadable(await self._service.asked(operation, session_id=identifier), 200, b"", "it holds no tags")
        return _tags_of(answer)


def _tags_of(answer: dict[str, Any]) -> list[str]:
    tags = answer.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
