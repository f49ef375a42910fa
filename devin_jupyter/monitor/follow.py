"""The live channel of one client: which token it may use, which sessions it follows, and what its events cause.

The stream is a hint, and the REST API is the truth: an event about status, message or pull request makes the client
read the session at once, and never sets a state. Without a token, or after any failure, sessions are only polled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from devin_jupyter.api.analytics import Account
from devin_jupyter.api.client import Service
from devin_jupyter.config import Settings
from devin_jupyter.errors import ApiError, ConnectionTrouble, DevinError, LiveUnavailable, RateLimited, ServerError
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import spelled
from devin_jupyter.models.steps import Hint, LiveState, LiveView
from devin_jupyter.monitor.store import SessionStore, WatchedSession

if TYPE_CHECKING:
    from devin_jupyter.live.channel import Channel, Timing
    from devin_jupyter.live.socket import Socket

logger = logging.getLogger("devin_jupyter.live")
LOOKS = (0.25, 0.5, 0.9, 1.4, 2.0, 2.8, 3.7, 4.6)
"""When to read a session again after a sign that its turn is over, until the REST API confirms it; in seconds."""
_GRACE = 1.0
"""How many seconds a session is still followed after its turn was over: the last events come after the state."""
_EVERY = {Hint.MESSAGE: 1.0, Hint.STATUS: 0.25}
"""The shortest time between two looks at a session because of events of this kind: seconds."""
_TOGETHER = 0.25
"""After a look the next ones wait for so many seconds, and then go together: a hundred sessions are one request."""
_MOST_NOTED = 2000
_NO_TOKEN = "there is no personal access token (DEVIN_PAT)"
_MISSING = "it needs the package websockets: pip install 'devin-jupyter[live]'"
_OFF = "it is switched off (live=False)"
_HEADLESS = "it is off in non-interactive runs; dj.connect(live=True) turns it on"
_USER, _SERVICE = "pat_user", "service_user"


class Follower:
    """Keeps the live channel on the sessions of a store that are at work and watched. For the loop's thread."""

    def __init__(
        self,
        store: SessionStore,
        service: Service,
        *,
        is_headless: bool = False,
        timing: Timing | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            store: whose sessions.
            service: the client's own way to the REST API.
            is_headless: nobody watches, so that the channel is used only where the settings ask for it.
            timing: of the channel.
        """
        self._store, self._service = store, service
        self.timing = timing
        """Of the channel, until it is first used."""
        self._followed: dict[WatchedSession, None] = {}
        self._leaving: dict[WatchedSession, asyncio.TimerHandle] = {}
        self._channel: Channel | None = None
        self._cookies: dict[str, str] = {}
        self._is_settled = False
        """The token was checked: it is a person's."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checking: asyncio.Task[None] | None = None
        self._looked: dict[str, float] = {}
        self._to_look: dict[str, int] = {}
        """The sessions to look at together, each with a ticket of when that was decided."""
        self._pause: asyncio.TimerHandle | None = None
        self._looks: dict[str, asyncio.Task[None]] = {}
        self.off = self._why_off(is_headless)
        """Why the channel is not used, as far as that is known without a request."""
        if self.off is None:
            store.follow = self.update
        else:
            store.live_reason = self.off

    def _why_off(self, is_headless: bool) -> str | None:
        settings = self._service.settings
        if settings.live is False:
            return _OFF
        if not self.token(settings):
            return _NO_TOKEN
        if is_headless and not settings.live:
            return _HEADLESS
        return None if find_spec("websockets") is not None else _MISSING

    @staticmethod
    def token(settings: Settings) -> str:
        """Return the token to use if it belongs to a person: the one for the channel, else the key."""
        return settings.pat or (settings.api_key if settings.api_version == "v3" else "")

    @property
    def state(self) -> tuple[LiveState, str | None]:
        """Whether the channel is on, and why not, in one line."""
        if self.off is not None:
            return ("unavailable" if self.off == _MISSING else "off"), self.off
        if self._channel is None:
            return "off", "no session is followed"
        if self._channel.failed is not None:
            return "unavailable", self._channel.failed
        if self._channel.is_open:
            return "on", None
        return ("connecting", None) if self._followed else ("off", "no session is followed")

    def update(self, session: WatchedSession) -> None:
        """Follow a session, or no longer, as its state requires."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a forked child inherits timers and tasks that never run
            self._loop, self._checking = loop, None
            self._leaving, self._looks, self._followed = {}, {}, {}
            self._to_look, self._pause = {}, None
        is_wanted = _is_wanted(session)
        if is_wanted and (leaving := self._leaving.pop(session, None)) is not None:
            leaving.cancel()
        if is_wanted is (session in self._followed):
            return
        if is_wanted:
            self._followed[session] = None
            self._watch()
        elif session not in self._leaving:
            self._leaving[session] = loop.call_later(_GRACE, self._leave, session)

    def _leave(self, session: WatchedSession) -> None:
        del self._leaving[session], self._followed[session]
        if (looks := self._looks.pop(session.session_id, None)) is not None:
            looks.cancel()
        self._watch()

    def _watch(self) -> None:
        if self._is_settled or self._service.settings.pat:
            self.channel.watch(_in_order(self._followed))
        elif self._checking is None:  # most keys are those of service users: nothing is loaded for them
            self._checking = asyncio.get_running_loop().create_task(self._check_key(), name="devin-live-key")

    async def _check_key(self) -> None:
        """Find out whether the key itself belongs to a person, and may be used."""
        why, _ = await self._refusal(self._service.settings, self._service.settings.api_key)
        if why is None:
            self._is_settled = True
            self.channel.watch(_in_order(self._followed))
            return
        self.off = self._store.live_reason = why
        self._store.follow = None
        for session in self._followed:
            if session.live.state == "off":
                self._store.set_live(session, replace(session.live, reason=why))
        self._drop_all()

    def _drop_all(self) -> None:
        for timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()
        self._followed.clear()

    @property
    def channel(self) -> Channel:
        """The channel, which is loaded at first use."""
        if self._channel is None:
            from devin_jupyter.live.channel import Channel

            self._channel = Channel(
                self._connect,
                publish=self._publish,
                on_hint=self._on_hint,
                earlier=lambda session_id: entry.live.steps if (entry := self._store.find(session_id)) else (),
                timing=self.timing,
            )
        return self._channel

    async def require(self) -> None:
        """Connect, or say why that is not possible.

        Raises:
            LiveUnavailable: it is not.
        """
        await (await self._usable()).open()

    async def respond(self, session: WatchedSession, *, approved: bool) -> None:
        """Answer the approval that a session waits for, and look at it.

        Raises:
            LiveUnavailable: the channel is not on.
            DevinError: nothing waits for an approval, or the service refused the answer.
        """
        await (await self._usable()).respond(session.session_id, approved=approved)
        self._soon(session)

    async def cancel(self, session: WatchedSession) -> None:
        """Cancel the turn of a session, and look at it.

        Raises:
            LiveUnavailable: the channel is not on.
        """
        await (await self._usable()).cancel(session.session_id)
        self._soon(session)

    async def aclose(self) -> None:
        """Close the connection."""
        self._store.follow = None
        if self._pause is not None:
            self._pause.cancel()
        self._to_look, self._pause = {}, None
        tasks, self._looks = [*self._looks.values()], {}
        if self._checking is not None:
            tasks.append(self._checking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._drop_all()
        if self._channel is not None:
            await self._channel.aclose()

    async def _usable(self) -> Channel:
        if self.off is None and not (self._is_settled or self._service.settings.pat):
            self._checking = self._checking or asyncio.get_running_loop().create_task(self._check_key())
            await asyncio.shield(self._checking)
        if self.off is not None:
            hint = "pip install 'devin-jupyter[live]'" if self.off == _MISSING else "set DEVIN_PAT, or use the web app"
            raise LiveUnavailable(f"the live channel is not on: {self.off}", "nothing was sent", hint)
        return self.channel

    # --- the token --------------------------------------------------------------------------------------------

    async def _connect(self, on_notification: Callable[[str, Any], None]) -> Socket:
        from devin_jupyter.live.socket import ChannelLost, open_socket

        settings = self._service.settings
        token = self.token(settings)
        if not self._is_settled:
            why, is_final = await self._refusal(settings, token)
            if why is not None:
                raise ChannelLost(why, is_final=is_final)
            self._is_settled = True
        timing = self.timing
        pace = {} if timing is None else {"ping_seconds": timing.ping, "open_seconds": timing.answer}
        return await open_socket(settings.base_url, token, on_notification, cookies=self._cookies, **pace)

    async def _refusal(self, settings: Settings, token: str) -> tuple[str | None, bool]:
        """Return why the token must not be sent, and whether that stays so: the key of a service user never is."""
        if not (token.isascii() and token.isprintable()) or " " in token:
            return f"the token from {settings.pat_source} contains characters that are not valid in a token", True
        is_key = token == settings.api_key
        source = settings.pat_source or settings.key_source
        try:
            kind = await self._kind(settings, token)
        except (ConnectionTrouble, ServerError, RateLimited) as problem:
            return problem.message, False
        except ApiError as problem:
            if problem.status_code == 401:
                return f"the service does not accept the token from {source}", True
            kind = None  # a host without this call, or a token that may not use it
        except DevinError as problem:
            return problem.message, True
        if is_key and kind != _USER and not settings.pat:
            return _NO_TOKEN, True
        if kind == _SERVICE or (is_key and kind != _USER):
            return f"the token from {source} is the key of a service user; it takes a person's", True
        return None, False

    async def _kind(self, settings: Settings, token: str) -> Any:
        """Return the kind of principal that a token belongs to. (`GET /v3/self`)"""
        if token == settings.api_key:
            principal = self._service.principal or await Account(self._service).self()
        else:
            service = Service(None, replace(settings, api_key=token, api_version="v3"))
            try:
                principal = await Account(service).self()
            finally:
                await service.aclose()
        return spelled(principal.get("principal_type"), (_USER, _SERVICE))

    # --- what the stream says ---------------------------------------------------------------------------------

    def _publish(self, view: LiveView) -> None:
        session = self._store.find(view.session_id)
        if session is not None:
            self._store.set_live(session, view)

    def _on_hint(self, session_id: str, hint: Hint) -> None:
        """Look at a session at once; after a sign that its turn is over, again until the REST API says so."""
        session = self._store.find(session_id)
        if session is None:
            return
        if Hint.OVER in hint:
            self._soon(session)
            return
        every = _EVERY[Hint.STATUS if Hint.STATUS in hint else Hint.MESSAGE]
        left = every - self._since(session)
        if left <= 0:
            self._look(session)
        elif session_id not in self._looks:
            self._again(session, (left,))

    def _soon(self, session: WatchedSession) -> None:
        if self._since(session) >= _EVERY[Hint.STATUS]:
            self._look(session)
        self._again(session, LOOKS)

    def _since(self, session: WatchedSession) -> float:
        return self._store.clock.monotonic() - self._looked.get(session.session_id, float("-inf"))

    def _look(self, session: WatchedSession) -> None:
        self._looked[session.session_id] = self._store.clock.monotonic()
        if len(self._looked) > _MOST_NOTED:
            del self._looked[next(iter(self._looked))]
        self._to_look.setdefault(session.session_id, self._store.ticket())
        if self._pause is None:
            self._look_together()

    def _look_together(self) -> None:
        """Look at the sessions that wait for it, but not at one whose turn a read since then has shown to be over."""
        names, self._to_look, self._pause = self._to_look, {}, None
        for session_id, decided in names.items():
            session = self._store.find(session_id)
            if session is None or not session.is_over or session.newest < decided:
                self._store.poll_now(session_id)
        if names:
            self._pause = asyncio.get_running_loop().call_later(_TOGETHER, self._look_together)

    def _again(self, session: WatchedSession, after: Iterable[float]) -> None:
        """Look again after so many seconds, unless its turn is over by then."""
        if (former := self._looks.pop(session.session_id, None)) is not None:
            former.cancel()

        async def look() -> None:
            passed = 0.0
            for moment in after:
                await self._store.clock.sleep(moment - passed)
                passed = moment
                if session.is_over and not session.is_hinted:
                    break
                self._look(session)
            if self._looks.get(session.session_id) is asyncio.current_task():
                del self._looks[session.session_id]

        self._looks[session.session_id] = asyncio.get_running_loop().create_task(look(), name="devin-live-look")


def _is_wanted(session: WatchedSession) -> bool:
    """Whether a session is at work or waits for an approval, and is watched."""
    seen = session.seen
    if seen is None or seen.recorded is not None or session.problem is not None:
        return False
    if seen.phase is Phase.NEEDS_APPROVAL:
        return bool(session.subscriptions or session.waiters)
    return not session.is_over and bool(session.is_followed or session.subscriptions or session.waiters)


def _in_order(sessions: Iterable[WatchedSession]) -> list[str]:
    """Sessions that are shown or waited for come first."""
    ordered = sorted(sessions, key=lambda each: not (each.subscriptions or each.waiters))
    return [each.session_id for each in ordered]
