"""The resources that an organization keeps for its sessions: playbooks, knowledge notes, secrets, schedules.

An entry can be named by its id or by its exact title or name. `ensure` creates it, changes it, or leaves it alone.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast, get_args

from devin_jupyter.api.client import Service, at_most, flatten, offset_pages
from devin_jupyter.errors import (
    ArgumentError,
    Conflict,
    DevinError,
    NotFound,
    OptionError,
    UnreadableAnswer,
    Unsupported,
)
from devin_jupyter.loop import also_blocking, also_iterating, checked
from devin_jupyter.models import wire
from devin_jupyter.models.enums import SecretType
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.redaction import keep_secret
from devin_jupyter.request import check_secret
from devin_jupyter.text import closest, kind_of, unknown_value

Json = dict[str, Any]
FolderList = list[wire.Folder]
T = TypeVar("T", bound=wire.Playbook | wire.Note | wire.Secret | wire.Schedule | wire.Automation)


@dataclass(frozen=True, slots=True)
class NamedResource(Generic[T]):
    """How to find an entry of a list by id or name: `NamedResource("note", "note_id", "name", "note-")`."""

    what: str
    id_field: str
    name_field: str
    prefix: str = ""
    """Of ids, where an entry can be read by its id; a name may begin with it too."""

    async def read(self, wanted: str, get: Callable[[str], Awaitable[T]], entries: AsyncIterator[T]) -> T:
        """Return the entry with this id or name: by `get` if it looks like an id, else from the list.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        if not isinstance(wanted, str):
            raise ArgumentError(f"an id or a name is text, not {kind_of(wanted)}", "nothing was read")
        if wanted.startswith(self.prefix):
            try:
                return await get(wanted)
            except NotFound:
                pass  # a name like an id
        return await self.find_or_fail(wanted, entries)

    async def find(self, wanted: str, entries: AsyncIterator[T]) -> T | None:
        """Return the entry with this id, else the one with this name, or None.

        Raises:
            OptionError: several have the name.
        """
        return self._match(wanted, [entry async for entry in entries])

    async def find_or_fail(self, wanted: str, entries: AsyncIterator[T]) -> T:
        """Return the entry with this id, else the one with this name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        listed = [entry async for entry in entries]
        found = self._match(wanted, listed)
        if found is not None:
            return found
        near = closest(wanted, [str(entry.get(self.name_field)) for entry in listed])
        raise NotFound(
            f"no {self.what} has the id or name {wanted!r}",
            "nothing was changed",
            f"did you mean {near[0]!r}?" if near else f"there are {len(listed)}",
            status_code=404,
        )

    def _match(self, wanted: str, listed: list[T]) -> T | None:
        for entry in listed:
            if entry.get(self.id_field) == wanted:
                return entry
        named = [entry for entry in listed if entry.get(self.name_field) == wanted]
        if len(named) > 1:
            identifiers = ", ".join(str(entry.get(self.id_field)) for entry in named)
            raise OptionError(
                f"{len(named)} {self.what}s are called {wanted!r}", "nothing was changed", f"give the id: {identifiers}"
            )
        return named[0] if named else None

    def id_of(self, entry: T) -> str:
        """Return the id of an entry that was found.

        Raises:
            UnreadableAnswer: the service listed it without one.
        """
        identifier = entry.get(self.id_field)
        if isinstance(identifier, str) and identifier:
            return identifier
        raise UnreadableAnswer(
            f"the service listed an entry without a {self.id_field}", "nothing was changed", "try again later"
        )


_PLAYBOOK: NamedResource[wire.Playbook] = NamedResource("playbook", "playbook_id", "title", "playbook-")
_NOTE: NamedResource[wire.Note] = NamedResource("note", "note_id", "name", "note-")
_SECRET: NamedResource[wire.Secret] = NamedResource("secret", "secret_id", "key")
_SCHEDULE: NamedResource[wire.Schedule] = NamedResource("schedule", "scheduled_session_id", "name", "sched-")


def changes(present: Any, wanted: Json) -> Json:
    """Return what of `wanted` an entry does not have yet; None counts as not given."""
    return {name: value for name, value in wanted.items() if value is not None and present.get(name) != value}


def check_fields(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse keywords that are not fields.

    Raises:
        OptionError: an unknown field; names the nearest.
    """
    for name in given:
        if name not in known:
            near = closest(name, known)
            raise OptionError(
                f"{'an' if what[0] in 'aeiou' else 'a'} {what} has no field {name!r}",
                hint=f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}",
            )


