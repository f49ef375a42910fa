"""Made-up values that follow from their causes alone, so that a run can be repeated: ids, choices, words, categories.

No clock and no random source: the same parts give the same value on every machine and Python version. All names,
numbers and CVE ids (of the year 2099) are made up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


def digest(*parts: object) -> str:
    """Return 64 hex digits that stand for the parts."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def opaque(prefix: str, *parts: object, length: int = 32) -> str:
    """Return an id such as `playbook-1f…` for the parts; with an empty prefix the bare hex digits."""
    code = digest(prefix, *parts)[:length]
    return f"{prefix}-{code}" if prefix else code


class Dice:
    """Repeatable choices from a seed (SplitMix64)."""

    __slots__ = ("_state",)

    def __init__(self, *parts: object) -> None:
        """Seed with the digest of the parts."""
        self._state = int(digest(*parts)[:16], 16)

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Return an integer in `0 <= n < bound`."""
        return self._next() % bound

    def between(self, low: float, high: float) -> float:
        """Return a float in `low <= x < high`."""
        return low + (high - low) * ((self._next() >> 11) / (1 << 53))

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.between(0, 1) < probability

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return up to `count` different options, in a shuffled order."""
        rest = list(options)
        return [rest.pop(self.below(len(rest))) for _ in range(min(count, len(rest)))]


