"""Going through lists: to the end, each item once, and never round in circles."""

from datetime import UTC, datetime

import httpx
import pytest

from devin_jupyter.api.client import cursor_pages, items_of, next_cursor, offset_pages
from devin_jupyter.api.library import Knowledge, Playbooks, Secrets
from devin_jupyter.api.sessions import Insights, Messages, Sessions
from devin_jupyter.errors import OptionError, UnreadableAnswer, Unsupported


def numbered(count, start=0):
    return [{"id": f"i{number}"} for number in range(start, start + count)]


class Service:
    """A list of so many items, read by cursor, with the quirks that were reported."""

    def __init__(self, count, quirk=""):
        self.items, self.quirk, self.asked = numbered(count), quirk, []

    async def page(self, paging):
        self.asked.append(paging)
        start = int(paging["after"] or 0)
        end = min(start + paging["first"], len(self.items))
        more = end < len(self.items)
        page = {"items": self.items[start:end], "has_next_page": more, "end_cursor": str(end) if more else None}
        if self.quirk == "lingers":
            page["end_cursor"] = str(end)
        if self.quirk == "says more for ever":
            page |= {"has_next_page": True, "end_cursor": str(end)}
        if self.quirk == "new cursors for ever":
            page |= {"has_next_page": True, "end_cursor": str(len(self.items) + len(self.asked))}
        if self.quirk == "overlaps":
            page["items"] = self.items[max(0, start - 2) : end]
        return page


async def read(pages):
    return [item["id"] async for page in pages for item in page]


@pytest.mark.parametrize("quirk", ["", "lingers", "says more for ever", "overlaps"])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
async def test_every_item_is_read_once_despite_odd_cursors(count, quirk):
    service = Service(count, quirk)

    found = await read(cursor_pages(service.page, key="id", page_size=10))

    assert found == [item["id"] for item in numbered(count)]


async def test_cursors_that_are_new_for_ever_are_an_error_and_no_end():
    service = Service(5, "new cursors for ever")

    with pytest.raises(UnreadableAnswer, match="to its end"):
        await read(cursor_pages(service.page, key="id", page_size=10))
    assert len(service.asked) < 110


async def test_empty_pages_are_no_end_and_without_end_they_are_an_error():
    async def page(paging):
        number = int(paging.get("after") or 0)
        items = [{"id": "late"}] if number == most else []
        return {"items": items, "has_next_page": number != most, "end_cursor": str(number + 1)}

    most = 20
    assert await read(cursor_pages(page, key="id")) == ["late"]
    most = 10**6
    with pytest.raises(UnreadableAnswer, match="after 100 empty pages"):
        await read(cursor_pages(page, key="id"))


@pytest.mark.parametrize("limit", [1, 10, 15])
async def test_a_limit_stops_early_and_asks_for_no_more_than_needed(limit):
    service = Service(100)

    assert len(await read(cursor_pages(service.page, key="id", page_size=10, limit=limit))) == limit
    assert sum(paging["first"] for paging in service.asked) == limit


async def test_a_page_is_never_larger_than_the_service_allows():
    service = Service(1)
    await read(cursor_pages(service.page, key="id", page_size=5000))

    assert service.asked[0]["first"] == 200


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
async def test_lists_with_offsets_end_at_the_first_short_page(count):
    async def fetch(paging):
        return {"sessions": numbered(count)[paging["offset"] : paging["offset"] + paging["limit"]]}

    found = await read(offset_pages(fetch, key="id", items="sessions", page_size=10))
    assert found == [item["id"] for item in numbered(count)]


@pytest.mark.parametrize("count", [0, 49, 50, 120])
async def test_a_list_that_says_there_is_more_is_read_on_after_short_pages(count):
    asked = []

    async def fetch(paging):
        asked.append(paging["offset"])
        end = paging["offset"] + 50  # whatever was asked for
        return {"items": numbered(count)[paging["offset"] : end], "has_next_page": end < count}

    assert await read(offset_pages(fetch, key="id", page_size=100)) == [item["id"] for item in numbered(count)]
    assert asked == list(range(0, max(count, 1), 50))