@checked
class Playbooks:
    """The playbooks of the organization: instructions that a session can be started with. Named by id or exact title.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("playbooks")
    async def list(self, *, limit: int | None = None) -> AsyncIterator[wire.Playbook]:
        """Iterate over the playbooks, at most `limit`. (`GET …/playbooks`)"""
        most = at_most(limit)
        if self._service.is_v1:
            for item in (await self._service.call_list(wire.Playbook, "playbooks.list", bare=True))[:most]:
                yield item
            return
        async for item in flatten(self._service.pages(wire.Playbook, "playbooks.list", key="playbook_id", limit=most)):
            yield item

    @also_blocking
    async def get(self, playbook: str) -> wire.Playbook:
        """Return a playbook. (`GET …/playbooks/{id}`)

        Args:
            playbook: its id or title.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the title.
        """
        return await _PLAYBOOK.read(playbook, self._read, self.list())

    @also_blocking
    async def create(self, title: str, body: str, *, macro: str | None = None, schema: Any = None) -> wire.Playbook:
        """Create a playbook. (`POST …/playbooks`)

        Each call creates another one; in a cell that is run again, `ensure` does not.

        Args:
            title: what people see.
            body: the instructions.
            macro: a short form such as `!review`.
            schema: the shape of the answers of its sessions, as for `%%devin --schema`; v3 only. It is
                `structured_output_schema` in the answer.

        Raises:
            Unprocessable: the service refuses a field, such as a macro without its `!`.
            SchemaError: the schema cannot be read.
            Unsupported: v1 playbooks have no schema.
        """
        fields = self._changes(title, body, macro, schema)
        return await self._service.call_as(wire.Playbook, "playbooks.create", json=_given(fields))

    @also_blocking
    async def update(
        self,
        playbook: str,
        *,
        title: str | None = None,
        body: str | None = None,
        macro: str | None = None,
        schema: Any = None,
    ) -> wire.Playbook:
        """Change a playbook; what is not given stays. (`PUT …/playbooks/{id}`)

        Args:
            playbook: its id or title.
            title: the new title.
            body: the new instructions.
            macro: the new short form; "" removes it.
            schema: the new shape of the answers; "none" removes it. v3 only.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the title.
            Unprocessable: the service refuses a field.
            SchemaError: the schema cannot be read.
            Unsupported: v1 playbooks have no schema.
        """
        change = self._changes(title, body, macro, schema)
        return await self._rewrite(await self.get(playbook), change)

    @also_blocking
    async def delete(self, playbook: str) -> wire.Playbook:
        """Delete a playbook and return it as it was. (`DELETE …/playbooks/{id}`)

        Args:
            playbook: its id or title.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the title.
        """
        present = await self.get(playbook)
        await self._service.call("playbooks.delete", playbook_id=_PLAYBOOK.id_of(present))
        return present

    @also_blocking
    async def ensure(self, title: str, body: str, *, macro: str | None = None, schema: Any = None) -> wire.Playbook:
        """Make sure that a playbook of this title has this body: create it, change it, or leave it alone.

        Args:
            title: by which it is found.
            body: the instructions.
            macro: the short form; None leaves it unchanged, "" removes it.
            schema: the shape of the answers; None leaves it unchanged, "none" removes it. v3 only.

        Raises:
            OptionError: several have the title.
            Unprocessable: the service refuses a field.
            SchemaError: the schema cannot be read.
            Unsupported: v1 playbooks have no schema.
        """
        change = self._changes(title, body, macro, schema)
        present = await _PLAYBOOK.find(title, self.list())
        if present is None:
            return await self._service.call_as(wire.Playbook, "playbooks.create", json=_given(change))
        if all(present.get(name) == value for name, value in change.items()):
            return present
        return await self._rewrite(present, change)

    async def _read(self, identifier: str) -> wire.Playbook:
        return await self._service.call_as(wire.Playbook, "playbooks.get", playbook_id=identifier)

    def _changes(self, title: str | None, body: str | None, macro: str | None, schema: Any) -> Json:
        """The fields that are given; a null empties one."""
        found = _given({"title": title, "body": body})
        if macro is not None:
            found["macro"] = macro or None
        if schema is not None:
            if self._service.is_v1:
                raise Unsupported("v1 playbooks have no schema", hint="use a v3 key (cog_…)")
            from devin_jupyter.schema import load_schema

            is_none = isinstance(schema, str) and schema == "none"
            found["structured_output_schema"] = None if is_none else dict(load_schema(schema).wire)
        return found

    async def _rewrite(self, present: wire.Playbook, change: Json) -> wire.Playbook:
        """Replace a playbook: a PUT keeps nothing that it does not say, so every field goes back, known or not."""
        identifier = _PLAYBOOK.id_of(present)
        whole = {**await self._read(identifier), **change}
        body = {name: value for name, value in whole.items() if name not in _PLAYBOOK_ANSWER_ONLY}
        answer = await self._service.call("playbooks.update", playbook_id=identifier, json=body)
        if isinstance(answer, dict) and answer.get("playbook_id"):
            return cast(wire.Playbook, answer)
        return await self._read(identifier)  # v1 answers {"status": "success"}


_ANSWER_ONLY = frozenset({"access_type", "org_id", "created_at", "updated_at", "created_by", "updated_by", "status"})
"""Fields that the service sets; every other field of an entry, also one that is new, goes back with a PUT."""
_PLAYBOOK_ANSWER_ONLY = _ANSWER_ONLY | {
    "playbook_id",
    *("created_by_user_id", "created_by_user_name", "updated_by_user_id", "updated_by_user_name"),
}


_NOTE_FIELDS = ("name", "body", "trigger", "folder_id", "is_enabled", "pinned_repo", "macro")
_NOTE_ANSWER_ONLY = _ANSWER_ONLY | {"note_id", "folder_path"}
_V1_NOTE_FIELDS = {"note_id": "id", "trigger": "trigger_description", "folder_id": "parent_folder_id"}


@checked
class Knowledge:
    """The knowledge notes of the organization, in the field names of v3 on both versions. Named by id or exact name.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("notes")
    async def list(
        self,
        *,
        search: str | None = None,
        folder_path: str | None = None,
        pinned_repo: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[wire.Note]:
        """Iterate over the notes. (`GET …/knowledge/notes`, v1: `GET /v1/knowledge`)

        Args:
            search: words to search for; v3 only.
            folder_path: only notes in this folder; v3 only.
            pinned_repo: only notes pinned to this `owner/repo`.
            limit: the most to return.

        Raises:
            Unsupported: v1 cannot search.
        """
        most = at_most(limit)
        if not self._service.is_v1:
            filters = {"search": search, "folder_path": folder_path, "pinned_repo": pinned_repo}
            pages = self._service.pages(wire.Note, "knowledge.list", key="note_id", limit=most, params=filters)
            async for note in flatten(pages):
                yield note
            return
        if search or folder_path:
            raise Unsupported("v1 cannot search notes", hint="list all notes and filter them")
        listed = [_as_v3(note) for note in await self._service.call_list(dict[str, Any], "knowledge.list", "knowledge")]
        for note in [note for note in listed if pinned_repo is None or note.get("pinned_repo") == pinned_repo][:most]:
            yield note

    @also_blocking
    async def get(self, note: str) -> wire.Note:
        """Return a note. (`GET …/knowledge/notes/{id}`)

        Args:
            note: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        if self._service.is_v1:
            return await _NOTE.find_or_fail(note, self.list())

        async def read(identifier: str) -> wire.Note:
            return await self._service.call_as(wire.Note, "knowledge.get", note_id=identifier)

        return await _NOTE.read(note, read, self.list())

    @also_blocking
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
    ) -> wire.Note:
        """Create a note. (`POST …/knowledge/notes`, v1: `POST /v1/knowledge`)

        Each call creates another one; in a cell that is run again, `ensure` does not.

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
        fields: Json = {"name": name, "body": body, "trigger": trigger, "folder_id": folder_id}
        fields |= {"is_enabled": is_enabled, "pinned_repo": pinned_repo, "macro": macro}
        self._check(fields)
        return await self._write("knowledge.create", fields)

    @also_blocking
    async def update(self, /, note: str, **fields: Any) -> wire.Note:
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

    @also_blocking
    async def delete(self, note: str) -> wire.Note:
        """Delete a note and return it as it was. (`DELETE …/knowledge/notes/{id}`)

        Args:
            note: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        present = await self.get(note)
        await self._service.call("knowledge.delete", note_id=_NOTE.id_of(present))
        return present

    @also_blocking
    async def ensure(self, /, name: str, body: str, trigger: str, **optional: Any) -> wire.Note:
        """Make sure that a note of this name has this body: create it, change it, or leave it alone.

        Args:
            name: by which it is found.
            body: what Devin should know.
            trigger: when it matters.
            optional: the other keywords of `create`; None leaves a field unchanged.

        Raises:
            OptionError: a field that notes do not have.
            Unsupported: one that this API version lacks.
        """
        wanted = {"body": body, "trigger": trigger} | _given(optional)
        self._check(wanted)
        present = await _NOTE.find(name, self.list())
        if present is None:
            return await self._write("knowledge.create", {"name": name, **wanted})
        return await self._rewrite(present, wanted) if changes(present, wanted) else present

    @also_blocking
    async def folders(self) -> FolderList:
        """Return the folders of notes. (`GET …/knowledge/folders`, v1: with the notes)"""
        listed = await self._service.call_list(wire.Folder, "knowledge.folders", "folders")
        if self._service.is_v1:
            return [cast(wire.Folder, {"folder_id": folder.get("id"), **folder}) for folder in listed]
        return listed

    async def _rewrite(self, present: wire.Note, fields: Json) -> wire.Note:
        """Replace a note: a PUT keeps nothing that it does not say, so every field goes back, known or not."""
        identifier = _NOTE.id_of(present)
        if not self._service.is_v1:  # the list may show less of it
            present = await self._service.call_as(wire.Note, "knowledge.get", note_id=identifier)
        kept = {name: value for name, value in present.items() if name not in _NOTE_ANSWER_ONLY | {self._lacking}}
        return await self._write("knowledge.update", kept | fields, note_id=identifier)

    async def _write(self, operation: str, fields: Json, **ids: Any) -> wire.Note:
        body = _given(fields)
        if not self._service.is_v1:
            return await self._service.call_as(wire.Note, operation, json=body, **ids)
        body = {_V1_NOTE_FIELDS.get(name, name): value for name, value in body.items()}
        return _as_v3(await self._service.call_as(dict[str, Any], operation, json=body, **ids))

    @property
    def _lacking(self) -> str:
        return "is_enabled" if self._service.is_v1 else "macro"

    def _check(self, fields: Json) -> None:
        check_fields("note", fields, _NOTE_FIELDS)
        if self._lacking in _given(fields):
            raise Unsupported(f"{self._service.api_version} notes have no {self._lacking}")


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _as_v3(note: Json) -> wire.Note:
    renamed = {new: note.get(old) for new, old in _V1_NOTE_FIELDS.items()}
    rest = {name: value for name, value in note.items() if name not in _V1_NOTE_FIELDS.values()}
    return cast(wire.Note, renamed | rest)


@checked
class Secrets:
    """The stored secrets, in the field names of v3 on both versions. The API never returns a value.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("secrets")
    async def list(self, *, limit: int | None = None) -> AsyncIterator[wire.Secret]:
        """Iterate over the secrets, at most `limit`: id, name (`key`), type, note; never a value. (`GET …/secrets`)"""
        most = at_most(limit)
        if self._service.is_v1:
            for item in (await self._service.call_list(dict[str, Any], "secrets.list", "secrets"))[:most]:
                yield cast(wire.Secret, {"key": item.get("secret_name"), **item})
            return
        async for secret in flatten(self._service.pages(wire.Secret, "secrets.list", key="secret_id", limit=most)):
            yield secret

    @also_blocking
    async def create(
        self, key: str, value: str, *, type: str = "key-value", is_sensitive: bool = True, note: str | None = None
    ) -> wire.Secret:
        """Store a secret; sessions see it as an environment variable. (`POST …/secrets`)

        Args:
            key: its name.
            value: never shown, logged or kept by this package.
            type: `key-value`, `cookie` or `totp`.
            is_sensitive: hide the value from people too.
            note: what it is for.

        Raises:
            OptionError: a name, value or type that the API refuses; nothing was sent.
            Conflict: the name is taken.
        """
        _check_secret(key, value, type)
        if self._service.is_v1:
            body: Json = {"type": type, "key": key, "value": value, "sensitive": is_sensitive, "note": note or ""}
            answer = await self._service.call_as(dict[str, Any], "secrets.create", json=body)
            return cast(wire.Secret, {"secret_id": answer.get("id"), "key": key, "secret_type": type, **answer})
        body = {"type": type, "key": key, "value": value, "is_sensitive": is_sensitive}
        body |= {"note": note} if note else {}
        return await self._service.call_as(wire.Secret, "secrets.create", json=body)

    @also_blocking
    async def delete(self, secret: str) -> wire.Secret:
        """Delete a secret and return what was known of it. (`DELETE …/secrets/{id}`)

        Args:
            secret: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        present = await _SECRET.find_or_fail(secret, self.list())
        await self._service.call("secrets.delete", secret_id=_SECRET.id_of(present))
        return present

    @also_blocking
    async def ensure(
        self,
        key: str,
        value: str,
        *,
        replace: bool = False,
        type: str = "key-value",
        is_sensitive: bool = True,
        note: str | None = None,
    ) -> wire.Secret:
        """Make sure that there is a secret of this name.

        The API neither shows nor changes a value, so an existing one is left alone; `replace=True` deletes it and
        stores the new one, which gets a new id.

        Args:
            key: its name.
            value: stored where the name is free, or with `replace`.
            replace: overwrite an existing value.
            type: as for `create`.
            is_sensitive: as for `create`.
            note: as for `create`.

        Raises:
            OptionError: a name, value or type that the API refuses; nothing was sent.
            ApiError, ConnectionTrouble: it was not stored; the message says where `replace` had deleted the old one.
        """
        _check_secret(key, value, type, is_open=not replace)
        present = await _SECRET.find(key, self.list())
        if present is None:
            try:
                return await self.create(key, value, type=type, is_sensitive=is_sensitive, note=note)
            except Conflict:  # stored by someone else since the list was read
                present = None if replace else await _SECRET.find(key, self.list())
                if present is None:
                    raise
                return present
        if not replace:
            return present
        await self._service.call("secrets.delete", secret_id=_SECRET.id_of(present))
        try:
            return await self.create(key, value, type=type, is_sensitive=is_sensitive, note=note)
        except DevinError as problem:
            problem.consequence = f"the previous secret {key} is already deleted; {problem.consequence}".rstrip("; ")
            problem.args = ("\n".join(problem.lines),)
            raise


def _check_secret(key: str, value: str, type: str, *, is_open: bool = True) -> None:
    known = get_args(SecretType)
    if type not in known and not is_open:
        what = f"unknown secret type {type!r}: if the service refused it, the secret that it replaces would be lost"
        raise OptionError(what, "nothing was sent", f"give {', '.join(known)}, or create it under a new name first")
    if type not in known:
        warnings.warn(unknown_value("secret type", type, known), stacklevel=2)
    check_secret(key, value)
    keep_secret([value])


_SCHEDULE_CREATE_FIELDS = (
    "schedule_type",
    "frequency",
    "scheduled_at",
    "interval_count",
    "agent",
    "notify_on",
    "bypass_approval",
    "playbook_id",
    "tags",
    "target_devin_id",
    "slack_channel_id",
    "slack_team_id",
    "create_as_user_id",
    "platform",
)
_SCHEDULE_UPDATE_FIELDS = (
    "name",
    "prompt",
    "enabled",
    "run_as_user_id",
    *(field for field in _SCHEDULE_CREATE_FIELDS if field != "create_as_user_id"),
)


@checked
class Schedules:
    """The schedules of the organization: sessions that the service starts on its own, once or repeatedly. v3 only.

    Times are ISO 8601; the id is `scheduled_session_id`.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("schedules")
    async def list(self, *, limit: int | None = None) -> AsyncIterator[wire.Schedule]:
        """Iterate over the schedules, at most `limit`. v3 only. (`GET …/schedules`)"""

        async def fetch(paging: Json) -> Any:
            return await self._service.call("schedules.list", params=paging)

        async for item in flatten(offset_pages(fetch, key="scheduled_session_id", limit=limit, page_size=100)):
            yield cast(wire.Schedule, item)

    @also_blocking
    async def get(self, schedule: str) -> wire.Schedule:
        """Return a schedule. v3 only. (`GET …/schedules/{id}`)

        Args:
            schedule: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """

        async def read(identifier: str) -> wire.Schedule:
            return await self._service.call_as(wire.Schedule, "schedules.get", schedule_id=identifier)

        return await _SCHEDULE.read(schedule, read, self.list())

    @also_blocking
    async def create(self, /, name: str, prompt: str, **fields: Any) -> wire.Schedule:
        """Create a schedule. v3 only. (`POST …/schedules`)

        Each call creates another one; in a cell that is run again, `ensure` does not.

        Args:
            name: what people see.
            prompt: what the sessions are asked to do.
            fields: `schedule_type` is `recurring` (the default: needs `frequency`, a cron line) or `one_time` (needs
                `scheduled_at`, a time in the future with its zone; may have `target_devin_id`). There are also
                `interval_count`, `agent`, `notify_on` (`failure`, `always` or `never`), `bypass_approval`,
                `playbook_id`, `tags`, `slack_channel_id`, `slack_team_id`, `create_as_user_id`, `platform`.

        Raises:
            OptionError: a field that schedules do not have.
            Unprocessable: it could not run: no cron line, or a time in the past.
        """
        body = {"name": name, "prompt": prompt, **_schedule_fields(fields, _SCHEDULE_CREATE_FIELDS)}
        return await self._service.call_as(wire.Schedule, "schedules.create", json=body)

    @also_blocking
    async def update(self, /, schedule: str, **fields: Any) -> wire.Schedule:
        """Change a schedule; what is not given stays. v3 only. (`PATCH …/schedules/{id}`)

        Args:
            schedule: its id or name.
            fields: those of `create` except `create_as_user_id`, and `name`, `prompt`, `enabled` (False pauses it) and
                `run_as_user_id` (None for the bot user).

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: a field that schedules do not have, or several of this name.
            Unprocessable: it could not run.
        """
        checked = _schedule_fields(fields, _SCHEDULE_UPDATE_FIELDS)
        return await self._change(await self.get(schedule), checked)

    @also_blocking
    async def delete(self, schedule: str) -> wire.Schedule | None:
        """Delete a schedule. v3 only. (`DELETE …/schedules/{id}`)

        Args:
            schedule: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        present = await self.get(schedule)
        answer = await self._service.call("schedules.delete", schedule_id=_SCHEDULE.id_of(present))
        return cast(wire.Schedule, answer) if isinstance(answer, dict) else None

    @also_blocking
    async def ensure(self, /, name: str, prompt: str, **fields: Any) -> wire.Schedule:
        """Make sure that a schedule of this name has this prompt: create it, change it, or leave it alone. v3 only.

        Args:
            name: by which it is found.
            prompt: what the sessions are asked to do.
            fields: as for `create`.

        Raises:
            OptionError: a field that schedules do not have, or several of this name.
            Unprocessable: it could not run.
        """
        checked = _schedule_fields(fields, _SCHEDULE_CREATE_FIELDS)
        present = await _SCHEDULE.find(name, self.list())
        if present is None:
            return await self.create(name, prompt, **checked)
        known = {key: value for key, value in checked.items() if key in _SCHEDULE_UPDATE_FIELDS}
        wanted = {"prompt": prompt, **known}
        # what is unchanged is not sent: the time of a single run may be in the past by now
        change = {key: wanted[key] for key in changes(_comparable({**present}), _comparable(wanted))}
        return await self._change(present, change) if change else present

    async def _change(self, present: wire.Schedule, fields: Json) -> wire.Schedule:
        identifier = _SCHEDULE.id_of(present)
        return await self._service.call_as(wire.Schedule, "schedules.update", schedule_id=identifier, json=fields)


def _schedule_fields(fields: Json, known: tuple[str, ...]) -> Json:
    check_fields("schedule", fields, known)
    target = fields.get("target_devin_id")
    written = {name: _iso(value) for name, value in fields.items()}
    return written | ({"target_devin_id": prefixed(target)} if isinstance(target, str) else {})


def _iso(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def _comparable(fields: Json) -> Json:
    """Return fields of a request or a response in one spelling: the service writes times and ids its own way."""
    playbook, time, target = fields.get("playbook"), fields.get("scheduled_at"), fields.get("target_devin_id")
    found = dict(fields)
    if isinstance(playbook, dict):
        found["playbook_id"] = playbook.get("playbook_id")
    if isinstance(target, str):
        found["target_devin_id"] = prefixed(target)
    if isinstance(time, str):
        with contextlib.suppress(ValueError):
            found["scheduled_at"] = datetime.fromisoformat(time.upper())
    return found
