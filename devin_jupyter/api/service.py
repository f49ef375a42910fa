"""The service as one key sees it: a version, an organization, and calls by operation name.

Between the resource files and the transport. It fills ids into routes and finds the organization of a key that
nobody named; it knows nothing of what the answers mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from devin_jupyter.api.answers import Asked, unreadable
from devin_jupyter.api.operations import BY_NAME
from devin_jupyter.api.paging import cursor_pages
from devin_jupyter.errors import ApiError, NoOrganization
from devin_jupyter.settings import Settings, no_key, remember_org

if TYPE_CHECKING:
    from devin_jupyter.api.transport import Files, Transport


class Service:
    """Calls operations for one key. `settings` gains the organization once it was asked for."""

    def __init__(self, transport: Transport | None, settings: Settings) -> None:
        """Send nothing yet.

        Args:
            transport: what carries requests; None has one made for the first.
            settings: key, organization, host and version.
        """
        self._transport, self.settings = transport, settings
        self._org_lock: asyncio.Lock | None = None

    @property
    def transport(self) -> Transport:
        """What carries requests. Made when first needed: importing an HTTP library takes longer than a dry run may."""
        if self._transport is None:
            from devin_jupyter.api.transport import Transport

            self._transport = Transport(self.settings)
        return self._transport

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        if self._transport is not None:
            await self._transport.aclose()

    @property
    def api_version(self) -> str:
        """`"v3"` or `"v1"`."""
        return self.settings.api_version

    @property
    def is_v1(self) -> bool:
        """Whether the legacy API is spoken."""
        return self.settings.api_version == "v1"

    async def call(
        self,
        operation: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Files | None = None,
        retries: bool = True,
        text: bool = False,
        **ids: str,
    ) -> Any:
        """Call an operation and return its parsed answer.

        Args:
            operation: a name of `OPERATIONS`.
            params: the query.
            json: the body.
            files: the body as multipart.
            retries: False for callers that pace themselves.
            text: a body that is not JSON is returned as it is.
            ids: what the route's placeholders stand for; the organization is filled in.

        Raises:
            Unsupported: this API version has no such operation. Nothing is sent.
            ApiError, ConnectionTrouble: as the transport says.
        """
        asked = await self.asked(operation, **ids)
        if isinstance(json, Mapping) and json.get("create_as_user_id"):
            asked = replace(asked, permission=f"{asked.permission} and ImpersonateOrgSessions")
        return await self.transport.request(
            asked.method, asked.path, params=params, json=json, files=files, asked=asked, retries=retries, text=text
        )

    async def call_mapping(self, operation: str, **call: Any) -> dict[str, Any]:
        """Call an operation whose answer must be a JSON object."""
        answer = await self.call(operation, **call)
        if not isinstance(answer, dict):
            raise unreadable(await self.asked(operation, **_ids(call)), 200, b"", "a JSON object was expected")
        return answer

    async def asked(self, operation: str, **ids: str) -> Asked:
        """Return method, path and what error messages need, for an operation of this version."""
        known = BY_NAME[operation]
        if not self.settings.api_key:
            raise no_key()
        method, template = known.route(self.api_version)
        if "{org_id}" in template:
            ids["org_id"] = await self.org_id()
        path = template.format(**{name: _step(value) for name, value in ids.items()})
        return Asked(method, path, operation, known.permission, self.api_version)

    async def org_id(self) -> str:
        """Return the organization: as set, as remembered for this key, or asked for once.

        Raises:
            NoOrganization: the key belongs to none or to several.
        """
        if self.settings.org_id:
            return self.settings.org_id
        self._org_lock = self._org_lock or asyncio.Lock()
        async with self._org_lock:
            if not self.settings.org_id:
                found = await self._ask_for_org()
                self.settings = await asyncio.to_thread(remember_org, self.settings, found)
        return self.settings.org_id or ""

    async def _ask_for_org(self) -> str:
        principal = await self.call_mapping("self")
        if isinstance(principal.get("org_id"), str) and principal["org_id"]:
            return str(principal["org_id"])
        organizations = await self._organizations()
        if len(organizations) == 1:
            return organizations[0]
        several = f"the key may work in {', '.join(organizations[:5])}" if organizations else ""
        several += " and others" if len(organizations) > 5 else ""
        raise NoOrganization(
            "the API needs an organization, and this key does not tell one",
            several or "nothing was started",
            "set DEVIN_ORG_ID or give org_id='org-…' (Settings → Devin API shows it)",
        )

    async def _organizations(self) -> list[str]:
        """The first few organizations of the key; none where it may not list them to the end."""

        async def fetch(paging: Mapping[str, Any]) -> Any:
            return await self.call("organizations", params=paging)

        try:
            found = [item async for page in cursor_pages(fetch, key="org_id", limit=6) for item in page]
        except ApiError:
            return []
        return [str(item["org_id"]) for item in found if item.get("org_id")]


def _step(text: str) -> str:
    """Quote one step of a path; bare dots would lead out of it."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _ids(call: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in call.items() if name not in ("params", "json", "files", "retries", "text")}
