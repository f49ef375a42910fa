"""Playbooks: instructions that a session can be started with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from devin_jupyter.api.arguments import at_most
from devin_jupyter.api.named import Kind, changes
from devin_jupyter.api.paging import Raw, cursor_pages, flatten, items_of
from devin_jupyter.api.service import Service

_KIND = Kind("playbook", "playbook_id", "title", "playbook-")


class Playbooks:
    """The playbooks of the organization; where a playbook is asked for, its id or its exact title will do.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Raw]:
        """Go through the playbooks. (`GET …/playbooks`)

        Args:
            limit: at most so many.
        """
        most = at_most(limit)
        if self._service.is_v1:
            for item in items_of(await self._service.call("playbooks.list"))[:most]:
                yield item
            return

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("playbooks.list", params=paging)

        async for item in flatten(cursor_pages(fetch, key="playbook_id", limit=most)):
            yield item

    async def get(self, playbook: str) -> Raw:
        """Read a playbook. (`GET …/playbooks/{id}`)

        Args:
            playbook: its id or title.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the title.
        """
        return await _KIND.read(playbook, self._read, self.list())

    async def create(self, title: str, body: str, *, macro: str | None = None) -> Raw:
        """Write a new playbook. (`POST …/playbooks`)

        Args:
            title: what people see.
            body: the instructions.
            macro: a short form such as `!review`.

        Raises:
            Unprocessable: the service refuses a field, such as a macro without its `!`.
        """
        return await self._service.call_mapping("playbooks.create", json=_body(title, body, macro))

    async def update(
        self, playbook: str, *, title: str | None = None, body: str | None = None, macro: str | None = None
    ) -> Raw:
        """Change a playbook; what is not given stays. (`PUT …/playbooks/{id}`)

        Args:
            playbook: its id or title.
            title: the new title.
            body: the new instructions.
            macro: the new short form; "" takes it away.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the title.
            Unprocessable: the service refuses a field.
        """
        present = await self.get(playbook)
        return await self._rewrite(present, title, body, macro)

    async def delete(self, playbook: str) -> Raw:
        """Delete a playbook and return it as it was. (`DELETE …/playbooks/{id}`)

        Args:
            playbook: its id or title.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the title.
        """
        present = await self.get(playbook)
        await self._service.call("playbooks.delete", playbook_id=_KIND.id_of(present))
        return present

    async def ensure(self, title: str, body: str, *, macro: str | None = None) -> Raw:
        """Make sure that a playbook of this title says this: create it, rewrite it, or leave it alone.

        Args:
            title: by which it is found.
            body: the instructions it shall have.
            macro: the short form it shall have; None leaves it, "" takes it away.

        Raises:
            OptionError: several have the title.
            Unprocessable: the service refuses a field.
        """
        present = await _KIND.find(title, self.list())
        if present is None:
            return await self.create(title, body, macro=macro)
        said = present | {"macro": present.get("macro") or ""}
        if not changes(said, {"body": body, "macro": macro}):
            return present
        return await self._rewrite(present, title, body, macro)

    async def _read(self, identifier: str) -> Raw:
        return await self._service.call_mapping("playbooks.get", playbook_id=identifier)

    async def _rewrite(self, present: Raw, title: str | None, body: str | None, macro: str | None) -> Raw:
        identifier = _KIND.id_of(present)
        whole = _body(
            str(present.get("title") if title is None else title),
            str(present.get("body") if body is None else body),
            present.get("macro") if macro is None else macro,
        )
        answer = await self._service.call("playbooks.update", playbook_id=identifier, json=whole)
        if isinstance(answer, dict) and answer.get("playbook_id"):
            return answer
        return await self._read(identifier)  # v1 answers {"status": "success"}


def _body(title: str, body: str, macro: Any) -> Raw:
    return {"title": title, "body": body} | ({"macro": macro or None} if macro is not None else {})
