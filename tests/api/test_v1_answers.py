"""The odd answers of v1, each as one of its two documents has it."""

import httpx
import pytest

from devin_jupyter.api.library import Knowledge, Playbooks, Secrets
from devin_jupyter.api.sessions import Messages, Sessions, Tags
from devin_jupyter.errors import BadRequest, Conflict, UnreadableAnswer

HEX = "0123456789abcdef" * 2
PLAYBOOK = {"playbook_id": "playbook-1", "title": "Review", "body": "Look twice."}
NOTE = {"id": "note-1", "name": "Style", "body": "Use ruff.", "trigger_description": "always", "parent_folder_id": "f"}


@pytest.fixture
def v1(answering):
    """A v1 service that gives one answer to everything."""

    def make(status=200, **answer):
        return answering(lambda request: httpx.Response(status, **answer), "v1")

    return make


@pytest.mark.parametrize(
    "answer", [{"json": None}, {"content": b""}, {"status": 204}, {"json": {"detail": "Message sent"}}, {"json": {}}]
)
async def test_a_message_is_taken_with_null_nothing_or_words(v1, answer):
    assert await Messages(v1(**answer)).send(HEX, "hello") is None


async def test_a_suspended_session_did_not_take_the_message(v1):
    words = {"detail": "Session is suspended. Please resume it first."}

    with pytest.raises(Conflict, match="not delivered") as problem:
        await Messages(v1(json=words)).send(HEX, "hello")
    assert problem.value.detail == words["detail"]


async def test_ending_a_session_that_is_over_is_no_mistake(v1):
    assert await Sessions(v1(400, json={"detail": "Devin session already exited"})).terminate(HEX) is None
    assert await Sessions(v1(json={"detail": "Session terminated successfully"})).terminate(HEX)
    with pytest.raises(BadRequest):
        await Sessions(v1(400, json={"detail": "something else"})).terminate(HEX)


async def test_tags_are_recognized_by_what_was_sent(v1):
    service = v1(json={"detail": "Tags updated", "session_id": "devin-" + HEX, "tags": None})

    assert await Tags(service).replace(HEX, ["a"]) == ["a"]


@pytest.mark.parametrize("answer", [[PLAYBOOK], {"items": [PLAYBOOK]}])
async def test_playbooks_come_bare_or_wrapped(v1, answer):
    assert [item async for item in Playbooks(v1(json=answer)).list()] == [PLAYBOOK]


async def test_notes_and_folders_come_together_and_speak_v3_here(v1):
    knowledge = Knowledge(v1(json={"knowledge": [NOTE], "folders": [{"id": "f", "name": "Python"}]}))

    (note,) = [item async for item in knowledge.list()]
    assert (note["note_id"], note["trigger"], note["folder_id"]) == ("note-1", "always", "f")
    assert await knowledge.folders() == [{"folder_id": "f", "id": "f", "name": "Python"}]


async def test_a_secret_answers_with_its_id_only(v1):
    made = await Secrets(v1(201, json={"id": "secret-1"})).create("NAME", "value-value")

    assert (made["secret_id"], made["key"]) == ("secret-1", "NAME")


async def test_lists_are_under_names_of_their_own(v1):
    assert [item async for item in Sessions(v1(json={"sessions": [{"session_id": HEX}]})).list()] == [
        {"session_id": HEX}
    ]
    with pytest.raises(UnreadableAnswer):
        [item async for item in Sessions(v1(json={"something": []})).list()]


async def test_an_entry_listed_without_an_id_is_neither_changed_nor_deleted(v1):
    with pytest.raises(UnreadableAnswer, match="without a playbook_id"):
        await Playbooks(v1(json=[{"title": "Review"}])).delete("Review")


@pytest.mark.parametrize("answer", [None, {}, [], {"session_id": None}, {"session_id": 5}, "devin-1"])
async def test_a_create_without_an_id_cannot_be_read(v1, answer):
    with pytest.raises(UnreadableAnswer, match="may have been applied"):
        await Sessions(v1(json=answer)).create({"prompt": "x"})
