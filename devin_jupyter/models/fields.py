"""The fields of a session, in one table: what they are called on the wire, how they are read, and their frame column.

`FIELDS` drives the snapshot and the sessions frame for both API versions: a new field of the responses is one row here
(and an attribute of `Snapshot`, if handles are to have it too; without one it stays in `extra` there).

Reading is so tolerant that no response can raise: any value the service sends ends as one of the right type or as
None; fields without a row go to `extra`, unknown words stay as they came. Session ids arrive bare, prefixed or inside
an app URL; everything of ours uses the prefixed form.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from devin_jupyter.errors import OptionError
from devin_jupyter.models import enums
from devin_jupyter.models.enums import Phase

_HEX = re.compile(r"(?i:devin-)?([0-9a-fA-F]{32})")
_OPAQUE = re.compile(r"(?:devin-)?([A-Za-z0-9][A-Za-z0-9_-]*)")


def session_id(text: Any) -> str:
    """Return `devin-…` for a bare id, a prefixed id or the URL of a session in the web app.

    Raises:
        OptionError: when the text holds no id.
    """
    candidate = text.strip() if isinstance(text, str) else ""
    if "://" in candidate or candidate.startswith("app.devin.ai"):
        *_, place, candidate = ["", "", *filter(None, urlsplit(candidate).path.split("/"))]
        candidate = candidate if place == "sessions" or _HEX.fullmatch(candidate) else ""
    match = _HEX.fullmatch(candidate)
    if match:
        return "devin-" + match[1].lower()
    match = _OPAQUE.fullmatch(candidate)
    if not match:
        raise OptionError(
            f"{text!r} is not a session id", hint="give devin-<32 hex>, the bare id, or the session's URL"
        )
    return "devin-" + match[1]


def is_session_id(text: str) -> bool:
    """Return whether the text is certainly a session id: 32 hex digits, bare or prefixed, or a URL ending in them."""
    return _HEX.fullmatch(text.strip().rstrip("/").rsplit("/", 1)[-1]) is not None


def bare_id(prefixed: str) -> str:
    """Return the id as web URLs and v3 answers spell it: without `devin-`."""
    return prefixed.removeprefix("devin-")


FINGERPRINT_TAG = "nb-"
WEB_APP = "https://app.devin.ai/sessions/"
NO_ID = "devin-unknown"
_BARE_ID = re.compile("[0-9a-f]{32}")
_LONGEST_WORD = 80
UNIX_SECONDS = 100_000_000_000
"""Larger numbers are no seconds but a smaller unit: as milliseconds this one is in 1973, as seconds in 5138."""
_DIGITS = re.compile(r"-?\d{9,19}(\.\d{1,9})?")

Kind = Literal["text", "word", "choice", "time", "day", "integer", "number", "boolean", "object"]
"""Of a frame column; `devin_jupyter.frames.columns` has a dtype for each."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of a session."""

    url: str
    state: str | None = None
    """`open`, `merged`, `closed` or whatever the service says; None where it does not (v1)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation."""

    event_id: str
    source: str
    """`"devin"` or `"user"`."""
    text: str
    created_at: datetime | None
    """UTC."""


def read_message(raw: Mapping[str, Any]) -> Message:
    """Read a message object of either version; v1 spells its source as a `type`."""
    kind = word(raw.get("source")) or word(raw.get("type")) or ""
    created = parse_time(raw.get("created_at", raw.get("timestamp")))
    text = word(raw.get("message"), longest=None) or ""
    identifier = word(raw.get("event_id"), longest=None) or f"{kind}:{created}:{text[:40]}"
    said = kind.lower()
    source = "devin" if said.startswith("devin") else "user" if "user" in said else kind
    return Message(identifier, source, _with_links(text) if source == "devin" else text, created)


