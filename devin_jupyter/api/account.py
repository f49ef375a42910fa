"""Who the key is, and what it may do."""

from __future__ import annotations

import asyncio

from devin_jupyter.api.operations import BY_NAME
from devin_jupyter.api.paging import Raw
from devin_jupyter.api.service import Service
from devin_jupyter.errors import DevinError, Forbidden, Unauthorized

_PROBES = ("sessions.list", "playbooks.list", "knowledge.list", "secrets.list", "schedules.list", "consumption.daily")


class Account:
    """The principal behind the key."""

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def self(self) -> Raw:
        """Return the principal: `principal_type`, its id and name, `org_id`. v3 only. (`GET /v3/self`)"""
        return await self._service.call_mapping("self")

    async def permissions(self) -> dict[str, bool | None]:
        """Probe what the key may read, one small request each: permission → yes, no, or None where it did not tell.

        Writing is not probed, since that would write.
        """
        names = [name for name in _PROBES if not self._service.is_v1 or BY_NAME[name].v1]
        answers = await asyncio.gather(*(self._may(name) for name in names))
        return {BY_NAME[name].permission or name: may for name, may in zip(names, answers, strict=True)}

    async def _may(self, operation: str) -> bool | None:
        size = "limit" if self._service.is_v1 or operation == "schedules.list" else "first"
        params = None if operation == "consumption.daily" else {size: 1}
        try:
            await self._service.call(operation, params=params, retries=False)
        except (Forbidden, Unauthorized):
            return False
        except DevinError:
            return None
        return True
