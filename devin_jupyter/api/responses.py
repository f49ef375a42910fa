"""What an error answer means: for every kind an exception with the service's words and the next step.

Independent of the HTTP library: a status, headers and bytes come in. No secret ever gets out of here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from devin_jupyter import errors
from devin_jupyter.models.fields import spelled
from devin_jupyter.redaction import redact, redact_tree
from devin_jupyter.text import format_utc

_LONGEST_DETAIL, _LONGEST_CODE = 300, 80
_LONG_WAIT, _LONGEST_WAIT = 60.0, 10 * 365 * 86400.0
"""Seconds from which the end of a wait is shown instead of its length, and the longest wait that is believed."""
_TAGS = re.compile(r"<[^>]{0,200}>")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_BY_STATUS: Mapping[int, type[errors.ApiError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.NotFound,
    422: errors.Unprocessable,
    429: errors.RateLimited,
}
_SEND, _CREATE, _REVIEW = "messages.send", "sessions.create", "reviews.create"
_PAID = (_CREATE, _SEND, _REVIEW)
_CODES: Mapping[str, tuple[str, str]] = {
    "user_frozen": (
        "the account that this key acts for is frozen; it is not a missing permission",
        "ask an administrator of the organization, or Cognition's support, to unfreeze the account; or use another key",
    ),
    "migrated_session": (
        "the session was moved by the service and can no longer be reached or changed here",
        "open it in the web app; or start another one, at additional cost, with the next --take (take= in Python)",
    ),
    "storage_migration_freeze": (
        "the service holds changes back while its storage is migrated; it is not a missing permission",
        "try again later; reading may work in the meantime",
    ),
}
"""What the service's own codes of a 403 mean, and what to do."""
_NEXT_STEP = {
    400: "correct what the message names",
    401: "use another key (no restart needed): %devin connect --new-key, dj.connect(api_key=…) or a new DEVIN_API_KEY",
    404: "check the id, and that this key has access to it (%devin whoami)",
    410: "check the id, and that this key has access to it (%devin whoami)",
    409: "look at its current state first, such as with %devin sessions, then decide",
    422: "correct the fields named above",
    429: "wait and run it again",
}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The request of a response, as far as an error message may show it."""

    method: str
    path: str
    operation: str = ""
    """Our name of it, such as `sessions.create`."""
    permission: str | None = None
    """What the API reference says it needs."""
    api_version: str = "v3"
    level: str = "organization"
    """Where the permission must have been given: `organization` or `enterprise`."""


def error_from(request: RequestInfo, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
    """Return the exception for an error answer: the service's words, what they mean, what to do."""
    detail, fields = read_detail(body)
    code = _error_code(body)
    kind = _BY_STATUS.get(status, errors.ServerError if status >= 500 else errors.BadRequest)
    wait = retry_after(headers)
    return kind(
        f"{status} from {request.method} {request.path}: {detail or 'no explanation given'}"
        + (f" ({code})" if code and code not in detail else ""),
        _meaning(request, status, detail, wait, code),
        _next_step(request, status, code, detail),
        status_code=status,
        detail=detail,
        method=request.method,
        path=request.path,
        errors=fields,
        retry_after=wait,
        error_code=code,
    )


def _error_code(body: bytes) -> str | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    code = content.get("error_code") if isinstance(content, dict) else None
    code = spelled(code, _CODES)
    return redact(code)[:_LONGEST_CODE] if isinstance(code, str) and code.strip() else None


def unreadable(request: RequestInfo, status: int, body: bytes, why: str = "it is not JSON") -> errors.UnreadableAnswer:
    """Return the exception for a success whose body cannot be read."""
    return errors.UnreadableAnswer(
        f"the response {status} to {request.method} {request.path} cannot be read: {why}",
        _outcome_unknown(request),
        "check DEVIN_API_URL (a proxy or a login page may be responding), then run it again",
        status_code=status,
        detail=_plain(redact(body.decode("utf-8", "replace"))),
        method=request.method,
        path=request.path,
    )


def _outcome_unknown(request: RequestInfo) -> str:
    """What may have happened where the response does not say."""
    if request.method == "GET":
        return "nothing was changed"
    return "a paid request may have been applied" if request.operation in _PAID else "it may have been applied anyway"


def read_detail(body: bytes) -> tuple[str, list[dict[str, Any]]]:
    """Return the service's words and the list of field errors of any error body, HTML and empty ones included."""
    text = redact(body.decode("utf-8", "replace")).strip()  # before it is folded and cut
    try:
        content = redact_tree(json.loads(text))
    except (ValueError, RecursionError):
        return _plain(text), []
    if isinstance(content, str):
        return _plain(content), []
    if not isinstance(content, dict):
        return _plain(text), []
    detail, listed = content.get("detail"), content.get("errors")
    # `input` and `ctx` repeat what was sent, secrets included
    fields = [
        {key: value for key, value in item.items() if key not in ("input", "ctx")}
        for item in _list(detail) + _list(listed)
        if isinstance(item, dict)
    ]
    words = (
        detail if isinstance(detail, str) else content.get("title") or content.get("message") or content.get("error")
    )
    found = [str(words)] if isinstance(words, str) and words else []
    return _shortened("; ".join([*found, *(_field(item) for item in fields)]) or _plain(text)), fields


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the wait that the answer asks for, in seconds."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            return _seconds_until(value)
    return None


