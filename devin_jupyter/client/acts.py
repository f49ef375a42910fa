"""What a client does with a session that there is: methods of `AsyncDevin`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devin_jupyter.client.asynchronous import AsyncDevin
    from devin_jupyter.session import Session


async def send(
    self: AsyncDevin,
    session: Session | str,
    text: str,
    attach: Any = None,
    again: bool = False,
    as_user: str | None = None,
) -> Session:
    """Send a message, once: what was sent already is not sent again. (`POST …/messages`)

    On v3 it wakes a session that sleeps. The returned handle's `.notice` says when nothing was sent.

    Args:
        session: a handle, an id or a URL.
        text: what to say.
        attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
        again: send it though it was sent before.
        as_user: in the name of this user; v3 only.

    Raises:
        CreateUncertain: it could not be settled whether the message arrived.
        DevinError: the service refused or could not be reached; nothing arrived.
    """
    handle = await _resolved(self, session)
    handle.notice = await self.core.send(handle.state, text, attach, again=again, as_user=as_user)
    self._last = handle
    return handle


async def wait(self: AsyncDevin, session: Session | str, timeout: float | str | None = None) -> Session:
    """Wait for the end of the turn or the time-out, whatever the phase then is.

    Args:
        session: a handle, an id or a URL.
        timeout: seconds, or a text such as "30m".

    Raises:
        DevinError: it cannot be looked at: unknown, or refused to this key.
    """
    handle = await _resolved(self, session)
    await self.core.wait(handle.state, timeout)
    return handle


async def result(self: AsyncDevin, session: Session | str, timeout: float | str | None = None) -> Any:
    """Wait for the end of the turn and return the answer: the typed output, or Devin's last message.

    Args:
        session: a handle, an id or a URL.
        timeout: seconds, or a text such as "30m".

    Raises:
        TurnError: there is no answer; the class says why.
    """
    return (await wait(self, session, timeout)).answer(waited=timeout)


async def stop(self: AsyncDevin, session: Session | str, archive: bool = False) -> Session:
    """Terminate a session for good; it cannot be resumed. (`DELETE …/sessions/{id}`)

    Args:
        session: a handle, an id or a URL.
        archive: also archive it; v3 only.

    Raises:
        NotFound: there is none, or this key may not see it.
    """
    handle = await _resolved(self, session)
    await self.core.stop(handle.state, archive=archive)
    return handle


async def _resolved(self: AsyncDevin, session: Session | str) -> Session:
    return await self.get(session) if isinstance(session, str) else session