@pytest.mark.parametrize("says", [True, False])
async def test_a_service_that_ignores_offsets_and_says_there_is_more_is_not_read_for_ever(says):
    async def fetch(paging):
        return {"items": numbered(10), "has_next_page": says}

    assert len(await read(offset_pages(fetch, key="id", page_size=10))) == 10


async def test_a_service_that_ignores_offsets_is_not_read_for_ever():
    async def fetch(paging):
        return {"sessions": numbered(10)}

    assert len(await read(offset_pages(fetch, key="id", items="sessions", page_size=10))) == 10


@pytest.mark.parametrize(("page", "bare"), [([{"id": 1}], True), *(({"items": [{"id": 1}]}, bare) for bare in (0, 1))])
def test_wrapped_arrays_are_pages_and_bare_ones_where_they_are_documented(page, bare):
    assert items_of(page, bare=bare) == [{"id": 1}]


@pytest.mark.parametrize(
    "page", [None, "x", 3, {}, [], [{"id": 1}], {"items": None}, {"items": {}}, {"items": [{"id": 1}, None]}]
)
def test_anything_else_is_no_page(page):
    with pytest.raises(UnreadableAnswer):
        items_of(page)


@pytest.mark.parametrize("page", [[], {}, {"has_next_page": True}, {"has_next_page": True, "end_cursor": 5}])
def test_without_a_readable_cursor_there_is_no_next_page(page):
    assert next_cursor(page) is None


# --- sessions and messages ----------------------------------------------------------------------------------------

HEX = "0123456789abcdef" * 2


async def test_items_without_an_id_are_kept(answering):
    service = answering(lambda request: httpx.Response(200, json={"items": [{"x": 1}, {"x": 2}]}))

    assert [item async for item in Playbooks(service).list()] == [{"x": 1}, {"x": 2}]


async def test_several_tags_mean_all_of_them_even_if_the_service_matches_any(answering):
    items = [{"session_id": "a", "tags": ["x"]}, {"session_id": "b", "tags": ["x", "y"]}, {"session_id": "c"}]
    service = answering(lambda request: httpx.Response(200, json={"items": items}))

    found = [item["session_id"] async for item in Sessions(service).list(tags=["x", "y"], limit=1)]

    assert found == ["b"]


async def test_ids_in_filters_are_normalized(answering):
    asked = []

    def handler(request):
        asked.append(request.url.params.get_list("session_ids"))
        return httpx.Response(200, json={"items": []})

    url = f"https://app.devin.ai/sessions/{HEX}"
    assert [item async for item in Sessions(answering(handler)).list(session_ids=[url, HEX.upper()])] == []
    assert asked == [["devin-" + HEX, "devin-" + HEX]]


@pytest.mark.parametrize("kind", [Sessions, Insights])
async def test_the_filters_of_sessions_and_of_their_insights_are_written_one_way(answering, kind):
    asked = []

    def handler(request):
        asked.append(dict(request.url.params.multi_items()))
        return httpx.Response(200, json={"items": []})

    url = f"https://app.devin.ai/sessions/{HEX}"
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    filters = {"session_ids": url, "parent_session_id": url, "created_after": moment, "is_archived": True}
    assert [item async for item in kind(answering(handler)).list(**filters)] == []
    assert asked == [
        {
            "session_ids": "devin-" + HEX,
            "parent_session_id": "devin-" + HEX,
            "created_after": str(int(moment.timestamp())),
            "is_archived": "true",
            "first": "200",
        }
    ]


@pytest.mark.parametrize(
    ("version", "asked_for"),
    [("v3", [{"tags": "nb-1", "is_archived": flag} for flag in ("false", "true")]), ("v1", [{"tags": "nb-1"}])],
)
async def test_sessions_by_tag_are_asked_for_with_the_archived_ones_since_the_default_is_not_documented(
    answering, version, asked_for
):
    asked = []

    def handler(request):
        asked.append({name: text for name, text in request.url.params.items() if name in ("tags", "is_archived")})
        page = [{"session_id": f"s{len(asked)}", "tags": []}]
        return httpx.Response(200, json={"items": page, "sessions": page})

    found = await Sessions(answering(handler, version)).tagged("nb-1")
    assert sorted(asked, key=str) == asked_for
    assert len(found) == len(asked_for)


