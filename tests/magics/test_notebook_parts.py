"""`--attach :traceback`, `:cell`, `:notebook` and `%devin fix`: what the notebook says of itself, and what is sent."""

import ast
import json
import sys

import pytest

from devin_jupyter import notebook
from devin_jupyter.client.sync import get_default
from devin_jupyter.host import executions
from devin_jupyter.notebook import failure_of
from devin_jupyter.repair import answer_to, prompt_for

POST = "POST /v3/organizations/{org_id}/sessions"
KEY = "cog_" + "a1b2c3d4e5f6"
FAILS = "def price(name):\n    return {'tea': 2}[name]\nprice('coffee')"


@pytest.fixture
def cells(shell):
    """Return a function that runs a cell as a front end does, with an id and a place in the history."""
    for name in ("last_exc", "last_value"):
        vars(sys).pop(name, None)
    executions.clear()
    history = shell.ipython.history_manager
    history.reset(new_session=False)
    history.input_hist_raw[:] = [""]
    history.outputs.clear()
    shell.ipython.execution_count = 1

    def run(code, *, cell_id=None, fails=False):
        result = shell.ipython.run_cell(code, store_history=True, cell_id=cell_id)
        assert result.success is not fails, code
        return result

    yield run
    executions.clear()


def attached(shell, cells, capsys, part, line=""):
    """What the dry run of a cell shows of an attachment."""
    capsys.readouterr()
    cells(f"%%devin --attach {part} --dry-run {line}\nHelp")
    return capsys.readouterr().out.split(".md:\n", 1)[1].removesuffix("\nnothing was sent\n")


def test_the_last_error_goes_with_its_cell_and_is_the_same_text_in_every_process(shell, service, cells, capsys):
    cells(FAILS, fails=True)
    text = attached(shell, cells, capsys, ":traceback")
    assert text.startswith(f"The cell that failed:\n\n```python\n{FAILS}\n```")
    assert 'File "<cell>", line 3, in <module>' in text
    assert text.rstrip("`\n").endswith("KeyError: 'coffee'")
    assert "ipython-input" not in text
    cells("import json\njson.loads('{')", fails=True)
    text = attached(shell, cells, capsys, ":traceback")
    assert 'File "json/decoder.py"' in text
    cells("x = = 3", fails=True)
    assert attached(shell, cells, capsys, ":traceback").count("File") == 1


def test_an_error_of_this_package_is_not_the_last_error(shell, service, cells, capsys):
    cells("%%devin --attach :traceback\nHelp", fails=True)
    assert "there is no error to attach: no cell of this notebook has failed" in capsys.readouterr().out
    cells("%%devin --repoz a/b\nHelp", fails=True)
    capsys.readouterr()
    cells("%%devin --attach :traceback\nHelp", fails=True)
    assert "has failed but with an error of devin_jupyter itself (OptionError)" in capsys.readouterr().out
    cells(FAILS, fails=True)
    cells("%%devin --attach :tracebak\nHelp", fails=True)
    assert "--attach has no :tracebak (did you mean :traceback?)" in capsys.readouterr().out
    assert "coffee" in attached(shell, cells, capsys, ":traceback")


def test_the_cell_above_goes_with_its_output_without_keys_and_addresses(shell, service, cells, capsys):
    cells(f"print('the key is {KEY}')\nobject()")
    text = attached(shell, cells, capsys, ":cell")
    assert "the key is cog_•••" in text
    assert KEY not in text
    assert " at 0x…>" in text
    again = attached(shell, cells, capsys, ":cell")  # the cell that was just run with a prompt is not the one above
    assert again == text


def test_all_cells_above_go_without_long_outputs_and_without_prompts(shell, service, cells, capsys):
    cells("rows = 3", cell_id="a")
    cells("print('x' * 5000)", cell_id="b")
    cells("rows + 1", cell_id="c")
    cells("rows + 2", cell_id="c")
    cells("%devin whoami")
    text = attached(shell, cells, capsys, ":notebook")
    assert "rows = 3" in text
    assert "(5,001 characters, left out)" in text
    assert "rows + 2" in text
    assert "\n5\n" in text
    assert "rows + 1" not in text  # the cell was edited and run again
    assert "%devin" not in text


