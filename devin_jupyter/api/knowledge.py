"""Knowledge notes: what Devin should know, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from devin_jupyter.api.arguments import at_most, check_fields
from devin_jupyter.api.named import Kind, changes
from devin_jupyter.api.paging import Raw, Raws, cursor_pages, flatten, items_of
from devin_jupyter.api.service import Service
from devin_jupyter.errors import Unsupported

_KIND = Kind("note", "note_id", "name", "note-")
_FIELDS = ("name", "body", "trigger", "folder_id", "is_enabled", "pinned_repo", "macro")
_V1_NAMES = {"note_id": "id", "trigger": "trigger_description", "folder_id": "parent_folder_id"}


class Knowledge:
    """The notes of the organization, in the field names of v3 on both versions.

    Where a note is asked for, its id or its exact name will do.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def list(
        self,
        *,
        search: str | None = None,
        folder_path: str | None = None,
        pinned_repo: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Raw]:
        """Go through the notes. (`GET …/knowledge/notes`, v1: `GET /v1/knowledge`)

        Args:
            search: words to look for; v3 only.
            folder_path: only of this folder; v3 only.
            pinned_repo: only those pinned to this `owner/repo`.
            limit: at most so many.

        Raises:
            Unsupported: v1 cannot search.
        """
        filters = {"search": search, "folder_path": folder_path, "pinned_repo": pinned_repo}
        most = at_most(limit)
        if self._service.is_v1:
            for note in (await self._v1_notes(filters))[:most]:
                yield note
            return

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("knowledge.list", params={**filters, **paging})

        async for note in flatten(cursor_pages(fetch, key="note_id", limit=most)):
            yield note

    async def get(self, note: str) -> Raw:
        """Read a note. (`GET …/knowledge/notes/{id}`)

        Args:
            note: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        if self._service.is_v1:
            return await _KIND.find_or_fail(note, self.list())
        return await _KIND.read(note, self._read, self.list())

    async def create(
        self,
        name: str,
        body: str,
        trigger: str,
        *,
        folder_id: str | None = None,
        is_enabled: bool | None = None,
        pinned_repo: str | None = None,
        macro: str | None = None,
    ) -> Raw:
        """Write a new note. (`POST …/knowledge/notes`, v1: `POST /v1/knowledge`)

        Args:
            name: what people see.
            body: what Devin should know.
            trigger: when it matters.
            folder_id: the folder to put it into.
            is_enabled: whether it is used; v3 only.
            pinned_repo: `owner/repo` for which it always counts; on v1 also `all`.
            macro: a short form such as `!style`; v1 only.

        Raises:
            Unsupported: a field that this API version lacks.
        """
        fields: Raw = {"name": name, "body": body, "trigger": trigger, "folder_id": folder_id}
        fields |= {"is_enabled": is_enabled, "pinned_repo": pinned_repo, "macro": macro}
        self._check(fields)
        return await self._write("knowledge.create", fields)

    async def update(self, /, note: str, **fields: Any) -> Raw:
        """Change a note; what is not given stays. (`PUT …/knowledge/notes/{id}`)

        Args:
            note: its id or name.
            fields: the keywords of `create`; None empties one.

        Raises:
            OptionError: a field that notes do not have.
            Unsupported: one that this API version lacks.
        """
        self._check(fields)
        return await self._rewrite(await self.get(note), fields)

    async def delete(self, note: str) -> Raw:
        """Delete a note and return it as it was. (`DELETE …/knowledge/notes/{id}`)

        Args:
            note: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        present = await self.get(note)
        await self._service.call("knowledge.delete", note_id=_KIND.id_of(present))
        return present

    async def ensure(self, /, name: str, body: str, trigger: str, **optional: Any) -> Raw:
        """Make sure that a note of this name says this: create it, rewrite it, or leave it alone.

        Args:
            name: by which it is found.
            body: what Devin should know.
            trigger: when it matters.
            optional: the other keywords of `create`; None leaves one as it is.

        Raises:
            OptionError: a field that notes do not have.
            Unsupported: one that this API version lacks.
        """
        wanted = {"body": body, "trigger": trigger} | _said(optional)
        self._check(wanted)
        present = await _KIND.find(name, self.list())
        if present is None:
            return await self._write("knowledge.create", {"name": name, **wanted})
        return await self._rewrite(present, wanted) if changes(present, wanted) else present

    async def folders(self) -> Raws:
        """List the folders of notes. (`GET …/knowledge/folders`, v1: with the notes)"""
        folders = items_of(await self._service.call("knowledge.folders"), "folders")
        return [{"folder_id": folder.get("id"), **folder} if self._service.is_v1 else folder for folder in folders]

    async def _v1_notes(self, filters: Raw) -> Raws:
        if filters["search"] or filters["folder_path"]:
            raise Unsupported("v1 cannot search notes", "nothing was sent", "list them all and look through them")
        notes = [_as_v3(note) for note in items_of(await self._service.call("knowledge.list"), "knowledge")]
        wanted = filters["pinned_repo"]
        return [note for note in notes if wanted is None or note.get("pinned_repo") == wanted]

    async def _read(self, identifier: str) -> Raw:
        return await self._service.call_mapping("knowledge.get", note_id=identifier)

    async def _rewrite(self, present: Raw, fields: Raw) -> Raw:
        kept = {name: present.get(name) for name in _FIELDS if name != self._lacking}
        return await self._write("knowledge.update", kept | fields, note_id=_KIND.id_of(present))

    async def _write(self, operation: str, fields: Raw, **ids: str) -> Raw:
        body = _said(fields)
        if self._service.is_v1:
            body = {_V1_NAMES.get(name, name): value for name, value in body.items()}
        answer = await self._service.call_mapping(operation, json=body, **ids)
        return _as_v3(answer) if self._service.is_v1 else answer

    @property
    def _lacking(self) -> str:
        return "is_enabled" if self._service.is_v1 else "macro"

    def _check(self, fields: Raw) -> None:
        check_fields("note", fields, _FIELDS)
        if self._lacking in _said(fields):
            raise Unsupported(f"{self._service.api_version} notes have no {self._lacking}", "nothing was sent")


def _said(fields: Raw) -> Raw:
    return {name: value for name, value in fields.items() if value is not None}


def _as_v3(note: Raw) -> Raw:
    renamed = {new: note.get(old) for new, old in _V1_NAMES.items()}
    return renamed | {name: value for name, value in note.items() if name not in _V1_NAMES.values()}