def _with_links(text: str) -> str:
    """Return what Devin wrote with its marks of attached files as Markdown links: `ATTACHMENT:{json}` and `:"url"`."""
    if _MARK not in text:
        return text
    parts, at = [], 0
    for match in _MARKED.finditer(text):
        if match.start() < at:
            continue  # inside of the mark before
        try:
            value, length = _JSON.raw_decode(text[match.end() :])
        except (ValueError, RecursionError):
            continue
        about = value if isinstance(value, dict) else {"url": value}
        url = next((about[key] for key in ("url", "attachment_url") if isinstance(about.get(key), str)), "")
        if not re.fullmatch(r"https?://[^\s<>]+", url):
            continue
        names = (about.get(key) for key in ("name", "filename", "file_name"))
        last = unquote(re.split("[?#]", url)[0].rsplit("/", 1)[-1])
        name = next((one for one in names if isinstance(one, str) and one.strip()), last) or "attachment"
        label = re.sub(r"[^\w .+-]+", "_", name)[:_LONGEST_WORD]
        parts += [text[at : match.start()], f"[{label}](<{url}>)"]
        at = match.end() + length
    return "".join([*parts, text[at:]])


_MARK = "ATTACHMENT:"
_MARKED = re.compile(rf'{_MARK}(?=[{{"])')
_JSON = json.JSONDecoder()


def word(value: Any, *, longest: int | None = _LONGEST_WORD) -> str | None:
    """Return a value as the text it should have been; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return str(value)[:longest]


def spelled(value: Any, known: Collection[str]) -> Any:
    """Return a word as the API spells it where only case or blanks around it differ; anything else as it came."""
    if not isinstance(value, str) or value in known:
        return value
    plain = value.strip().lower()
    return plain if plain in known else value


def is_ours(tag: str) -> bool:
    """Return whether a tag is one by which this package finds its sessions again, in whatever case it is shown."""
    return tag.startswith(FINGERPRINT_TAG) or _IN_OTHER_CASE.fullmatch(tag) is not None


_IN_OTHER_CASE = re.compile(r"\s*nb-[0-9a-f]{16}\s*", re.IGNORECASE)


def same_tags(tags: Any) -> frozenset[str]:
    """Return tags as they are compared: some services change their case, or add blanks."""
    return frozenset(tag.strip().lower() for tag in strings(tags))


def visible_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags a person set: without the `nb-…` tag by which this package finds its sessions again."""
    return tuple(tag for tag in tags if not is_ours(tag))


def parse_time(value: Any) -> datetime | None:
    """Read a time as UTC; None where there is no readable time.

    Args:
        value: Unix seconds, milliseconds, micro- or nanoseconds (a number, or its digits as text), or ISO 8601.
    """
    if type(value) is int and 0 <= value < UNIX_SECONDS:  # as the API counts
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        for _ in range(3):
            value = value / 1000 if abs(value) >= UNIX_SECONDS else value  # it counts in a smaller unit
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def identifier(raw: Mapping[str, Any]) -> str:
    """Return the id of a raw session, prefixed; `NO_ID` where there is none."""
    value = raw.get("session_id")
    if type(value) is str and _BARE_ID.fullmatch(value):  # as v3 spells them, in every response
        return "devin-" + value
    return _own_id(value)


def id_of(raw: Mapping[str, Any]) -> str | None:
    """Return the prefixed id of a raw session, or None where it has none."""
    try:
        return session_id(str(raw.get("session_id") or ""))
    except OptionError:
        return None


def made_at(raw: Mapping[str, Any]) -> float | None:
    """Return when a raw session was made, in Unix seconds."""
    moment = parse_time(raw.get("created_at"))
    return moment.timestamp() if moment else None


def our_tags(raw: Mapping[str, Any]) -> list[str]:
    """Return the `nb-…` tags of a raw session in lower case: which requests of this package it belongs to."""
    tags = raw.get("tags")
    return (
        [tag.strip().lower() for tag in tags if isinstance(tag, str) and is_ours(tag)] if isinstance(tags, list) else []
    )


