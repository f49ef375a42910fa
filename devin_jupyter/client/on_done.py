"""`on_done=`: a function or an address of the user's that learns when a session or a batch is over.

It never disturbs a wait: what fails is a line in the log and in `.notice`. An address gets a small JSON without secrets
and without the answer; the API key is never sent there.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from devin_jupyter import loop
from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.redaction import contains_key, redact, redact_tree
from devin_jupyter.text import format_acus, one_line

if TYPE_CHECKING:
    from devin_jupyter.batches.batch import AsyncBatch, Batch
    from devin_jupyter.session import AsyncSession, Session

    Handle: TypeAlias = AsyncSession | Session | AsyncBatch | Batch

logger = logging.getLogger("devin_jupyter")
OnDone = Callable[[Any], object] | str
EXIT_SECONDS = 5.0
"""How long the exit of the process waits for notifications that are still being delivered."""


def check(on_done: Any) -> OnDone:
    """Return the function or the address as given, if it can be notified.

    Raises:
        OptionError: neither a function nor an address to which something may be sent.
    """
    if callable(on_done):
        return on_done  # type: ignore[no-any-return]  # callable() proves less to mypy
    if not isinstance(on_done, str):
        raise _refused(f"not {type(on_done).__name__}")
    from devin_jupyter.config import is_loopback

    try:
        parts = urlsplit(on_done)
        name = parts.hostname or ""
    except ValueError:
        raise _refused("and this is no address") from None
    if not name or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(name))):
        raise _refused("and http:// only on this machine")
    if contains_key(on_done):
        raise _refused("without a Devin API key in it")
    return on_done


def _refused(why: str) -> OptionError:
    return OptionError(
        f"on_done takes a function or an https:// address, {why}",
        "nothing was sent",
        "for example on_done=notify, where notify(session) is a function, or on_done='https://hooks.company.com/devin'",
    )


class _Deliveries:
    """The notifications being delivered, so that the exit of the process can wait a moment for them."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                self._threads.discard(threading.current_thread())

        thread = loop.new_thread(run, "devin-on-done")
        self._threads.add(thread)
        thread.start()

    def finish(self) -> None:
        until = time.monotonic() + EXIT_SECONDS
        for thread in tuple(self._threads):
            thread.join(max(0.0, until - time.monotonic()))


deliveries = _Deliveries()
atexit.register(deliveries.finish)


def announce(handle: Handle, on_done: OnDone | None, *, on_loop: bool = False) -> None:
    """Notify `on_done` once, when the turn of a session, or a batch, is over. Returns at once, on any thread.

    A function is called with the handle even if everything is over already. An address is notified only of what ends
    from now on, so that rerunning a finished notebook sends nothing.

    Args:
        handle: of the session or the batch.
        on_done: from `check`; None does nothing.
        on_loop: call the function on the running event loop, where the handle belongs; else in a thread of its own.
    """
    if on_done is None or (isinstance(on_done, str) and _was_over(handle)):
        return
    following = _follow(handle, on_done, on_loop)
    if on_loop:
        task = asyncio.get_running_loop().create_task(following)
        deliveries.tasks.add(task)
        task.add_done_callback(deliveries.tasks.discard)
    else:
        loop.submit(following)


def _was_over(handle: Any) -> bool:
    """Whether it was over before this run of the notebook; what this run started may already be over, too."""
    if hasattr(handle, "phase_counts"):
        from devin_jupyter.batches.batch import runner_of

        return bool(handle.is_over) and not runner_of(handle).started
    return bool(handle.snapshot.turn_over) and handle.how not in ("created", "adopted")


async def _follow(handle: Any, on_done: OnDone, on_loop: bool) -> None:
    """Wait for the end, on the loop of the handle, then notify."""
    inner = handle if on_loop else handle._async
    try:
        await inner.wait()
        if isinstance(on_done, str):
            from devin_jupyter.api.transport import post_elsewhere

            await post_elsewhere(on_done, payload(handle))
        elif on_loop:
            result = on_done(handle)
            if inspect.isawaitable(result):
                await result
        else:
            deliveries.start(lambda: _call(handle, on_done))
    except asyncio.CancelledError:
        raise
    except Exception as problem:  # the user's own function may raise anything
        _failed(handle, on_done, problem)


def _call(handle: Any, on_done: Callable[[Any], object]) -> None:
    try:
        result = on_done(handle)
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except BaseException as problem:  # SystemExit, too: it must end nothing but this thread
        _failed(handle, on_done, problem)


def _failed(handle: Any, on_done: OnDone, problem: BaseException) -> None:
    what = urlsplit(on_done).hostname if isinstance(on_done, str) else getattr(on_done, "__name__", "the function")
    words = problem.message if isinstance(problem, DevinError) else f"{type(problem).__name__}: {problem}"
    line = one_line(redact(f"on_done: {what} could not be told: {words}"), 300)
    logger.warning("%s", line, exc_info=None if isinstance(on_done, str) else problem)
    handle.add_notice(line)


def payload(handle: Any) -> dict[str, Any]:
    """Return the JSON that an address gets about a session or a batch; `text` is what chat programs show."""
    if hasattr(handle, "phase_counts"):
        counts = handle.phase_counts
        shown = ", ".join(f"{count} {phase}" for phase, count in counts.items() if count)
        found = {
            "event": "batch_over",
            "name": handle.name,
            "rows": len(handle),
            "phases": counts,
            "acus": handle.acus,
            "text": f"Devin: batch {handle.name}: {shown} · {format_acus(handle.acus)}",
        }
    else:
        seen = handle.snapshot
        title = one_line(seen.title or seen.session_id, 120)
        found = {
            "event": "turn_over",
            "session_id": seen.session_id,
            "url": seen.url,
            "title": title,
            "phase": seen.phase.value,
            "needs_you": seen.needs_you,
            "acus": seen.acus,
            "pull_requests": [pull.url for pull in seen.pull_requests],
            "simulated": seen.simulated,
            "text": f"Devin: {seen.phase.label} · {title} · {format_acus(seen.acus)} · {seen.url}",
        }
    cleaned: dict[str, Any] = redact_tree(found)
    return cleaned
