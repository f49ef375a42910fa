"""Tab in a magic: options, values and commands from what is known, and silence in the prompt."""

import threading

import pytest
from IPython.core.completer import provisionalcompleter

from devin_jupyter.client.sync import disconnect
from devin_jupyter.magics import completion
from devin_jupyter.magics.commands import COMMANDS
from devin_jupyter.options import OPTIONS

SESSION = "devin-" + "a" * 32


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Something was seen, and nothing else is read, not even by a client of an earlier test."""
    disconnect()
    fresh = completion.CompletionCache()
    fresh.refresh = lambda read: None
    fresh.add("repos", [("acme/api", ""), ("acme/web", "")])
    fresh.add("tags", [("audit", "")])
    fresh.add("playbooks", [("playbook-1", "Upgrade dependencies")])
    fresh.add("knowledge", [("note-1", "How we deploy")])
    fresh.add("sessions", [(SESSION, "Audit of the API (done)")])
    monkeypatch.setattr("devin_jupyter.magics.completion.CACHE", fresh)


def test_a_dash_offers_the_options(shell):
    assert shell.tab("%%devin --mo|\nprompt") == ["%%devin --mode"]
    assert set(shell.tab("%%devin --|\nprompt")) == {f"%%devin {option.flag}" for option in OPTIONS}


def test_an_empty_place_offers_the_options(shell):
    assert "%%devin --repos" in shell.tab("%%devin |\nprompt")


def test_an_option_that_was_given_is_not_offered_again_unless_it_is_a_list(shell):
    offered = shell.tab("%%devin --mode fast --tags a --|\nprompt")
    assert "%%devin --mode fast --tags a --mode" not in offered
    assert "%%devin --mode fast --tags a --tags" in offered


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("--mode fa", "fast"),
        ("--repos acme/a", "acme/api"),
        ("--repos acme/api acme/w", "acme/web"),
        ("--tags a", "audit"),
        ("--playbook upgr", "playbook-1"),
        ("--knowledge deploy", "note-1"),
        ("--to devin-a", SESSION),
        ("--to audit", SESSION),
        ("--on-interrupt s", "stop"),
        ("--schema Fin", "Finding"),
        ("--each ta", "table"),
        ("--attach bl", "blob"),
        ("-o han", "handle"),
        ("--secrets MY_TO", "MY_TOKEN"),
    ],
)
def test_values_come_from_what_was_seen_and_from_the_notebook(shell, monkeypatch, line, value):
    monkeypatch.setenv("MY_TOKEN", "x")
    shell.run(
        "import dataclasses\n@dataclasses.dataclass\nclass Finding:\n    n: int\n"
        "import pandas; table = pandas.DataFrame(); blob = b'x'; n = 3"
    )
    shell.names["handle"] = Handle()
    start = line.rpartition(" ")[0]
    assert shell.tab(f"%%devin {line}|\nprompt") == [f"%%devin {start} {value}"]


class Handle:
    """Looks like a session."""

    __module__ = "devin_jupyter.session"

    def send(self): ...

    def result(self): ...


def test_a_value_may_follow_an_equal_sign(shell):
    assert shell.tab("%%devin --mode=fa|\nprompt") == ["%%devin --mode=fast"]


def test_files_are_offered_for_paths(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "report.csv").touch()
    (tmp_path / "shape.json").touch()
    assert shell.tab("%%devin --attach dat|\np") == ["%%devin --attach data/"]
    assert shell.tab("%%devin --attach data/r|\np") == ["%%devin --attach data/report.csv"]
    assert shell.tab("%%devin --schema sh|\np") == ["%%devin --schema shape.json"]


def test_lines_joined_by_a_backslash_complete_too(shell):
    assert shell.tab("%%devin --repos a/b \\\n  --mo|\nprompt") == ["  --mode"]


@pytest.mark.parametrize(
    "code",
    [
        "%%devin --repos a/b\nUse --mo|",
        "%%devin\n%devin se|",
        "%%devin\nlook at table.sh|",
        "%%devin --mode fast\nimp|",
        "%%devin\n/|",
        "%%devin\n|",
        "\n%%devin\nimp|",
    ],
)
def test_nobody_completes_anything_inside_the_prompt(shell, with_jedi, code):
    shell.run("import pandas; table = pandas.DataFrame()")
    assert shell.tab(code) == []


@pytest.mark.parametrize(
    "code",
    [
        "%%devin --max-acu |",
        "%%devin --take |\nprompt",
        '%%devin --to "au|',
        "%%devin --schema list[pr|",
        "%%devin --title imp|\nprompt",
        '%%devin --title "a \\\n  imp|',
        "%devin usage --since |",
        "%devin show x imp|",
        "%devin nonsense imp|",
    ],
)
def test_where_a_magic_has_nothing_to_offer_nobody_has(shell, with_jedi, code):
    assert shell.tab(code) == []


def test_other_cells_complete_as_ever(shell):
    shell.run("imported = 1")
    assert "imported" in shell.tab("impor|")
    assert "%%devin" in shell.tab("%%dev|")
    assert "%%devin" in shell.tab("%%devin|")
    assert "imported" in shell.tab("%%time\nimpor|")
    assert "imported" in shell.tab("impor|\n%%devin")


@pytest.fixture
def with_jedi(shell):
    shell.ipython.Completer.use_jedi = True
    yield
    shell.ipython.Completer.use_jedi = False


def test_the_magic_may_stand_below_blank_lines_and_lines_may_end_as_on_windows(shell):
    assert shell.tab("\n  \n%%devin --mo|\nprompt") == ["%%devin --mode"]
    assert shell.tab("%%devin --repos a/b \\\r\n  --mo|") == ["  --mode"]


def test_a_value_with_blanks_is_offered_in_quotes(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my report.pdf").touch()
    (tmp_path / "old data").mkdir()
    (tmp_path / "old data" / "it's.csv").touch()
    assert shell.tab("%%devin --attach my|\np") == ["%%devin --attach 'my report.pdf'"]
    assert shell.tab("%%devin --attach=my|\np") == ["%%devin --attach='my report.pdf'"]
    assert shell.tab('%%devin --attach "my r|\np') == ['%%devin --attach "my report.pdf"']
    assert shell.tab("%%devin --attach old|\np") == ["%%devin --attach 'old data/"]
    assert shell.tab('%%devin --attach "old data/i|\np') == ['%%devin --attach "old data/it\'s.csv"']


def test_lists_of_models_are_schemas_too(shell):
    shell.run("import dataclasses\n@dataclasses.dataclass\nclass Finding:\n    n: int\nFindings = list[Finding]")
    assert shell.tab("%%devin --schema list[F|\np") == ["%%devin --schema list[Finding]"]
    assert shell.tab("%%devin --schema Findings|\np") == ["%%devin --schema Findings"]


def test_commands_and_their_arguments_complete(shell):
    assert set(shell.tab("%devin se|")) == {"%devin sessions", "%devin send", "%devin secrets"}
    assert shell.tab("found = %devin sess|") == ["found = %devin sessions"]
    assert shell.tab("%devin help wh|") == ["%devin help whoami"]
    assert shell.tab("%devin sessions --or|") == ["%devin sessions --origin"]
    assert shell.tab("%devin sessions --origin sl|") == ["%devin sessions --origin slack"]
    assert shell.tab("%devin show devin-|") == [f"%devin show {SESSION}"]
    assert shell.tab("%devin sessions --origin=sl|") == ["%devin sessions --origin=slack"]
    assert shell.tab("%devin sessions --origin slack we|") == ["%devin sessions --origin slack webapp"]
    assert shell.tab("%devin archive a b devin-|") == [f"%devin archive a b {SESSION}"]
    assert shell.tab("%devin wait devin-x 5m |") == ["%devin wait devin-x 5m --on-interrupt"]


def test_playbooks_and_knowledge_are_looked_up_once_a_client_is_at_work(shell, service, monkeypatch):
    known = threading.Event()
    monkeypatch.setattr(
        "devin_jupyter.magics.completion.CACHE.add", lambda kind, pairs: kind == "knowledge" and known.set()
    )
    shell.run("%%devin --quiet --dry-run\nCount")
    assert "GET /v3/organizations/{org_id}/knowledge/notes" not in service.stats()["requests"]
    shell.run("%%devin --quiet\nCount")
    assert known.wait(30)
    shell.run("%%devin --quiet\nCount again")
    assert service.stats()["requests"]["GET /v3/organizations/{org_id}/knowledge/notes"] == 1


def test_after_unloading_nothing_is_offered(shell):
    shell.ipython.extension_manager.unload_extension("devin_jupyter")
    try:
        assert not any("--mode" in line for line in shell.tab("%%devin --mo|\nprompt"))
    finally:
        shell.ipython.extension_manager.load_extension("devin_jupyter")


def test_platforms_are_learned_from_a_refusal_and_from_what_was_started(shell):
    shell.run("import devin_jupyter as dj\nclient = dj.connect(simulator=True)")
    assert not shell.tab("%%devin --platform build|\nprompt")
    shell.run("%%devin --platform nowhere --max-acu 1\nBuild it", fails=True)  # names the pools that there are
    assert shell.tab("%%devin --platform build|\nprompt") == ["%%devin --platform build-farm"]
    assert not shell.tab("%%devin --platform nowh|\nprompt")
    client = shell.names["client"]
    client.core.service.seen.platforms = frozenset()
    shell.run("%%devin --platform build-farm --max-acu 1 --quiet\nBuild it")
    assert shell.tab("%%devin --platform b|\nprompt") == ["%%devin --platform build-farm"]


def test_a_terminal_prints_what_a_completion_means_beside_it(shell):
    def types(line):
        with provisionalcompleter():
            return {each.text: each.type for each in shell.ipython.Completer.completions(line, len(line))}

    assert types("%%devin --max-ac")["--max-acu"].startswith("suspend the session")
    assert types("%devin whoa")["whoami"] == COMMANDS["whoami"].help