def identifiers(raws: Sequence[Any]) -> list[str]:
    """Return the ids of raw sessions or of rows, as `identifier` does for one."""
    if raws and not isinstance(raws[0], Mapping):
        values = [*map(attrgetter("session_id"), raws)]
    else:
        values = [raw.get("session_id") for raw in raws]
    try:
        joined = "\n".join(values)
    except TypeError:  # not all are texts
        joined = ""
    if _are_bare_ids(joined, len(values)):
        return ["devin-" + value for value in values]
    return [identifier({"session_id": value}) for value in values]


def _are_bare_ids(joined: str, count: int) -> bool:
    """Whether a text is that many ids as v3 spells them, a line each. A regular expression is three times slower."""
    breaks = "\n" * (count - 1)
    is_long_enough = len(joined) == 33 * count - 1 and joined[32::33] == breaks and joined.isascii()
    return is_long_enough and joined.encode("ascii").translate(None, b"0123456789abcdef") == breaks.encode("ascii")


def columns_of(raws: Sequence[Any], keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return some fields of many responses, or those of rows, field by field; None where one does not have it."""
    if raws and not isinstance(raws[0], Mapping):
        import msgspec

        columns = zip(*map(msgspec.structs.astuple, raws), strict=True)
        by_key = dict(zip(raws[0].__struct_fields__, columns, strict=True))
        return [by_key[key] for key in keys]
    try:
        rows = map(itemgetter(*keys), raws)
        return list(zip(*rows, strict=True))
    except KeyError:
        return [tuple(raw.get(key) for raw in raws) for key in keys]


def _own_id(value: Any) -> str:
    return related_id(value) or NO_ID


def related_id(value: Any) -> str | None:
    """Return a session id as everything of ours spells it, or None."""
    if not value:
        return None
    if type(value) is str and _BARE_ID.fullmatch(value):
        return "devin-" + value
    try:
        return session_id(str(value))
    except OptionError:
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15 or not math.isfinite(value):
        return None
    return float(value)


def strings(value: Any) -> tuple[str, ...]:
    """Return the texts of a list; nothing for what is no list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple)) else ()


def pull_requests(value: Any) -> tuple[PullRequest, ...]:
    """Return the pull requests of a raw session: the list of v3, or the only one of v1."""
    if not value:  # most sessions at work
        return ()
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, (list, tuple)):
        return ()
    found = (item for item in value if isinstance(item, Mapping))
    pairs = ((word(item.get("pr_url") or item.get("url"), longest=None), item.get("pr_state")) for item in found)
    return tuple(PullRequest(url, pull_request_state(state)) for url, state in pairs if url)


def pull_request_state(value: Any) -> str | None:
    """Return the state of a pull request as the API spells it; one that is unknown as it came."""
    return word(spelled(value, enums.PULL_REQUEST_STATES))


def _text(value: Any) -> str | None:
    return word(value, longest=None)


def _as_is(value: Any) -> Any:
    return value


def _is_true(value: Any) -> bool:
    return value is True


def _are_true(values: Sequence[Any]) -> Sequence[Any]:
    return values if set(map(type, values)) == {bool} else [value is True for value in values]


def _tags(value: Any) -> tuple[str, ...]:
    return visible_tags(strings(value))


def _tag_lists(values: Sequence[Any]) -> Sequence[list[str]]:
    if set(map(type, values)) == {list}:
        try:
            distinct = set(chain.from_iterable(values))
        except TypeError:  # unhashable
            distinct = {None}
        if all(type(tag) is str and not is_ours(tag) for tag in distinct):
            return values
    return [[*_tags(value)] for value in values]


def _ids(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(related_id, strings(value)))) if value else ()


def _id_lists(values: Sequence[Any]) -> list[list[str]]:
    return [[*_ids(value)] if value else [] for value in values]


