"""What a person does to a batch, as coroutines on its client's loop; `Batch` has the same as blocking calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from devin_jupyter.batches import acts, opening, showing
from devin_jupyter.batches.money import check_caps

if TYPE_CHECKING:
    from devin_jupyter.batches.handle import Batch


class Acting:
    """The acts of a batch that belongs to an `AsyncDevin`: `await batch.aio.stop()`. See `Batch` for each of them."""

    def __init__(self, batch: Batch) -> None:
        """Made by the batch."""
        self._batch, self._runner = batch, batch._runner

    async def pause(self) -> Batch:
        """Start nothing more, here and in other kernels that share the journal."""
        await acts.pause(self._runner, "you said so; .resume() goes on")
        return self._batch

    async def resume(self, *, all_rows: bool = False) -> Batch:
        """Start what waits; with `all_rows` also what is beyond `limit`."""
        plan = self._runner.plan
        if all_rows:
            check_caps(plan.items, plan.budget)
        await acts.resume(self._runner, all_rows=all_rows)
        return self._batch

    async def retry(self, phase: str | Iterable[str] = "failed", *, take: int | str = 2, rows: Any = None) -> Batch:
        """Start another take of the rows in a phase, once."""
        runner, had = self._runner, self._runner.attached
        phases, label = acts.phases_of(phase), acts.take_after(runner, take)
        positions = None if rows is None else acts.positions_of(runner.plan.rows, rows, runner.jobs)
        chosen = acts.retry(runner, phases, label, positions)
        if chosen:
            await asyncio.to_thread(opening.remember, self._batch._opened)
            await runner.attach()
            await asyncio.to_thread(runner.core.journal.flags.release, runner.key)
            runner.retry(chosen)
        self._batch.notice = showing.retry_line(label, chosen, runner.attached - had)
        return self._batch

    async def send(self, rows: Any, text: str, attach: Any = None, *, again: bool = False, raw: bool = False) -> Batch:
        """Send a message to the sessions of many rows, once each."""
        runner = self._runner
        positions = acts.positions_of(runner.plan.rows, rows, runner.jobs)
        jobs = [job for job in runner.jobs if positions & set(job.item.positions)]
        texts = acts.texts_for(jobs, runner.plan.rows, text, raw=raw)
        files = await asyncio.to_thread(acts.files_of, attach)
        done = await acts.send(runner, jobs, texts, files, again=again)
        self._batch.notice = showing.outcome_line(done, runner.plan)
        return self._batch

    async def stop(self) -> Batch:
        """Start nothing more, and terminate every session whose turn is open."""
        done = await acts.stop(self._runner, "stopped; .resume() starts what waits")
        self._batch.notice = showing.outcome_line(done, self._runner.plan)
        return self._batch
