"""`%devin connect`: where keys come from, how one is asked for, kept, and never shown."""

import pytest

from devin_jupyter.client.sync import disconnect
from devin_jupyter.config import mask_key


@pytest.fixture(autouse=True)
def nobody_connected():
    yield
    disconnect()


@pytest.fixture
def typed(monkeypatch, simulator):
    """Somebody at a terminal types these keys, one after the other."""
    keys = [simulator.api_key]
    asked = []

    def getpass(prompt):
        asked.append(prompt)
        return keys.pop(0)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", getpass)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    return keys, asked


@pytest.fixture
def ring(monkeypatch):
    """A keyring in memory."""
    kept = {}

    def keep(name, key):
        kept[name] = key
        return True

    monkeypatch.setattr("devin_jupyter.config.save_to_keyring", keep)
    monkeypatch.setattr("devin_jupyter.config.key_from_keyring", kept.get)
    return kept


def test_a_key_is_asked_for_hidden_where_none_is_known(shell, simulator, typed):
    said = shell.run("%devin connect").out
    assert said.startswith(f"connected to {simulator.url} (v3) as service user")
    assert typed[1] == ["Devin API key (cog_… or apk_…, not shown): "]


def test_a_known_key_is_not_asked_for_again_unless_a_new_one_is_wanted(shell, simulator, typed, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    shell.run("%devin connect")
    assert typed[1] == []
    shell.run("%devin connect --new-key")
    assert len(typed[1]) == 1


def test_an_empty_key_is_refused(shell, typed):
    typed[0][:] = ["  "]
    ran = shell.run("%devin connect", fails=True)
    assert ran.lines[0] == "NoKey: no key was typed"


def test_a_key_is_saved_under_a_profile_and_found_by_it(shell, simulator, typed, ring):
    said = shell.run("%devin connect --save --profile work").out
    assert "saved in the keyring as work" in said
    assert ring == {"work": simulator.api_key}
    disconnect()
    assert "keyring, profile work" in shell.run("%devin connect --profile work").out
    assert shell.tab("%devin connect --profile w|") == ["%devin connect --profile work"]


def test_an_unknown_profile_is_an_error_and_nobody_is_asked(shell, typed, ring):
    ran = shell.run("%devin connect --profile nowhere", fails=True)
    assert type(ran.error).__name__ == "NoKey"
    assert typed[1] == []


def test_without_a_keyring_the_connection_holds_and_the_error_says_so(shell, typed, monkeypatch):
    monkeypatch.setattr("devin_jupyter.config.save_to_keyring", lambda name, key: False)
    ran = shell.run("%devin connect --save", fails=True)
    assert "the connection lasts until the kernel ends" in ran.out
    shell.run("%devin whoami")


def test_the_simulator_is_one_line_and_says_what_it_is(shell):
    for line in ("%devin simulator", "%devin connect --simulator"):
        assert "sessions are simulated and cost nothing" in shell.run(line).out
    assert "(v1)" in shell.run("%devin simulator --v1").out
    facts = {row[""]: row["value"] for row in shell.run("%devin whoami").value.rows}
    assert facts["organization"] == "the key's own"
    assert "simulated" in facts["API"]


def test_a_dedicated_host_and_an_organization_may_be_named(shell, simulator, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    said = shell.run(f"%devin connect --url {simulator.url} --org {simulator.org_id}").out
    assert simulator.org_id in said
    assert "plain http" in shell.run("%devin connect --url http://devin.example.com", fails=True).out


def test_a_new_key_in_the_environment_is_used_without_a_restart(shell, simulator, monkeypatch):
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_API_KEY", "cog_revoked-by-now")
    assert type(shell.run("%devin sessions", fails=True).error).__name__ == "Unauthorized"
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    shell.run("%devin sessions")


def test_a_key_that_was_typed_is_said_to_be(shell, simulator, typed):
    assert "key cog_••• from the hidden prompt" in shell.run("%devin connect").out


def test_the_key_in_use_can_be_saved_where_nobody_can_be_asked(shell, simulator, ring, monkeypatch):
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    assert "saved in the keyring" in shell.run("%devin connect --save").out
    assert ring == {"default": simulator.api_key}


def test_a_key_for_a_profile_that_is_to_be_saved_is_asked_for(shell, simulator, typed, ring, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", "cog_another-key-1234")
    shell.run("%devin connect --save --profile work")
    assert ring == {"work": simulator.api_key}


def test_a_misspelled_profile_gets_the_nearest(shell, simulator, typed, ring):
    shell.run("%devin connect --save --profile work")
    assert "(did you mean work?)" in shell.run("%devin connect --profile wrok", fails=True).out


def test_a_key_that_is_refused_leaves_the_present_client_in_use(shell, simulator, typed, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    shell.run("%devin connect")
    typed[0][:] = ["cog_mistyped-12345678"]
    ran = shell.run("%devin connect --new-key", fails=True)
    assert type(ran.error).__name__ == "Unauthorized"
    assert "service user" in str(shell.run("%devin whoami").value)


def test_who_one_is_is_asked_before_what_one_may_do(shell, simulator, monkeypatch):
    from devin_jupyter.api.analytics import Account

    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_API_KEY", "cog_revoked-by-now")
    monkeypatch.setenv("DEVIN_ORG_ID", simulator.org_id)
    monkeypatch.setattr(Account, "permissions", lambda self: pytest.fail("probed nevertheless"))
    assert type(shell.run("%devin whoami", fails=True).error).__name__ == "Unauthorized"


def facts(shell):
    return {row[""]: row["value"] for row in shell.run("%devin whoami").value.rows}


def test_a_token_for_the_live_channel_is_asked_for_only_when_it_is_wanted(shell, simulator, typed, ring):
    keys, asked = typed
    keys.append(simulator.running.pat)
    said = shell.run("%devin connect --live --save --profile work").out
    assert "the live channel is on, with the token cog_•••" in said
    assert simulator.running.pat not in said
    assert asked[1] == "personal access token (cog_…, not shown): "
    assert sorted(ring.values()) == sorted([simulator.api_key, simulator.running.pat])
    assert facts(shell)["live channel"].startswith("on, token cog_•••")
    disconnect()
    shell.run("%devin connect --profile work")  # the profile holds the token beside the key
    assert len(asked) == 2
    assert facts(shell)["live channel"].endswith("from keyring, profile work")
    shell.run("%devin connect --live --profile work")
    assert len(asked) == 2


def test_a_token_that_is_refused_leaves_the_connection_as_it_was(shell, simulator, typed):
    typed[0].append(simulator.api_key)  # a service user's
    ran = shell.run("%devin connect --live", fails=True)
    assert ran.lines[0] == (
        "LiveUnavailable: the live channel is not on: the token from the hidden prompt is the key of a service user; "
        "it takes a person's"
    )
    assert simulator.requests("GET /acp/live") == 0


def test_a_connection_that_fails_says_what_is_still_in_use(shell, simulator, monkeypatch):
    shell.run("%devin connect --simulator")
    monkeypatch.setenv("DEVIN_API_KEY", "cog_0123456789abcdefghijkl")
    ran = shell.run(f"%devin connect --url {simulator.url}", fails=True)
    assert type(ran.error).__name__ == "Unauthorized"
    assert "still connected to simulator (v3), org-simulator" in ran.error.consequence


def test_whoami_and_the_report_say_why_the_channel_is_off(shell, simulator, monkeypatch):
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    assert facts(shell)["live channel"] == "off: there is no personal access token (DEVIN_PAT)"
    assert "== live channel\noff: there is no personal access token" in shell.run("%devin debug").out
    monkeypatch.setenv("DEVIN_PAT", simulator.running.pat)
    assert facts(shell)["live channel"] == f"on, token {mask_key(simulator.running.pat)} from DEVIN_PAT"
    report = shell.run("%devin debug").out
    assert "sent initialize" in report
    disconnect()
    simulator.faults({"kind": "live_refuse", "status": 403})
    assert facts(shell)["live channel"] == "unavailable: the service refuses the live channel to this token (403)"
