"""`%devin` commands against the simulator over HTTP."""

import re
import threading

import pytest

from devin_jupyter.client.sync import disconnect
from devin_jupyter.magics import completion
from devin_jupyter.magics.completion import CACHE, CompletionCache

SEND = "POST /v3/organizations/{org_id}/sessions/{devin_id}/messages"


@pytest.fixture
def done(shell, service):
    """A session that is done, bound to `s`."""
    shell.run("%%devin --repos acme/api --schema 'count:int' --title 'Count it' --tags red --wait -o s\nCount")
    return service


def rows(ran):
    return ran.value.rows


def test_sessions_are_listed_with_links_newest_first(shell, done):
    shell.run("%%devin --repos acme/web --title 'Another' --wait\nDo more")
    ran = shell.run("%devin sessions")
    assert [row["title"] for row in rows(ran)] == ["Another", "Count it"]
    assert rows(ran)[1]["phase"] == "done"
    assert ran.value.ids[1] == shell.names["s"].id
    assert {"title", "phase", "ACU", "age", "repository"} <= rows(ran)[1].keys()
    assert "devin-" not in repr(ran.value)
    assert ran.value.frame["session_id"].tolist() == ran.value.ids
    assert "Count it" in repr(ran.value)
    assert "<table" in ran.value._repr_html_()


def test_sessions_are_found_by_text_tag_phase_and_origin(shell, done):
    assert len(rows(shell.run("%devin sessions count"))) == 1
    assert len(rows(shell.run("%devin sessions --tags red"))) == 1
    assert len(rows(shell.run("%devin sessions --tags blue"))) == 0
    assert len(rows(shell.run("%devin sessions --phase done --mine --since 7d --origin api"))) == 1
    assert len(rows(shell.run("%devin sessions --origin slack"))) == 0
    assert len(rows(shell.run("%devin sessions --until 2020-01-01"))) == 0
    assert "no match among" in repr(shell.run("%devin sessions nowhere").value)
    assert "--since: cannot read 'last week'" in shell.run("%devin sessions --since 'last week'", fails=True).out


def test_a_long_list_says_that_there_is_more(shell, connected, simulator_with):
    simulator = simulator_with(preload=60)
    connected(simulator, simulator.api_key)
    table = shell.run("%devin sessions").value
    assert len(table) == 20
    assert "--limit N shows more" in repr(table)
    assert len(shell.run("%devin sessions --limit 60").value) == 60
    assert len(shell.run("%devin sessions --live").value._shown()) == 60


def test_a_row_of_the_live_board_opens_its_session_and_leaves_the_last_one_alone(shell, done):
    shell.run("%%devin --schema 'count:int' --wait -o newer\nCount again")
    board = shell.run("%devin sessions --live").value

    assert board._open_session(shell.names["s"].id).id == shell.names["s"].id
    assert shell.run("dj.last().id").value == shell.names["newer"].id


def test_what_was_listed_completes(shell, done):
    shell.run("%devin sessions")
    assert shell.names["s"].id in dict(CACHE.get("sessions"))


def test_sessions_of_the_journal_complete_with_their_tags(shell, done, monkeypatch):
    monkeypatch.setattr("devin_jupyter.magics.completion.CACHE", CompletionCache())
    wanted = [f"%%devin --links {shell.names['s'].id}"]
    eventually(lambda: shell.tab("%%devin --links devin-|\nx") == wanted)
    assert shell.tab("%%devin --tags r|\nx") == ["%%devin --tags red"]


def test_without_a_journal_nothing_is_offered_and_none_is_made(shell, monkeypatch, tmp_path):
    disconnect()
    seen = CompletionCache()
    monkeypatch.setattr("devin_jupyter.magics.completion.CACHE", seen)
    seen.refresh(completion.journal_records, wait=True)
    assert seen.get("sessions") == []
    assert not (tmp_path / "home").exists()