def _seconds_until(date: str) -> float | None:
    from datetime import UTC, datetime

    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _field(item: Mapping[str, Any]) -> str:
    loc, words = item.get("loc") or item.get("pointer") or item.get("field"), item.get("msg") or item.get("detail")
    where = ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list) else str(loc or "")
    return f"{where}: {words}" if where and words else str(words or where or item)


def _plain(text: str) -> str:
    """A page of HTML says little more than its title."""
    title = _TITLE.search(text)
    return _shortened(title[1] if title else _TAGS.sub(" ", text))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"


def _meaning(request: RequestInfo, status: int, detail: str, wait: float | None, code: str | None) -> str:
    """What the status means, and whether the request was applied."""
    if status >= 500:
        failed = "the service failed"
        is_tried_once = request.method in ("POST", "PATCH") or (wait or 0.0) > _LONG_WAIT
        failed += "" if is_tried_once else ", even after several retries"
        failed += "" if request.method == "GET" else "; the request may or may not have been applied"
        return f"{failed}{_asked(wait)}" if wait else failed
    if status == 409 and request.operation == _CREATE:
        return "the request conflicts with the current state; whether a session was started is unknown"
    return f"{_reason(request, status, detail, wait, code)}; {_not_applied(request)}"


def _reason(request: RequestInfo, status: int, detail: str, wait: float | None, code: str | None) -> str:
    if code is not None and code in _CODES:
        return _CODES[code][0]
    if status == 403 and code is not None:
        return f"the service gives the code {code}, which this version of the package does not know"
    if status == 401:
        return "the key is missing, mistyped, revoked or expired"
    if status == 403:
        return _why_forbidden(request, detail)
    if status == 404 and request.operation == _CREATE:
        return "the organization, or something the request refers to, does not exist, or this key has no access to it"
    if status in (404, 410):
        return "it does not exist, or this key has no access to it"
    if status == 409:
        what = "session's " if "/sessions/" in request.path else ""
        return f"the request conflicts with the {what}current state"
    if status == 429:
        return f"too many requests{_asked(wait)}"
    return "the service rejected this request"


def _asked(wait: float | None) -> str:
    if wait is None:
        return ""
    if wait <= _LONG_WAIT:
        return f"; the service asks for a pause of {wait:g} s"
    from datetime import UTC, datetime, timedelta

    until = datetime.now(UTC) + timedelta(seconds=min(wait, _LONGEST_WAIT))
    return f"; the service asks to wait until {format_utc(until)}"


def _not_applied(request: RequestInfo) -> str:
    """What did not happen because the request was refused."""
    return {
        _CREATE: "nothing was started and nothing was paid",
        _SEND: "the message was not delivered, and nothing was paid",
        _REVIEW: "no review was requested and nothing was paid",
    }.get(request.operation, "nothing was changed")


def _why_forbidden(request: RequestInfo, detail: str) -> str:
    family = "apk_… keys work on v1 only, cog_… keys on v3 only"
    if request.api_version == "v1":
        return f"the key has no access: {family}, and some operations are for the session's owner only"
    needed = ""
    if request.operation:
        role = f"the permission {request.permission}" if request.permission else "a permission"
        needed = f"{request.operation} needs {role} at {request.level} level"
    other = f"or the key is of the wrong family ({family})" if detail.lower() == "unauthorized" else ""
    return " ".join(part for part in (needed or "the key lacks a permission for this", other) if part)


def _next_step(request: RequestInfo, status: int, code: str | None, detail: str = "") -> str:
    if code is not None and code in _CODES:
        return _CODES[code][1]
    if status == 403 and code is not None:
        missing = f"; a missing permission would be {request.permission}" if request.permission else ""
        return f"look {code} up in the documentation of the Devin API, or ask Cognition's support{missing}"
    if status == 404 and request.operation == _CREATE:
        return (
            "check the ids of --playbook, --knowledge, --secret-ids and --links, "
            "and the organization (%devin whoami shows it)"
        )
    if status == 403:
        role = f"a role with {request.permission}" if request.permission else "the missing role"
        role += " at enterprise level" if request.level == "enterprise" else ""
        return f"give the key {role} in Settings → Devin API, or use another key (%devin whoami shows the current one)"
    if status == 409 and request.operation == _SEND:
        unarchive = "take an archived session out first: %devin unarchive (.unarchive() in Python)"
        another = "start another with the next --take on its cell (take= in Python) or a new cell"
        if "archive" in detail.lower():
            return unarchive
        return another if "ended" in detail.lower() else f"{unarchive}; for one that has ended, {another}"
    if status >= 500 and request.method == "GET":
        return "try again later"
    if status >= 500:
        where = "%devin sessions" if request.operation in (_CREATE, _SEND) else "whether it was applied"
        return f"check {where} before repeating it"
    return _NEXT_STEP.get(status, "change the request; %devin debug collects the details for a bug report")
