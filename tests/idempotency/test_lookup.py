"""Finding sessions by tag, whatever the list does with filters, and telling ours from others'."""

from __future__ import annotations

from typing import Any

import pytest

from devin_jupyter.errors import Forbidden, UnreadableAnswer
from devin_jupyter.idempotency import create
from devin_jupyter.idempotency.attach import attached, next_take
from devin_jupyter.idempotency.create import Lookup
from devin_jupyter.models.fields import id_of
from devin_jupyter.models.snapshot import Where
from devin_jupyter.request import Fingerprint, SessionRequest

TAG = "nb-0123456789abcdef"


def raw(letter: str, *tags: str, at: int = 1, **fields: Any) -> dict[str, Any]:
    return {"session_id": letter * 32, "tags": list(tags), "created_at": at, **fields}


class Listed:
    """A service with these sessions, which ignores the filter or obeys it; notes what it was asked for."""

    def __init__(self, *sessions: dict[str, Any], obeys: bool = False, own: dict[str, Any] | None = None) -> None:
        self.sessions, self.obeys, self.own = sessions, obeys, own or {}
        self.asked, self.read = list[tuple[str, ...]](), list[str]()

    async def tagged(self, *tags: str) -> list[dict[str, Any]]:
        self.asked.append(tags)
        return [one for one in self.sessions if not self.obeys or set(tags) & set(one.get("tags") or ())]


async def own_tags(listed: Listed, session_id: str) -> list[str] | None:
    """In place of what reads the session itself."""
    listed.read.append(session_id)
    tags: list[str] | None = listed.own.get(session_id)
    return tags


def identity(number: int) -> Fingerprint:
    return SessionRequest(prompt=f"audit {number}").fingerprint(Where("https://api.devin.ai", "org-1", "v3"))


class Me:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def self(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def lookup(listed: Any, me: Any = None, version: str = "v3") -> Lookup:
    return Lookup(listed, Me(me or {}), version)


async def test_a_list_that_ignores_the_filter_is_filtered_here() -> None:
    listed = Listed(raw("a", "other"), raw("b", TAG, at=9), raw("d", "x", TAG.upper(), at=3), raw("e"))
    found = await lookup(listed).find(TAG)
    assert [id_of(item) for item in found] == [f"devin-{'d' * 32}", f"devin-{'b' * 32}"]
    assert listed.read == []  # a session without tags among others with tags has none


async def test_many_requests_are_looked_up_in_few_questions_and_again_where_nothing_was_found() -> None:
    wanted = [identity(number) for number in range(120)]
    old, other = wanted[0].earlier[0].tag, wanted[1].tags[1]
    listed = Listed(raw("a", old), raw("b", other), raw("c", wanted[2].tag), obeys=True)
    swept = await lookup(listed).sweep(wanted)
    assert list(swept) == [one.tag for one in wanted]
    assert {name for name, found in swept.items() if found} == {one.tag for one in wanted[:3]}
    assert len(listed.asked) == 3 + 5  # the second time in upper case too
    assert all(len(tags) <= 200 for tags in listed.asked)
    assert old not in {tag for tags in listed.asked[3:] for tag in tags}


async def test_a_service_that_keeps_tags_in_upper_case_finds_them_all_the_same() -> None:
    wanted = [identity(number) for number in range(3)]
    listed = Listed(raw("a", wanted[1].tag.upper()), raw("b", f"  {TAG.upper()} "), obeys=True)
    assert [id_of(one) for one in (await lookup(listed).sweep(wanted))[wanted[1].tag]] == [f"devin-{'a' * 32}"]
    assert [id_of(one) for one in await lookup(listed).find(wanted[1].tag)] == [f"devin-{'a' * 32}"]
    listed.obeys = False  # one that adds blanks
    assert [id_of(one) for one in await lookup(listed).find(TAG)] == [f"devin-{'b' * 32}"]


async def test_a_session_that_moved_in_the_list_while_it_was_read_is_found_by_its_own_tag() -> None:
    one = identity(1)
    listed = Listed(raw("a", one.tag))
    real, first = listed.tagged, [True]

    async def moving(*tags: str) -> list[dict[str, Any]]:
        found = await real(*tags)
        return [] if first.pop() else found

    first.insert(0, False)
    listed.tagged = moving  # type: ignore[method-assign]
    assert [id_of(item) for item in (await lookup(listed).sweep([one]))[one.tag]] == [f"devin-{'a' * 32}"]


async def test_a_list_in_which_sessions_keep_moving_is_asked_again_as_long_as_that_finds_any() -> None:
    wanted = [identity(number) for number in range(4)]
    listed = Listed(*(raw(name, one.tag) for name, one in zip("abcd", wanted, strict=True)))
    real, passes = listed.tagged, iter(range(1, 9))

    async def moving(*tags: str) -> list[dict[str, Any]]:
        return (await real(*tags))[: next(passes)]  # one more each time

    listed.tagged = moving  # type: ignore[method-assign]
    assert all((await lookup(listed).sweep(wanted)).values())


async def test_where_a_list_shows_no_tags_the_sessions_are_read_and_what_cannot_be_told_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(create, "own_tags", own_tags)
    mine, theirs = f"devin-{'a' * 32}", f"devin-{'b' * 32}"
    bare = [{**raw("a"), "tags": None}, {"session_id": "b" * 32, "created_at": 1}]
    listed = Listed(*bare, own={mine: ["x", TAG], theirs: []})
    assert [id_of(item) for item in await lookup(listed).find(TAG)] == [mine]
    assert sorted(listed.read) == [mine, theirs]
    with pytest.raises(UnreadableAnswer, match=theirs) as caught:
        await lookup(Listed(*bare, own={mine: []})).find(TAG)
    assert "nothing was sent" in caught.value.consequence
    objects = Listed({**raw("a"), "tags": [{"name": TAG}]}, raw("b", "other"), own={mine: [TAG]})
    assert [id_of(item) for item in await lookup(objects).find(TAG)] == [mine]
    assert objects.read == [mine]  # tags that are no texts tell nothing
    many = [{"session_id": f"{number:032x}", "tags": []} for number in range(500)]
    with pytest.raises(UnreadableAnswer, match="500 sessions without their tags"):
        await lookup(Listed(*many)).find(TAG)


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


@pytest.mark.parametrize(
    ("me", "mine"), [({"service_user_id": "s1"}, True), ({"user_id": "u1"}, False), ({"user_id": "u2"}, True)]
)
async def test_a_session_that_a_key_of_v1_started_is_ours_unless_a_user_can_tell(me: Any, mine: bool) -> None:
    found, session = lookup(Listed(), me), raw("a", TAG, user_id="u2")
    assert await found.is_mine(session, None, {TAG}) is mine
    assert await found.is_mine(session, None, {"nb-other"}) is ("u2" in me.values())
    said = await found.doubt(session, None, {TAG}) if mine else ""
    assert said == ("started by u2 with a key of v1" if "service_user_id" in me else "")


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