def test_a_session_is_opened_by_id_or_url_and_continued(shell, done):
    identifier = shell.names["s"].id
    ran = shell.run(f"%devin open {identifier.removeprefix('devin-')} -o t")
    assert "Count it" in ran.shown[0]["text/plain"]
    assert shell.run("t.result() == s.result()").value is True
    shell.run(f"%devin open {shell.names['s'].url} -o u --quiet")
    shell.run("%%devin --to u --wait\nAgain")
    assert done.requests(SEND) == 1


def test_an_opened_session_may_be_given_a_schema(shell, done):
    shell.run("import dataclasses\n@dataclasses.dataclass\nclass Report:\n    count: int\n")
    shell.run(f"%devin open {shell.names['s'].id} -o t --schema Report --quiet")
    assert shell.run("type(t.result()) is Report").value is True


def test_show_and_wait_take_the_last_session_by_default(shell, done):
    assert "✓ done" in shell.run("%devin show").shown[0]["text/plain"]
    assert "✓ done" in shell.run("%devin wait").shown[0]["text/plain"]
    assert "✓ done" in shell.run("%devin wait 30m").shown[0]["text/plain"]
    shown = shell.run("%devin show s --transcript").shown[0]
    assert "Count" in shown["text/html"]
    assert "  You:\n    Count" in shown["text/plain"]
    assert "  You:" not in shell.run("%devin show s").shown[0]["text/plain"]


def test_a_message_is_sent_once(shell, done):
    shell.run("%devin send s 'Count again please' --wait")
    assert "already sent" in shell.run("%devin send s Count again please").out
    assert done.requests(SEND) == 1


def test_stop_ends_a_session_and_says_what_it_cost(shell, slow_service):
    shell.run("%%devin -o s\nTake your time")
    assert re.fullmatch(r"devin-\w+ stopped, .*ACU.*\n", shell.run("%devin stop s").out)
    assert shell.run("s.phase").value == "stopped"


def test_stop_all_halts_and_resume_lifts_it(shell, slow_service):
    shell.run("%%devin -o one\nFirst")
    shell.run("%%devin -o two\nSecond")
    table = shell.run("%devin stop --all").value
    assert [row["result"] for row in table.rows] == ["stopped", "stopped"]
    assert "until you run %devin resume" in repr(table)
    refused = shell.run("%%devin\nThird", fails=True)
    assert type(refused.error).__name__ == "Halted"
    assert "lifted" in shell.run("%devin resume").out
    shell.run("%%devin\nThird")
    assert "leave out --all" in shell.run("%devin stop one --all", fails=True).out


def test_archive_and_back(shell, done):
    assert shell.run("%devin archive s").out.count("archived") == 1
    assert len(rows(shell.run("%devin sessions --archived"))) == 1
    assert "out of the archive" in shell.run("%devin archive s --undo").out
    shell.run("%devin archive s")
    assert "out of the archive" in shell.run("%devin unarchive s").out


def test_several_sessions_at_once_give_a_table(shell, done):
    shell.run("%%devin --wait -o t\nAnother")
    table = shell.run("%devin archive s t").value
    assert [row["result"] for row in table.rows] == ["archived", "archived"]


def test_a_batch_is_shown_waited_for_and_stopped_by_name(shell, service):
    shell.run("rows = ['acme/api', 'acme/web']")
    shell.run("%%devin --each rows --max-acu 2 --quiet -o b\nUpgrade {{ row }}")
    assert "2 sessions" in shell.run("%devin wait b").shown[-1]["text/plain"]
    assert "2 sessions" in shell.run("%devin show b").shown[-1]["text/plain"]
    assert [row["result"] for row in shell.run("%devin stop b").value.rows] == ["stopped", "stopped"]


def test_tags_are_shown_added_and_replaced(shell, done):
    assert shell.run("%devin tags s").out == "red\n"
    assert shell.run("%devin tags s --add blue").out == "red, blue\n"
    assert shell.run("%devin tags s --remove red").out == "blue\n"
    assert "has no tag 'bleu' (did you mean blue?)" in shell.run("%devin tags s --remove bleu", fails=True).out
    assert shell.run("%devin tags s --replace green").out == "green\n"


