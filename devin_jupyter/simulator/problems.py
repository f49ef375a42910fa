"""Errors as the service words them: `{"detail": …}`, FastAPI's list of field errors, or RFC 9457 by a switch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response


class Problem(Exception):
    """Raised by a route to answer with an error; `detail` is a text or a list of field errors."""

    def __init__(self, status: int, detail: str | list[dict[str, Any]]) -> None:
        """Keep status and detail."""
        super().__init__(detail)
        self.status, self.detail = status, detail


def not_found(what: str) -> Problem:
    """Return the 404 for an unknown id."""
    return Problem(404, f"{what} not found")


def invalid(loc: Sequence[str | int], message: str, kind: str = "value_error") -> Problem:
    """Return the 422 for one field, such as `invalid(("body", "macro"), "…")`."""
    return Problem(422, [{"loc": list(loc), "msg": message, "type": kind}])


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return pydantic's errors with the three documented keys; inputs are left out, they may be secrets."""
    return [{"loc": list(error["loc"]), "msg": error["msg"], "type": error["type"]} for error in errors]


def json_bytes(value: Any) -> bytes:
    """Serialise compactly; everything beyond ASCII is escaped, so that any string survives."""
    return json.dumps(value, separators=(",", ":")).encode()


def json_response(value: Any, status: int = 200) -> Response:
    """Answer with a JSON value."""
    return Response(json_bytes(value), status, media_type="application/json")


def problem_response(
    status: int, detail: str | list[dict[str, Any]], path: str, *, rfc9457: bool, error_code: str | None = None
) -> Response:
    """Answer with an error in the chosen shape; `error_code` is the machine-readable reason of some refusals."""
    code = {"error_code": error_code} if error_code else {}
    if not rfc9457:
        return json_response({"detail": detail, **code}, status)
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if isinstance(detail, str):
        body |= {"detail": detail}
    else:
        body |= {"detail": "The request has invalid fields.", "errors": detail}
    body |= {"instance": path, **code}
    return Response(json_bytes(body), status, media_type="application/problem+json")
