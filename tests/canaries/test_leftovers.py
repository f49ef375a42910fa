"""Keys and secrets, planted wherever they may enter, are in no file, journal, widget, log or traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from canaries.echo_service import Echo, echo_service
from canaries.leaks import ORG_SECRET, SESSION_SECRET, V1_KEY, V3_KEY, files, leaks_in, leftovers
from nbclient import NotebookClient

pytestmark = [pytest.mark.canaries, pytest.mark.kernel, pytest.mark.timeout(300)]

LOAD = """
import logging, sys, traceback, warnings
logging.basicConfig(level=logging.DEBUG, filename="all.log")
logging.getLogger().addHandler(logging.StreamHandler())
%load_ext devin_jupyter
import devin_jupyter as dj
"""
PRINTED = """
try:
    dj.get("devin-00000000000000000000000000000000")
except dj.DevinError as error:
    traceback.print_exc()
    print(repr(error), error.args, error.detail, vars(error))
"""
CELLS = [
    LOAD,
    "%devin whoami",
    "%%devin --secrets CANARY_SECRET --schema 'file:str, why:str' --title Audit --max-acu 3 -o audit --wait\nRepeat",
    "audit",
    "audit.result()",
    "audit.output, audit.messages, audit.title, audit.snapshot",
    "print(audit.messages[-1].text, audit.snapshot.structured_output)",
    "audit.frame()",
    "audit.messages_frame()",
    "audit.send('go on').wait(); audit",
    "audit.panel()",
    "%devin show audit --transcript",
    "%devin messages audit",
    "%devin sessions",
    "dj.sessions_frame()",
    "print(dj.sessions_frame().to_dict())",
    "dj.outputs_frame([audit])",
    "dj.messages_frame([audit])",
    "%%devin --tags sim:question -o asked\nAsk",
    "asked.wait(); asked.question, repr(asked)",
    "asked.result()",
    "%tb",
    "%%devin --tags sim:fail -o failed --wait\nFail",
    "%tb",
    "%xmode Verbose",
    "dj.get('devin-00000000000000000000000000000000')",
    "%tb",
    PRINTED,
    "%%devin --secrets CANARY_SECRET --dry-run\nRepeat",
    "import os; dj.connect(api_key=os.environ['OTHER_KEY'], base_url=os.environ['DEVIN_API_URL'])",
    "devin = dj.connect(); devin, devin.settings, str(devin.settings), vars(devin)",
    "devin.secrets.create('CANARY', os.environ['CANARY_ORG_SECRET'])",
    "devin.secrets.create('CANARY', os.environ['CANARY_ORG_SECRET'], nonsense=1)",
    "list(devin.secrets.list())",
    "%devin secrets",
    "list(devin.sessions.list())",
    "%devin usage",
    "%devin budget",
    "%devin journal",
    "%devin journal export exported.json",
    "%devin lock",
    "%devin files audit",
    "%devin insights audit",
    "%devin playbooks",
    "%devin knowledge",
    "%%devin --secrets CANARY_SECRET=value\nRefused",
    "%devin connect --key {{ key }}",
    "rows = [{'n': 1}, {'n': 2}]; batch = dj.map('Look at {{ row.n }}', rows, schema='n:int', max_acu=1, name='rows')",
    "batch.wait(); batch",
    "batch.frame()",
    "batch.panel()",
    "%devin debug",
    "%devin debug report.txt",
]


class Interactive(NotebookClient):
    """Runs a notebook as a person's front end does: somebody could type."""

    async def async_start_new_kernel_client(self) -> Any:
        client = await super().async_start_new_kernel_client()
        client.allow_stdin = True
        return client


@pytest.fixture
def echo(simulator: Any) -> Iterator[tuple[str, Echo]]:
    with echo_service(simulator) as running:
        yield running


@pytest.fixture
def planted(echo: tuple[str, Echo], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to work in, and an environment full of secrets."""
    for name, value in {
        "DEVIN_API_KEY": V3_KEY,
        "OTHER_KEY": V1_KEY,
        "DEVIN_API_URL": echo[0],
        "CANARY_SECRET": SESSION_SECRET,
        "CANARY_ORG_SECRET": ORG_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def run(cells: list[str], folder: Path, kind: type[NotebookClient]) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    kind(notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


V1_CELLS = [
    LOAD,
    "%devin whoami",
    "%%devin --secrets CANARY_SECRET --schema 'file:str, why:str' --title Audit -o audit --wait\nRepeat",
    "audit",
    "audit.result(), audit.messages",
    "audit.send('go on').wait(); audit",
    "dj.get('devin-00000000000000000000000000000000')",
    "%tb",
    "%devin sessions",
    "dj.sessions_frame()",
    "import os; dj.connect().secrets.create('CANARY', os.environ['CANARY_ORG_SECRET'])",
    "%devin secrets",
    "%devin lock",
    "%devin journal export exported.json",
    "%devin debug report.txt",
]
LEFT = {"all.log", "report.txt", "journal.db", "exported.json"}


def check(notebook: nbformat.NotebookNode, folder: Path, home: Path, echo: Echo) -> None:
    """The secrets were told and repeated, the files are there, and no canary is anywhere."""
    found = list(leftovers(notebook, folder, home))
    assert echo.told == sorted([SESSION_SECRET, ORG_SECRET])
    assert {Path(where).name for where, _ in found} >= LEFT
    assert leaks_in(found) == []


@pytest.mark.parametrize("kind", [NotebookClient, Interactive])
def test_nothing_left_by_a_run_holds_a_key_or_a_secret(kind, planted, echo, tmp_path) -> None:
    check(run(CELLS, planted, kind), planted, tmp_path / "home", echo[1])


def test_nor_does_one_of_a_run_on_v1(planted, echo, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DEVIN_API_KEY", V1_KEY)
    check(run(V1_CELLS, planted, NotebookClient), planted, tmp_path / "home", echo[1])


@pytest.mark.parametrize("failing", [{"GET": 401}, {"POST": 422}], ids=str)
def test_nor_does_an_error_that_repeats_the_request(failing, planted, echo, tmp_path) -> None:
    echo[1].failing = failing
    cell = "%%devin --secrets CANARY_SECRET\nRepeat"
    notebook = run([LOAD, "%devin whoami", "%tb", cell, "%tb", PRINTED, "%devin debug"], planted, NotebookClient)
    assert notebook.cells[3].outputs[-1].output_type == "error"
    assert SESSION_SECRET in echo[1].told or "GET" in failing
    assert leaks_in(leftovers(notebook, planted, tmp_path / "home")) == []


def test_nor_does_a_key_from_a_file_beside_the_notebook(planted, echo, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DEVIN_API_KEY")
    monkeypatch.delenv("DEVIN_API_URL")
    (planted / ".env").write_text(f"DEVIN_API_KEY={V3_KEY}\nDEVIN_API_URL={echo[0]}\n")
    notebook = run([*CELLS[:6], "%devin debug"], planted, NotebookClient)
    (planted / ".env").unlink()
    assert "•••" in json.dumps(notebook.cells[4].outputs, ensure_ascii=False)
    assert leaks_in(leftovers(notebook, planted, tmp_path / "home")) == []


def test_the_hunt_finds_what_is_there(tmp_path) -> None:
    (tmp_path / "leak.json").write_text(json.dumps({"a": f"x{SESSION_SECRET}"}))
    assert [hit.partition(" in ")[0] for hit in leaks_in(files(tmp_path))][:1] == ["session secret"]