def test_messages_are_shown_oldest_first(shell, done):
    said = repr(shell.run("%devin messages s").value)
    assert said.startswith("You\nCount\n")
    assert "earlier messages left out" in repr(shell.run("%devin messages s --limit 1").value)
    assert "<script" not in shell.run("%devin messages s").value._repr_html_()


def test_files_are_listed_and_downloaded(shell, done, tmp_path):
    names = {row["name"] for row in rows(shell.run("%devin files s"))}
    shell.run(f"%devin files s --download {tmp_path / 'got'}")
    assert {path.name for path in (tmp_path / "got").iterdir()} == names


def test_insights_are_shown(shell, done):
    assert "no analysis yet" in repr(shell.run("%devin insights s").value)


def test_the_library_is_listed_by_name_and_shown(shell, service):
    client = shell.run("dj.Devin()").value
    playbook = client.playbooks.create("Upgrade", "Do the upgrade step by step")
    note = client.knowledge.create("Deploys", "We deploy on Mondays", "deploying")
    client.secrets.create("NPM_TOKEN", "hunter-two")
    client.schedules.create("Nightly", "Check it", frequency="0 3 * * *")
    try:
        assert [row["title"] for row in rows(shell.run("%devin playbooks upgr"))] == ["Upgrade"]
        assert "step by step" in repr(shell.run(f"%devin playbooks --show {playbook['playbook_id']}").value)
        assert [row["name"] for row in rows(shell.run("%devin knowledge"))] == ["Deploys"]
        assert "Mondays" in repr(shell.run(f"%devin knowledge --show {note['note_id']}").value)
        secrets = shell.run("%devin secrets").value
        assert [row["name"] for row in secrets.rows] == ["NPM_TOKEN"]
        assert "hunter" not in repr(secrets)
        assert [row["when"] for row in rows(shell.run("%devin schedules"))] == ["0 3 * * *"]
        assert rows(shell.run("%devin playbooks nothing")) == []
    finally:
        client.close()


def test_usage_is_shown_by_day(shell, done):
    table = shell.run("%devin usage --since 7d").value
    assert len(table.rows) == 1
    assert re.match("simulated sessions; .* ACU in all", repr(table))


def test_usage_falls_back_to_the_sessions_where_the_key_may_not_see_it(shell, done):
    rule = {"method": "GET", "route": "/v3/organizations/{org_id}/consumption/daily", "kind": "status", "status": 403}
    done.faults(rule)
    assert re.match(
        "simulated sessions; .* over sessions by the day they started", repr(shell.run("%devin usage").value)
    )


def test_a_budget_is_set_shown_and_taken_away(shell, done):
    assert "no budget is set" in shell.run("%devin budget").out
    assert "20 ACU" in shell.run("%devin budget 20").out
    shell.run("%devin budget 1")
    refused = shell.run("%%devin --max-acu 5\nMore", fails=True)
    assert type(refused.error).__name__ == "BudgetExceeded"
    assert "no budget is set" in shell.run("%devin budget --off").out
    shell.run("%devin budget 1")
    assert "no budget is set" in shell.run("%devin budget off").out


def test_the_journal_is_shown_checked_exported(shell, done, tmp_path):
    assert [row["session"] for row in rows(shell.run("%devin journal"))] == [shell.names["s"].id]
    assert shell.run("%devin journal").value.title.startswith("simulated sessions; ")
    assert "is sound" in shell.run("%devin journal check").out
    shell.run(f"%devin journal export {tmp_path / 'out.json'}")
    assert shell.names["s"].id in (tmp_path / "out.json").read_text()


def test_whoami_shows_principal_place_and_permissions_and_no_key(shell, service):
    facts = {row[""]: row["value"] for row in rows(shell.run("%devin whoami"))}
    assert "service user" in facts["principal"]
    assert service.org_id in facts["organization"]
    assert facts["permissions"] == "sessions, playbooks, knowledge, secrets, schedules, billing"
    assert "DEVIN_API_KEY" in facts["key"]


def test_connect_uses_the_environment_and_says_where_it_is(shell, service):
    said = shell.run("%devin connect").out
    assert said.startswith(f"connected to {service.url} (v3) as service user")
    assert service.org_id in said
    assert "from DEVIN_API_KEY" in said


