"""The one place where the witnesses touch names that may move. Data that was frozen is never changed here.

What is public (`dj.create`, `dj.batch`, `Devin.plan`, …) the tests call themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

import devin_jupyter as dj
from devin_jupyter import loop
from devin_jupyter.api.library import Playbooks
from devin_jupyter.api.transport import Transport
from devin_jupyter.batches.batch import Batch, request_of, start
from devin_jupyter.batches.plan import key_of, name_of, plan_batch
from devin_jupyter.client.aio import policy_of, read_options
from devin_jupyter.config import resolve_settings
from devin_jupyter.history.dataset import read_dataset as read_dataset
from devin_jupyter.idempotency.create import Api, Creator
from devin_jupyter.idempotency.messages import Messenger
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.models.snapshot import CellRef, Where
from devin_jupyter.options import from_keywords
from devin_jupyter.request import build, fill

SOON = Timing(settle_at=(0.0, 0.02, 0.05))


def decoded(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options from JSON as a person writes them: files are pairs of a name and a text there."""
    keywords = dict(options)
    if "attach" in keywords:
        keywords["attach"] = [(name, text.encode()) for name, text in keywords["attach"]]
    return keywords


def identity(prompt: str, options: Mapping[str, Any], place: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Return the tag by each fingerprint of a request, and the hash of what it says besides its words."""
    request = build(*fill(prompt, from_keywords(**decoded(options))))
    return {one.text: one.tag for one in request.fingerprints(Where(**place))}, request.options_hash()


def batch_key(prompt: str, rows: Any, options: Mapping[str, Any], place: Mapping[str, Any], cell: Any) -> list[str]:
    """Return what a batch is called, and what the journal calls it."""
    plan = plan_batch(request_of(prompt, rows, options), Where(**place))
    name = name_of(plan)
    return [name, key_of(plan, name, CellRef(**cell) if cell else None)]


def client(api_key: str, org_id: str | None, base_url: str, handler: Callable[..., Any]) -> dj.Devin:
    """Return a client on the journal in `DEVIN_JUPYTER_HOME` whose requests go to a function instead of the network."""
    place = resolve_settings(api_key, org_id, base_url)

    async def no_pause(seconds: float) -> None:
        pass

    transport = Transport(place, wire=httpx.MockTransport(handler), sleep=no_pause)
    devin = dj.Devin(settings=place, transport=transport)
    core = devin.core
    api = Api(core.sessions, core.attachments, core.account, Playbooks(core.service))
    core.creator = Creator(api, core.journal, core.store, core.where, timing=SOON)
    core.messenger = Messenger(core.messages, core.creator)
    return devin


def create_in_cell(devin: dj.Devin, prompt: str, cell: Mapping[str, Any], **options: Any) -> dj.Session:
    """Do what a `%%devin` cell does of which the front end tells the id, where somebody can click."""
    wanted = read_options(options)
    policy = replace(policy_of(wanted), guard=CellRef(**cell), interactive=True)
    return devin.start(build(*fill(prompt, wanted)), policy)


def map_in_cell(devin: dj.Devin, prompt: str, rows: Any, cell: Mapping[str, Any], **options: Any) -> dj.Batch:
    """Do what a `%%devin --each` cell does of which the front end tells the id."""
    asked = replace(request_of(prompt, rows, options), cell=CellRef(**cell))
    return Batch(loop.run(start(devin.core, asked)))


def is_held(devin: dj.Devin, name: str) -> bool:
    """Tell whether the journal says that no kernel starts rows of the batch of this name."""
    where = loop.run(devin.core.where())
    place = _short(f"Where(base_url={where.base_url!r}, org_id={where.org_id!r}, api_version={where.api_version!r})")
    try:
        devin.journal.flags.refuse_if_held(f"{place}/{name}")
    except dj.Halted:
        return True
    return False


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
