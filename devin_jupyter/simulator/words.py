"""Believable values for the fields of an output, by the name of the field; the fields of one object fit together.

All names, numbers and CVE ids (of the year 2099) are made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from devin_jupyter.simulator.ids import Dice

_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing Devin may find in a code base, told in the words that different fields ask for."""

    title: str
    text: str
    fix: str
    file: str
    symbol: str
    package: str
    version: str
    kind: str


TOPICS = (
    Topic(
        "SQL injection in the search endpoint",
        "The search term is put into the query by string formatting, so a crafted term reads other tables.",
        "Pass the term as a bound parameter and add a regression test.",
        "src/search/query.py",
        "build_query",
        "sqlalchemy",
        "2.0.36",
        "injection",
    ),
    Topic(
        "Session cookie lacks the Secure flag",
        "The cookie is set without Secure and SameSite, so it also travels over plain HTTP.",
        "Set Secure, HttpOnly and SameSite=Lax in one place.",
        "src/auth/session.py",
        "set_session_cookie",
        "itsdangerous",
        "2.2.0",
        "configuration",
    ),
    Topic(
        "Outdated HTTP client with a known redirect flaw",
        "The pinned release forwards credentials to another host on redirects.",
        "Raise the pin and run the integration tests against the new release.",
        "requirements.txt",
        "fetch_remote",
        "urllib3",
        "1.26.5",
        "dependency",
    ),
    Topic(
        "Race between two workers on the same job",
        "Two workers can claim a job at once, because the check and the update are separate statements.",
        "Claim with one UPDATE … RETURNING and retry on conflict.",
        "src/jobs/worker.py",
        "claim_next",
        "celery",
        "5.4.0",
        "concurrency",
    ),
    Topic(
        "Path traversal in the download handler",
        "The file name is joined to the folder unchecked, so ../ leaves it.",
        "Resolve the path and refuse anything outside the folder.",
        "src/files/download.py",
        "serve_file",
        "starlette",
        "0.40.0",
        "injection",
    ),
    Topic(
        "Slow report page for large accounts",
        "Every row triggers a query of its own; 2,000 rows take nine seconds.",
        "Load the related rows with one join and cache the totals.",
        "src/reports/views.py",
        "monthly_report",
        "django",
        "5.1.2",
        "performance",
    ),
    Topic(
        "Missing tests for the refund path",
        "Refunds of partly shipped orders are not covered, and one branch is unreachable.",
        "Add table-driven tests for the five order states.",
        "tests/test_refunds.py",
        "refund",
        "pytest",
        "8.3.3",
        "testing",
    ),
    Topic(
        "Token written to the debug log",
        "On a failed login the whole header is logged, the token included.",
        "Redact the header before logging and rotate the tokens of the last month.",
        "src/auth/login.py",
        "log_failure",
        "structlog",
        "24.4.0",
        "secrets",
    ),
    Topic(
        "Time zones are dropped on import",
        "Local times are stored as if they were UTC, which moves events by up to 14 hours.",
        "Parse with the zone of the account and store UTC.",
        "src/importer/calendar.py",
        "parse_event",
        "python-dateutil",
        "2.9.0",
        "correctness",
    ),
    Topic(
        "Unbounded retry in the payment client",
        "A time-out is retried without a limit or an idempotency key, so a customer may be charged twice.",
        "Send an idempotency key and stop after three tries.",
        "src/payments/client.py",
        "charge",
        "httpx",
        "0.27.2",
        "reliability",
    ),
)
_PEOPLE = ("Ana Ruiz", "Jonas Weber", "Mei Tanaka", "Priya Nair", "Samuel Okafor", "Lena Novak")
_STATEMENTS = (
    "Went through {place}; the other fields hold the details.",
    "Checked {place} file by file and confirmed each point with a test.",
    "Read {place} from the entry points down and noted what matters.",
)
_BY_TOKEN: dict[str, tuple[str, ...]] = {
    "severity": ("low", "medium", "high", "critical"),
    "priority": ("low", "medium", "high"),
    "risk": ("low", "medium", "high"),
    "impact": ("low", "medium", "high"),
    "status": ("open", "fixed", "accepted"),
    "state": ("open", "fixed", "accepted"),
    "language": ("Python", "TypeScript", "Go", "Rust"),
    "framework": ("FastAPI", "Django", "React", "gRPC"),
    "license": ("Apache-2.0", "MIT", "BSD-3-Clause"),
    "branch": ("main", "devin/fix", "release"),
    "environment": ("production", "staging"),
    "team": ("payments", "platform", "growth", "search"),
    "currency": ("EUR", "USD", "JPY"),
    "country": ("Germany", "Japan", "Brazil"),
    "city": ("Berlin", "Osaka", "Recife"),
    "color": ("#2a6f97", "#c1121f", "#588157"),
    "verdict": ("confirmed", "likely", "ruled out"),
    "answer": ("yes", "no", "in part"),
    "effort": ("small", "medium", "large"),
    "grade": ("A", "B", "C"),
}
_FROM_TOPIC = {
    "title": ("title", "name", "headline", "issue", "finding", "problem", "subject", "label", "bug", "item", "topic"),
    "text": (
        "description",
        "detail",
        "details",
        "explanation",
        "reason",
        "rationale",
        "notes",
        "note",
        "message",
        "text",
        "comment",
        "analysis",
        "body",
        "evidence",
        "cause",
        "why",
        "finding_text",
    ),
    "fix": (
        "recommendation",
        "fix",
        "remediation",
        "suggestion",
        "action",
        "solution",
        "mitigation",
        "step",
        "next",
        "advice",
        "plan",
        "steps",
        "todo",
    ),
    "file": ("file", "path", "filename", "location", "module", "files"),
    "symbol": ("function", "method", "symbol", "class", "endpoint", "test"),
    "package": ("package", "dependency", "library", "component", "project", "service", "product"),
    "version": ("version", "release", "tag"),
    "kind": ("category", "type", "kind", "area", "tags", "keyword", "keywords"),
}
_TOPIC_FIELD = {token: name for name, tokens in _FROM_TOPIC.items() for token in tokens}