def test_with_a_saved_notebook_the_cell_above_is_the_one_that_stands_above(
    shell, service, cells, capsys, tmp_path, monkeypatch
):
    saved = [
        ("a", "first = 1", []),
        ("b", "print('as saved')", ["as saved\n"]),
        ("c", "%%devin\nx", []),
        ("z", "9", []),
    ]
    path = tmp_path / "audit.ipynb"
    streams = [
        {
            "id": name,
            "cell_type": "code",
            "source": source.splitlines(keepends=True),
            "outputs": [{"output_type": "stream", "name": "stdout", "text": text} for text in texts],
        }
        for name, source, texts in saved
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# Hi"}, *streams]}), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    cells("9", cell_id="z")
    cells("first = 2", cell_id="a")
    capsys.readouterr()
    cells("%%devin --attach :cell :notebook --dry-run\nx", cell_id="c")
    out = capsys.readouterr().out
    cell, everything = out.split("cell.md:\n")[1].split("notebook.md:\n")
    assert "as saved" in cell
    assert "first = 2" in everything  # as it ran, not as it was saved
    assert "9" not in everything


def test_what_is_attached_is_part_of_the_identity_and_is_uploaded(shell, service, cells):
    def run(take=""):
        cells(f"%%devin --attach :traceback -o audit {take}\nWhy?")
        return shell.names["audit"].id

    cells(FAILS, fails=True)
    first = run()
    assert run() == first
    cells(FAILS.replace("coffee", "milk"), fails=True)
    assert run("--beside") != first
    assert service.stats()["requests"][POST] == 2


def test_a_fix_is_asked_for_once_and_shown_as_a_diff_that_nothing_runs(shell, service, cells, capsys, monkeypatch):
    offered = []
    monkeypatch.setattr(type(shell.ipython), "set_next_input", lambda self, text, replace=False: offered.append(text))
    cells(FAILS, fails=True)
    cells("%devin fix return 0 where it is missing -o repaired --max-acu 2")
    out = capsys.readouterr().out
    answer = shell.names["repaired"].result()
    assert answer.cell.startswith(FAILS.rstrip())  # the simulator answers with code as well
    ast.parse(answer.cell)
    assert f"\n+{answer.cell.splitlines()[-1]}" in out
    assert f"\n+{answer.cell.splitlines()[-1]}" in answer.patch
    assert offered == [answer.cell]
    cells("%devin fix return 0 where it is missing -o repaired --max-acu 2")
    assert "attached to" in capsys.readouterr().out
    cells("import devin_jupyter as dj\nsame = dj.fix(hint='return 0 where it is missing')")
    assert shell.names["same"].id == shell.names["repaired"].id
    assert service.stats()["requests"][POST] == 1
    cells("%devin fix --dry-run")
    assert "price('coffee')" in capsys.readouterr().out
    cells("try:\n    {}['pears']\nexcept KeyError as error:\n    other = dj.fix(error)")
    assert "pears" in get_default().core.store.record(shell.names["other"].id).facts.prompt


@pytest.mark.parametrize(
    ("cell", "is_offered"),
    [
        ("The name is missing, so return 0.", False),
        ("  ", False),
        ("%time price = await get()\n!ls", True),
        ("%%bash\nls | wc", True),
    ],
)
def test_only_what_ipython_could_run_is_offered_as_the_next_cell(
    shell, service, cells, capsys, monkeypatch, cell, is_offered
):
    offered = []
    monkeypatch.setattr(type(shell.ipython), "set_next_input", lambda self, text, replace=False: offered.append(text))
    monkeypatch.setattr(
        "devin_jupyter.simulator.outputs.with_corrected_cell", lambda output, *_: {**output, "cell": cell}
    )
    cells(FAILS, fails=True)
    cells("%devin fix --max-acu 2")
    out = capsys.readouterr().out
    assert offered == ([cell] if is_offered else [])
    assert ("is not valid Python, and is not offered as the next input" in out) is not is_offered
    assert cell.splitlines()[0] in out


def test_a_corrected_cell_is_text_only(shell):
    failure = failure_of(KeyError("<b>"), "cost = {}['<b>']")
    fixed = answer_to(failure)(explanation="<script>", patch="-a", cell="cost = 0")
    assert fixed.diff.splitlines()[-2:] == ["-cost = {}['<b>']", "+cost = 0"]
    html = fixed._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "cost = {}['<b>']" in prompt_for(failure, "a hint")
    bare = answer_to(failure_of(KeyError("x")))(explanation="e", patch="-a\n+b", cell="b")
    assert bare.diff == "-a\n+b"


def test_a_notebook_file_that_cannot_be_read_is_no_order(tmp_path):
    path = tmp_path / "broken.ipynb"
    path.write_text("{", encoding="utf-8")
    assert notebook.saved_cells(path) == []
    assert notebook.saved_cells(tmp_path) == []
    outputs = [
        {"output_type": "error", "traceback": ["\x1b[31mKeyError\x1b[0m: 'x'"]},
        {"output_type": "display_data", "data": {"text/plain": ["<Figure>"]}},
        {"output_type": "display_data", "data": {"image/png": "…"}},
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": "x", "outputs": outputs}]}), "utf-8")
    assert notebook.saved_cells(path) == [notebook.Cell("x", "KeyError: 'x'\n<Figure>\n")]


def test_where_there_is_no_cell_above_it_says_so(shell, service, cells, capsys):
    for part, said in ((":cell", "there is no cell above"), (":notebook", "there are no cells above")):
        cells(f"%%devin --attach {part}\nHelp", fails=True)
        assert said in capsys.readouterr().out
    cells("print('x' * 200_000)")
    assert "more characters)" in attached(shell, cells, capsys, ":cell")
    cells("value = '```'")
    assert "````python\nvalue = '```'\n````" in attached(shell, cells, capsys, ":cell")
    assert "%%devin --attach :traceback" in shell.tab("%%devin --attach :tr|")
