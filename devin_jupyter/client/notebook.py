"""What a client does for the notebook it works in: methods of `AsyncDevin` on the journal, and the great stop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from devin_jupyter.aftermath import live_line
from devin_jupyter.aftermath import still_live as find_live
from devin_jupyter.budgeting import budget as set_or_show
from devin_jupyter.journal import lockfile
from devin_jupyter.journal.budgets import Account
from devin_jupyter.journal.place import here
from devin_jupyter.stopping import Stopped, within

if TYPE_CHECKING:
    from devin_jupyter.client.asynchronous import AsyncDevin


async def budget(self: AsyncDevin, acus: float | str | None = None, *, notebook: str | None = None) -> Account:
    """Set or show the budget of a notebook; its repr is the arithmetic. What was spent stays spent.

    Args:
        acus: the limit in ACUs, `"off"` for none, None to show it.
        notebook: whose; by default this one's.

    Raises:
        OptionError: not a number above 0.
    """
    return await asyncio.to_thread(set_or_show, self.journal, notebook or here(), acus, now=time.time())


async def lock(self: AsyncDevin, path: str | Path | None = None, *, notebook: str | None = None) -> str:
    """Write the lock file of a notebook, from which it can be replayed without a key; return a line about it.

    A file that is there is left as it is where the notebook has started no session.

    Args:
        path: by default `NAME.devin.json` in the working directory; where the notebook's name is not known, what
            that file holds of others is kept.
        notebook: whose sessions; by default this one's.

    Raises:
        OptionError: it has started no session, and there is no such file.
        JournalError: the file cannot be written.
    """
    target = None if path is None else Path(path)
    return str(await asyncio.to_thread(lockfile.record, self.journal, notebook or here(), target))


async def stop_all(self: AsyncDevin, notebook: str | None = None) -> list[Stopped]:
    """Halt every kernel on this journal, then end the sessions that are at work; `journal.resume()` lifts the halt.

    Args:
        notebook: only those of this notebook, script or folder; None means all of the journal, never those of
            others in the organization.

    Raises:
        JournalError: the halt cannot be written down.
    """
    return await self.core.stop_all(within(Path(notebook)) if notebook is not None else None)


async def still_live(self: AsyncDevin, notebook: str | None = None) -> str | None:
    """Return one line about the sessions that went on while no kernel looked, with what they cost since; or None.

    Args:
        notebook: whose; by default this one's.
    """
    return live_line(await find_live(self.core.creator, notebook or here()))
