"""Terminal IPython, in a pseudo-terminal: a line that moves while it waits, tables, colors, Ctrl-C."""

import os
import re
import signal
import sys

import pytest
from one_process import AFTER, before

pexpect = pytest.importorskip("pexpect")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),
]
COLORS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
PROMPT = r"In \[\d+\]: "


@pytest.fixture(scope="module")
def _terminals():
    """The terminal that the tests share, if one runs."""
    running = []
    yield running
    for child in running:
        leave(child)


@pytest.fixture
def key(slow_simulator, monkeypatch):
    """The environment of a person with a key of a simulator in which turns take 240 s."""
    monkeypatch.setenv("DEVIN_API_KEY", slow_simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", slow_simulator.url)


@pytest.fixture
def terminal(_terminals, key, tmp_path):
    """IPython in a terminal of 100 columns, with that key.

    Another test may have had the process; what it made and connected is gone.
    """
    if not _terminals:
        _terminals.append(new_terminal())
    [child] = _terminals
    child.setwinsize(40, 100)
    run(child, before(), tmp_path / "before.ipy")
    yield child
    try:
        run(child, AFTER, tmp_path / "after.ipy")
    except BaseException:
        _terminals.remove(child)
        leave(child)
        raise


@pytest.fixture
def own_terminal(key):
    """The same, which nobody has had or will have."""
    child = new_terminal()
    say(child, "%load_ext devin_jupyter")
    yield child
    leave(child)


def new_terminal():
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    command = ["-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit", "--HistoryManager.enabled=False"]
    child = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=300, dimensions=(40, 100), env=environment)
    child.expect(PROMPT)
    return child


def leave(child):
    child.kill(signal.SIGKILL)
    child.wait()  # as long as it takes; close alone gives it a tenth of a second
    child.close()


def run(child, code, path):
    """Run cells between two tests, after whatever is still to be shown."""
    path.write_text(f"{code}\nprint('the next ' + 'test')\n")
    child.sendline(f"%run {path}")
    child.expect("the next test", timeout=60)
    child.expect(PROMPT)


def say(child, line):
    """Type a line, wait for the next prompt, and return what was shown."""
    child.sendline(line)
    child.expect(PROMPT)
    return child.before


def plain(text):
    return COLORS.sub("", text)


def start(child, options, prompt):
    """Type a cell; it runs at the second empty line."""
    child.sendline(f"%%devin {options}")
    child.expect(r"\.\.\.: ")
    child.sendline(prompt)
    child.expect(r"\.\.\.: ")
    child.sendline("")
    child.expect(r"\.\.\.: ")
    child.sendline("")


def test_a_wait_moves_and_ends_in_the_final_text(terminal, slow_simulator):
    start(terminal, "--schema 'n:int' --wait -o s", "Count")
    terminal.expect("queued")
    terminal.expect("Ctrl-C detaches")
    slow_simulator.clock(240)
    terminal.expect(PROMPT)
    shown = plain(terminal.before)
    assert "✓ done" in shown
    assert "validated · " in shown
    assert "Out[" not in shown


@pytest.mark.parametrize("line", ["_ = s.wait()", "_ = s.result()", "_ = await s"])
def test_waiting_in_python_moves_as_well(terminal, slow_simulator, line):
    start(terminal, "-o s", "Count")
    terminal.expect(PROMPT)
    terminal.sendline(line)
    terminal.expect("Ctrl-C detaches")
    slow_simulator.clock(240)
    terminal.expect(PROMPT)
    assert "Ctrl-C" not in plain(say(terminal, "s.phase.turn_over"))


def test_a_quiet_wait_stands_still(terminal):
    start(terminal, "--quiet --wait 0.5", "Count")
    terminal.expect("WaitTimeout")
    assert "Ctrl-C detaches" not in terminal.before


def test_ctrl_c_detaches_in_one_line(terminal):
    start(terminal, "--wait -o s", "Count")
    terminal.expect("Ctrl-C detaches")
    terminal.sendintr()
    terminal.expect(PROMPT)
    shown = plain(terminal.before)
    assert "Detached" not in shown
    words = " ".join(shown.split())
    assert "Stopped waiting. The session keeps running (devin-" in words
    assert "Run the cell again to wait. .stop() ends it." in words
    assert "Traceback" not in shown
    assert "True" in say(terminal, "s.phase.turn_over is False")


def test_ctrl_c_detaches_an_await_in_lines_without_a_traceback(terminal):
    say(terminal, "import devin_jupyter as dj; s = dj.create('Count')")
    say(terminal, "import asyncio")
    terminal.sendline("asyncio.get_running_loop().call_later(0.1, print, 'under' + ' way'); await s")
    terminal.expect("under way")
    terminal.sendintr()
    terminal.expect(PROMPT)
    shown = plain(terminal.before)
    assert "Stopped waiting. The session keeps running (devin-" in " ".join(shown.split())
    assert "Traceback" not in shown
    assert "True" in say(terminal, "s.phase.turn_over is False")
    terminal.sendline("import time; time.sleep(60)")
    terminal.sendintr()
    terminal.expect("KeyboardInterrupt")


def test_tables_are_colored_on_a_terminal_and_fit_it(terminal):
    start(
        terminal, "-o s --title 'A rather long title that says at length what it is all about and then some'", "Count"
    )
    terminal.expect(PROMPT)
    shown = say(terminal, "%devin sessions")
    assert "\x1b[" in shown
    assert "phase" in plain(shown)
    assert max(map(len, plain(shown).splitlines())) <= 100
    still = plain(say(terminal, "%devin sessions --live"))
    assert "the live board needs a notebook" in still
    assert "A rather long title" in still


def test_sessions_fit_a_narrow_terminal_with_the_first_digits_of_their_ids_which_commands_take(terminal):
    terminal.setwinsize(40, 80)
    start(terminal, "-o s --title 'A rather long title that says at length what it is all about'", "Count")
    terminal.expect(PROMPT)
    shown = plain(say(terminal, "%devin sessions"))
    assert "A rather long" in shown
    assert "devin-" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "True" in say(terminal, "_.ids == [s.id]")
    short = re.search(r"\b([0-9a-f]{8})\s*$", shown, re.MULTILINE)[1]
    assert f"devin-{short}" in plain(say(terminal, f"%devin show {short}"))
    assert "neither a session in this notebook nor an id" in plain(say(terminal, "%devin show 00000000"))


def test_without_waiting_the_session_is_shown_once_as_text(terminal):
    start(terminal, "-o s", "Count")
    terminal.expect(PROMPT)
    shown = plain(terminal.before)
    assert re.search(r"(working|queued) · .* · simulated", shown)
    assert "<div" not in shown


def test_leaving_says_nothing(own_terminal):
    start(own_terminal, "-o s", "Count")
    own_terminal.expect(PROMPT)
    own_terminal.sendline("exit")
    own_terminal.expect(pexpect.EOF)
    assert plain(own_terminal.before).replace("exit", "").strip() == ""
