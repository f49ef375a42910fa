"""Sessions can be picked up again from a notebook file alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import devin_jupyter as dj
from devin_jupyter.client.sync import disconnect
from devin_jupyter.errors import NotRecorded, OptionError
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.recorded import RECORD_MIME, read_notebook
from devin_jupyter.render import board_bundle, board_row, session_record
from devin_jupyter.schema import load_schema

ID = "devin-" + "a" * 32
MOMENT = datetime(2026, 11, 21, 18, 4, tzinfo=UTC)


def notebook(folder: Path, *records: Any) -> Path:
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "source": "# no outputs here"}]
    for record in records:
        output = {"output_type": "display_data", "data": {"text/plain": "x", RECORD_MIME: record}, "metadata": {}}
        cells.append({"cell_type": "code", "source": "", "outputs": [{"output_type": "stream", "text": "y"}, output]})
    path = folder / "audit.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    return path


def snapshot_of(**fields: Any) -> Snapshot:
    plain: dict[str, Any] = {"session_id": ID, "url": f"https://app.devin.ai/sessions/{'a' * 32}", "phase": Phase.DONE}
    return Snapshot(**{**plain, **fields})


def test_an_answer_comes_back_as_it_was(folder: Path) -> None:
    before = snapshot_of(
        structured_output={"severity": "high", "n": [1, 2]},
        output_is_fresh=True,
        output_is_valid=True,
        schema={"type": "object"},
        acus=1.4,
        max_acu_limit=5,
        title="Audit",
        tags=("a",),
        repos=("acme/api",),
        pull_requests=(PullRequest("https://github.com/acme/api/pull/1", "merged"),),
        created_at=MOMENT,
        updated_at=MOMENT,
        fingerprint="1:w:x",
        org_id="org-1",
    )
    saved = read_notebook(notebook(folder, session_record(before)))
    assert [item.cell for item in saved] == [1]
    after = saved[0].snapshot
    assert after.output_is_final
    assert after.recorded == MOMENT.date()
    for name in ("structured_output", "acus", "max_acu_limit", "title", "tags", "repos", "pull_requests", "created_at"):
        assert getattr(after, name) == getattr(before, name), name
    assert (after.fingerprint, after.schema, after.org_id) == ("1:w:x", {"type": "object"}, "org-1")


def test_an_answer_that_was_too_large_to_save_is_no_missing_answer(folder: Path) -> None:
    large = snapshot_of(structured_output={"text": "x" * 5_000_000}, output_is_fresh=True, output_is_valid=True)
    path = notebook(folder, session_record(large))
    assert path.stat().st_size < 10_000
    [handle] = dj.from_notebook(path)
    assert handle.phase is Phase.DONE
    for read in (handle.result, handle.frame, lambda: handle.output):
        with pytest.raises(NotRecorded, match="too large for the notebook file") as caught:
            read()
        assert f"dj.get('{ID}').result()" in caught.value.hint
    shown = handle._repr_mimebundle_()
    assert "The answer (5 MB) is not saved in the notebook" in shown["text/plain"]
    assert "The answer (5 MB) is not saved in the notebook" in shown["text/html"]


def test_an_answer_in_words_and_a_question_come_back(folder: Path) -> None:
    done = snapshot_of(messages=(Message("e", "devin", "All green.", None),))
    asked = snapshot_of(session_id="devin-" + "b" * 32, phase=Phase.YOUR_TURN, question="Which branch?")
    saved = read_notebook(notebook(folder, session_record(done), session_record(asked)))
    assert saved[0].snapshot.last_word is not None
    assert saved[0].snapshot.last_word.text == "All green."
    assert (saved[1].snapshot.question, saved[1].snapshot.needs_you) == ("Which branch?", True)


def test_devins_last_message_is_the_answer_of_a_session_without_a_schema_though_it_waits_for_a_reply(
    folder: Path,
) -> None:
    replied = snapshot_of(phase=Phase.YOUR_TURN, question="All green.")
    (session,) = dj.from_notebook(notebook(folder, session_record(replied)))
    assert session.result() == "All green."


def test_a_board_brings_back_the_answers_and_frames_of_its_rows(folder: Path) -> None:
    schema = load_schema("count:int").wire
    answered: dict[str, Any] = {"output_is_fresh": True, "output_is_valid": True, "schema": schema}
    rows = [
        snapshot_of(session_id="devin-" + letter * 32, structured_output={"count": count}, **answered)
        for letter, count in (("a", 1), ("b", 2))
    ]
    rows.append(snapshot_of(session_id="devin-" + "c" * 32, messages=(Message("e", "devin", "Nothing.", None),)))
    bundle = board_bundle("audit", [board_row(each) for each in rows], rows)
    assert len(bundle[RECORD_MIME]["schemas"]) == 1
    sessions = dj.from_notebook(notebook(folder, bundle[RECORD_MIME]))
    assert [session.result() for session in sessions] == [{"count": 1}, {"count": 2}, "Nothing."]
    assert sessions[0].frame()["count"].tolist() == [1]


def test_frames_of_recorded_sessions_need_no_key(folder: Path) -> None:
    disconnect()  # no other test's client
    pulls = (PullRequest("https://github.com/acme/api/pull/1", "merged"),)
    done = snapshot_of(messages=(Message("e", "devin", "All green.", None),), pull_requests=pulls)
    handles = dj.from_notebook(notebook(folder, session_record(done)))
    assert dj.sessions_frame(handles)["session_id"].tolist() == [ID]
    assert dj.messages_frame(handles)["text"].tolist() == ["All green."]
    assert dj.pull_requests_frame(handles)["number"].tolist() == [1]
    assert dj.outputs_frame(handles[0], keep_empty=True)["session_id"].tolist() == [ID]
    with pytest.raises(dj.NoKey):
        dj.sessions_frame([ID])


def test_the_last_output_of_a_session_counts(folder: Path) -> None:
    early, late = snapshot_of(phase=Phase.WORKING), snapshot_of(phase=Phase.FAILED)
    saved = read_notebook(notebook(folder, session_record(early), session_record(late)))
    assert [(item.snapshot.phase, item.cell) for item in saved] == [(Phase.FAILED, 1)]
    moved = [
        snapshot_of(phase=phase, updated_at=MOMENT + timedelta(hours=n))
        for phase, n in ((Phase.DONE, 1), (Phase.WORKING, 0))
    ]
    saved = read_notebook(notebook(folder, *map(session_record, moved)))  # the first cell was run again
    assert [(item.snapshot.phase, item.cell) for item in saved] == [(Phase.DONE, 1)]


def test_sessions_are_listed_in_the_order_of_the_notebook_and_those_of_a_batch_together(folder: Path) -> None:
    first, last = snapshot_of(title="Audit", acus=1.5), snapshot_of(session_id="devin-" + "d" * 32, title="Fix")
    rows = [snapshot_of(session_id="devin-" + letter * 32, title=letter, acus=2.0) for letter in "cb"]
    board = board_bundle("py313", [board_row(each) for each in rows], rows)[RECORD_MIME]
    again = session_record(snapshot_of(title="Audit", acus=1.8))
    found = dj.from_notebook(notebook(folder, session_record(first), board, session_record(last), again))
    assert [one.id[-1] for one in found] == ["a", "c", "b", "d"]
    assert (
        repr(found)
        == """audit.ipynb: 4 sessions
  cell 2   ✓ done            1.8 ACU      Audit
  cell 3   py313: 2 sessions · 2 finished · 4 ACU · recorded
  cell 4   ✓ done            ACU unknown  Fix"""
    )
    assert repr(found[:1]) != repr(found)


def test_records_as_text_and_of_batches_are_read(folder: Path) -> None:
    record = session_record(snapshot_of())
    other = {**record, "id": "b" * 32}
    saved = read_notebook(notebook(folder, json.dumps(record), {"sessions": [record, other, 3]}))
    assert {item.snapshot.session_id for item in saved} == {ID, "devin-" + "b" * 32}


@pytest.mark.parametrize("record", [None, 3, "text", "{", {}, {"id": "no id!"}, {"id": ID, "phase": "dancing"}, [1]])
def test_edited_records_are_skipped(folder: Path, record: Any) -> None:
    assert read_notebook(notebook(folder, record)) == []


@pytest.mark.parametrize("content", [None, "", "[]", '{"cells": 3}', "\xff"])
def test_a_file_that_is_not_a_notebook_is_named(folder: Path, content: str | None) -> None:
    path = folder / "x.ipynb"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(OptionError, match=r"x\.ipynb") as caught:
        read_notebook(path)
    if content in ("[]", '{"cells": 3}'):
        assert caught.value.message.endswith("cannot be read as a notebook: it has no cells")


def test_the_row_of_a_session_without_a_schema_says_what_devin_replied() -> None:
    replied = snapshot_of(phase=Phase.YOUR_TURN, question="All green.")
    bundle = board_bundle("audit", [board_row(replied)], [replied])
    assert bundle["text/plain"].endswith("All green.")
    assert "All green." in bundle["text/html"]
