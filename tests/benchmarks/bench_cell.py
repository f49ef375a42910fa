"""What a cell costs before and after Devin's work: the dry run, the rerun of a finished notebook, Tab.

    python tests/benchmarks/bench_cell.py [--rounds 7]

The simulator runs in its own process; every round is a fresh process, as after a kernel restart.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from typing import Any

from harness import CREATE, Row, Time, fresh, median, requests, simulator, timed

LATER = 20
CELL = """%%devin --repos acme/api --mode lite --schema 'file:str, severity:low|high' --max-acu 5 {more}
Find places where user input reaches SQL without parameters."""
NOTEBOOK = (
    "import devin_jupyter as dj",
    CELL.format(more="--wait -o audit"),
    "answer = audit.result()",
    "frame = audit.frame()",
)


def dry_runs() -> dict[str, Any]:
    """The first dry run of a process, and later ones."""
    shell = _shell()
    first, *later = (timed(lambda: _run(shell, CELL.format(more="--dry-run"))) for _ in range(1 + LATER))
    return {"first": vars(first), "later": vars(median(later))}


def notebook() -> dict[str, Any]:
    """All cells of a notebook."""
    shell = _shell()
    took = timed(lambda: [_run(shell, cell) for cell in NOTEBOOK])
    return {"took": vars(took), "answer": shell.user_ns["answer"]}


def tabs() -> dict[str, Any]:
    """Tab after options, values and commands, and on a name of Python's own."""
    from IPython.core.completer import provisionalcompleter

    shell = _shell()
    _run(shell, CELL.format(more="--wait -o audit"))

    def tab(text: str) -> list[str]:
        with provisionalcompleter():
            return [item.text for item in shell.Completer.completions(text, len(text))]

    before = sum(requests(os.environ["DEVIN_API_URL"]).values())
    ours = ("%%devin --re", "%%devin --mode ", "%devin sho", "%devin show au", "%%devin --links ")
    found = {text: tab(text) for text in ours}
    assert all(found.values()), found
    times = [timed(lambda text=text: tab(text)) for text in ours for _ in range(LATER)]
    rival = [timed(lambda: tab("au")) for _ in range(LATER)]
    slowest = max(times, key=lambda item: item.wall)
    asked = sum(requests(os.environ["DEVIN_API_URL"]).values()) - before
    return {"ours": vars(median(times)), "slowest": vars(slowest), "rival": vars(median(rival)), "asked": asked}


def _shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.Completer.use_jedi = False
    shell = InteractiveShell.instance(config=config)
    _run(shell, "%load_ext devin_jupyter")
    return shell


def _run(shell: Any, code: str) -> None:
    from IPython.utils.capture import capture_output

    with capture_output():
        shell.run_cell(code).raise_error()


def rows(rounds: int) -> list[Row]:
    """Measure all of it."""
    with simulator(speed=600) as url:
        return [*_dry_rows(url, rounds), _rerun_row(url, rounds), _tab_row(url)]


def _dry_rows(url: str, rounds: int) -> list[Row]:
    found = [fresh(__file__, "dry_runs", url=url) for _ in range(rounds)]
    first, later = (median(Time(**item[name]) for item in found) for name in ("first", "later"))
    return [
        Row("first `%%devin --dry-run`", "≤ 150 ms", str(first), "–", "–", first.wall <= 0.15),
        Row(
            "later ones",
            "≤ 5 ms",
            str(later),
            f"the first: {first}",
            f"{later.wall / first.wall:.2f}",
            later.wall <= 0.005,
        ),
    ]


def _rerun_row(url: str, rounds: int) -> Row:
    with tempfile.TemporaryDirectory() as home:
        first = fresh(__file__, "notebook", url=url, home=home)
        posts = requests(url)[CREATE]
        again = [fresh(__file__, "notebook", url=url, home=home) for _ in range(rounds)]
        posts = requests(url)[CREATE] - posts
    assert all(item["answer"] == first["answer"] for item in again)
    took, before = median(Time(**item["took"]) for item in again), Time(**first["took"])
    rival = f"the first run, a turn of 0.4 s: {before}"
    is_met = posts == 0 and took.wall < 1
    what = "rerun of a finished notebook after a restart"
    return Row(what, "0 POSTs, no wait", f"{posts} POSTs, {took}", rival, f"{took.wall / before.wall:.2f}", is_met)


def _tab_row(url: str) -> Row:
    found = fresh(__file__, "tabs", url=url)
    ours, slowest, rival = (Time(**found[name]) for name in ("ours", "slowest", "rival"))
    shown = f"{ours}; slowest {1000 * slowest.wall:.1f} ms; {found['asked']} requests"
    is_met = slowest.wall <= 0.02 and found["asked"] == 0
    ratio = f"{ours.wall / rival.wall:.1f}"
    return Row("Tab", "≤ 20 ms, no network", shown, f"Tab on a Python name: {rival}", ratio, is_met)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--one", choices=("dry_runs", "notebook", "tabs"), help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one:
        print(json.dumps({"dry_runs": dry_runs, "notebook": notebook, "tabs": tabs}[said.one]()))
    else:
        print(*(row.line() for row in rows(said.rounds)), sep="\n")


if __name__ == "__main__":
    main()
