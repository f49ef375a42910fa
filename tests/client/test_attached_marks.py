"""Devin's messages mention files in marks of the API, which nobody is to read raw: they are links wherever text is."""

import pytest

import devin_jupyter as dj
from devin_jupyter import render
from devin_jupyter.models.fields import read_message
from devin_jupyter.panel.state import message_item, session_state

pytestmark = pytest.mark.usefixtures("slow_lasts")


def test_a_mark_is_a_link_in_result_panel_frame_terminal_and_saved_file(either):
    session = either.create("write a report", tags=["sim:files"])
    answer = session.result(30)
    address = f"https://app.devin.ai/attachments/{session.id.removeprefix('devin-')}/report%201.md"

    assert f"[report 1.md](<{address}>)" in answer
    saved = render.bundle(session.snapshot, transcript=True)
    shown = [answer, *saved.values(), session_state(session.snapshot), session.messages_frame()["text"].iloc[-1]]
    shown += [either.messages_frame([session])["text"].iloc[-1], message_item(session.messages[-1])]
    for place in map(str, shown):
        assert "ATTACHMENT" not in place
        assert address in place
    assert f'href="{address}"' in saved["text/html"]
    assert f'href="{address}"' in message_item(session.messages[-1])["html"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'See ATTACHMENT:{"url": "https://x.org/a%20b.csv?sig=1"} and go',
            "See [a b.csv](<https://x.org/a%20b.csv?sig=1>) and go",
        ),
        ('ATTACHMENT:{"name": "r].md", "url": "https://x.org/1"}', "[r_.md](<https://x.org/1>)"),
        ('ATTACHMENT:{"a": {"b": "}"}, "url": "https://x.org/1"}!', "[1](<https://x.org/1>)!"),
        (
            'ATTACHMENT:"https://x.org/f.md"\nATTACHMENT:"https://x.org/g.md"',
            "[f.md](<https://x.org/f.md>)\n[g.md](<https://x.org/g.md>)",
        ),
        ('ATTACHMENT:{"url": "javascript:alert(1)"}', 'ATTACHMENT:{"url": "javascript:alert(1)"}'),
        ('ATTACHMENT:{"url": 5}', 'ATTACHMENT:{"url": 5}'),
        ('ATTACHMENT:{"url": "https://x.org/a> <b"}', 'ATTACHMENT:{"url": "https://x.org/a> <b"}'),
        ('ATTACHMENT:{"url": "https://[/"}', "[attachment](<https://[/>)"),
        ('ATTACHMENT:{"url"', 'ATTACHMENT:{"url"'),
        ("ATTACHMENT:" + "{" * 5000, "ATTACHMENT:" + "{" * 5000),
        ("an ATTACHMENT: see below", "an ATTACHMENT: see below"),
    ],
)
def test_marks_of_any_form(text, shown):
    assert read_message({"event_id": "1", "source": "devin", "message": text}).text == shown
    assert read_message({"event_id": "1", "type": "devin_message", "message": text}).text == shown
    assert read_message({"event_id": "1", "source": "user", "message": text}).text == text  # what a person wrote


def test_a_pool_of_own_machines_is_a_platform_also_of_schedules(devin):
    assert devin.create("build", platform="Build-Farm").how == "created"
    weekly = devin.schedules.create("Weekly", "build", frequency="0 8 * * 1", platform="build-farm")
    assert (weekly["platform"], weekly["last_edited_by"]) == ("build-farm", None)
    changed = devin.schedules.update("Weekly", prompt="build all")
    assert (changed["platform"], changed["last_edited_by"]) == ("build-farm", "service-user-simulator")
    with pytest.raises(dj.BadRequest, match="Available platforms: linux, windows, build-farm"):
        devin.schedules.update("Weekly", platform="amiga")
    with pytest.raises(dj.Unprocessable, match="agent"):
        devin.schedules.update("Weekly", agent="advanced")
