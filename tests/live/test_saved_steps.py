"""What Devin thought and ran stays out of the saved notebook, unless its transcript was asked for."""

from __future__ import annotations

import json

import nbclient
import nbformat
import pytest
import sent_methods

SETUP = "%load_ext devin_jupyter\nimport devin_jupyter as dj\ndj.connect(simulator=True, speed=160.0, live=True)"


@pytest.mark.kernel
def test_a_saved_notebook_holds_steps_only_with_the_transcript() -> None:
    cells = [SETUP]
    for name, option in (("plain", ""), ("kept", "--save-transcript")):
        cells.append(f"%%devin -o {name} --repos acme/api {option}\nFind the slow tests, {name}")
        cells.append(f"assert {{'thought', 'tool', 'plan'}} <= {{step.kind for step in {name}.steps}}")
    _, before = sent_methods.noted(0)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3").execute()
    transcript = notebook.cells.pop(3)  # all that is left of the notebook has nothing of the steps
    for saved, saves in ((json.dumps(notebook), False), (json.dumps(transcript), True)):
        assert "your reply" not in saved
        for told in ("First I look at", "1 failed, 40 passed", "pytest -q"):
            assert (told in saved) is saves, told
        assert "cog_pat" not in saved
        assert ("<details" in saved and "Steps (" in saved) is saves
    methods, _ = sent_methods.noted(before)
    assert set(methods) == {"initialize", "session/load"}
