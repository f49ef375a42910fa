"""Secrets of the organization: names and notes are read, values only ever written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, get_args

from devin_jupyter.api.arguments import at_most
from devin_jupyter.api.named import Kind
from devin_jupyter.api.paging import Raw, cursor_pages, flatten, items_of
from devin_jupyter.api.service import Service
from devin_jupyter.attachments import check_secret
from devin_jupyter.errors import Conflict, DevinError, OptionError
from devin_jupyter.models.vocabulary import SecretType
from devin_jupyter.redaction import keep_secret

_TYPES = get_args(SecretType)
_KIND = Kind("secret", "secret_id", "key")


class Secrets:
    """The stored secrets, in the field names of v3 on both versions. The API never returns a value.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Raw]:
        """Go through the secrets: id, name (`key`), type, note. Never a value. (`GET …/secrets`)

        Args:
            limit: at most so many.
        """
        most = at_most(limit)
        if self._service.is_v1:
            for secret in items_of(await self._service.call("secrets.list"), "secrets")[:most]:
                yield {"key": secret.get("secret_name"), **secret}
            return

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("secrets.list", params=paging)

        async for secret in flatten(cursor_pages(fetch, key="secret_id", limit=most)):
            yield secret

    async def create(
        self, key: str, value: str, *, type: str = "key-value", is_sensitive: bool = True, note: str | None = None
    ) -> Raw:
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
        _check(key, value, type)
        if self._service.is_v1:
            body: Raw = {"type": type, "key": key, "value": value, "sensitive": is_sensitive, "note": note or ""}
            answer = await self._service.call_mapping("secrets.create", json=body)
            return {"secret_id": answer.get("id"), "key": key, "secret_type": type, **answer}
        body = {"type": type, "key": key, "value": value, "is_sensitive": is_sensitive}
        return await self._service.call_mapping("secrets.create", json=body | ({"note": note} if note else {}))

    async def delete(self, secret: str) -> Raw:
        """Delete a secret and return what was known of it. (`DELETE …/secrets/{id}`)

        Args:
            secret: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """
        present = await _KIND.find_or_fail(secret, self.list())
        await self._service.call("secrets.delete", secret_id=_KIND.id_of(present))
        return present

    async def ensure(
        self,
        key: str,
        value: str,
        *,
        replace: bool = False,
        type: str = "key-value",
        is_sensitive: bool = True,
        note: str | None = None,
    ) -> Raw:
        """Make sure that there is a secret of this name.

        The API neither tells nor changes a value, so one that exists is left alone; `replace=True` deletes it and
        stores the new one, which gets a new id.

        Args:
            key: its name.
            value: stored where the name is free, or with `replace`.
            replace: put this value in place of whatever is there.
            type: as for `create`.
            is_sensitive: as for `create`.
            note: as for `create`.

        Raises:
            OptionError: a name, value or type that the API refuses; nothing was sent.
            ApiError, ConnectionTrouble: it was not stored; the message says where `replace` had deleted the old one.
        """
        _check(key, value, type)
        present = await self._named(key)
        if present is None:
            return await self._create_or_find(key, value, replace, type=type, is_sensitive=is_sensitive, note=note)
        if not replace:
            return present
        await self._service.call("secrets.delete", secret_id=_KIND.id_of(present))
        try:
            return await self.create(key, value, type=type, is_sensitive=is_sensitive, note=note)
        except DevinError as problem:
            problem.consequence = f"the secret {key} that was there is deleted; {problem.consequence}".rstrip("; ")
            problem.args = ("\n".join(problem.lines),)
            raise

    async def _create_or_find(self, key: str, value: str, replace: bool, **fields: Any) -> Raw:
        """Somebody may store it between the look and the act: then theirs is the one that is there."""
        try:
            return await self.create(key, value, **fields)
        except Conflict:
            present = None if replace else await self._named(key)
            if present is None:
                raise
            return present

    async def _named(self, key: str) -> Raw | None:
        return await _KIND.find(key, self.list())


def _check(key: str, value: str, type: str) -> None:
    if type not in _TYPES:
        raise OptionError(f"there is no secret of the type {type!r}", "nothing was sent", f"give {', '.join(_TYPES)}")
    check_secret(key, value)
    keep_secret([value])
