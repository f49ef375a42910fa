"""One process's client on a simulator, and the calls that `dj.map` and `dj.batch` make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from devin_jupyter import loop
from devin_jupyter.api.library import Playbooks
from devin_jupyter.batches import batch
from devin_jupyter.batches.batch import Batch
from devin_jupyter.config import Pace, simulator_settings
from devin_jupyter.idempotency.create import Api, Creator
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.journal import Journal
from devin_jupyter.session import Core

POST = "POST /v3/organizations/{org_id}/sessions"
LIST = "GET /v3/organizations/{org_id}/sessions"
SEND = "POST /v3/organizations/{org_id}/sessions/{devin_id}/messages"


SOON = Timing(settle_at=(0.0, 0.1, 0.3, 1.0))
"""The simulator lists new sessions at once, so a lost answer need not be looked for for ten seconds."""


class BatchClient:
    """A client with its journal."""

    def __init__(self, url: str, journal: Path) -> None:
        place = replace(simulator_settings(url, folder=journal.parent), pace=Pace(fast=0.05))
        self.core = core = Core(place, journal=Journal(journal))
        api = Api(core.sessions, core.attachments, core.account, Playbooks(core.service))
        core.creator = Creator(api, core.journal, core.store, core.where, timing=SOON, simulated=True)

    def map(self, prompt: str, rows: Any, **options: Any) -> Batch:
        return Batch(loop.run(batch.start(self.core, batch.request_of(prompt, rows, options))))

    def find(self, name: str) -> Batch:
        return Batch(loop.run(batch.find(self.core, name)))

    def close(self) -> None:
        loop.run(self.core.aclose())