def _related_ids(values: Sequence[Any]) -> list[str | None]:
    return [related_id(value) if value else None for value in values]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a session. Its name is that of the snapshot, the handle and the frame."""

    name: str
    column: Kind | None
    """Its kind in the sessions frame; None where it is no column."""
    v3: str | None = None
    """The key in a v3 response; None where that does not have it, or where it is computed."""
    v1: str | None = None
    read: Callable[[Any], Any] = word
    """From the value on the wire to that of the snapshot."""
    cells: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    """From the values of a page to those of the frame; None where making the column does all there is to do."""
    values: tuple[str, ...] = ()
    """Of a `word`: the categories that the column always has."""

    def key(self, api_version: str) -> str | None:
        """Return the key in a response of this API version."""
        return self.v1 if api_version == "v1" else self.v3


_V1_DETAIL = tuple(value for value in get_args(enums.StatusEnum) if value not in get_args(enums.StatusDetail))

FIELDS: tuple[Field, ...] = (
    Field("session_id", "text", "session_id", "session_id", _own_id),
    Field("url", "text", "url", "url", _as_is),
    Field("title", "text", "title", "title", _text),
    Field("phase", "word", values=tuple(phase.value for phase in Phase)),
    Field("needs_you", "boolean"),
    Field("status", "word", "status", "status", values=(*get_args(enums.Status), *enums.SEEN_STATUS)),
    Field("status_detail", "word", "status_detail", "status_enum",
          values=(*get_args(enums.StatusDetail), *enums.SEEN_STATUS_DETAIL, *_V1_DETAIL)),
    Field("acus", "number", "acus_consumed", None, _number),
    Field("created_at", "time", "created_at", "created_at", parse_time),
    Field("updated_at", "time", "updated_at", "updated_at", parse_time),
    Field("duration", "number"),
    Field("origin", "word", "origin", values=(*get_args(enums.Origin), *enums.SEEN_ORIGIN)),
    Field("category", "word", "category", values=(*get_args(enums.Category), *enums.SEEN_CATEGORY)),
    Field("subcategory", "text", "subcategory"),
    Field("mode", "word", "devin_mode", values=get_args(enums.DevinMode)),
    Field("tags", "object", "tags", "tags", _tags, _tag_lists),
    Field("repos", "object"),
    Field("pull_requests", None, "pull_requests", "pull_request", pull_requests),
    Field("n_prs", "integer"),
    Field("n_merged", "integer"),
    Field("n_messages", "integer"),
    Field("user_id", "text", "user_id", "requesting_user_email"),
    Field("service_user_id", "text", "service_user_id"),
    Field("user_name", "text"),
    Field("playbook_id", "text", "playbook_id", "playbook_id"),
    Field("parent_session_id", "text", "parent_session_id", None, related_id, _related_ids),
    Field("child_session_ids", "object", "child_session_ids", None, _ids, _id_lists),
    Field("is_archived", "boolean", "is_archived", None, _is_true, _are_true),
    Field("org_id", "text", "org_id"),
    Field("structured_output", "object", "structured_output", "structured_output", _as_is),
    Field("extra", "object"),
)  # fmt: skip
"""In the frame, `duration` are the seconds from the start to the last change, `n_messages` is null where the
conversation was not read, `repos` are those asked for, where known, else those of the pull
requests; `acus` is null where unknown.
"""
_KEYED = {version: [(field, key) for field in FIELDS if (key := field.key(version))] for version in ("v3", "v1")}
KEYS = {version: {field.name: key for field, key in fields} for version, fields in _KEYED.items()}
"""For each API version: name → key in a response."""
KNOWN_KEYS = {"v3": frozenset(KEYS["v3"].values()), "v1": frozenset((*KEYS["v1"].values(), "messages"))}
"""The keys of a response that have a row here; the rest is `extra`."""
UNTOUCHED = ("new", "claimed", "creating")
"""Statuses in which a session has not worked yet, so that zero ACUs are true; later, zero means not reported."""


def read_session(
    raw: Mapping[str, Any], api_version: str, *, org_id: str | None = None, repos: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return what a raw session says: a `SessionResponse` of v3, a `SessionSummary` or `SessionDetails` of v1.

    Args:
        raw: the response.
        api_version: of the response.
        org_id: where the response does not say it.
        repos: those the session was asked to work on, which no response says.
    """
    found: dict[str, Any] = {
        field.name: field.read(spelled(raw.get(key), field.values) if field.values else raw.get(key))
        for field, key in _KEYED[api_version]
    }
    url = found["url"]
    found["url"] = url if isinstance(url, str) and url else WEB_APP + bare_id(found["session_id"])
    found["org_id"] = found.get("org_id") or org_id
    found["repos"] = repos
    status = found["status"]
    has_worked = status not in UNTOUCHED and (status is None or found["created_at"] != found["updated_at"])
    if has_worked and not found.get("acus"):
        found["acus"] = None
    known = KNOWN_KEYS[api_version]
    found["extra"] = {} if raw.keys() <= known else {key: value for key, value in raw.items() if key not in known}
    return found


