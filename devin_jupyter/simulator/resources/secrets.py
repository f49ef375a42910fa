"""Stored secrets of v3. Only what may be answered is kept: the values are forgotten on arrival."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from devin_jupyter.models.resources import SecretWrite
from devin_jupyter.models.v3 import PageQuery
from devin_jupyter.simulator.engine import SERVICE_USER
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import Problem, invalid, json_response
from devin_jupyter.simulator.resources.records import ORG, found, fresh_id, seconds
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
SECRETS = ORG + "/secrets"
_KEY_MAX, _VALUE_MAX = 256, 65536


def problem_of(key: str, value: str) -> tuple[str, str] | None:
    """Return the field that is too short or too long, and why; None for a secret that can be kept."""
    if not 1 <= len(key) <= _KEY_MAX:
        return "key", f"A key has 1 to {_KEY_MAX} characters"
    if len(value) > _VALUE_MAX:
        return "value", f"A secret has at most {_VALUE_MAX} characters"
    return None


def add_secret(store: Store, body: SecretWrite, by: str) -> Record:
    """Keep a new secret without its value; raises the 409 for a key that is taken: keys name environment variables."""
    if any(secret["key"] == body.key for secret in store.table("secrets").values()):
        raise Problem(409, "Secret name is not unique")
    identifier = fresh_id(store, "secret")
    record: dict[str, Any] = {
        "secret_id": identifier,
        "key": body.key,
        "note": body.note,
        "secret_type": body.type,
        "access_type": "org",
        "is_sensitive": body.is_sensitive,
        "created_at": seconds(store),
        "created_by": by,
        "updated_at": None,
        "updated_by": None,
    }
    store.table("secrets")[identifier] = record
    return record


def remove_secret(store: Store, secret_id: str) -> Record:
    """Forget a secret."""
    record = found(store, "secrets", secret_id, "Secret")
    del store.table("secrets")[secret_id]
    return record


@router.get(SECRETS)
async def read_secrets(store: StoreDep, query: Annotated[PageQuery, Query()]) -> Response:
    """Answer a page of secrets, oldest first, without values."""
    rows = list(store.table("secrets").values())
    return page_of("secrets", rows, query, lambda row: row["secret_id"], dict)


@router.post(SECRETS)
async def create_secret(store: StoreDep, body: Annotated[SecretWrite, Body()]) -> Response:
    """Keep a secret."""
    problem = problem_of(body.key, body.value)
    if problem is not None:
        raise invalid(("body", problem[0]), problem[1])
    return json_response(add_secret(store, body, SERVICE_USER))


@router.delete(SECRETS + "/{secret_id}")
async def delete_secret(store: StoreDep, secret_id: str) -> Response:
    """Forget a secret and answer what it was."""
    return json_response(remove_secret(store, secret_id))
