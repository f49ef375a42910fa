"""How errors look: three lines, stored as error outputs, the whole traceback on demand, and never a secret."""

import inspect

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from devin_jupyter import errors

MISTYPED = ["OptionError: %%devin has no option --repoz (did you mean --repos?)", "  %%devin? lists the options"]
OURS = sorted(
    (kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ThreeLines)),
    key=lambda kind: kind.__name__,
)
PUBLIC = [kind for kind in OURS if not kind.__name__.startswith("_")]
WAIT_STOPPED = {errors.Detached, errors.DetachedAwait}  # a person asked for it: nothing is wrong, so no kind is named
CALM = ["what happened", "what it means", "what to do"]
INDENTED = ["  what it means", "  what to do"]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_error_of_ours_shows_in_at_most_three_lines(shell, kind):
    shell.names["kind"] = kind
    ran = shell.run("raise kind('what\\nhappened', 'what it means', 'what to do')", fails=True)
    assert ran.lines == (CALM if kind in WAIT_STOPPED else [f"{kind.__name__}: what happened", *INDENTED])


def test_the_whole_traceback_is_there_on_demand(shell):
    shell.run("%%devin --repoz x\nprompt", fails=True)
    whole = shell.run("%tb").out
    assert "OptionError" in whole
    assert "arguments.py" in whole
    assert "did you mean --repos?" in whole


@pytest.mark.kernel
def test_the_history_of_ipython_keeps_the_short_lines_and_tb_shows_the_frames(kernel):
    kernel.run("%%devin --repoz x\nprompt", fails=True)
    [kept] = kernel.run("print(*list(get_ipython().history_manager.exceptions.values())[-1]['traceback'], sep='\\n')")
    assert kept["text"].splitlines() == MISTYPED
    assert "arguments.py" in str(kernel.run("%tb"))


def test_raising_the_same_error_again_is_short_again(shell):
    shell.run("import devin_jupyter as dj\nerror = dj.DevinError('once')\nraise error", fails=True)
    assert "Traceback" in shell.run("%tb").out
    assert shell.run("raise error", fails=True).lines == ["DevinError: once"]


def test_no_traceback_shows_a_key_not_even_with_local_variables(shell):
    code = (
        "def f(key):\n    header = {'authorization': 'Bearer ' + key}\n    raise dj.DevinError('failed with ' + key)\n"
    )
    shell.names["key"] = "cog_" + "CaNaRy" * 3
    shell.run("import devin_jupyter as dj\n" + code + "f(key)", fails=True)
    for line in ("%tb", "%tb Verbose", "%tb Plain"):
        shown = shell.run(line).out
        assert "failed with cog_•••" in shown
        assert "CaNaRy" not in shown


def test_a_fault_of_ours_shows_in_three_lines_too(shell, monkeypatch):
    monkeypatch.setattr("devin_jupyter.magics.cell.parse", lambda line: 1 / 0)
    ran = shell.run("%%devin\nprompt", fails=True)
    assert ran.lines[0] == "DevinError: internal error in devin_jupyter: ZeroDivisionError: division by zero"
    assert len(ran.lines) == 3
    assert "ZeroDivisionError" in shell.run("%tb").out


@pytest.mark.kernel
def test_a_mistyped_cell_is_an_error_output_in_a_kernel(kernel):
    [output] = kernel.run("%%devin --repoz x\nprompt", fails=True)
    assert output["output_type"] == "error"
    assert output["ename"] == "OptionError"
    assert output["traceback"] == MISTYPED


@pytest.mark.kernel
async def test_a_mistyped_cell_stops_a_run_of_the_whole_notebook():
    cells = ["%load_ext devin_jupyter", "%devin sned", "print('reached')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(CellExecutionError, match="did you mean send"):
        await NotebookClient(notebook, startup_timeout=300, kernel_name="python3").async_execute()
    assert [output.output_type for output in notebook.cells[1].outputs] == ["error"]
    assert notebook.cells[2].outputs == []
