"""Tab in a real kernel, as JupyterLab asks for it: few names after `dj.`, every keyword inside a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from new_kernel import start_kernel

pytestmark = pytest.mark.kernel
SETUP = """import devin_jupyter as dj
client = dj.connect(simulator=True)
session = client.create("x")
batch = client.map("do {{ row }}", ["a"])"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Callable[[str], list[str]]]:
    manager, client = start_kernel()
    failed: list[Any] = []
    client.execute_interactive(SETUP, timeout=300, output_hook=failed.append)
    assert not [message for message in failed if message["msg_type"] == "error"]

    def ask(code: str) -> list[str]:
        matches: list[str] = client.complete(code, len(code), reply=True, timeout=300)["content"]["matches"]
        return matches

    yield ask
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_package_lists_what_people_use_and_errors_apart(tab: Callable[[str], list[str]]) -> None:
    names = tab("dj.")
    assert {"create", "map", "get", "last", "connect", "sessions_frame", "charts", "errors", "Session"} <= set(names)
    assert 20 <= len(names) <= 28
    assert not [name for name in names if name.startswith(("Not", "No", "load_", "unload_"))]
    assert {"NoKey", "NeedsReply", "BudgetExceeded"} <= set(tab("dj.errors."))
    assert not {"annotations", "redact", "Any"} & set(tab("dj.errors."))
    assert tab("dj.charts.") == ["durations", "outcomes", "spend", "timeline"]


@pytest.mark.parametrize(
    ("call", "keywords"),
    [
        ("dj.create(", ["repos", "schema", "max_acu", "tags", "wait", "attach"]),
        ("dj.create('x', max_", ["max_acu"]),
        ("dj.map('x', rows, ", ["max_acu", "budget", "max_parallel", "limit"]),
        ("dj.sessions_frame(", ["since", "until", "tags", "phase", "archived", "limit"]),
        ("client.create(", ["repos", "schema"]),
        ("session.send('x', ", ["attach", "again"]),
    ],
)
def test_calls_complete_their_keywords(tab: Callable[[str], list[str]], call: str, keywords: list[str]) -> None:
    assert {f"{name}=" for name in keywords} <= set(tab(call))


def test_handles_complete_their_attributes(tab: Callable[[str], list[str]]) -> None:
    assert {"result", "send", "acus", "frame", "stop"} <= set(tab("session."))
    assert {"wait", "frame", "retry", "questions"} <= set(tab("batch."))
