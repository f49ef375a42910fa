"""Finding sessions by tag, whatever the list does with filters, and telling ours from others'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from devin_jupyter.errors import Forbidden
from devin_jupyter.idempotency.create import Lookup, attached, id_of, next_take

TAG = "nb-0123456789abcdef"


def raw(letter: str, *tags: str, at: int = 1, **fields: Any) -> dict[str, Any]:
    return {"session_id": letter * 32, "tags": list(tags), "created_at": at, **fields}


class Listed:
    """A service with these pages, which ignores every filter; counts how many pages were read."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.all_pages, self.read, self.asked = pages, 0, list[dict[str, Any]]()

    async def pages(self, **filters: Any) -> AsyncIterator[list[dict[str, Any]]]:
        self.asked.append(filters)
        for page in self.all_pages:
            self.read += 1
            yield page

    async def tagged(self, tag: str) -> list[dict[str, Any]]:
        return [item async for page in self.pages(tags=[tag]) for item in page]


class Me:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def self(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def lookup(listed: Any, me: Any = None, version: str = "v3") -> Lookup:
    return Lookup(listed, Me(me or {}), version)


async def test_a_list_that_ignores_the_filter_is_filtered_here_over_all_pages() -> None:
    listed = Listed([raw("a", "other"), raw("b", TAG, at=9)], [raw("c"), {"tags": None}], [raw("d", "x", TAG, at=3)])
    found = await lookup(listed).find(TAG)
    assert [id_of(item) for item in found] == [f"devin-{'d' * 32}", f"devin-{'b' * 32}"]


async def test_a_long_list_is_not_read_through_for_many_tags() -> None:
    listed = Listed(*([raw("a", TAG)] for _ in range(500)))

    async def asked(**filters: Any) -> AsyncIterator[list[dict[str, Any]]]:
        listed.asked.append(filters)
        if "tags" in filters:
            yield []
            return
        for page in listed.all_pages:
            listed.read += 1
            yield page

    listed.pages = asked  # type: ignore[method-assign]
    tags = [f"nb-{number:016}" for number in range(100)]
    swept = await lookup(listed).sweep(tags)
    assert set(swept) == set(tags)
    assert listed.read <= 14
    assert sum("tags" in filters for filters in listed.asked) == 100


async def test_a_sweep_over_many_finds_all_by_reading_the_list() -> None:
    listed = Listed([raw(letter, f"nb-{letter}") for letter in "abcdef"])
    tags = [f"nb-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    swept = await lookup(listed).sweep(tags)
    assert {tag for tag, found in swept.items() if found} == {f"nb-{letter}" for letter in "abcdef"}
    assert all("tags" not in filters for filters in listed.asked)


@pytest.mark.parametrize(
    ("fields", "me", "as_user", "mine"),
    [
        ({"service_user_id": "s1"}, {"service_user_id": "s1"}, None, True),
        ({"service_user_id": "s2"}, {"service_user_id": "s1"}, None, False),
        ({"user_id": "u1"}, {"user_id": "u1"}, None, True),
        ({"user_id": "u2"}, {"user_id": "u1"}, None, False),
        ({"user_id": "u2"}, {"service_user_id": "s1"}, "u2", True),
        ({"user_id": "u2", "service_user_id": "s1"}, {"service_user_id": "s1"}, None, True),
        ({}, {"service_user_id": "s1"}, None, True),
        ({"user_id": "u2"}, {}, None, True),
        ({"user_id": "u2"}, Forbidden("403"), None, True),
    ],
)
async def test_whose_a_session_is(fields: dict[str, Any], me: Any, as_user: str | None, mine: bool) -> None:
    assert await lookup(Listed(), me).is_mine(raw("a", TAG, **fields), as_user) is mine


async def test_where_the_key_may_not_ask_who_it_is_the_owner_is_named() -> None:
    theirs, somebodys = raw("a", TAG, user_id="u2"), raw("b", TAG)
    blind = lookup(Listed(), Forbidden("403"))
    assert await blind.doubt(theirs, None) == "u2 started it, and this key may not ask whether that is you"
    assert (await blind.doubt(theirs, "u2"), await blind.doubt(somebodys, None)) == ("", "")
    assert await lookup(Listed(), {"user_id": "u2"}).doubt(theirs, None) == ""


@pytest.mark.parametrize(
    ("take", "taken", "free"),
    [
        (None, [], "2"),
        (None, [None, "2", "3"], "4"),
        ("2", [None, "2"], "3"),
        ("week-47", ["week-47"], "week-47-2"),
        ("week-47", ["week-47", "week-47-2"], "week-47-3"),
    ],
)
def test_the_next_take_is_free(take: str | None, taken: list[str | None], free: str) -> None:
    assert next_take(take, taken) == free


def test_the_line_of_an_attached_session_is_as_promised() -> None:
    line = attached("devin-1", started_at=1795284240.0, acus=1.4, next_take="2")
    assert line == "attached to devin-1 of 2026-11-21 18:04 UTC, 1.4 ACU; --take 2 starts another"
    assert "ACU unknown" in attached("devin-1", started_at=None, acus=None, next_take="2")
