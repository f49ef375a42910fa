"""Help is where people look for it, and it is all made from the two tables."""

import pytest

from devin_jupyter.magics.commands import COMMANDS, GROUPS
from devin_jupyter.options import OPTIONS, explained


@pytest.fixture
def pager(monkeypatch):
    pages = []
    monkeypatch.setattr("IPython.core.page.page", lambda text, **_: pages.append(text))
    return pages


def as_text(page):
    return page["text/plain"] if isinstance(page, dict) else page


def test_a_question_mark_shows_every_option(shell, pager):
    shell.run("%%devin?")
    assert all(option.bare in as_text(pager[0]) for option in OPTIONS)


def test_a_question_mark_on_the_line_magic_shows_every_command(shell, pager):
    shell.run("%devin?")
    assert all(f"    {name} " in as_text(pager[0]) for name in COMMANDS)


def test_help_on_a_cell_works_with_any_body_and_sends_nothing(shell):
    said = shell.run("%%devin --help --title {{ x }}\nanything {{ at all").out
    assert all(option.bare in said for option in OPTIONS)


@pytest.mark.parametrize("line", ["%devin", "%devin help", "%devin --help"])
def test_the_overview_lists_all_commands_in_their_groups(shell, line):
    said = shell.run(line).out
    assert all(f"{group}:" in said for group in GROUPS)
    assert all(command.help in said for command in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained_with_an_example(shell, name):
    said = shell.run(f"%devin help {name}").out
    assert f"e.g. {COMMANDS[name].example}" in said
    assert all(argument.bare in said for argument in COMMANDS[name].arguments)
    assert shell.run(f"%devin {name} --help").out == said


@pytest.mark.parametrize("line", ["%devin help --max-acu", "%devin help max-acu", "%devin help max_acu"])
def test_help_explains_one_option_of_a_cell(shell, line):
    said = shell.run(line).out
    assert "--max-acu N" in said
    assert "e.g. --max-acu 5" in said
    assert "--repos" not in said


def test_an_option_that_is_called_like_a_command_is_meant_with_its_dashes(shell):
    assert "--tags TAG …" in shell.run("%devin help --tags").out
    assert "e.g. %devin tags audit" in shell.run("%devin help tags").out


def test_help_is_given_whatever_else_was_mistyped(shell):
    assert "--repos OWNER/REPO" in shell.run("%%devin --bogus --max-acu --help\nx").out


def test_every_option_has_an_example_unless_it_is_only_itself_and_says_where_only_one_api_version_has_it():
    for option in OPTIONS:
        said = " ".join(explained([option]).split())
        assert ("e.g. " in said) == (option.example != option.flag)
        assert option.example
        assert ("only; on v" in said) == (option.api != "both")


def test_help_knows_the_cell_magic_too(shell):
    assert "--repos OWNER/REPO" in shell.run("%devin help %%devin").out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%devin sned", "did you mean send?"),
        ("%devin help sned", "did you mean send?"),
        ("%devin sessions --orign slack", "did you mean --origin?"),
        ("%devin send --attach f t hi", "--attach takes every word after it: put it last"),
        ("%devin open t -o 2x", "--out takes the name of a variable"),
        ("%devin open t --out for", "--out takes the name of a variable"),
        ("%devin sessions --phase dnoe", "did you mean done?"),
        ("%devin open", "%devin open needs SESSION"),
        ("%devin send s", "%devin send needs TEXT"),
        ("%devin wait s soon", "TIME takes a time such as 90"),
        ("%devin budget much", "a number of ACUs above 0, or off"),
        ("%devin show a b", "unexpected word 'b'"),
        ("%devin connect --url", "--url needs a value"),
        ("%devin usage --since", "for example %devin usage --since 30d"),
        ("%devin sessions --limit", "for example %devin sessions --limit 10"),
        ("%devin open --schema", "for example %devin open SESSION --schema Finding"),
        ("%devin sessions --limit few", "for example %devin sessions --limit 10"),
        ("%devin journal frob", "unknown action 'frob'"),
        ("%devin sessions --limit 0", "--limit takes a whole number above 0, not '0'"),
        ("%devin journal frob", "one of show, check, export, repair"),
        ("%devin journal chek", "did you mean check?"),
        ("%devin open $found", "the variable's bare name, without $"),
        ("%devin show 'a", "is never closed"),
        ("%devin connect cog_AbCdEf123456", "looks like an API key"),
    ],
)
def test_a_mistyped_command_is_named_in_three_lines(shell, line, words):
    ran = shell.run(line, fails=True)
    assert words in ran.out
    assert "AbCdEf" not in ran.out
    assert len(ran.lines) <= 3
    assert ran.lines[0].startswith("OptionError: ")


def test_a_default_that_cannot_be_meant_is_explained_and_leaves_the_magics_as_they_are(shell):
    config = shell.ipython.config.DevinMagics
    config.max_acu = -1
    try:
        ran = shell.run("from devin_jupyter import load_ipython_extension as load; load(get_ipython())", fails=True)
        assert "max_acu" in ran.error.message
        assert "ipython_config.py" in ran.error.hint
        shell.run("%devin help")
    finally:
        del config["max_acu"]


def test_defaults_are_configured_as_ipython_does_it(shell):
    shown = shell.run("%config DevinMagics").out
    for name in ("mode", "max_acu", "tags", "on_interrupt", "panel", "poll_seconds"):
        assert f"DevinMagics.{name}" in shown
    shell.run("%config DevinMagics.max_acu = 3")
    assert shell.run("%config DevinMagics.max_acu").value == 3
    shell.run("%config DevinMagics.max_acu = None")
