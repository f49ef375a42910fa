"""`%devin lock` in a notebook, and running one from what it wrote."""

import json

import pytest

from devin_jupyter.client.sync import disconnect
from devin_jupyter.recorded import locks_beside


@pytest.fixture(autouse=True)
def nobody_connected():
    yield
    disconnect()


def test_a_lock_file_is_written(shell, service, tmp_path):
    shell.run("%%devin --wait --quiet -o s\nDo it")
    said = shell.run(f"%devin lock {tmp_path / 'x.devin.json'}").out
    assert "1 session;" in said
    assert shell.names["s"].id in (tmp_path / "x.devin.json").read_text()


@pytest.mark.parametrize("name", ["share.json", "share", "share.devin.json"])
def test_any_name_becomes_one_that_is_read_again(shell, service, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    shell.run("%%devin --wait --quiet -o s\nDo it")
    said = shell.run(f"%devin lock {name}").out
    assert said == "share.devin.json: 1 session; it replays it without a key\n"
    (tmp_path / "elsewhere").mkdir()
    assert "; beside the notebook, it replays it without a key" in shell.run("%devin lock elsewhere").out
    assert (tmp_path / "elsewhere" / "notebook.devin.json").exists()
    assert locks_beside(tmp_path).session(shell.names["s"].id) is not None


def test_a_lock_file_keeps_what_is_not_of_this_run(shell, service, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.run("%%devin --wait --quiet -o t\nOf this folder")
    said = shell.run("%devin lock").out
    assert "kept" not in said
    path = tmp_path / "notebook.devin.json"
    written = json.loads(path.read_text())
    [(_, record)] = written["sessions"].items()
    written["sessions"] = {"0" * 64: {**record, "session_id": "devin-" + "0" * 32}}
    path.write_text(json.dumps(written))
    assert "2 sessions, 1 of them kept from before;" in shell.run("%devin lock").out
    assert "2 sessions, 1 of them kept from before" in shell.run("dj.connect().lock()").value
    assert "2 sessions, 1 of them kept from before;" in shell.run(f"%devin lock {path}").out


def test_without_a_key_and_somebody_to_ask_connect_replays_the_lock_file(shell, simulator, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "this environment cannot prompt" in shell.run("%devin connect", fails=True).out
    with monkeypatch.context() as recording:
        recording.setenv("DEVIN_API_URL", simulator.url)
        recording.setenv("DEVIN_API_KEY", simulator.api_key)
        shell.run("%devin connect")
        shell.run("%%devin --wait --quiet -o s\nDo it")
        shell.run("%devin lock")
    asked = simulator.stats()["requests"]
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path / "elsewhere"))
    for line in ("%devin connect", "%devin connect --org org-1", "import devin_jupyter as dj; c = dj.connect()"):
        said = shell.run(line).out
        assert said == "no key: replaying notebook.devin.json, recorded sessions: 1; nothing is sent\n"
        assert "recorded" in shell.run("%%devin --wait --quiet -o s\nDo it").out
    assert simulator.stats()["requests"] == asked
    for line in ("%devin connect --save", "%devin connect --profile nowhere"):
        assert type(shell.run(line, fails=True).error).__name__ == "NoKey"
    with monkeypatch.context() as mistaken:
        mistaken.setenv("DEVIN_API_KEY", "no key at all")
        assert "characters that are not valid in a key" in shell.run("dj.connect()", fails=True).out
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    shell.run("%devin sessions")  # a key that is set later is found
