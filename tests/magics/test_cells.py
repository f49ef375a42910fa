"""`%%devin` against the simulator over HTTP: what is sent, bound, shown, waited for, and what fails before that."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("slow_lasts")
CREATE = "POST /v3/organizations/{org_id}/sessions"
SEND = "POST /v3/organizations/{org_id}/sessions/{devin_id}/messages"


def prompts(service):
    """The first message of every session, as the service holds it."""
    with service.v3() as client:
        sessions = client.get("/sessions").json()["items"]
        read = [client.get(f"/sessions/devin-{one['session_id']}/messages").json()["items"][0] for one in sessions]
    return [message["message"] for message in read]


def test_the_prompt_arrives_byte_for_byte(shell, service):
    body = "Fix {this: {a: 1}} for $5, 100%!\n\n{% raw %} `$(x)` é\t\n"
    shell.run(f"%%devin --quiet\n{body}")
    assert prompts(service) == [body]


def test_placeholders_are_filled_in_the_prompt_and_in_options(shell, service):
    shell.run("repo = 'acme/api'; n = 2")
    shell.run("%%devin -o s --title 'Audit {{ repo }}' --max-acu {{ n + 1 }} --repos {{ repo }}\nCheck {{ repo }}")
    assert prompts(service) == ["Check acme/api\n"]
    assert shell.run("s.title, s.snapshot.max_acu_limit").value == ("Audit acme/api", 3)


def test_local_variables_of_a_function_come_before_those_of_the_notebook(shell, service):
    shell.run("repo, rows = 'acme/elsewhere', []; run = get_ipython().run_cell_magic")
    shell.run("def audit(repo):\n    run('devin', '--quiet', 'Check {{ repo }}')\naudit('acme/api')")
    shell.run("[run('devin', '--quiet', 'Look at {{ name }}') for name in ('acme/web',)]")
    shell.run("def each(rows):\n    run('devin', '--each rows --name n --wait --quiet', 'Do {{ row }}')\neach(['a'])")
    shell.run("%%devin --quiet\nRead {{ repo }}")

    assert sorted(prompts(service)) == ["Check acme/api", "Do a", "Look at acme/web", "Read acme/elsewhere\n"]


def test_a_command_sees_the_session_in_a_local_variable(shell, service):
    shell.run("%%devin -o audit --quiet\nAudit it")
    shell.run("def show(mine):\n    get_ipython().run_line_magic('devin', 'wait mine')\nshow(audit)")

    assert shell.run("audit.phase.turn_over").value is True


def test_raw_sends_braces_as_they_are(shell, service):
    shell.run("%%devin --raw\nWrite {{ cookiecutter.name }}")
    assert prompts(service) == ["Write {{ cookiecutter.name }}\n"]


def test_the_handle_is_bound_and_the_cell_has_no_value(shell, service):
    ran = shell.run("%%devin -o audit --repos acme/api\nAudit it")
    assert ran.value is None
    assert shell.run("audit.id == dj.last().id").value is True


def test_waiting_ends_with_the_turn_and_shows_the_answer(shell, service):
    ran = shell.run("%%devin --schema 'count:int' --wait -o s\nCount them")
    [shown] = ran.shown
    assert "✓ done" in shown["text/plain"]
    assert shown["application/vnd.devin.session+json"]["phase"] == "done"
    assert isinstance(shell.run("s.result()['count']").value, int)


def test_a_schema_may_be_a_class_of_the_notebook(shell, service):
    shell.run("import dataclasses\n@dataclasses.dataclass\nclass Report:\n    count: int\n")
    shell.run("%%devin --schema list[Report] --wait -o s\nCount them")
    assert shell.run("all(type(one) is Report for one in s.result())").value is True


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ("sim:fail", "SessionFailed"),
        ("sim:limit", "SessionBlocked"),
        ("sim:approval", "NeedsApproval"),
        ("sim:question", "NeedsReply"),
        ("sim:invalid-output", "OutputInvalid"),
    ],
)
def test_a_wait_without_an_answer_fails_the_cell_and_keeps_the_handle(shell, service, scenario, error):
    ran = shell.run(f"%%devin --schema 'count:int' --wait -o s --tags {scenario}\nCount", fails=True)
    assert type(ran.error).__name__ == error
    assert len(ran.out[ran.out.index(error) :].strip().splitlines()) <= 3
    assert len(ran.shown) == 1
    assert shell.run("s.id").value == ran.error.session_id


def test_a_wait_has_a_limit(shell, slow_service):
    ran = shell.run("%%devin --wait 0.3\nTake your time", fails=True)
    assert type(ran.error).__name__ == "WaitTimeout"


def test_a_quiet_cell_shows_nothing(shell, service):
    ran = shell.run("%%devin --quiet --wait\nDo it")
    assert (ran.shown, ran.out) == ([], "")


def test_a_rerun_attaches_and_says_so(shell, service):
    shell.run("%%devin --wait -o one\nDo it")
    ran = shell.run("%%devin --wait -o two\nDo it")
    assert "attached to devin-" in ran.out
    assert "--take 2 starts another" in ran.out
    assert shell.run("one.id == two.id").value is True
    assert service.requests(CREATE) == 1


def test_a_dry_run_sends_nothing_and_shows_the_request(shell, service, monkeypatch):
    monkeypatch.setenv("NPM_TOKEN", "hunter-two")
    ran = shell.run("%%devin --dry-run --repos a/b --mode fast --max-acu 3 --secrets NPM_TOKEN\nDo {{ 1 + 1 }}")
    [shown] = ran.shown
    for words in (
        "would start a session",
        "at most 3 ACU",
        '"devin_mode": "fast"',
        "4 times",
        '"Do 2\\n"',
        "nothing was sent",
    ):
        assert words in shown["text/plain"]
    assert "hunter" not in str(shown)
    assert service.requests(CREATE) == 0
    shell.run("%%devin --wait --repos a/b\nDo 2")
    assert "would attach" in shell.run("%%devin --dry-run --repos a/b\nDo 2").shown[0]["text/plain"]


BAD = [
    ("--repoz a/b\nx", "OptionError", "--repos"),
    ("--max-acu 0\nx", "OptionError", "above 0"),
    ("\n  \n", "OptionError", "the prompt is empty"),
    ("\n{{ nobody }}", "TemplateError", "--raw"),
    ("--title {{ nobody }}\nx", "TemplateError", "--raw"),
    ("--schema Nobody\nx", "SchemaError", "Nobody"),
    ("--schema nope\nx", "SchemaError", "there is no variable nope in this notebook"),
    ("--schema 5\nx", "SchemaError", "'5' cannot be read as a schema"),
    ("--schema True\nx", "SchemaError", "'True' cannot be read as a schema"),
    ("--schema missing.json\nx", "SchemaError", "missing.json"),
    ("--schema ./missing.json\nx", "SchemaError", "looked for at"),
    ('--schema \'{"type": "array"}\'\nx', "SchemaError", "object"),
    ('--schema \'{"type": "object", "$ref": "https://x.org/s.json"}\'\nx', "SchemaError", "self-contained"),
    ("--attach missing.csv\nx", "OptionError", "missing.csv"),
    ("--secrets NOT_SET_ANYWHERE\nx", "OptionError", "NOT_SET_ANYWHERE"),
    ("--to nobody\nx", "OptionError", "nobody"),
    ("--each nothing\nx", "OptionError", "nothing"),
    ("--each opn\nx", "OptionError", "there is no variable 'opn' for --each\n"),
    ("--snapshot s-1\nx", "Unsupported", "v1"),
    ("--unlisted\nx", "Unsupported", "v1"),
]


def test_an_unknown_mode_is_sent_as_it_is_and_a_line_says_so(shell, service):
    line = "unknown --mode 'fsat' (did you mean fast?): sent as it is, the service decides"
    shown = shell.run("%%devin --dry-run --mode fsat\nx").shown[0]["text/plain"]
    assert line in shown
    assert '"devin_mode": "fsat"' in shown
    refused = shell.run("%%devin --mode fsat\nx", fails=True)
    assert type(refused.error).__name__ == "Unprocessable"
    assert "unknown --mode 'fsat' (did you mean fast?)" in refused.out
    assert "decides" not in refused.out  # it has decided
    assert service.requests(CREATE) == 1
    assert '"devin_mode": "fast"' in shell.run("%%devin --dry-run --mode FAST\nx").shown[0]["text/plain"]
    known = shell.run("%%devin --dry-run --mode fusion\nx").shown[0]["text/plain"]
    assert "unknown" not in known
    shell.run("%config DevinMagics.mode = 'swe-9'")
    try:
        shown = shell.run("%%devin --dry-run\nx").shown[0]["text/plain"]
    finally:
        shell.run("%config DevinMagics.mode = None")
    assert "unknown --mode 'swe-9' (known: normal, fast, lite, ultra, fusion): sent as it is" in shown


@pytest.mark.parametrize(("cell", "error", "words"), BAD)
def test_bad_input_stops_the_cell_before_anything_is_sent(shell, service, cell, error, words):
    separator = "" if cell.startswith("\n") else " "
    ran = shell.run(f"%%devin{separator}{cell}", fails=True)
    assert type(ran.error).__name__ == error
    assert words in ran.out
    assert len(ran.lines) <= 3
    assert not any(request.startswith("POST") for request in service.stats()["requests"])


def test_a_variable_that_is_no_schema_is_called_what_it_is(shell, service):
    shell.run("count = 5")
    assert "count is an int in this notebook, not a schema" in shell.run("%%devin --schema count\nx", fails=True).out


def test_a_table_that_is_not_there_is_answered_with_those_that_are(shell, service):
    shell.run("repos = ['a/b', 'c/d']; repository = 'a/b'; rows = [1]")
    out = shell.run("%%devin --each repo\nx", fails=True).out
    assert "did you mean repos?" in out
    assert "in this notebook; there are repos, rows" in out


def test_a_file_that_is_not_there_gets_the_nearest_file_or_content(shell, service, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answer.json").write_text("{}")
    shell.run("reports = b'x'; report_maker = print")
    assert "did you mean answer.json?" in shell.run("%%devin --schema answers.json\nx", fails=True).out
    assert "did you mean reports?" in shell.run("%%devin --attach report\nx", fails=True).out
    assert "did you mean" not in shell.run("%%devin --attach opn\nx", fails=True).out


def test_a_message_to_a_session_that_is_over_says_that_nothing_was_paid(shell, service):
    shell.run("%%devin --tags sim:slow --quiet -o s\nCount")
    shell.run("%devin stop s")
    refused = shell.run("%%devin --to s\nGo on", fails=True)
    assert type(refused.error).__name__ == "Refused"
    assert "nothing was sent and nothing was paid" in refused.error.consequence
    assert "the next --take on its cell" in refused.error.hint


def test_a_session_that_reached_its_own_cap_names_it(shell, service):
    line = "%%devin --schema 'n:int' --tags sim:limit --wait --quiet"
    capped = shell.run(f"{line} --max-acu 3\nSpend", fails=True)
    assert "its own cap, --max-acu 3, is reached (usage_limit_exceeded)" in capped.out
    assert "the next --take and a higher --max-acu" in capped.out
    assert "its ACU limit is reached (usage_limit_exceeded)" in shell.run(f"{line}\nSpend more", fails=True).out


def test_a_dry_run_of_a_message_knows_what_was_sent_before(shell, service):
    shell.run("%%devin --wait --quiet -o s\nCount")
    dry = shell.run("%%devin --to s --dry-run\nAnd the tests").out
    assert dry.startswith("would send to devin-")
    assert dry.endswith("And the tests\nnothing was sent\n")
    shell.run("%%devin --to s --wait --quiet\nAnd the tests")
    assert "already sent on" in shell.run("%%devin --to s --dry-run\nAnd the tests").out
    assert "would send to" in shell.run("%%devin --to s --dry-run --again\nAnd the tests").out
    shell.run("%devin budget 1")
    assert "has no cap that is known here; lift the budget" in shell.run("%%devin --to s --dry-run\nAnd more").out
    assert "--budget cannot be combined with --to" in shell.run("%%devin --to s --budget 1\nAnd more", fails=True).out
    shell.run("%devin budget --off")
    shell.names["dj"].connect().journal.halt(now=1.0)
    assert "would be refused" in shell.run("%%devin --to s --dry-run\nAnd more").out
    shell.run("%devin resume")


def test_a_schema_over_64_kb_is_refused(shell, service):
    shell.run("Huge = {'type': 'object', 'properties': {f'field_{n}': {'type': 'string'} for n in range(3000)}}")
    ran = shell.run("%%devin --schema Huge\nx", fails=True)
    assert type(ran.error).__name__ == "SchemaError"
    assert service.requests(CREATE) == 0


@pytest.mark.parametrize(
    "line",
    ["--repos a/b", "--mode fast", "--platform windows", "--disposable", "--as-user user-1", "--bypass-approval"],
)
def test_what_only_v3_has_is_refused_on_v1_with_what_to_do(shell, old_service, line):
    ran = shell.run(f"%%devin {line}\nx", fails=True)
    assert type(ran.error).__name__ == "Unsupported"
    assert old_service.requests("POST /v1/sessions") == 0


def test_the_same_cell_works_with_a_v1_key(shell, old_service):
    shell.run("%%devin --schema 'count:int' --wait -o s\nCount them")
    assert isinstance(shell.run("s.result()['count']").value, int)


def test_without_a_key_the_error_names_the_ways_and_no_simulator_is_started(shell, monkeypatch):
    ran = shell.run("%%devin\nx", fails=True)
    assert type(ran.error).__name__ == "NoKey"
    assert all(words in ran.out for words in ("DEVIN_API_KEY", "dj.connect", "simulator"))
    assert len(ran.lines) <= 3


def test_a_cell_may_be_a_message_and_is_sent_once(shell, service):
    shell.run("%%devin --schema 'count:int' --wait -o s\nCount them")
    shell.run("%%devin --to s --wait\nCount again, {{ 1 + 1 }} times")
    ran = shell.run("%%devin --to s --wait\nCount again, 2 times")
    assert "already sent" in ran.out
    assert "--again repeats" in ran.out
    assert service.requests(SEND) == 1
    shell.run("%%devin --to s --wait --again\nCount again, 2 times")
    assert service.requests(SEND) == 2
    assert shell.run("[m.text for m in s.messages if m.source == 'user'][1]").value == "Count again, 2 times\n"


def test_a_message_may_go_to_an_id_and_carry_files(shell, service):
    shell.run("%%devin --wait -o s\nDo it")
    shell.run("import pandas as pd; table = pd.DataFrame({'a': [1]})")
    shell.run("%%devin --to {{ s.id }} --attach table --wait\nUse the table")
    shell.run(f"%%devin --to {shell.names['s'].url} --dry-run\nNot this")
    assert service.requests(SEND) == 1
    assert "table.csv" in shell.run("[one['name'] for one in s.attachments()]").value


def test_a_frame_is_attached_as_csv(shell, service):
    shell.run("import pandas as pd; rows = pd.DataFrame({'a': [1]}, index=pd.Index(['x'], name='k'))")
    shell.run("%%devin --attach rows --wait -o s\nRead it")
    assert shell.run("s.read('rows.csv')").value.to_dict("list") == {"k": ["x"], "a": [1]}


def test_defaults_of_the_notebook_count(shell, service):
    shell.run("%config DevinMagics.max_acu = 4")
    shell.run("%config DevinMagics.tags = ['nightly']")
    try:
        shell.run("%%devin -o s --tags mine\nDo it")
        shell.run("%%devin -o t --max-acu 2\nDo that")
        assert shell.run("s.snapshot.max_acu_limit, s.tags").value == (4, ("nightly", "mine"))
        assert shell.run("t.snapshot.max_acu_limit").value == 2
    finally:
        shell.run("%config DevinMagics.max_acu = None")
        shell.run("%config DevinMagics.tags = []")


def test_one_session_per_row(shell, service):
    shell.run("rows = ['acme/api', 'acme/web', 'acme/api']")
    ran = shell.run("%%devin --each rows --max-acu 2 --repos {{ row }} --wait -o b\nUpgrade {{ row }}")
    assert service.requests(CREATE) == 2
    assert "Starting 2 rows, 5 at a time." in ran.out
    assert "1 duplicate row shares a session with another one." in ran.out
    assert len(shell.run("b.frame()").value) == 3
    ran = shell.run("%%devin --each rows --max-acu 2 --repos {{ row }} --wait -o b\nUpgrade {{ row }}")
    assert "2 rows have sessions already; nothing to start." in ran.out
    dry = shell.run("%%devin --each rows --max-acu 2 --dry-run\nOther {{ row }}").shown[0]["text/plain"]
    assert "would start 2 new sessions" in dry
    assert "at most 2 × 2 = 4 ACU" in dry
    shell.run("rows = rows[:1]")
    one = shell.run("%%devin --each rows --max-acu 2 --dry-run\nOther {{ row }}").shown[0]["text/plain"]
    assert "would start 1 new session\n" in one
    assert "1 row, 1 of 1 session\n" in one
    assert service.requests(CREATE) == 2


def test_a_schema_whose_quotes_the_line_has_eaten_says_so(shell, service):
    ran = shell.run('%%devin --schema {"type":"object"}\nx', fails=True)
    assert "with single quotes" in ran.error.hint
    assert ran.error.consequence == ""


def test_what_ipython_puts_into_a_notebook_is_no_variable_of_it(shell, service, monkeypatch):
    ran = shell.run("%%devin --dry-run\n{{ open('/etc/hostname').read() }}", fails=True)
    assert ran.lines[0].startswith(
        "TemplateError: {{ open('/etc/hostname').read() }} cannot be filled: 'open' is undefin"
    )
    monkeypatch.setitem(shell.names, "open", "the door")
    assert "the door" in str(shell.run("%%devin --dry-run\n{{ open }}").shown)


def test_a_cell_says_what_it_sent_as_it_is_and_what_it_left_out(shell, service):
    shell.run("repo = 'acme/api'")
    dry = shell.run("%%devin --dry-run --repos acme/api#main\nAudit {repo}")
    assert "{repo} is sent as it is" in dry.shown[0]["text/plain"]
    ran = shell.run("%%devin --quiet -o s --repos acme/api#main\nAudit {repo}")
    assert "{repo} is sent as it is; to fill in a value, write {{ repo }}" in ran.out
    assert "#main of acme/api#main is left out" in ran.out
    assert "{repo} is sent as it is" in shell.run("%%devin --quiet --to s\nAlso look at {repo}").out
    assert prompts(service) == ["Audit {repo}\n"]


def test_tagging_is_configured_for_cells_and_for_python(shell):
    shell.run("import devin_jupyter as dj\ndj.connect(simulator=True, allowed_tags=('team:web',))")
    refused = shell.run("%%devin --quiet\nDo it without a tag", fails=True)
    assert '%config DevinMagics.tagging = "off"' in refused.out
    shell.run('%config DevinMagics.tagging = "off"')
    shell.run("%%devin --quiet -o mine\nDo it without a tag")
    assert shell.run("%%devin --quiet -o again\nDo it without a tag").out.count("attached to") == 1
    assert 'tags"' not in shell.run("%%devin --dry-run\nSomething else").out
    shell.run("%config DevinMagics.tagging = None")


LOOP = """for name in {names}:
    get_ipython().run_cell_magic("devin", "--quiet --max-acu 3 -o looped", "{words} " + name)"""


def test_a_loop_starts_all_its_sessions_and_a_rerun_attaches_to_them(shell, tmp_path):
    shell.run("import devin_jupyter as dj\nclient = dj.connect(simulator=True, speed=1)")
    journal = shell.names["client"].journal
    assert shell.run(LOOP.format(names="'xy'", words="look after")).error is None
    assert shell.run(LOOP.format(names="'xyz'", words="look after")).out.count("attached to") == 2
    assert len(journal.sessions()) == 3
    edited = shell.run(LOOP.format(names="'x'", words="take care of"), fails=True)
    assert "You edited this cell" in edited.out or "asked for something else before" in edited.out
    notebook = tmp_path / "other.ipynb"
    cells = [{"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "execution_count": None,
              "source": f"%%devin --quiet -o part\nOf another notebook {n}"} for n in range(2)]  # fmt: skip
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    for _ in range(2):
        assert shell.run(f"%run {notebook}").error is None
    assert len(journal.sessions()) == 5


BATCHES = """for name, rows in pairs:
    get_ipython().run_cell_magic("devin", "--quiet --max-acu 3 --each rows --max-parallel 1 -o looped {more}",
                                 "{words} " + name + " of {{{{ row }}}}")
    made.append(looped)"""


def test_batches_of_one_run_of_a_cell_all_run_to_their_end_and_a_rerun_attaches_to_each(shell):
    shell.run("import devin_jupyter as dj\nclient = dj.connect(simulator=True, speed=4000)")
    shell.names["made"] = made = []
    journal = shell.names["client"].journal

    def run(pairs, words="look after", more="", **kind):
        made.clear()
        shell.names["pairs"] = pairs
        ran = shell.run(BATCHES.format(words=words, more=more), **kind)
        return ran, [batch.wait(60) for batch in made]

    same = [("x", ["a", "b", "c"]), ("y", ["a", "b", "c"]), ("x", ["d", "e"])]  # other words, and other rows
    _, first = run(same)
    assert [batch.phase_counts for batch in first] == [{"done": 3}, {"done": 3}, {"done": 2}]
    _, again = run(same)
    assert [[one.id for one in batch] for batch in again] == [[one.id for one in batch] for batch in first]
    assert len(journal.sessions()) == 8
    _, more = run([("z", ["a"]), *same[::-1]])  # a value more, in another order
    assert [len(batch.sessions) for batch in more] == [1, 2, 3, 3]
    assert len(journal.sessions()) == 9
    assert len(journal.batches.names()) == 4
    edited, _ = run(same, words="take good care of", fails=True)
    assert "changed, and 1 of 3 rows already have answers" in edited.out
    named, _ = run(same, more="--name all", fails=True)
    assert "this cell has started another batch named 'all'" in named.out
    assert len(journal.sessions()) == 9
