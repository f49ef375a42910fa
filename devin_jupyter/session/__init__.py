"""`Session`: the handle on one remote session, for notebooks (blocking) and for `await` alike.

Attributes never ask the service; methods do. A handle mutates nothing: it shows the newest snapshot of its session.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from devin_jupyter import turns
from devin_jupyter.client.core import Core
from devin_jupyter.client.tracking import Listener, State
from devin_jupyter.errors import DetachedAwait, OptionError
from devin_jupyter.host import hooks
from devin_jupyter.loop import cancel_on_interrupt
from devin_jupyter.models import wire
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.monitor import Connection
from devin_jupyter.session.bridge import Bridge, blocking
from devin_jupyter.session.seen import LastSeen
from devin_jupyter.text import format_acus

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.panel import Panel
    from devin_jupyter.schema import Schema

T = TypeVar("T")
_TICK_SECONDS = 0.2
"""A pause that an interrupt of the kernel is noticed in; longer ones are not."""


class Session(LastSeen):
    """A Devin session.

        audit = dj.create("Find the flaky tests", repos=["acme/api"], schema="tests:[name:str, why:str]")
        audit.result()            # waits for the end of the turn; `await audit` waits without blocking
        audit.send("Now fix the first one").wait()
        audit.pull_requests, audit.acus

    The attributes show the session as last seen, without asking: `.phase` is `queued`, `working`, `your_turn`,
    `needs_approval`, `done`, `asleep`, `blocked`, `stopped` or `failed`. While the turn is open the session is
    looked at every few seconds in the background. ACUs are agent compute units, times are UTC, time-outs seconds.
    Beside the attributes below there are `.schema` (what the output is read as), `.notice` (a line worth printing),
    `.how` (`created`, `attached`, `adopted`, `recorded` or `opened`) and `.take`; each may be None but `.how`.

    Methods that ask the service raise a `DevinError` where it refuses or cannot be reached: `Unauthorized`,
    `Forbidden`, `NotFound`, `RateLimited`, `ServerError` or another `ApiError`, or `ConnectionTrouble`. What v1 has
    not raises `Unsupported`, before anything is sent.
    """

    def __init__(
        self,
        core: Core,
        state: State,
        *,
        schema: Schema | None = None,
        how: str = "opened",
        notice: str | None = None,
        take: str | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        """Made by `create`, `get` and `last`, not by hand."""
        self._core, self._bridge = core, bridge
        self.state, self.schema = state, schema
        self.how, self.take = how, take
        """`created`, `attached`, `adopted`, `recorded` or `opened`; and the take it stands for."""
        self.notice = notice
        """A line worth printing: what the session was attached to, or that a message had been sent before."""

    # --- waiting --------------------------------------------------------------------------------------------

    def wait(self, timeout: float | str | None = None) -> Session:
        """Block until the turn is over, or the time-out, whatever the phase then is; return the session.

        Ctrl-C returns at once: the session goes on, and the message says what it cost and how to stop it.

        Args:
            timeout: seconds, or a text such as "30m"; None waits as long as it takes.

        Raises:
            Detached: interrupted (a KeyboardInterrupt).
        """
        try:
            with hooks.waiting(self):
                self._run(self._core.wait(self.state, timeout))
        except KeyboardInterrupt:
            raise turns.detached(self.snapshot) from None
        return self

    def __await__(self) -> Generator[Any, None, Session]:
        """Wait for the end of the turn without blocking; cancelling detaches, the session goes on."""
        return self._awaited().__await__()

    async def _awaited(self) -> Session:
        work = self._core.wait(self.state)
        future = asyncio.wrap_future(self._bridge.submit(work)) if self._bridge else asyncio.ensure_future(work)
        try:
            with hooks.waiting(self), cancel_on_interrupt():
                while not (await asyncio.wait([future], timeout=_TICK_SECONDS))[0]:
                    pass
        except asyncio.CancelledError:
            raise DetachedAwait(*turns.detached(self.snapshot).lines) from None
        finally:
            future.cancel()
        future.result()
        return self

    def result(self, timeout: float | str | None = None) -> Any:
        """Wait for the end of the turn and return the answer: the typed output, or Devin's last message.

        Args:
            timeout: seconds, or a text such as "30m"; None waits as long as it takes.

        Raises:
            NeedsReply: Devin asks something; `.send(…)` answers.
            NeedsApproval: it waits for an approval that only the web app can give.
            SessionAsleep, SessionBlocked, SessionStopped, SessionFailed: it ended without an answer.
            OutputInvalid: the output does not fit the schema.
            WaitTimeout: the turn is still open; the session goes on.
            Detached: interrupted; the session goes on.
        """
        self.wait(timeout)
        return self.answer(waited=timeout)

    # --- acting ---------------------------------------------------------------------------------------------

    def send(self, text: str, attach: Any = None, again: bool = False, as_user: str | None = None) -> Session:
        """Send a message, once, and return the session; a rerun sends nothing and says so in `.notice`.

        It answers a question, steers work, or wakes a session that sleeps (v3). (`POST …/messages`)

        Args:
            text: what to say.
            attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
            again: send it though it was sent before.
            as_user: in the name of this user; v3 only.

        Raises:
            CreateUncertain: it could not be settled whether the message arrived.
            DevinError: the service refused or could not be reached; nothing arrived.
        """
        self.notice = self._run(self._core.send(self.state, text, attach, again=again, as_user=as_user))
        return self

    def stop(self, archive: bool = False) -> Session:
        """Terminate the session for good; it cannot be resumed. One that was done stays done. (`DELETE …`)

        Args:
            archive: also archive it; v3 only.
        """
        self._run(self._core.stop(self.state, archive=archive))
        return self

    def archive(self) -> Session:
        """Archive the session, which puts it to sleep if it runs. v3 only. (`POST …/archive`)"""
        self._run(self._core.archive(self.state))
        return self

    def unarchive(self) -> Session:
        """Take the session out of the archive. v3 only. (`POST …/unarchive`)"""
        self._run(self._core.archive(self.state, undo=True))
        return self

    def tag(self, *tags: str, replace: bool = False) -> tuple[str, ...]:
        """Add tags, or with `replace` put these in place of the others, and return all. (`POST`/`PUT …/tags`)

        Args:
            tags: at most 49.
            replace: take the other tags away; the one by which this package finds its sessions stays.
        """
        return self._run(self._core.tag(self.state, tags, replace_all=replace))

    def refresh(self) -> Session:
        """Ask how the session is now, with its conversation where the turn is over. (`GET …/sessions/{id}`)"""
        self._run(self._core.refresh(self.state))
        return self

    # --- files and insights ---------------------------------------------------------------------------------

    def attachments(self) -> list[wire.SessionAttachment]:
        """List its files: `attachment_id`, `name`, `url`, `source` (`devin` or `user`). v3 only."""
        return self._run(self._core.attachments.list(self.id))

    def download(self, folder: str | os.PathLike[str] | None = None) -> list[Path]:
        """Fetch all its files into a folder and return their paths. v3 only.

        Names are made safe; what is there with the same content is left alone, nothing is overwritten.

        Args:
            folder: by default named after the session, in the working directory.
        """
        return self._run(self._core.attachments.download(self.id, folder))

    def read(self, name: str) -> Any:
        """Fetch one file by name: a table as a DataFrame, JSON as its value, text as str, anything else as bytes.

        Args:
            name: as in `attachments()`; of several with this name, the last.

        Raises:
            OptionError: there is no such file; the message names those there are.
        """
        content = self._run(self._file(name))
        from devin_jupyter.frames.files import read_file

        return read_file(name, content)

    async def _file(self, name: str) -> bytes:
        listed = await self._core.attachments.list(self.id)
        found = [entry for entry in listed if entry.get("name") == name]
        if not found:
            names = ", ".join(sorted({str(entry.get("name")) for entry in listed})) or "none"
            raise OptionError(f"{self.id} has no file {name!r}", hint=f"its files: {names}")
        return await self._core.attachments.fetch(found[-1])

    def insights(self, generate: bool = False) -> wire.Insights:
        """Return what the service found out about the session: size, messages, and `analysis`. v3 only.

        It is the answer as it came: with the id as the service spells it, and with the `nb-…` tag of this package.

        Args:
            generate: have the analysis made first, which takes about a minute.
        """
        work = self._core.insights
        return self._run(work.generate(self.id) if generate else work.get(self.id))

    # --- showing --------------------------------------------------------------------------------------------

    def panel(self) -> Panel:
        """Return a live panel with a reply box."""
        from devin_jupyter.panel import Panel

        return Panel(self)

    def frame(self, *, explode: str | None = None, keep_empty: bool = False, prefix: str = "") -> pd.DataFrame:
        """Return the output as a DataFrame: the schema's fields as columns, then id, URL, phase and ACUs.

        A schema that is a list of rows gives a row for each.

        Args:
            explode: the dotted path of another list to take apart, a row per item.
            keep_empty: give a row also where there is no output, or an empty list.
            prefix: put before the names of the schema's fields.
        """
        from devin_jupyter import frames

        seen = self.snapshot
        output = frames.Output(
            session_id=seen.session_id,
            url=seen.url,
            phase=seen.phase,
            acus=seen.acus,
            raw=seen.structured_output,
            provisional=not seen.output_is_final,
            schema=self.schema,
        )
        return frames.outputs([output], explode=explode, keep_empty=keep_empty, prefix=prefix)

    def messages_frame(self) -> pd.DataFrame:
        """Return the conversation as read so far as a DataFrame, a row a message, oldest first."""
        from devin_jupyter import frames

        return frames.messages([(self.id, self.messages)])

    def subscribe(
        self,
        callback: Callable[[Snapshot], None],
        *,
        on_trouble: Callable[[Connection], None] | None = None,
        messages: bool = False,
        keep: bool = False,
    ) -> Callable[[], None]:
        """Have a function called with every new snapshot, until the returned function is called.

        Args:
            callback: called on the loop's thread; must not print, display or block.
            on_trouble: called when the connection fails, and when it is back.
            messages: read the conversation while it grows.
            keep: go on, slowly, after the end of the turn.
        """
        listener = Listener(callback, on_trouble, messages, keep)

        async def listen() -> Callable[[], None]:
            return self._core.tracker.listen(self.state, listener)

        if self._bridge is None:
            return self._core.tracker.listen(self.state, listener)
        bridge = self._bridge
        stop = self._core.tracker.listen(self.state, listener) if bridge.is_here() else self._run(listen())

        async def end() -> None:
            stop()

        def unsubscribe() -> None:
            bridge.submit(end())

        return unsubscribe

    def __repr__(self) -> str:
        """Show id, phase, cost and title: the same for the same state, so that it may stand in a saved output."""
        from devin_jupyter import render

        title = f' "{render.labels.title(self.snapshot)}"' if self.title else ""
        label = " simulated" if self.snapshot.simulated else ""
        return f"<Session {self.id} {self.phase.value} {format_acus(self.acus)}{title}{label}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from devin_jupyter import render

        return render.bundle(self.snapshot)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return blocking(self._bridge, work)
