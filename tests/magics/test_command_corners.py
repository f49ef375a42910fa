"""`%devin` commands and Tab where something is missing, refused or contradictory: clear words, and nothing lost."""

import importlib.metadata
import json
import logging
import sys

import pytest

from devin_jupyter.client.sync import disconnect
from devin_jupyter.errors import OptionError
from devin_jupyter.magics import completion, org_commands
from devin_jupyter.magics.frontend import keep_recent_log

SELF = {"method": "GET", "route": "/v3/self"}
DELETE = {"method": "DELETE", "route": "/v3/organizations/{org_id}/sessions/{devin_id}"}
SESSIONS = "GET /v3/organizations/{org_id}/sessions"


@pytest.fixture
def nobody_connected():
    disconnect()
    yield
    disconnect()


@pytest.mark.parametrize("line", ["%devin journal export /no/such/place", "%devin debug /no/such/place"])
def test_a_file_that_cannot_be_written_is_told_plainly(shell, service, line):
    problem = shell.run(line, fails=True).error
    assert isinstance(problem, OptionError)
    assert problem.message == "/no/such/place cannot be written: no such file or directory"


# --- debug -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_connected")
def test_the_report_says_what_is_not_there(shell, monkeypatch):
    monkeypatch.delattr(sys, "last_value", raising=False)
    real = importlib.metadata.version

    def version(name):
        if name == "jupyterlab":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    report = shell.run("%devin debug").out
    assert "jupyterlab is not installed" in report
    assert "not connected" in report
    assert "none in this kernel" in report


def test_the_report_of_a_journal_that_cannot_be_read_is_still_a_report(shell, service, tmp_path):
    shell.run("%%devin --quiet --wait -o s\nCount")
    path = tmp_path / "home" / "journal.db"
    path.write_bytes(b"this is no database" * 100)
    report = shell.run("%devin debug").out
    assert "is damaged" in report
    assert "== last error" in report


def test_the_report_holds_the_last_requests_without_being_told_before(shell, service):
    shell.run("%devin sessions --tags hidden-in-the-query")
    report = shell.run("%devin debug").out
    assert "GET /v3/organizations/org-simulator/sessions 200 in " in report
    assert "hidden-in-the-query" not in report


def test_the_report_holds_the_last_lines_of_the_log(shell, service):
    keep_recent_log()
    logging.getLogger("devin_jupyter").warning("something %s", "odd")
    assert "something odd" in shell.run("%devin debug").out
    assert org_commands.EMPTY_LOG not in shell.run("%devin debug").out


def test_a_bare_number_is_not_a_time(shell, service):
    assert "--since: cannot read '2025'" in shell.run("%devin sessions --since 2025", fails=True).out


@pytest.mark.parametrize(
    "line",
    [
        "%devin debug /nonexistent/report.txt",
        "%devin journal export /nonexistent/journal.json",
        "%devin files s --download /dev/null/files",
    ],
)
def test_a_place_that_cannot_be_written_is_a_mistake_of_the_line(shell, service, line):
    shell.run("%%devin --quiet --wait -o s\nCount")
    ran = shell.run(line, fails=True)
    assert type(ran.error).__name__ == "OptionError"
    assert "cannot be written" in ran.error.message
    assert "a fault in" not in ran.out


# --- money and the journal -------------------------------------------------------------------------------------------


def test_the_journal_is_repaired_and_works_again(shell, service):
    shell.run("%%devin --quiet --wait -o s\nCount")
    said = shell.run("%devin journal repair").out
    assert said.strip()
    assert "is sound" in shell.run("%devin journal check").out
    assert shell.names["s"].id in repr(shell.run("%devin journal").value)


def test_a_limit_and_no_limit_contradict_each_other(shell, service):
    ran = shell.run("%devin budget 5 --off", fails=True)
    assert "cannot be combined" in ran.out
    assert "no budget is set" in shell.run("%devin budget").out


def test_a_notebook_without_sessions_writes_no_lock_file_and_keeps_the_one_there_is(shell, service, tmp_path):
    path = tmp_path / "x.devin.json"
    refused = shell.run(f"%devin lock {path}", fails=True)
    assert type(refused.error).__name__ == "OptionError"
    assert not path.exists()
    path.write_text("kept")
    assert "is unchanged" in shell.run(f"%devin lock {path}").out
    assert path.read_text() == "kept"


def test_usage_counts_the_sessions_whose_cost_is_not_known(shell, slow_service):
    slow_service.faults({"method": "GET", "route": "/v3/organizations/{org_id}/consumption/daily", "kind": "status",
                         "status": 403})  # fmt: skip
    shell.run("%%devin --quiet -o s\nCount")
    assert "unknown for 1 session" in repr(shell.run("%devin usage --since 7d").value)


# --- what is done with sessions --------------------------------------------------------------------------------------


def test_one_failure_does_not_keep_the_rest_from_being_stopped(shell, slow_service):
    for name in ("one", "two"):
        shell.run(f"%%devin --quiet -o {name}\n{name}")
    slow_service.faults(DELETE | {"kind": "status", "status": 403, "times": 1})
    table = shell.run("%devin stop one two").value
    assert sorted(row["result"] == "stopped" for row in table.rows) == [False, True]
    assert "1 of 2 failed" in repr(table)


