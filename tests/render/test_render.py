"""What a session looks like in a saved notebook and in a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devin_jupyter import render
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.models.steps import LiveView, PlanEntry, Step
from devin_jupyter.panel.state import session_state
from devin_jupyter.recorded import RECORD_MIME
from devin_jupyter.redaction import keep_secret
from devin_jupyter.render.board import board_row, totals
from devin_jupyter.render.labels import PHASE_STYLES, explanation, question_line
from devin_jupyter.text import format_acus

Make = Callable[..., Snapshot]
AT = datetime(2026, 11, 21, 18, 4, 30, tzinfo=UTC)
FINDINGS = {"findings": [{"file": "a.py", "count": 2, "cve": None}, {"file": "b.py", "count": 0, "cve": "CVE-1"}]}


@pytest.fixture
def done(snapshot: Make) -> Snapshot:
    return snapshot(
        phase=Phase.DONE,
        title="Audit the API",
        acus=1.4,
        max_acu_limit=5,
        repos=("acme/api",),
        created_at=AT,
        updated_at=AT + timedelta(minutes=4, seconds=2),
        observed_at=AT,
        schema={"type": "object"},
        structured_output=FINDINGS,
        output_is_fresh=True,
        output_is_valid=True,
        pull_requests=(PullRequest("https://github.com/acme/api/pull/12", "open"),),
    )


def test_the_text_tells_phase_title_cost_place_answer_and_pull_requests(done: Snapshot) -> None:
    assert render.session_text(done).splitlines() == [
        "✓ done · Audit the API · 1.4 of 5 ACU · 4 min 2 s",
        "  acme/api#12 open  https://github.com/acme/api/pull/12",
        "    findings",
        "    file  count  cve",
        "    a.py  2      –",
        "    b.py  0      CVE-1",
        "  2 rows · validated · .frame()",
        f"  {done.session_id}  {done.url}",
    ]


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_text_a_page_and_a_record(snapshot: Make, phase: Phase) -> None:
    shown = snapshot(phase=phase, status_detail="usage_limit_exceeded")

    assert phase.label in render.session_text(shown).splitlines()[0]
    assert phase.label in render.session_html(shown)
    assert render.session_record(shown)["phase"] == phase.value


def test_a_blocked_session_says_why(snapshot: Make) -> None:
    shown = snapshot(phase=Phase.BLOCKED, status_detail="usage_limit_exceeded")

    assert "Suspended by the service: usage limit exceeded." in render.session_text(shown)


def test_a_session_that_needs_an_approval_links_to_where_it_can_be_given(snapshot: Make) -> None:
    shown = snapshot(phase=Phase.NEEDS_APPROVAL, simulated=True)

    assert (
        f'href="{shown.url}" target="_blank" rel="noopener noreferrer">Approve it in Devin</a>'
        in render.session_html(shown)
    )
    assert "Approve" not in render.session_html(snapshot())


def test_a_question_is_shown_also_when_the_session_fell_asleep(snapshot: Make) -> None:
    shown = snapshot(phase=Phase.ASLEEP, question="Which **branch**?")

    assert "    Which **branch**?" in render.session_text(shown).splitlines()
    assert "<strong>branch</strong>" in render.session_html(shown)


def test_without_a_schema_the_last_message_is_the_answer(snapshot: Make) -> None:
    shown = snapshot(phase=Phase.DONE, messages=(Message("e1", "devin", "All *green*.", AT),))

    assert render.session_text(shown).splitlines()[1:3] == ["  Devin:", "    All *green*."]
    assert "<em>green</em>" in render.session_html(shown)


def test_unknown_cost_is_not_free(snapshot: Make) -> None:
    assert format_acus(None) == "ACU unknown"
    assert format_acus(0.0) == "0 ACU"
    assert "ACU unknown, at most 5" in render.session_text(snapshot(acus=None, max_acu_limit=5))


def test_simulated_and_recorded_sessions_say_so(snapshot: Make) -> None:
    shown = snapshot(simulated=True, recorded=date(2026, 11, 21))

    for form in (render.session_text(shown), render.session_html(shown)):
        assert "simulated" in form
        assert "recorded 2026-11-21" in form


def test_a_simulated_session_shows_no_times_and_keeps_nothing_that_changes_with_the_simulator(
    done: Snapshot, snapshot: Make
) -> None:
    fields = {name: getattr(done, name) for name in ("phase", "created_at", "updated_at", "pull_requests")}
    shown = snapshot(**fields, simulated=True, fingerprint="1:aaaa:bbbb")

    assert "2026" not in json.dumps(render.bundle(shown))
    assert "url" not in render.session_record(shown)
    assert render.session_record(shown)["fingerprint"] == "1:simulator:bbbb"


def test_a_simulated_session_shows_its_links_beside_the_label(done: Snapshot) -> None:
    shown = replace(done, simulated=True)

    for form in (render.session_html(shown), render.session_text(shown)):
        assert "simulated" in form
        assert done.url in form
        assert "https://github.com/acme/api/pull/12" in form


def test_a_session_that_may_go_on_says_when_it_stood_so(snapshot: Make) -> None:
    assert ">as of 2026-11-21 18:04 UTC<" in render.session_html(snapshot(observed_at=AT))
    assert "as of" not in render.session_html(snapshot(observed_at=AT, phase=Phase.DONE))
    assert "as of" not in render.session_html(snapshot(observed_at=AT, simulated=True))


def test_a_stopped_session_keeps_the_last_that_devin_said(snapshot: Make) -> None:
    shown = snapshot(phase=Phase.STOPPED, messages=(Message("e1", "devin", "Half of it is *done*.", AT),))

    assert "ended and cannot be resumed" in render.session_text(shown)
    assert "<em>done</em>" in render.session_html(shown)
    assert "before there was an answer" in render.session_text(snapshot(phase=Phase.STOPPED))


def test_the_same_snapshot_gives_the_same_bytes_in_any_process(done: Snapshot) -> None:
    program = (
        "from devin_jupyter import render; from devin_jupyter.models.snapshot import Snapshot;"
        "from devin_jupyter.models.enums import Phase;"
        "s = Snapshot(session_id='devin-1', url='https://a.example/1', phase=Phase.DONE, tags=('b', 'a'),"
        "structured_output={'z': 1, 'a': [1]}, output_is_fresh=True); print(render.bundle(s))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }

    assert len(runs) == 1


def test_the_record_holds_what_is_needed_to_reattach_and_no_conversation(done: Snapshot, snapshot: Make) -> None:
    record = render.session_record(done)

    assert record["id"] == done.session_id
    assert record["answer"] == FINDINGS
    assert record["schema"] == {"type": "object"}
    assert record["created_at"] == "2026-11-21T18:04:30Z"
    assert json.loads(json.dumps(record)) == record
    assert "hello" not in json.dumps(render.bundle(snapshot(messages=(Message("e1", "user", "hello", AT),))))


def test_the_conversation_is_kept_only_on_request(snapshot: Make) -> None:
    shown = snapshot(messages=(Message("e1", "user", "hello", AT), Message("e2", "devin", "hi", AT)))

    assert "Conversation (2)" not in render.session_html(shown)
    assert "Conversation (2)" in render.session_html(shown, transcript=True)


def test_no_form_shows_a_secret(snapshot: Make) -> None:
    keep_secret(["hunter2hunter2"])
    leak = "cog_abcdef0123456789 and hunter2hunter2"
    shown = snapshot(
        phase=Phase.YOUR_TURN,
        title=leak,
        question=leak,
        structured_output={leak: [leak]},
        output_is_fresh=True,
        tags=(leak,),
        messages=(Message("e1", "devin", leak, AT),),
    )

    whole = json.dumps(render.bundle(shown, transcript=True), ensure_ascii=False)
    assert "abcdef0123456789" not in whole
    assert "hunter2" not in whole


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attributes)))


def _tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(html)
    return parser.seen


def test_the_page_uses_only_what_sanitizers_leave(done: Snapshot) -> None:
    html = render.session_html(done, transcript=True)
    tags = _tags(html)

    assert {tag for tag, _ in tags} <= {
        *("div", "span", "strong", "code", "a", "table", "thead", "tbody", "tr", "th", "td", "details", "summary")
    }
    assert {name for _, attributes in tags for name in attributes} <= {"class", "style", "href", "target", "rel"}
    assert "var(" not in html


def test_text_color_is_inherited_except_on_filled_badges(done: Snapshot) -> None:
    for _, attributes in _tags(render.session_html(done)):
        style = attributes.get("style") or ""
        assert ("color:#ffffff" in style) == ("background-color:#" in style)


def _luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("phase", list(Phase))
def test_badges_have_enough_contrast(phase: Phase) -> None:
    assert 1.05 / (_luminance(PHASE_STYLES[phase].color) + 0.05) >= 4.5


def test_long_answers_are_cut_and_say_so(snapshot: Make) -> None:
    rows = [{"n": number, "text": "x" * 50} for number in range(5000)]
    shown = snapshot(phase=Phase.DONE, structured_output={"rows": rows}, output_is_fresh=True, output_is_valid=True)

    assert len(render.session_text(shown)) < 10_000
    assert "more lines" in render.session_text(shown)
    assert len(render.session_html(shown)) < 60_000
    assert "4,950 more" in render.session_html(shown)


LONG = "services/payments/reconciliation/adapters/" + "x" * 60
DEEP: Any = "the bottom"
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [
        *(0, "", [], {}, None, True, 1.5, [[1, [2]]], [{"a": 1}, 2], {"a": {"b": {"c": {}}}}, [{}, {}], {"": ""}),
        *({LONG: []}, {LONG: {}}, {LONG: {LONG: []}}, [{LONG: [{}]}], {"\ud800": ["\udfff"]}, [float("nan"), -1e400]),
        DEEP,
    ],
)
def test_any_output_can_be_shown(snapshot: Make, value: Any) -> None:
    shown = snapshot(phase=Phase.DONE, structured_output={"value": value}, output_is_fresh=True)

    assert "value" in render.session_text(shown)
    assert "value" in render.session_html(shown)
    assert "value" in render.session_record(shown)["answer"]
    assert "value" in str(session_state(shown)["answer"]["parts"])


@pytest.mark.parametrize("examples", [50, pytest.param(3000, marks=pytest.mark.fuzz)], ids=["short", "long"])
def test_random_json_with_names_of_any_length_can_be_shown(snapshot: Make, examples: int) -> None:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    names = st.text(max_size=8) | st.integers(60, 120).map(lambda length: "n" * length)
    values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=12)

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(values)
    def show(value: Any) -> None:
        shown = snapshot(phase=Phase.DONE, structured_output=value, output_is_fresh=True)
        for form in (render.session_text, render.session_html, render.session_record, session_state):
            assert form(shown)

    show()


def test_what_cannot_be_shown_is_a_line_that_says_that_the_session_is_fine(snapshot: Make) -> None:
    number = 10**5000  # JSON has such numbers, Python writes none of them
    shown = snapshot(phase=Phase.DONE, structured_output={"n": number}, output_is_fresh=True, acus=1.5)

    class Name(str):
        def __len__(self) -> int:
            raise ValueError("no name")

    row = replace(render.board_row(replace(shown, structured_output=None)), reason=Name("a"))
    board = render.board_bundle("audit", [row], [shown])
    for bundle, name in ((render.bundle(shown), shown.session_id), (board, "audit")):
        for form in ("text/plain", "text/html"):
            assert f"{name} is fine, only its display failed (ValueError" in bundle[form]
            assert "1.5 ACU" in bundle[form]
        assert shown.session_id in str(bundle[RECORD_MIME])
    assert "it cannot be shown here; .result() returns it" in str(session_state(shown)["answer"]["parts"])


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ({"text": "x" * 5_000_000}, "4,998,000 more characters"),
        ([{"a": "x" * 500, "b": n} for n in range(10_000)], "9,950 more"),
        ([[["x" * 1000] * 20] * 20] * 20, "more"),
        ({f"k{n}": n for n in range(10_000)}, "9,950 more"),
    ],
)
def test_a_large_answer_is_saved_in_part_and_says_where_the_rest_is(snapshot: Make, answer: Any, part: str) -> None:
    shown = snapshot(phase=Phase.DONE, structured_output=answer, output_is_fresh=True, output_is_valid=True)
    bundle = render.bundle(shown)

    assert len(json.dumps(bundle)) < 700_000
    assert len(bundle["text/html"]) < 400_000
    assert part in bundle["text/html"]
    for form in ("text/plain", "text/html"):
        assert ".result() returns all of it" in unescape(bundle[form])
        assert f"dj.get('{shown.session_id}')" in unescape(bundle[form])


def test_a_long_conversation_is_saved_in_part_and_says_where_the_rest_is(snapshot: Make) -> None:
    messages = tuple(Message(str(n), "devin", f"{n}: " + "x" * 1000, None) for n in range(500))
    bundle = render.bundle(snapshot(messages=messages), transcript=True)

    for form in ("text/plain", "text/html"):
        assert len(bundle[form]) < 100_000
        assert "441 earlier messages are left out: %devin messages devin-" in bundle[form]
        assert "499: x" in bundle[form]
        assert "400: x" not in bundle[form]


def test_pull_requests_and_tags_without_end_do_not_fill_the_saved_notebook(snapshot: Make) -> None:
    address = "https://github.com/acme/api/pull/"
    many = tuple(PullRequest(f"{address}{number}", "open") for number in range(50_000))
    long = PullRequest(address + "1" * 1_000_000, "open")
    tags = tuple(f"{number}-" + "x" * 10_000 for number in range(1_000))
    bundle = render.bundle(snapshot(pull_requests=(long, *many), tags=tags))

    for form in ("text/plain", "text/html", RECORD_MIME):
        assert len(json.dumps(bundle[form])) < 200_000
    for form in ("text/plain", "text/html"):
        assert "49,951 more pull requests: .pull_requests" in bundle[form]
    assert bundle[RECORD_MIME]["pull_requests"][0] == {"url": f"{address}0", "state": "open"}


def test_a_board_keeps_answers_up_to_a_limit_and_the_size_of_the_others(snapshot: Make) -> None:
    answer = {"text": "x" * 100_000}
    rows = [snapshot(n, phase=Phase.DONE, structured_output=answer, output_is_fresh=True) for n in range(1, 41)]
    kept = render.board_record("audit", rows)["sessions"]

    assert sum("answer" in row for row in kept) == 19
    assert sum(row.get("answer_bytes") == 100_011 for row in kept) == 21


def test_no_style_sheet_of_a_viewer_moves_the_tables(done: Snapshot) -> None:
    cells = [attributes for tag, attributes in _tags(render.session_html(done)) if tag in ("td", "th")]

    assert cells
    assert all("text-align:left" in (attributes["style"] or "") for attributes in cells)


def test_nothing_heavy_is_imported_for_plain_text(done: Snapshot) -> None:
    program = (
        "import sys; from devin_jupyter import render; from devin_jupyter.models.snapshot import Snapshot;"
        "from devin_jupyter.models.enums import Phase;"
        "render.session_text(Snapshot(session_id='devin-1', url='', phase=Phase.DONE));"
        "print([name for name in ('markdown_it', 'nh3', 'ipywidgets', 'pandas', 'httpx') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert re.sub(r"\s", "", shown) == "[]"


def test_what_a_report_of_a_batch_asks_needs_a_person_on_the_board(snapshot: Make) -> None:
    report = {"outcome": "needs_input", "summary": "two ways", "question": "Which branch?"}
    asks = snapshot(phase=Phase.DONE, structured_output=report, output_is_fresh=True, output_is_valid=True)
    answered = replace(asks, structured_output=report | {"outcome": "done"})
    stale = replace(asks, output_is_fresh=False)

    assert "1 needs you" in totals([board_row(each) for each in (asks, answered, stale)])
    assert question_line(asks, 80) == "Which branch?"
    assert question_line(answered, 80) == ""
    assert [board_row(each).label for each in (asks, answered, stale)] == ["asks you", "done", "done"]
    assert render.session_text(asks).startswith("? asks you")


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.YOUR_TURN])
def test_an_archived_session_does_not_invite_a_message_that_would_be_refused(snapshot: Make, phase: Phase) -> None:
    archived = explanation(snapshot(phase=phase, is_archived=True))

    assert archived is not None
    assert "only once %devin unarchive, or .unarchive(), has taken it out" in archived


def _live(**fields: Any) -> LiveView:
    steps = (
        Step(kind="thought", title="A secret thought", text="thinking <b>hard</b>", id="1"),
        Step(kind="tool", title="ran", input="make test", text="12 passed", status="completed", id="2"),
    )
    plan = (PlanEntry("Read it", "completed"), PlanEntry("Fix it", "in_progress"), PlanEntry("Test it", "pending"))
    return LiveView(session_id="devin-1", state="on", activity="running make", plan=plan, **{"steps": steps, **fields})


def test_a_session_at_work_is_saved_with_its_activity_and_its_plan(snapshot: Make) -> None:
    forms = render.bundle(snapshot(), live=_live())
    assert "<strong>running make</strong>" in forms["text/html"]
    assert "plan 1 of 3" in forms["text/html"]
    assert forms["text/plain"].splitlines()[1:5] == ["  running make", "    ✓ Read it", "    ◐ Fix it", "    · Test it"]
    over = render.bundle(snapshot(phase=Phase.DONE), live=_live())
    assert "running make" not in json.dumps(over)


def test_thoughts_and_what_tools_did_are_saved_only_on_request_cleaned_and_bounded(snapshot: Make) -> None:
    private = ("secret thought", "thinking", "make test", "12 passed")
    for phase in (Phase.WORKING, Phase.DONE):
        assert not any(words in json.dumps(render.bundle(snapshot(phase=phase), live=_live())) for words in private)
    kept = render.bundle(snapshot(phase=Phase.DONE), transcript=True, live=_live())
    assert "Steps (2)" in kept["text/html"]
    assert "thinking &lt;b&gt;hard&lt;/b&gt;" in kept["text/html"]
    assert "    tool · ran · completed" in kept["text/plain"].splitlines()
    assert not any(words in json.dumps(kept[RECORD_MIME]) for words in private)

    many = tuple(Step(kind="tool", title=f"step {n}", text="x" * 5000, id=str(n)) for n in range(1000))
    long = render.session_html(snapshot(phase=Phase.DONE), transcript=True, live=_live(steps=many))
    assert len(long) < 80_000
    assert "step 999" in long
    assert "earlier steps are left out" in long


def test_long_words_beside_an_answer_are_folded_and_a_question_is_not(done: Snapshot) -> None:
    text = "The first paragraph says what was done, in `code` too.\n\n" + "And so on. " * 60
    said = replace(done, messages=(Message("e", "devin", text, AT),))
    html = render.session_html(said)
    assert "<code>code</code>" in html.partition("<details>")[0]
    assert "And so on." not in html.partition("<details>")[0]
    assert render.session_text(said).splitlines()[6] == "    …"
    asks = replace(said, phase=Phase.YOUR_TURN, question=f"{text}\n\nShall I go on?")
    html = render.session_html(asks)
    assert html.index("<th") < html.index("Devin asks") < html.index("Shall I go on?")
    assert "more</summary>" not in html


def test_how_long_a_turn_took_is_told_in_the_words_of_the_panel(snapshot: Make) -> None:
    def took(**fields: Any) -> str:
        shown = snapshot(**{"phase": Phase.DONE, "created_at": AT, "updated_at": AT + timedelta(days=3), **fields})
        return render.session_text(shown).splitlines()[0].rpartition(" · ")[2]

    def said(source: str, **after: float) -> Message:
        return Message(f"{source} {after}", source, source, AT + timedelta(**after))

    turn = (said("user", minutes=0), said("devin", minutes=4, seconds=2))
    assert took(messages=turn) == "4 min 2 s"  # what happened to the session afterwards is not part of the turn
    assert took(messages=(*turn, said("user", hours=2), said("devin", hours=2, seconds=12))) == "12 s"
    assert took(messages=(said("user", minutes=0), said("devin", hours=7, minutes=5))) == "7 h 5 min"
    assert took(messages=turn, phase=Phase.STOPPED) == "3 days"
    assert took(updated_at=AT + timedelta(minutes=12)) == "12 min"
    assert took(phase=Phase.WORKING) == took(created_at=None) == "ACU unknown"
