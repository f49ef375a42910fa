"""What was consumed, day by day."""

from __future__ import annotations

from devin_jupyter.api.paging import Raw
from devin_jupyter.api.service import Service
from devin_jupyter.api.times import Moment, unix
from devin_jupyter.models.ids import session_id as prefixed


class Consumption:
    """ACUs a day: `total_acus` and `consumption_by_date`. v3 only; most keys lack the permission.

    A day runs from 08:00 UTC to 08:00 UTC. Summing `acus` over a sessions frame needs no permission.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def daily(self, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        """ACUs a day of the organization. v3 only. (`GET …/consumption/daily`)

        Args:
            since: a moment, UTC.
            until: a moment, UTC.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        return await self._service.call_mapping("consumption.daily", params=_span(since, until))

    async def user(self, user_id: str, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        """ACUs a day of a user. v3 only. (`GET …/consumption/daily/users/{id}`)

        Args:
            user_id: `user-…`.
            since: a moment, UTC.
            until: a moment, UTC.

        Raises:
            Forbidden: the key lacks the permission.
            NotFound: no such user.
            OptionError: what is no moment.
        """
        return await self._service.call_mapping("consumption.user", user_id=user_id, params=_span(since, until))

    async def service_user(
        self, service_user_id: str, *, since: Moment | None = None, until: Moment | None = None
    ) -> Raw:
        """ACUs a day of a service user. v3 only. (`GET …/consumption/daily/service-users/{id}`)

        Args:
            service_user_id: `service-user-…`.
            since: a moment, UTC.
            until: a moment, UTC.

        Raises:
            Forbidden: the key lacks the permission.
            NotFound: no such service user.
            OptionError: what is no moment.
        """
        return await self._service.call_mapping(
            "consumption.service_user", service_user_id=service_user_id, params=_span(since, until)
        )

    async def session(self, session_id: str, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        """ACUs a day of a session. v3 only. (`GET …/consumption/daily/sessions/{id}`)

        Args:
            session_id: in any form.
            since: a moment, UTC.
            until: a moment, UTC.

        Raises:
            Forbidden: the key lacks the permission.
            NotFound: no such session.
            OptionError: what is no moment.
        """
        return await self._service.call_mapping(
            "consumption.session", session_id=prefixed(session_id), params=_span(since, until)
        )


def _span(since: Moment | None, until: Moment | None) -> Raw:
    return {"time_after": unix(since), "time_before": unix(until)}