def test_everything_is_said_together_with_all(shell, service):
    ran = shell.run("%devin stop --everything", fails=True)
    assert "--all --everything" in ran.out


def test_a_word_that_is_no_time_is_a_session(shell, service):
    ran = shell.run("%devin wait nobody", fails=True)
    assert "'nobody'" in ran.out


def test_an_act_on_the_last_session_needs_no_name(shell, service):
    shell.run("%%devin --quiet --wait -o s\nCount")
    assert shell.names["s"].id in shell.run("%devin archive").out


def test_a_session_is_opened_without_being_shown(shell, service):
    shell.run("%%devin --quiet --wait -o s\nCount")
    ran = shell.run("%devin open s -o t --quiet")
    assert ran.shown == []
    assert shell.run("t.id == s.id").value is True


# --- lists and the account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "count"),
    [
        ({"principal_type": "user", "user_id": "user-another"}, 0),
        ({"principal_type": "service_user", "service_user_id": "service-user-another"}, 0),
        ({"principal_type": "unheard of"}, 1),
    ],
)
def test_mine_means_the_owner_of_the_key(shell, service, monkeypatch, who, count):
    shell.run("%%devin --quiet\nCount")
    assert len(shell.run("%devin sessions --mine").value) == 1
    monkeypatch.setattr("devin_jupyter.client.sync.Devin.self", lambda self: who)
    assert len(shell.run("%devin sessions --mine").value) == count


def test_nobody_types_a_key_in_vain(shell, monkeypatch, simulator):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: " ")
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    ran = shell.run("%devin connect", fails=True)
    assert type(ran.error).__name__ == "NoKey"
    assert simulator.stats()["requests"] == {}


def test_whoami_in_the_simulator_says_so_and_names_no_journal(shell):
    shell.run("%devin simulator")
    try:
        facts = {row[""]: row["value"] for row in shell.run("%devin whoami").value.rows}
    finally:
        disconnect()
    assert "simulated" in facts["API"]
    assert "journal" not in facts


# --- Tab -------------------------------------------------------------------------------------------------------------


def test_tab_keeps_silent_where_nothing_can_stand(shell):
    assert [text for text in shell.tab("%%devin|\nx") if "--" in text] == []
    assert [text for text in shell.tab("%devin nonsense wh|") if "whoami" in text] == []
    assert [text for text in shell.tab("%%devin --nonsense fa|\nx") if "fast" in text] == []


def test_tab_offers_folders_and_files_that_fit_and_hides_the_hidden(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schemas").mkdir()
    for name in ("finding.json", "notes.txt", ".secret.json"):
        (tmp_path / name).write_text(json.dumps({}))
    assert {"finding.json", "schemas/"} == {text for text, _ in completion.files("", (".json",))}
    assert [text for text, _ in completion.files(".s", (".json",))] == [".secret.json"]
    assert completion.files("no/such/folder/x") == []
    (tmp_path / "schemas" / "deep.json").write_text("{}")
    assert completion.files("schemas/d", (".json",)) == [("schemas/deep.json", "file")]


def test_a_profile_that_was_saved_is_offered(shell, tmp_path, monkeypatch):
    monkeypatch.setattr("devin_jupyter.config.saved_settings", lambda home: {"profiles": {"work": {}}})
    assert shell.tab("%devin connect --profile w|") == ["%devin connect --profile work"]
    monkeypatch.setattr("devin_jupyter.config.saved_settings", lambda home: {"profiles": "broken"})
    assert [text for text in shell.tab("%devin connect --profile w|") if "work" in text] == []


def test_a_batch_without_rows_has_a_dry_run_without_a_request(shell, service):
    shell.run("rows = []")
    ran = shell.run("%%devin --each rows --max-acu 2 --dry-run\nUpgrade {{ row }}", fails=False)
    assert "no rows" in ran.shown[0]["text/plain"]
    assert service.requests(SESSIONS.replace("GET", "POST")) == 0


def test_the_rows_of_a_batch_must_be_a_name_of_the_notebook(shell, service):
    shell.run("table = ['a']")
    ran = shell.run("%%devin --each tabel --max-acu 2\nUpgrade {{ row }}", fails=True)
    assert "table" in ran.out
    assert service.stats()["sessions"] == 0


def test_a_dry_run_of_a_batch_that_would_be_refused_says_so(shell, service):
    shell.run("rows = list('abcdefghijklmn')")
    ran = shell.run("%%devin --each rows --dry-run\nUpgrade {{ row }}")
    assert "would be refused" in ran.shown[0]["text/plain"]
    assert service.stats()["sessions"] == 0


def test_whoami_with_a_v1_key_lists_no_permissions_of_v3(shell, old_service):
    assert not any("permission" in row[""] for row in shell.run("%devin whoami").value.rows)


def test_stop_all_halts_though_there_is_no_key(shell):
    refused = shell.run("%devin stop --all", fails=True)
    assert type(refused.error).__name__ == "NoKey"
    assert "the halt holds until %devin resume, but the running sessions were not stopped" in refused.lines[1]
    assert "the halt is lifted" in shell.run("%devin resume").out
