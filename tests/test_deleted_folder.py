"""A working directory that was deleted under a running kernel: nothing breaks that does not need it."""

import shutil

import pytest

import devin_jupyter as dj
from devin_jupyter.client.sync import disconnect
from devin_jupyter.host import host, working_directory


@pytest.fixture
def deleted(tmp_path, monkeypatch, simulator):
    """The folder in which the kernel runs is gone."""
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PWD", str(folder))
    shutil.rmtree(folder)
    yield folder
    disconnect()
    monkeypatch.chdir(tmp_path)


def test_sessions_go_on_and_what_needs_the_folder_names_it(deleted):
    assert working_directory() == deleted
    assert host().notebook
    session = dj.create("Audit the code", schema="count:int")
    assert session.result(30)
    assert dj.create("Audit the code", schema="count:int").id == session.id
    assert dj.last().id == session.id
    with pytest.raises(dj.JournalError, match="cannot be written"):
        dj.commands.lock()
    with pytest.raises(dj.OptionError, match=r"cannot read nothing\.csv"):
        dj.create("x", attach="nothing.csv")
    with pytest.raises(dj.SchemaError, match=str(deleted)):
        dj.create("x", schema="nothing.json")
    with pytest.raises(dj.DevinError, match=r"(?i)no such file|cannot be written|does not exist"):
        session.download()


def test_without_a_name_of_it_there_is_still_one(deleted, monkeypatch):
    monkeypatch.delenv("PWD")
    assert working_directory().is_absolute()
    assert dj.create("Audit the code", max_acu=1).id
