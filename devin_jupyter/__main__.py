"""`python -m devin_jupyter stop --all`: the emergency brake for when a kernel hangs and no cell can be run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from devin_jupyter.errors import DevinError, NoKey
from devin_jupyter.host import working_directory

if TYPE_CHECKING:
    from devin_jupyter.idempotency.stop import StopResult
    from devin_jupyter.journal import Journal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m devin_jupyter", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    stop = commands.add_parser(
        "stop", help="block new sessions in every kernel that uses this journal and end the running ones"
    )
    stop.add_argument("--all", action="store_true", required=True, help="spelled out because it cannot be undone")
    which = stop.add_mutually_exclusive_group()
    which.add_argument("--everything", action="store_true", help="all sessions of the journal")
    which.add_argument("--notebook", type=Path, help="those of one notebook; else of the notebooks in this folder")
    commands.add_parser("resume", help="lift the halt")
    said = parser.parse_args(arguments)
    try:
        return _resume() if said.command == "resume" else _stop(said.everything, said.notebook)
    except DevinError as problem:
        print(*problem.lines, sep="\n", file=sys.stderr)
        return 1


def _resume() -> int:
    from devin_jupyter.config import data_folder
    from devin_jupyter.journal import Journal

    print("the halt is lifted" if Journal(data_folder()).resume() else "nothing was halted")
    return 0


def _stop(everything: bool, notebook: Path | None) -> int:
    """Halt first, from the journal alone: it holds even where no key is found or the service is down."""
    import time

    from devin_jupyter.config import data_folder
    from devin_jupyter.journal import Journal

    journal = Journal(data_folder())
    journal.halt(now=time.time(), by="python -m devin_jupyter stop --all")
    print(f"halted: nobody posts on {journal.path} until %devin resume (or python -m devin_jupyter resume)", flush=True)
    from devin_jupyter.idempotency.stop import HALT_HOLDS, table, within

    try:
        stopped = asyncio.run(_end_sessions(journal, None if everything else within(notebook or working_directory())))
    except NoKey as problem:
        print(f"{HALT_HOLDS} ({problem.message})", file=sys.stderr)
        print("set DEVIN_API_KEY and run the same command again", file=sys.stderr)
        return 1
    print(table(stopped))
    if not everything and not stopped:
        print("--everything ends those of other folders too")
    return 1 if any(item.is_at_work for item in stopped) else 0


async def _end_sessions(journal: Journal, selects: Callable[[str], bool] | None) -> list[StopResult]:
    from devin_jupyter.client.aio import AsyncDevin
    from devin_jupyter.config import resolve_settings
    from devin_jupyter.idempotency.stop import stop_all

    client = AsyncDevin(settings=resolve_settings(), journal=journal)
    try:
        return await stop_all(client.core.creator, selects)
    finally:
        await client.aclose()


if __name__ == "__main__":
    sys.exit(main())
