"""After a restart the first use of a client says in one line what went on meanwhile, whichever way it is used."""

import pytest

from devin_jupyter.client.sync import disconnect, get_default

LINE = "1 session of this notebook is still live: "


@pytest.fixture
def restarted(shell, slow_service):
    """The shell as after a restart: a session is at work that no process of today has looked at."""
    shell.run("%%devin -o s\nTake your time")
    identifier = shell.names.pop("s").id
    client = get_default()
    client.close()
    client.journal.close()  # moves what is staged
    with client.journal.database.write("restart", lasting=True) as db:
        db.execute("UPDATE main.sessions SET seen_by = 'a kernel that is gone'")
    disconnect()
    yield identifier
    get_default().close()


@pytest.mark.parametrize(
    "use",
    [
        "s = dj.last()",
        "s = dj.get('{id}')",
        "s = dj.create('something else')",
        "%devin sessions",
        "%devin show {id}",
        "%%devin --to {id}\nand the tests",
        "%%devin\nsomething else",
    ],
)
def test_the_first_use_says_what_is_still_live_and_the_second_nothing(shell, restarted, use):
    assert f"{LINE}{restarted} (" in shell.run(use.format(id=restarted)).out
    assert LINE not in shell.run("t = dj.last()").out


def test_a_dry_run_and_a_shell_without_the_magics_say_nothing(shell, restarted):
    assert LINE not in shell.run("%%devin --dry-run\nsomething else").out
    shell.run("%unload_ext devin_jupyter")
    assert LINE not in shell.run("s = dj.last()").out
    shell.run("%load_ext devin_jupyter")


def test_a_default_that_changes_after_the_first_use_holds_from_the_next_one_on(shell, slow_service):
    shell.run("first = dj.create('with a tag')")
    shell.run('%config DevinMagics.tagging = "off"')
    shell.run("second = dj.create('without one')")
    shell.run("%config DevinMagics.tagging = None")
    tags = get_default().tags
    made = [tags.get(shell.names[name].id) for name in ("first", "second")]
    assert [any(tag.startswith("nb-") for tag in of_one) for of_one in made] == [True, False]
    get_default().close()


@pytest.mark.parametrize(
    "line",
    ["\ufeff%%devin --title 'a\xa0b'", "%%devin\xa0--title\xa0'a\xa0b'", "\u200b%%devin\u2009--title 'a\xa0b'\xa0"],
    ids=["byte order mark", "blanks that do not break", "zero width and thin blanks"],
)
def test_a_cell_that_was_pasted_from_a_page_is_ours(shell, slow_service, line):
    shell.run(f"{line} --quiet -o pasted\nCount the pages")
    assert shell.names["pasted"].title == "a\xa0b"
    assert "attached to" in shell.run("%%devin --title 'a\xa0b' --quiet -o pasted\nCount the pages").out


def test_other_cells_keep_their_blanks(shell):
    assert shell.run("print('a\xa0b')").out == "a\xa0b\n"
    cleanup = shell.ipython.input_transformers_cleanup
    before = len(cleanup)
    shell.run("%reload_ext devin_jupyter")
    assert len(cleanup) == before