# --- what Devin may find, in the words that different fields ask for ---


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing Devin may find in a code base, worded for different fields."""

    title: str
    text: str
    fix: str
    file: str
    symbol: str
    package: str
    version: str
    kind: str

    @property
    def about(self) -> tuple[str, str]:
        """What is wrong, and what repairs it."""
        return self.text, self.fix


TOPICS = (
    Topic(
        "SQL injection in the search endpoint",
        "The search term is put into the query by string formatting, so a crafted term reads other tables.",
        "Pass the term as a bound parameter and add a regression test.",
        *["src/search/query.py", "build_query", "sqlalchemy", "2.0.36", "injection"],
    ),
    Topic(
        "Session cookie lacks the Secure flag",
        "The cookie is set without Secure and SameSite, so it also travels over plain HTTP.",
        "Set Secure, HttpOnly and SameSite=Lax in one place.",
        *["src/auth/session.py", "set_session_cookie", "itsdangerous", "2.2.0", "configuration"],
    ),
    Topic(
        "Outdated HTTP client with a known redirect flaw",
        "The pinned release forwards credentials to another host on redirects.",
        "Raise the pin and run the integration tests against the new release.",
        *["requirements.txt", "fetch_remote", "urllib3", "1.26.5", "dependency"],
    ),
    Topic(
        "Race between two workers on the same job",
        "Two workers can claim a job at once, because the check and the update are separate statements.",
        "Claim with one UPDATE … RETURNING and retry on conflict.",
        *["src/jobs/worker.py", "claim_next", "celery", "5.4.0", "concurrency"],
    ),
    Topic(
        "Path traversal in the download handler",
        "The file name is joined to the folder unchecked, so ../ leaves it.",
        "Resolve the path and refuse anything outside the folder.",
        *["src/files/download.py", "serve_file", "starlette", "0.40.0", "injection"],
    ),
    Topic(
        "Slow report page for large accounts",
        "Every row triggers a query of its own; 2,000 rows take nine seconds.",
        "Load the related rows with one join and cache the totals.",
        *["src/reports/views.py", "monthly_report", "django", "5.1.2", "performance"],
    ),
    Topic(
        "Missing tests for the refund path",
        "Refunds of partly shipped orders are not covered, and one branch is unreachable.",
        "Add table-driven tests for the five order states.",
        *["tests/test_refunds.py", "refund", "pytest", "8.3.3", "testing"],
    ),
    Topic(
        "Token written to the debug log",
        "On a failed login the whole header is logged, the token included.",
        "Redact the header before logging and rotate the tokens of the last month.",
        *["src/auth/login.py", "log_failure", "structlog", "24.4.0", "secrets"],
    ),
    Topic(
        "Time zones are dropped on import",
        "Local times are stored as if they were UTC, which moves events by up to 14 hours.",
        "Parse with the zone of the account and store UTC.",
        *["src/importer/calendar.py", "parse_event", "python-dateutil", "2.9.0", "correctness"],
    ),
    Topic(
        "Unbounded retry in the payment client",
        "A time-out is retried without a limit or an idempotency key, so a customer may be charged twice.",
        "Send an idempotency key and stop after three tries.",
        *["src/payments/client.py", "charge", "httpx", "0.27.2", "reliability"],
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
    "title": "title name headline issue finding problem subject label bug item topic",
    "text": "description detail details explanation reason rationale notes note message text comment analysis body"
    " evidence cause why finding_text",
    "fix": "recommendation fix remediation suggestion action solution mitigation step next advice plan steps todo",
    "file": "file path filename location module files",
    "symbol": "function method symbol class endpoint test",
    "package": "package dependency library component project service product",
    "version": "version release tag",
    "kind": "category type kind area tags keyword keywords",
}
_TOPIC_FIELD = {token: name for name, tokens in _FROM_TOPIC.items() for token in tokens.split()}
_MADE_UP: dict[str, Callable[[Dice], str]] = {
    **dict.fromkeys(("id", "key", "code", "number", "ref"), lambda dice: f"F-{1 + dice.below(400):03d}"),
    **dict.fromkeys(("sha", "commit", "hash"), lambda dice: f"{dice.below(1 << 40):010x}"),
    **dict.fromkeys(
        ("author", "owner", "user", "assignee", "person", "reviewer", "contact"), lambda dice: dice.pick(_PEOPLE)
    ),
    **dict.fromkeys(("url", "link", "href", "uri"), lambda dice: f"https://example.com/item/{1 + dice.below(400)}"),
    **dict.fromkeys(("date", "day", "deadline", "since"), lambda dice: date_for(dice)),
    "cve": lambda dice: f"CVE-2099-{1000 + dice.below(9000)}",
    "cwe": lambda dice: f"CWE-{dice.pick((22, 79, 89, 200, 352, 362, 532, 614))}",
    "email": lambda dice: f"{dice.pick(_PEOPLE).split()[0].lower()}@example.com",
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
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def tokens_of(name: str) -> list[str]:
    """Split a field name such as `fixedIn` or `file_path` into lower-case words."""
    return [token.lower() for token in _TOKEN.findall(name)]


def text_for(name: str, topic: Topic, dice: Dice, *, place: str, at_top: bool) -> str:
    """Return a string for a field of this name in an object about `topic`."""
    tokens = tokens_of(name)
    for token in reversed(tokens):
        if token in _BY_TOKEN:
            return dice.pick(_BY_TOKEN[token])
        if token == "fixed" or (token == "version" and {"latest", "new", "target", "to"} & set(tokens)):
            return f"{int(topic.version.split('.')[0]) + 1}.0.0"
        if token in _TOPIC_FIELD:
            return str(getattr(topic, _TOPIC_FIELD[token]))
        if token in ("repo", "repository", "repos"):
            return place
        if token in _MADE_UP:
            return _MADE_UP[token](dice)
    if at_top:
        return dice.pick(_STATEMENTS).format(place=place)
    return topic.text if {"summary", "conclusion", "overview"} & set(tokens) else topic.title


def date_for(dice: Dice) -> str:
    """Return an ISO date in 2026."""
    return f"2026-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}"


def range_for(name: str) -> tuple[float, float]:
    """Return the range in which a number of this name usually lies."""
    return next((_RANGES[token] for token in reversed(tokens_of(name)) if token in _RANGES), (1, 40))


# --- the use-case category of a session, guessed from its prompt as the service would after a while ---


SUBCATEGORIES: dict[str, tuple[str, ...]] = {
    "bug_fixing": ("Crash fix", "Regression", "Flaky behavior", "Other"),
    "ci_cd_and_devops": ("Pipeline speed", "Deployment", "Infrastructure as code", "Other"),
    "code_quality_and_security": ("Static analysis", "Lint and types", "Dependency audit", "Other"),
    "code_review": ("Pull request review", "Other"),
    "code_review_and_analysis": ("Architecture review", "Performance analysis", "Other"),
    "data_and_automation": ("Data pipeline", "Reporting", "Scraping", "Other"),
    "documentation_and_content": ("API reference", "Tutorial", "README", "Other"),
    "feature_development": ("Backend feature", "Frontend feature", "Integration", "Other"),
    "migrations_and_upgrades": ("Framework upgrade", "Language upgrade", "Schema migration", "Other"),
    "other": ("Other",),
    "refactoring_and_optimization": ("Dead code", "Modularisation", "Performance", "Other"),
    "research_and_exploration": ("Codebase question", "Feasibility", "Other"),
    "security": ("Vulnerability fix", "Secrets", "Access control", "Other"),
    "unit_test_generation": ("Coverage", "Regression tests", "Other"),
}
"""Display names by category."""

_WORDS = (
    ("security", r"vulnerab|cve\b|exploit|injection|xss|secret|auth\b"),
    ("code_quality_and_security", r"audit|lint|static analysis|type hints|mypy"),
    ("unit_test_generation", r"\btests?\b|coverage|pytest|jest"),
    ("bug_fixing", r"\bfix|bug|crash|regression|broken|error"),
    ("migrations_and_upgrades", r"migrat|upgrade|port\b|bump"),
    ("documentation_and_content", r"document|readme|docs?\b|tutorial|changelog"),
    ("refactoring_and_optimization", r"refactor|optimi[sz]e|clean ?up|speed|dead code"),
    ("ci_cd_and_devops", r"\bci\b|pipeline|deploy|docker|kubernetes|terraform"),
    ("code_review", r"review"),
    ("data_and_automation", r"\bdata\b|csv|scrape|report|dashboard|etl"),
    ("research_and_exploration", r"explain|find out|which|why|how |count|list|explore|research"),
    ("feature_development", r"add|implement|build|create|support|endpoint"),
)
_COMPILED = [(category, re.compile(pattern, re.IGNORECASE)) for category, pattern in _WORDS]


def category_of(prompt: str, seed: str) -> tuple[str, str]:
    """Return category and subcategory for a prompt."""
    category = next((name for name, pattern in _COMPILED if pattern.search(prompt)), "other")
    return category, Dice(seed, "subcategory").pick(SUBCATEGORIES[category])
