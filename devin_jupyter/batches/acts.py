"""What a person does to a running batch: try rows again, answer many at once, stop everything. On the loop's thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from devin_jupyter.attachments import Attachment, read_attachments
from devin_jupyter.batches.job import Job, Stage
from devin_jupyter.batches.rows import Rows
from devin_jupyter.batches.runner import Runner
from devin_jupyter.errors import DevinError, JournalError, OptionError
from devin_jupyter.models.ids import is_session_id, session_id
from devin_jupyter.models.phase import Phase
from devin_jupyter.request import render
from devin_jupyter.text import nearest

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Acted:
    """How an act on one row ended."""

    job: Job
    how: str
    """`sent`, `already`, `stopped`, or `failed`."""
    problem: DevinError | None = None


def retry(runner: Runner, phases: Collection[str], take: str, rows: set[int] | None) -> list[Job]:
    """Put the rows in these phases back in the queue under another take, and return them.

    Rows that have or had this take already are left alone, so that the same call again starts nothing. A row that
    could not be started at all has paid for nothing: it is tried again under the take it has.
    """
    chosen = []
    for job in runner.wanted:
        if rows is not None and not rows & set(job.item.positions):
            continue
        if job.phase not in phases or take in (job.take, *job.tried) or job.is_open:
            continue
        runner.again(job, None if job.stage is Stage.REFUSED else take)
        chosen.append(job)
    return chosen


PHASES = (*(str(phase) for phase in Phase), str(Stage.WAITING), str(Stage.REFUSED))


def phases_of(said: str | Iterable[str]) -> set[str]:
    """Return the phases that a person names.

    Raises:
        OptionError: there is no such phase.
    """
    if not isinstance(said, Iterable):
        raise OptionError(f"{said!r} is no phase", hint="rows=[…] chooses rows; phase='failed' says which of them")
    words = {said} if isinstance(said, str) else {str(word) for word in said}
    for word in words.difference(PHASES):
        raise OptionError(f"there is no phase {word!r}{nearest(word, PHASES)}", hint=f"one of {', '.join(PHASES)}")
    return words


def take_after(runner: Runner, number: int | str) -> str:
    """Return the label of a take, which continues that of the batch's own `--take`.

    Raises:
        OptionError: it is no label, or it is the first take, which the rows have.
    """
    if isinstance(number, bool) or not isinstance(number, (int, str)) or str(number).strip() in ("", "0", "1"):
        raise OptionError(f"a retry cannot be take {number!r}", "nothing was sent", "take=3 is a third try of a row")
    own = next((job.item.request.take for job in runner.jobs if job.item.request.take), None)
    return f"{own}-{number}" if own else str(number)


def texts_for(jobs: Iterable[Job], rows: Rows, text: str, *, raw: bool) -> list[str]:
    """Return the message for each job; `{{ row… }}` is filled in from its first row, before anything is sent.

    Raises:
        TemplateError: it cannot be filled in for one of the rows.
    """
    if raw or "{{" not in text:
        return [text for _ in jobs]
    return [render(text, {"row": rows.template_value(job.item.positions[0])}) for job in jobs]


def files_of(attach: Any) -> tuple[Attachment, ...]:
    """Read what goes with a message."""
    is_pair = isinstance(attach, tuple) and len(attach) == 2 and isinstance(attach[0], str)
    items = attach if isinstance(attach, (list, tuple)) and not is_pair else [attach]
    return read_attachments([item for item in items if item is not None], {})


async def send(
    runner: Runner, jobs: Sequence[Job], texts: Sequence[str], files: Sequence[Attachment], *, again: bool
) -> list[Acted]:
    """Send each job's session its message, once; the turns that open count as any other."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(job: Job, text: str) -> Acted:
        async with turns:
            return await _send(runner, job, text, files, again=again)

    return await asyncio.gather(*map(one, jobs, texts))


async def _send(runner: Runner, job: Job, text: str, files: Sequence[Attachment], *, again: bool) -> Acted:
    if job.state is None:
        return Acted(
            job, "failed", OptionError(f"it has no session, it is {job.phase}", hint=".resume() starts what waits")
        )
    try:
        notice = await runner.core.send(job.state, text, files, again=again, cell=runner.cell)
    except DevinError as problem:
        return Acted(job, "failed", problem)
    return Acted(job, "sent" if notice is None else "already")


async def pause(runner: Runner, why: str) -> None:
    """Start nothing more, in no kernel; what is open goes on."""
    runner.pause(why)
    with suppress(JournalError):  # then at least here
        await asyncio.to_thread(runner.core.journal.flags.hold, runner.key, now=time.time())


async def resume(runner: Runner, *, all_rows: bool = False) -> None:
    """Start what waits, whoever paused it; also what is beyond `limit`, if asked to."""
    await asyncio.to_thread(runner.core.journal.flags.release, runner.key)
    runner.limit = None if all_rows else runner.limit
    runner.resume()


async def stop(runner: Runner, why: str) -> list[Acted]:
    """Start nothing more and terminate every session whose turn is open; what is done stays as it is."""
    await pause(runner, why)
    await runner.starts_settled()
    if runner.finder.replays is None:
        await runner.attach(sweep=False)  # to what another kernel started meanwhile
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(job: Job) -> Acted:
        async with turns:
            return await _stop(runner, job)

    return await asyncio.gather(*(one(job) for job in runner.jobs if job.is_open or job.is_lost))


async def _stop(runner: Runner, job: Job) -> Acted:
    assert job.state is not None
    try:
        await runner.core.stop(job.state)
    except DevinError as problem:
        return Acted(job, "failed", problem)
    return Acted(job, "stopped")


def positions_of(rows: Rows, chosen: object, jobs: Sequence[Job]) -> set[int]:
    """Return the positions that a person means by labels, a mask, a slice of the frame, sessions or a function.

    Raises:
        OptionError: a label or session that the batch has not.
    """
    if isinstance(chosen, tuple) and chosen in rows.labels:  # a row of a table with more than one index
        chosen = [chosen]
    if callable(chosen):
        return {place for place in range(len(rows)) if _holds(chosen, rows.record(place))}
    if hasattr(chosen, "columns") and hasattr(chosen, "index"):
        chosen = chosen.index.tolist()
    if hasattr(chosen, "index") and hasattr(chosen, "to_list"):
        mask = chosen.to_list()
        labels = chosen.index.tolist()
        chosen = [label for label, yes in zip(labels, mask, strict=True) if yes] if _is_mask(mask) else labels
    if isinstance(chosen, (str, bytes)) or not isinstance(chosen, Iterable):
        chosen = [chosen]
    wanted = list(chosen)
    if _is_mask(wanted) and len(wanted) == len(rows):
        return {place for place, yes in enumerate(wanted) if yes}
    return {place for item in wanted for place in _places(rows, item, jobs)}


def _holds(test: Callable[..., object], record: dict[str, object]) -> bool:
    return bool(test(record))


def _is_mask(values: Sequence[object]) -> bool:
    return bool(values) and all(type(value).__name__ in ("bool", "bool_", "NAType") for value in values)


def _places(rows: Rows, item: object, jobs: Sequence[Job]) -> list[int]:
    found = [place for place, label in enumerate(rows.labels) if label == item]
    if not found:
        identifier = str(getattr(item, "id", item))
        identifier = session_id(identifier) if is_session_id(identifier) else identifier
        found = [place for job in jobs if job.session_id == identifier for place in job.item.positions]
    if not found:
        raise OptionError(
            f"the batch has no row {item!r}", hint="give labels of its index, a mask, or a slice of .frame"
        )
    return found