def parse_json(text: str | bytes) -> Any:
    """Read JSON with the fastest parser that takes it; raises ValueError where none does."""
    for parse in json_parsers():
        try:
            return parse(text)
        except (ValueError, RecursionError):  # also half a character, or a number that is none, which only some read
            continue
    raise ValueError("no parser reads this as JSON")


@cache
def json_parsers() -> list[Callable[[str | bytes], Any]]:
    """The parsers of JSON that are there, fastest first."""
    from pydantic_core import from_json

    try:
        import msgspec
    except ImportError:  # pyodide may lack it
        return [from_json, json.loads]
    return [msgspec.json.Decoder().decode, from_json, json.loads]


# --- rows -----------------------------------------------------------------------------------------------------

_ROW_TYPES: Mapping[Kind, Any] = {
    "text": str | None,
    "word": str | None,
    "time": int | None,
    "number": int | float | None,
    "boolean": bool | None,
}


@lru_cache(maxsize=8)
def row_parser(*new: str) -> Callable[[bytes], Any] | None:
    """Return what parses a page of v3 to `items` as rows, `end_cursor`, `has_next_page` and `total`.

    A row has the fields of a response as attributes, and takes half the time of a dict. What is not exactly as this
    table says is refused with a ValueError: then the page has to be parsed to dicts. None where msgspec is missing.

    Args:
        new: fields that this table does not have. A row holds them as `new_0`, …, and their names in `NEW`.
    """
    try:
        import msgspec
    except ImportError:  # pyodide may lack it
        return None
    request = msgspec.defstruct("PullRequest", [("pr_url", str), ("pr_state", str)], gc=False)
    objects = {
        "pull_requests": list[request] | None,  # type: ignore[valid-type]  # made at run time
        "tags": list[str] | None,
        "child_session_ids": list[str] | None,
    }
    types = [("session_id", str)] + [
        (key, Any if field.column == "object" else _ROW_TYPES[field.column or "object"], None)
        if field.name not in objects
        else (key, objects[field.name], None)
        for field, key in _KEYED["v3"]
        if key != "session_id"
    ]
    names = {f"new_{number}": name for number, name in enumerate(new)}
    row = msgspec.defstruct(
        "Session",
        [*types, *((name, Any, None) for name in names)],
        namespace={"NEW": names},
        rename=names,
        gc=False,
        forbid_unknown_fields=True,
    )
    page = msgspec.defstruct(
        "Page",
        [
            ("items", list[row]),  # type: ignore[valid-type]  # made at run time
            ("end_cursor", Any, None),
            ("has_next_page", Any, None),
            ("total", Any, None),
        ],
        gc=False,
    )
    return msgspec.json.Decoder(page).decode


def as_raw(row: Any) -> Mapping[str, Any]:
    """Return a row as the response that it was parsed from; a response as it is."""
    if isinstance(row, Mapping):
        return row
    import msgspec

    raw: dict[str, Any] = msgspec.to_builtins(row)
    return raw