def tokens_of(name: str) -> list[str]:
    """Split a field name such as `fixedIn` or `file_path` into lower-case words."""
    return [token.lower() for token in _TOKEN.findall(name)]


def text_for(name: str, topic: Topic, dice: Dice, *, place: str, at_top: bool) -> str:
    """Return a string for a field of this name in an object about `topic`."""
    tokens = tokens_of(name)
    for token in reversed(tokens):
        found = _special(token, tokens, topic, dice, place)
        if found is not None:
            return found
    if at_top or {"summary", "conclusion", "overview"} & set(tokens):
        return dice.pick(_STATEMENTS).format(place=place) if at_top else topic.text
    return topic.title


def _special(token: str, tokens: list[str], topic: Topic, dice: Dice, place: str) -> str | None:
    if token in _BY_TOKEN:
        return dice.pick(_BY_TOKEN[token])
    if token == "fixed" or (token == "version" and _LATER & set(tokens)):
        return f"{int(topic.version.split('.')[0]) + 1}.0.0"
    if token in _TOPIC_FIELD:
        return str(getattr(topic, _TOPIC_FIELD[token]))
    if token in _PLACE:
        return place
    maker = _MADE_UP.get(token)
    return maker(dice) if maker else None


def date_for(dice: Dice) -> str:
    """Return an ISO date in 2026."""
    return f"2026-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}"


def _code(dice: Dice) -> str:
    return f"F-{1 + dice.below(400):03d}"


def _hash(dice: Dice) -> str:
    return f"{dice.below(1 << 40):010x}"


def _person(dice: Dice) -> str:
    return dice.pick(_PEOPLE)


def _link(dice: Dice) -> str:
    return f"https://example.com/item/{1 + dice.below(400)}"


_LATER = {"latest", "new", "target", "to"}
_PLACE = {"repo", "repository", "repos"}
_MADE_UP: dict[str, Callable[[Dice], str]] = {
    **dict.fromkeys(("id", "key", "code", "number", "ref"), _code),
    **dict.fromkeys(("sha", "commit", "hash"), _hash),
    **dict.fromkeys(("author", "owner", "user", "assignee", "person", "reviewer", "contact"), _person),
    **dict.fromkeys(("url", "link", "href", "uri"), _link),
    **dict.fromkeys(("date", "day", "deadline", "since"), date_for),
    "cve": lambda dice: f"CVE-2099-{1000 + dice.below(9000)}",
    "cwe": lambda dice: f"CWE-{dice.pick((22, 79, 89, 200, 352, 362, 532, 614))}",
    "email": lambda dice: f"{_person(dice).split()[0].lower()}@example.com",
}


_RANGES: dict[str, tuple[float, float]] = {
    "line": (12, 480),
    "lines": (12, 480),
    "count": (1, 24),
    "total": (3, 60),
    "score": (0, 10),
    "cvss": (3, 9.8),
    "rating": (1, 5),
    "confidence": (0.55, 0.98),
    "probability": (0.05, 0.95),
    "ratio": (0.05, 0.95),
    "percent": (5, 95),
    "percentage": (5, 95),
    "coverage": (40, 97),
    "year": (2019, 2026),
    "port": (1024, 9000),
    "age": (1, 60),
    "price": (3, 900),
    "cost": (3, 900),
    "hours": (1, 16),
    "days": (1, 20),
    "seconds": (1, 240),
    "ms": (5, 900),
    "bytes": (200, 90000),
}


def range_for(name: str) -> tuple[float, float]:
    """Return the range in which a number of this name usually lies."""
    return next((_RANGES[token] for token in reversed(tokens_of(name)) if token in _RANGES), (1, 40))
