"""Text in and out: suggestions, durations, costs and times in words, cleaning, files written atomically."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devin_jupyter.redaction import redact

LINE_LIMIT = 160
TEXT_LIMIT = 20_000
DASHES = ("-", "–", "—")
"""Word processors and chat programs turn `--` into the other two."""

_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(s|sec|secs|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|)(?:\s+ago)?"
)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls but tab, newline, return
    "\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi and hidden marks
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates, and tags that smuggle text
)


_MEANT = {
    **dict.fromkeys(("finished", "complete", "completed", "succeeded", "success"), "done"),
    **dict.fromkeys(("replied", "needs_you", "asks_you", "waiting_for_user"), "your_turn"),
    **dict.fromkeys(("running", "in_progress", "active"), "working"),
    **dict.fromkeys(("error", "errored"), "failed"),
    **dict.fromkeys(("suspended", "sleeping", "idle"), "asleep"),
    **dict.fromkeys(("terminated", "cancelled", "canceled", "ended"), "stopped"),
}
"""Phases by other names, such as those that cards and the API have for them."""


def nearest(word: str, known: Iterable[str], *, n: int = 1) -> str:
    """Return ` (did you mean …?)` with the known words spelled most like `word`, or nothing."""
    found = closest(word, known, n=n)
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def closest(word: str, known: Iterable[str], *, n: int = 1) -> list[str]:
    """Return up to `n` known words that are spelled like `word`, ignoring case and leading dashes."""
    from difflib import get_close_matches

    spelled = {name.lower().lstrip("-"): name for name in known}
    meant = _MEANT.get(word.lower().replace(" ", "_"))
    if meant in spelled:
        return [spelled[meant]]
    return [spelled[found] for found in get_close_matches(word.lower().lstrip("".join(DASHES)), list(spelled), n=n)]


LEFT_TO_THE_SERVICE = ": sent as it is, the service decides"
"""The end of the line for an unknown value; without it, once the service has refused."""


def unknown_value(name: str, value: str, known: Iterable[str]) -> str:
    """Return the line for a value of an enum of the API that this version of the package does not know."""
    known = list(known)
    also = nearest(value, known) or f" (known: {', '.join(known)})"
    return f"unknown {name} {value[:80]!r}{also}{LEFT_TO_THE_SERVICE}"


def kind_of(value: object) -> str:
    """Return the type of a value in words: `an int`, `a list`."""
    kind = type(value).__name__
    return f"an {kind}" if kind[0].lower() in "aeiou" else f"a {kind}"


def parse_duration(value: Any) -> float:
    """Return seconds for a number, a timedelta, or a text: `90`, `30m`, `4h`, `6d`, `2w` or `30 minutes`.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool):
        raise ValueError("not a duration")
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip().lower())
        if not match:
            raise ValueError("not a duration")
        return float(match[1]) * _SECONDS[match[2][:1]]
    found = float(value.total_seconds() if hasattr(value, "total_seconds") else value)
    if not found >= 0:
        raise ValueError("not a duration")
    return found


def parse_ago(text: str, now: datetime) -> datetime | None:
    """Return the time that `7d`, `12 hours ago`, `today` or `yesterday` means; None for another text.

    Days begin at midnight UTC. A duration needs a unit.
    """
    word = text.strip().lower()
    if word in ("today", "yesterday", "now"):
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return {"today": midnight, "yesterday": midnight - timedelta(days=1), "now": now}[word]
    match = _DURATION.fullmatch(word)
    if not match or not match[2]:
        return None
    try:
        return now - timedelta(seconds=float(match[1]) * _SECONDS[match[2][:1]])
    except OverflowError:
        return None


def format_seconds(seconds: float) -> str:
    """Return a duration in the largest unit that gives a whole number: `2 h`, `90 min`, `45 s`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:g} {unit}"
    return f"{seconds:g} s"


def format_acus(acus: float | None) -> str:
    """Return a cost as `1.4 ACU`, or `ACU unknown` where the service does not report one."""
    return "ACU unknown" if acus is None else f"{format_amount(acus)} ACU"


def format_amount(amount: float) -> str:
    """Return a number with at most two decimals and no trailing zeros."""
    return f"{amount:.2f}".rstrip("0").rstrip(".")


def format_age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit: `40 s`, `12 min`, `3 h`, `5 days`."""
    for unit, size in (("s", 1), ("min", 60), ("h", 3600), ("day", 86400)):
        following = {"s": 60, "min": 3600, "h": 48 * 3600}.get(unit, float("inf"))
        if seconds < following:
            count = max(0, int(seconds // size))
            return f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}"
    raise AssertionError(seconds)


def format_utc(at: datetime | float | None) -> str:
    """Return a time, or Unix seconds, as `2026-11-21 18:04 UTC`; `an unknown time` for None."""
    if at is None:
        return "an unknown time"
    moment = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def safe_text(value: object, limit: int = TEXT_LIMIT) -> str:
    """Return the text redacted, without control, bidi and invisible characters, cut at `limit`."""
    text = redact(INVISIBLE.sub("", str(value)))  # a cut secret would escape the redactor
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}… ({len(str(value)) - limit:,} more characters)"


def safe_tree(value: Any) -> Any:
    """Return a copy of a JSON value with every string, keys included, passed through `safe_text`."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, dict):
        return {safe_text(key): safe_tree(item) for key, item in value.items()}
    return [safe_tree(item) for item in value] if isinstance(value, list) else value


def one_line(value: object, limit: int = LINE_LIMIT) -> str:
    """Return the text as one safe line, cut at `limit`."""
    line = " ".join(safe_text(value, limit * 4).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


@contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Yield an empty file beside `path` to write to, which replaces `path` at the end, or is removed on failure.

    A reader, or a crash, finds the old content or the new, never a part.

    Args:
        path: its folder must exist.
        mode: permissions of the new file, less the umask.
    """
    place = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    try:
        yield place
        with place.open("rb") as file:
            os.fsync(file.fileno())
        place.replace(path)
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write all of a file or nothing; see `replacing`."""
    with replacing(path, mode=mode) as place:
        place.write_bytes(content)
