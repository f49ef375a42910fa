"""`--max-time` and `--on-done` of a cell: ended by time, and who is told."""

import threading

import pytest

from devin_jupyter.client.sync import get_default

DELETE = "DELETE /v3/organizations/{org_id}/sessions/{devin_id}"


@pytest.fixture
def told(shell):
    """A function of the notebook that notes the session it is told of, and an event for it."""
    found, event = [], threading.Event()

    def notify(handle):
        found.append(handle)
        event.set()

    shell.names["notify"] = notify

    def last():
        assert event.wait(30)
        event.clear()
        return found.pop()

    return last


def test_a_cell_whose_turn_takes_too_long_ends_its_session(shell, slow_service):
    ran = shell.run("%%devin --max-time 0.3s --wait -o slow\nCount the stars", fails=True)
    assert "was stopped: its turn took longer than 0.3 s (--max-time)" in ran.out
    assert slow_service.requests(DELETE) == 1


def test_a_message_may_set_the_limit(shell, slow_service):
    shell.run("%%devin -o stars --quiet\nCount the stars")
    shell.run("%%devin --to stars --max-time 2h --quiet\nFaster")
    assert get_default().core.store.record(shell.names["stars"].id).facts.max_time == 7200
    ran = shell.run("%%devin --to stars --max-time 0.2s --wait\nMuch faster", fails=True)
    assert "longer than 0.2 s (--max-time)" in ran.out


def test_a_function_of_the_notebook_is_told_of_cells_messages_and_batches(shell, service, told):
    shell.run("%%devin --on-done notify -o hello\nSay hello")
    assert told().id == shell.names["hello"].id
    shell.run("%%devin --to hello --on-done notify\nAgain")
    assert told().id == shell.names["hello"].id
    shell.run("rows = [1]\n")
    shell.run("%%devin --each rows --on-done notify --name few --max-acu 1 -o few\nSay {{ row }}")
    assert told() is shell.names["few"]
    shell.run("%config DevinMagics.on_done = notify")
    shell.run("%%devin -o bye\nSay goodbye")
    assert told().id == shell.names["bye"].id
    shell.run("%config DevinMagics.on_done = None")


def test_a_name_that_is_no_function_is_refused(shell, service, told):
    ran = shell.run("%%devin --on-done notifi\nSay hello", fails=True)
    assert "there is no function 'notifi' in this notebook (did you mean notify?)" in ran.out
    ran = shell.run("%%devin --on-done http://hooks.company.com\nSay hello", fails=True)
    assert "on_done takes a function or an https:// address" in ran.out
    assert "%%devin --on-done notify" in shell.tab("%%devin --on-done no|")
    assert service.stats()["sessions"] == 0
