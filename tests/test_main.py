"""`python -m devin_jupyter stop --all` and `resume`, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devin_jupyter import __main__ as command
from devin_jupyter.idempotency.stop import HALT_HOLDS
from devin_jupyter.journal import Journal


@pytest.fixture
def at_home(simulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    for name, value in {
        "DEVIN_API_KEY": simulator.api_key,
        "DEVIN_ORG_ID": simulator.org_id,
        "DEVIN_API_URL": simulator.url,
        "DEVIN_JUPYTER_HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Journal(tmp_path / "home")


def test_stop_and_resume_say_what_they_did(at_home: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["stop", "--all"]) == 0
    said = capsys.readouterr().out
    assert "halted: nobody posts on" in said
    assert "--everything ends those of other folders too" in said
    assert at_home.halted_since() is not None
    assert command.main(["stop", "--all", "--everything"]) == 0
    assert "--everything" not in capsys.readouterr().out
    assert command.main(["resume"]) == 0
    assert command.main(["resume"]) == 0
    assert capsys.readouterr().out.splitlines() == ["the halt is lifted", "nothing was halted"]


def test_without_a_key_stop_still_halts(
    at_home: Journal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DEVIN_API_KEY")
    assert command.main(["stop", "--all"]) == 1
    assert at_home.halted_since() is not None
    assert capsys.readouterr().err.splitlines() == [
        f"{HALT_HOLDS} (no Devin API key was found)",
        "set DEVIN_API_KEY and run the same command again",
    ]
    monkeypatch.setenv("DEVIN_API_KEY", "cog_nobody")
    monkeypatch.delenv("DEVIN_ORG_ID")
    assert command.main(["stop", "--all"]) == 1
    assert HALT_HOLDS in capsys.readouterr().err


def test_stop_without_all_is_refused(at_home: Journal) -> None:
    with pytest.raises(SystemExit):
        command.main(["stop"])
    assert at_home.halted_since() is None