def test_connect_tells_at_once_that_a_key_does_not_work(shell, service, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", "cog_not-this-one")
    ran = shell.run("%devin connect", fails=True)
    assert type(ran.error).__name__ == "Unauthorized"
    assert "not-this-one" not in ran.out
    assert len(ran.lines) <= 3


def test_connect_reads_the_names_that_tab_offers(shell, service):
    client = shell.run("dj.Devin()").value
    playbook = client.playbooks.create("Make it faster", "Step by step")
    client.close()
    shell.run("%devin connect")
    eventually(lambda: (playbook["playbook_id"], "Make it faster") in CACHE.get("playbooks"))
    assert shell.tab("%%devin --playbook faster|\nx") == [f"%%devin --playbook {playbook['playbook_id']}"]


def eventually(holds):
    """Wait until it holds."""
    while not holds():
        threading.Event().wait(0.02)


def test_connect_never_hangs_where_nobody_can_type(shell, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    ran = shell.run("%devin connect", fails=True)
    assert type(ran.error).__name__ == "NoKey"
    assert len(ran.lines) <= 3


def test_connect_asks_for_a_key_without_showing_it(shell, simulator, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: simulator.api_key)
    said = shell.run(f"%devin connect --url {simulator.url}").out
    assert said.startswith(f"connected to {simulator.url}")


def test_the_debug_report_holds_no_secret(shell, service, tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY", "hunter-is-secret")
    shell.run("%%devin --secrets CANARY --quiet\nDo it")
    shell.run("raise dj.DevinError('hunter-is-secret')", fails=True)
    report = shell.run("%devin debug").out
    assert "hunter" not in report
    assert all(f"== {part}" in report for part in ("versions", "front end", "connection", "last error", "log"))
    shell.run(f"%devin debug {tmp_path / 'report.txt'}")
    assert "hunter" not in (tmp_path / "report.txt").read_text()


def test_the_debug_report_shows_proxies_and_certificates_without_credentials(shell, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:hunter2@proxy.company:3128")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/ca.pem")
    report = shell.run("%devin debug").out
    assert "HTTPS_PROXY=http://•••@proxy.company:3128" in report
    assert "certificates: SSL_CERT_FILE names a file that does not exist: /no/such/ca.pem" in report
    assert "hunter2" not in report


@pytest.mark.parametrize("line", ["archive s", "files s", "insights s", "schedules", "sessions --mine", "usage"])
def test_what_v1_lacks_is_one_clear_line(shell, old_service, line):
    shell.run("%%devin --wait -o s\nDo it")
    ran = shell.run(f"%devin {line}", fails=True)
    assert type(ran.error).__name__ == "Unsupported"
    assert "v1" in ran.out


@pytest.mark.parametrize("line", ["sessions", "messages s", "tags s", "playbooks", "knowledge", "secrets", "whoami"])
def test_what_v1_has_works_the_same(shell, old_service, line):
    shell.run("%%devin --wait -o s\nDo it")
    assert shell.run(f"%devin {line}").error is None


def test_an_id_that_there_is_not_is_three_lines_from_every_table(shell, service):
    for table in ("messages_frame", "outputs_frame", "insights_frame", "pull_requests_frame", "sessions_frame"):
        refused = shell.run(f"dj.{table}(['nope'])", fails=True)
        assert "NotFound: 404 from GET" in refused.out
        assert "Traceback" not in refused.out


def test_stop_without_a_name_ends_nothing_and_names_the_last_session(shell, done):
    said = shell.run("%devin stop", fails=True).out
    assert "%devin stop needs a session; the last one is Count it (done, " in said
    assert "%devin stop s ends it for good" in said
    assert shell.run("s.refresh().phase.value").value == "done"


def test_clients_show_where_they_talk_to_and_no_key(shell, done):
    for said in (shell.run("repr(dj.connect())").value, shell.run("repr(dj.AsyncDevin())").value):
        assert re.fullmatch(r"<(Devin|AsyncDevin) simulator \(v3\), org-simulator, key cog_••• from \w+>", said)
        assert "cog_simulator" not in said