async def test_a_page_that_v1_has_cut_at_a_hundred_is_not_taken_for_the_last(answering):
    def handler(request):
        start = int(request.url.params["offset"])
        page = [{"session_id": f"{number:032x}", "tags": ["nb-1"]} for number in range(250)][start : start + 100]
        return httpx.Response(200, json={"sessions": page})

    sessions = Sessions(answering(handler, "v1"))
    assert len(await sessions.tagged("nb-1")) == 250
    assert len([item async for item in sessions.list(tags=["nb-1"])]) == 250


async def test_insights_are_filtered_as_sessions_are(answering):
    items = [{"session_id": "a", "tags": ["x"]}, {"session_id": "b", "tags": ["x", "y"]}, {"session_id": "c"}]
    insights = Insights(answering(lambda request: httpx.Response(200, json={"items": items})))

    assert [item["session_id"] async for item in insights.list(tags=["x", "y"], limit=1)] == ["b"]
    with pytest.raises(Unsupported, match="tgas"):
        insights.list(tgas=["x"])


@pytest.mark.parametrize("kind", [Sessions, Insights])
async def test_what_is_not_a_time_is_refused_before_anything_is_sent(answering, kind):
    service = answering(lambda request: pytest.fail("it was sent"))

    with pytest.raises(OptionError, match="'7d'"):
        kind(service).list(created_after="7d")


@pytest.mark.parametrize("kind", [Sessions, Playbooks, Knowledge, Secrets])
@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize("limit", [-1, 1.5, "2"])
async def test_a_limit_is_a_whole_number(answering, kind, version, limit):
    service = answering(lambda request: pytest.fail("it was sent"), version)

    with pytest.raises(OptionError, match="limit"):
        [item async for item in kind(service).list(limit=limit)]


@pytest.mark.parametrize(("version", "wrong"), [("v3", "user_email"), ("v1", "created_after"), ("v3", "limits")])
async def test_a_filter_of_the_other_version_is_refused_before_anything_is_sent(version, wrong, answering):
    service = answering(lambda request: pytest.fail("it was sent"), version)

    with pytest.raises(Unsupported, match=wrong):
        [item async for item in Sessions(service).list(**{wrong: 1})]


async def test_the_list_answers_where_the_session_itself_is_refused(answering):
    def handler(request):
        if request.url.path.endswith(HEX):
            return httpx.Response(403, json={"detail": "no"})
        return httpx.Response(200, json={"items": [{"session_id": HEX, "status": "running"}]})

    assert (await Sessions(answering(handler)).get(HEX))["status"] == "running"


async def test_the_form_of_ids_that_the_filter_takes_is_found_out_once(answering):
    asked = []

    def handler(request):
        wanted = request.url.params.get_list("session_ids")
        asked.append(wanted)
        return httpx.Response(200, json={"items": [{"session_id": name} for name in wanted if len(name) == 32]})

    sessions = Sessions(answering(handler))

    assert list(await sessions.some([HEX])) == ["devin-" + HEX]
    assert list(await sessions.some([HEX])) == ["devin-" + HEX]
    assert asked == [["devin-" + HEX], [HEX], [HEX]]


async def test_a_conversation_is_gone_on_with_from_its_last_page(answering):
    said = [{"event_id": f"e{number}"} for number in range(250)]

    def handler(request):
        start = int(request.url.params.get("after", 0))
        page = said[start : start + 200]
        more = start + 200 < len(said)
        return httpx.Response(200, json={"items": page, "has_next_page": more, "end_cursor": str(start + 200)})

    messages = Messages(answering(handler))
    items, cursor = await messages.tail(HEX)
    said.append({"event_id": "e250"})
    later, again = await messages.tail(HEX, cursor)

    assert [item["event_id"] for item in items] == [f"e{number}" for number in range(250)]
    assert cursor == again == "200"
    assert later[-1]["event_id"] == "e250"
    assert len(later) == 51
