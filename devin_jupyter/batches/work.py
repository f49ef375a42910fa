"""What goes on for a runner, in one process: a forked child inherits tasks that never move again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

Task = asyncio.Task[None]


class Work:
    """The tasks of a runner on the loop of the process that made this."""

    def __init__(self, on_fault: Callable[[BaseException], None], inherited: Work | None = None) -> None:
        """Do nothing yet.

        Args:
            on_fault: told what a task raised; a fault must not vanish with it.
            inherited: the parent's, in a forked child; kept, since a task that vanishes while it waits is reported.
        """
        self.on_fault, self.inherited = on_fault, inherited
        self.starts: set[Task] = set()
        """Tasks that start a session."""
        self.wake = asyncio.Event()
        """Set when there may be something to do."""
        self._drive: Task | None = None
        self._tasks: set[Task] = set()
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether it is of this process."""
        return self._pid == os.getpid()

    @property
    def is_driving(self) -> bool:
        """Whether the jobs are being moved on."""
        return self._drive is not None and not self._drive.done()

    @property
    def is_left_behind(self) -> bool:
        """Whether the parent moves the jobs on, and nobody here does yet."""
        return self.inherited is not None and self._drive is None

    def drive(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Move the jobs on."""
        self._drive = asyncio.get_running_loop().create_task(work, name=name)
        self._drive.add_done_callback(self._ended)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Task:
        """Have something go on beside that; `over` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._ended)
        return task

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a session started."""
        task = self.spawn(work)
        self.starts.add(task)
        task.add_done_callback(self._started)

    async def over(self) -> None:
        """Wait until all of it ended, and raise what moving the jobs on raised."""
        while self._drive is not None and not self._drive.done():
            await asyncio.shield(self._drive)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """End all of it."""
        tasks = [*self._tasks, *([self._drive] if self._drive else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _started(self, task: Task) -> None:
        self.starts.discard(task)
        self.wake.set()

    def _ended(self, task: Task) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.on_fault(fault)
