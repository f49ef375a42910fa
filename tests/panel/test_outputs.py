"""The outputs of a live panel in a cell, seen as the messages a kernel publishes."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import devin_jupyter as dj
from devin_jupyter import render
from devin_jupyter.host import host, quiet_waits
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.steps import LiveView, PlanEntry
from devin_jupyter.panel import BatchPanel, CellOutput, Panel, waiting

VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """The outputs of one cell as a front end keeps them."""

    def __init__(self) -> None:
        self.outputs: dict[str, dict[str, Any]] = {}

    def publish(
        self, data: Any, metadata: Any = None, *, transient: Any = None, update: bool = False, **_: Any
    ) -> None:
        identifier = transient["display_id"]
        assert update == (identifier in self.outputs)
        self.outputs[identifier] = dict(data)

    @property
    def kinds(self) -> list[set[str]]:
        return [{kind for kind, value in data.items() if value} for data in self.outputs.values()]

    @property
    def html(self) -> str:
        return "".join(data.get("text/html", "") for data in self.outputs.values())


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """IPython's shell: the one that is there, or one of our own."""
    is_ours = not InteractiveShell.initialized()
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config)
    if is_ours:
        InteractiveShell.clear_instance()


@pytest.fixture
def page(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Page:
    shown = Page()
    monkeypatch.setattr(shell.display_pub, "publish", shown.publish)
    return shown


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say what looks at the kernel."""
    return lambda outputs: monkeypatch.setattr(
        "devin_jupyter.host._replacement", replace(host(), outputs=outputs, in_kernel=True)
    )


def _opened(session: Any) -> CellOutput:
    shown = CellOutput(Panel(session), every=0.0)  # every snapshot at once
    shown.open()
    return shown


def test_while_the_turn_is_open_there_is_a_widget_and_below_it_a_readable_snapshot(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("page")
    _opened(fake())

    assert page.kinds == [{VIEW}, {"text/plain", "text/html", render.RECORD_MIME}]
    assert "working" in page.html


def test_no_output_ever_holds_both_a_view_and_html(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("page")
    session = fake()
    _opened(session)
    for phase in (Phase.QUEUED, Phase.WORKING, Phase.YOUR_TURN, Phase.WORKING, Phase.DONE):
        session.show(replace(session.snapshot, phase=phase))
        assert not any({VIEW, "text/html"} <= kinds for kinds in page.kinds)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.turn_over])
def test_after_the_turn_no_widget_view_is_left_and_the_final_state_is(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any], phase: Phase
) -> None:
    looks("page")
    session = fake()
    _opened(session)
    session.show(replace(session.snapshot, phase=phase))

    assert page.kinds == [set(), {"text/plain", "text/html", render.RECORD_MIME}]
    assert phase.label in page.html


def test_a_finished_session_opens_without_a_widget_view(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("page")
    _opened(fake(phase=Phase.DONE))

    assert page.kinds == [{"text/plain", "text/html", render.RECORD_MIME}]


def test_a_reply_after_the_turn_still_moves_the_saved_form(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("page")
    session = fake(phase=Phase.YOUR_TURN)
    shown = _opened(session)
    shown.close()
    session.show(replace(session.snapshot, phase=Phase.DONE))

    assert "✓ done" in page.html


def test_frames_get_one_output_with_the_page_as_fallback_until_nobody_is_needed(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("frames")
    session = fake()
    _opened(session)
    assert len(page.kinds) == 1
    assert {VIEW, "text/html"} <= page.kinds[0]

    session.show(replace(session.snapshot, phase=Phase.YOUR_TURN))
    assert VIEW in page.kinds[0]

    session.show(replace(session.snapshot, phase=Phase.DONE))
    assert VIEW not in page.kinds[0]


def test_a_run_that_only_fills_the_file_gets_one_static_output(
    page: Page, looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("file")
    session = fake()
    _opened(session)
    session.show(replace(session.snapshot, phase=Phase.DONE))

    assert page.kinds == [{"text/plain", "text/html", render.RECORD_MIME}]
    assert "working" in page.html


def test_a_run_that_only_fills_the_file_makes_no_widget_whose_front_end_would_be_kept_in_it(
    looks: Callable[[str], None], fake: Callable[..., Any]
) -> None:
    looks("file")
    assert [Panel(fake()).comm, BatchPanel([fake()]).comm] == [None, None]

    looks("page")
    assert Panel(fake()).comm is not None


@pytest.mark.usefixtures("shell")
def test_a_terminal_counts_as_nobody_looking() -> None:
    assert host().outputs == "file"


def test_voila_and_colab_are_told_apart_from_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")

    assert host().outputs == "frames"


def test_colab_is_told_to_load_foreign_widgets(monkeypatch: pytest.MonkeyPatch, fake: Callable[..., Any]) -> None:
    asked: list[bool] = []
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append(True)  # type: ignore[attr-defined]
    output._widgets = SimpleNamespace(_installed_url="https://ssl.gstatic.com/manager.js")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)

    _, metadata = Panel(fake()).view_bundle()

    assert asked
    assert metadata[VIEW]["colab"]["custom_widget_manager"]["url"].startswith("https://")


def _lines(page: Page, waits: Callable[[], Any], until: Callable[[], Any]) -> list[str]:
    """Run a wait, and end it once the page shows what `until` looks for; return the lines it saw."""
    seen: list[str] = []

    def look() -> None:
        while not page.outputs:
            threading.Event().wait(0.01)
        seen.extend(data["text/plain"] for data in page.outputs.values())
        until()

    watcher = threading.Thread(target=look)
    watcher.start()
    waits()
    watcher.join(60)
    return seen


@pytest.mark.usefixtures("slow_lasts")
def test_a_wait_shows_one_line_that_is_empty_at_the_end(
    page: Page, looks: Callable[[str], None], simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devin_jupyter.panel.waiting._AFTER_SECONDS", 0.0)
    client = dj.Devin(api_key=simulator.api_key, org_id=simulator.org_id, base_url=simulator.url, live=False)
    waits = {"wait": lambda s: s.wait(), "result": lambda s: s.result(), "await": lambda s: asyncio.run(_await(s))}
    for name, wait in waits.items():
        session = client.create(f"Count {name}", tags=["sim:slow"], title="Count <b>them</b>", max_acu=5)
        looks("page")
        page.outputs.clear()
        (line,) = _lines(page, partial(wait, session), partial(simulator.clock, 10**7))
        assert "Count <b>them</b> · " in line
        assert "of 5 ACU" in line
        assert "interrupt to stop waiting; the session keeps running" in line
        assert [set(data.values()) for data in page.outputs.values()] == [{""}]

    looks("file")
    page.outputs.clear()
    client.create("Unseen").wait()
    with quiet_waits():
        looks("page")
        client.create("Quiet").wait()
    assert page.outputs == {}
    client.close()


async def _await(session: Any) -> None:
    await session


def test_the_line_tells_activity_and_plan_and_only_the_first_of_several_waits_has_one(
    page: Page, fake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_AFTER_SECONDS", 0.0)
    session = fake(title="Count")
    plan = (PlanEntry("Read", "completed"), PlanEntry("Test", "pending"))
    session.live_view = LiveView(session_id="devin-1", state="on", activity="reading <x>", plan=plan)
    with waiting.waiting_line(session), waiting.waiting_line(session):
        while not page.outputs:
            threading.Event().wait(0.01)
        [shown] = [dict(data) for data in page.outputs.values()]
    assert shown["text/plain"].startswith("◐ working · Count · reading <x> · plan 1 of 2 · ")
    assert "reading &lt;x&gt;" in shown["text/html"]
    assert len(page.outputs) == 1
