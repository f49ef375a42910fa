"""Where key, organization and address come from, and what is never shown or redirected."""

import json
import os
import stat
import sys
import types
from pathlib import Path

import pytest

from devin_jupyter.config import (
    DEFAULT_BASE_URL,
    check_base_url,
    data_folder,
    mask_key,
    remember_org,
    resolve_settings,
    save_profile,
    saved_profile,
)
from devin_jupyter.errors import NoKey, OptionError, WrongKeyFamily
from devin_jupyter.redaction import redact

KEY, OTHER, V1_KEY = "cog_aaaaaaaaaaaaaaaaaaaa1111", "cog_bbbbbbbbbbbbbbbbbbbb2222", "apk_cccccccccccccccccccc3333"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def keyring(monkeypatch):
    """A keyring in memory, in place of the machine's."""
    entries = {}
    module = types.ModuleType("keyring")
    module.get_password = lambda service, name: entries.get((service, name))
    module.set_password = lambda service, name, value: entries.__setitem__((service, name), value)
    module.errors = types.ModuleType("keyring.errors")
    module.errors.KeyringError = type("KeyringError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", module.errors)
    return entries


@pytest.mark.parametrize("organization", ["\udcff", "org-ü", "org 1", "org-\x01"])
def test_an_organization_that_cannot_be_one_is_refused(organization, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", "cog_0123456789abcdefghij")
    monkeypatch.setenv("DEVIN_ORG_ID", "org-1")
    with pytest.raises(OptionError, match="the organization of argument contains characters that no id has"):
        resolve_settings(org_id=organization)


def test_without_a_key_the_message_names_every_way_to_go_on(keyring):
    with pytest.raises(NoKey) as problem:
        resolve_settings()

    said = "\n".join(problem.value.lines)
    assert len(problem.value.lines) == 3
    for way in ("DEVIN_API_KEY", "dj.connect", "simulator"):
        assert way in said


def test_the_argument_goes_before_everything(monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", OTHER)
    monkeypatch.setenv("DEVIN_ORG_ID", "org-environment")

    found = resolve_settings(KEY, "org-argument")

    assert (found.api_key, found.key_source) == (KEY, "argument")
    assert (found.org_id, found.org_source) == ("org-argument", "argument")


def test_the_environment_goes_before_the_dotenv_file(monkeypatch, empty_folder):
    (empty_folder / ".env").write_text(f'DEVIN_API_KEY={OTHER}\nexport DEVIN_ORG_ID="org-file" # ours\n')
    monkeypatch.setenv("DEVIN_API_KEY", KEY)

    found = resolve_settings()

    assert (found.api_key, found.key_source) == (KEY, "DEVIN_API_KEY")
    assert (found.org_id, found.org_source) == ("org-file", ".env")


def test_a_key_from_the_dotenv_file_is_reported_and_brings_its_address(empty_folder):
    lines = ["# ours", f"export DEVIN_API_KEY='{KEY}'", "DEVIN_API_URL=https://api.acme.devinenterprise.com/v3", "X=1"]
    (empty_folder / ".env").write_text("\n".join(lines))

    found = resolve_settings()

    assert found.key_source == ".env"
    assert found.base_url == "https://api.acme.devinenterprise.com"


def test_a_dotenv_file_cannot_redirect_a_key_from_elsewhere(monkeypatch, empty_folder):
    (empty_folder / ".env").write_text("DEVIN_API_URL=https://evil.example\n")
    monkeypatch.setenv("DEVIN_API_KEY", KEY)

    settings = resolve_settings()

    assert settings.base_url == DEFAULT_BASE_URL
    assert settings.unused_url == "https://evil.example"


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeffDEVIN_API_KEY={KEY}\n".encode(),
        f"DEVIN_API_KEY={KEY}\r\n".encode("utf-16"),
        f"DEVIN_API_KEY={KEY}\r\n".encode("utf-16-le"),
        f"DEVIN_API_KEY={KEY}\r\n".encode("utf-16-be"),
        f"X=1\r\nDEVIN_API_KEY={KEY}\r\nY=2\r\n".encode(),
        f"export DEVIN_API_KEY={KEY}".encode(),
        f"export\tDEVIN_API_KEY = '{KEY}' # ours".encode(),
        f'  DEVIN_API_KEY = " {KEY} "'.encode(),
        f"DEVIN_API_KEY=“{KEY}”".encode(),
    ],
)
def test_a_dotenv_file_is_read_as_any_editor_saves_it(content, empty_folder):
    (empty_folder / ".env").write_bytes(content)

    found = resolve_settings()

    assert (found.api_key, found.key_source) == (KEY, ".env")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe\x00DEVIN_API_KEY=x", "not UTF-16 text"),
        (b"NAME=caf\xe9\nDEVIN_API_KEY=x", "not UTF-8 text"),
        (f"DEVIN_API_KEY={KEY}".encode("utf-32"), "not UTF-16 text"),
        (b"#" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_an_unusable_dotenv_file_is_reported_first(content, why, empty_folder, keyring):
    save_profile(resolve_settings(OTHER))
    (empty_folder / ".env").write_bytes(content)

    with pytest.raises(NoKey, match=f"{empty_folder / '.env'} cannot be read: it is {why}") as problem:
        resolve_settings()
    assert len(problem.value.lines) == 3
    assert resolve_settings(KEY).api_key == KEY
    assert resolve_settings(profile="default").api_key == OTHER


def test_a_dotenv_file_in_another_encoding_without_our_settings_is_ignored(empty_folder, keyring):
    save_profile(resolve_settings(KEY))
    (empty_folder / ".env").write_bytes(b"NAME=caf\xe9")

    assert resolve_settings().key_source == "keyring"


def test_a_virtual_environment_by_the_name_of_the_dotenv_file_is_ignored(empty_folder, keyring):
    save_profile(resolve_settings(KEY))
    (empty_folder / ".env").mkdir()

    assert resolve_settings().key_source == "keyring"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes and devices among its files")
@pytest.mark.parametrize("kind", ["pipe", "endless", "link to a pipe"])
def test_a_dotenv_file_that_would_block_or_never_end_is_named(kind, empty_folder, tmp_path):
    place = empty_folder / ".env"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "endless":
        place.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "pipe")
        place.symlink_to(tmp_path / "pipe")

    with pytest.raises(NoKey, match=r"\.env cannot be read: it is not a regular file"):
        resolve_settings()


def test_a_link_that_leads_in_a_circle_is_named(empty_folder):
    (empty_folder / ".env").symlink_to(empty_folder / ".env")

    with pytest.raises(NoKey, match=r"\.env cannot be read: .*symbolic links"):
        resolve_settings()


@pytest.mark.parametrize("value", [f'"{KEY}"', f"'{KEY}'", f" {KEY}\r", f"\ufeff{KEY}", f"“{KEY}”"])
def test_a_key_loses_the_quotes_that_docker_leaves_around_it(value, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", value)
    monkeypatch.setenv("DEVIN_ORG_ID", '"org-quoted"')
    monkeypatch.setenv("DEVIN_API_URL", '"https://api.acme.devinenterprise.com/v3"')

    found = resolve_settings()

    assert (found.api_key, found.org_id) == (KEY, "org-quoted")
    assert found.base_url == "https://api.acme.devinenterprise.com"
    assert resolve_settings(value).api_key == KEY


def test_an_unusable_address_is_reported_with_its_variable_and_without_its_password(monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", KEY)
    monkeypatch.setenv("DEVIN_API_URL", "https://ann:hunter2@api.devin.ai")

    with pytest.raises(OptionError, match="DEVIN_API_URL: ") as problem:
        resolve_settings()
    assert "hunter2" not in str(problem.value)
    assert "ann" not in problem.value.message


@pytest.mark.parametrize(
    "given", ["https://app.devin.ai", "https://docs.devin.ai/api-reference", "https://api.devin.ai/v2"]
)
def test_an_address_with_a_wrong_path_is_reported_with_the_right_one(given):
    with pytest.raises(OptionError, match="is not the address of an API") as problem:
        check_base_url(given)
    assert "give https://" in problem.value.hint


def test_the_home_of_an_unknown_user_is_reported_with_its_variable(monkeypatch):
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", "~no-such-user/devin")

    with pytest.raises(OptionError, match="DEVIN_JUPYTER_HOME"):
        resolve_settings(KEY)


def test_profiles_live_in_the_keyring_and_go_before_the_environment(monkeypatch, keyring):
    saved = resolve_settings(KEY, "org-work", "https://api.acme.devinenterprise.com")
    assert save_profile(saved, "work")
    monkeypatch.setenv("DEVIN_API_KEY", OTHER)

    found = resolve_settings(profile="work")

    assert (found.api_key, found.key_source) == (KEY, "keyring, profile work")
    assert (found.org_id, found.base_url) == ("org-work", "https://api.acme.devinenterprise.com")


def test_the_default_profile_is_the_last_place_before_colab(keyring):
    assert save_profile(resolve_settings(KEY))

    assert resolve_settings().key_source == "keyring"


def test_an_unknown_profile_says_how_to_save_one(keyring):
    with pytest.raises(NoKey, match="nobody"):
        resolve_settings(profile="nobody")


def test_a_saved_key_is_in_the_keyring_only(keyring, tmp_path):
    save_profile(resolve_settings(KEY), "work")

    written = data_folder() / "settings.json"
    assert KEY not in written.read_text()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_without_a_keyring_saving_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert not save_profile(resolve_settings(KEY))


def test_colab_user_data_is_the_last_place(monkeypatch, keyring):
    colab = types.ModuleType("google.colab")
    colab.userdata = types.SimpleNamespace(get=lambda name: KEY if name == "DEVIN_API_KEY" else None)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)

    assert resolve_settings().key_source == "Colab user data"


@pytest.mark.parametrize(
    ("key", "version", "expected"),
    [(KEY, None, "v3"), (V1_KEY, None, "v1"), ("apk_user_" + "x" * 20, None, "v1")],
)
def test_the_version_follows_the_key(key, version, expected):
    assert resolve_settings(key, api_version=version).api_version == expected


def test_the_version_can_be_given_for_keys_whose_prefix_does_not_show_it():
    assert resolve_settings("x" * 30, api_version="v1").api_version == "v1"
    assert resolve_settings("x" * 30, base_url="http://127.0.0.1:8000").api_version == "v3"  # it leaves no machine


def test_a_key_of_no_family_that_we_know_is_not_sent_anywhere(monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", "sk-proj-0123456789abcdef")

    with pytest.raises(WrongKeyFamily, match="neither a v3 key") as problem:
        resolve_settings()
    assert "sk-proj" not in str(problem.value)
    assert "api_version='v3'" in problem.value.hint


@pytest.mark.parametrize(("key", "version"), [(KEY, "v1"), (V1_KEY, "v3")])
def test_a_key_of_the_other_family_is_refused_before_anything_is_sent(key, version):
    with pytest.raises(WrongKeyFamily) as problem:
        resolve_settings(key, api_version=version)

    assert key not in str(problem.value)
    assert len(problem.value.lines) == 3


def test_an_unknown_version_is_refused():
    with pytest.raises(OptionError, match="v2"):
        resolve_settings(KEY, api_version="v2")


def test_a_v1_key_has_no_organization(monkeypatch):
    monkeypatch.setenv("DEVIN_ORG_ID", "org-environment")

    assert resolve_settings(V1_KEY).org_id is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://api.devin.ai/", "https://api.devin.ai"),
        ("https://api.devin.ai/v3", "https://api.devin.ai"),
        ("https://api.devin.ai/v3/", "https://api.devin.ai"),
        ("https://api.devin.ai/v1", "https://api.devin.ai"),
        ("https://api.devin.ai/v3/organizations/org-x/sessions", "https://api.devin.ai"),
        ("https://api.devin.ai/v3beta1/self", "https://api.devin.ai"),
        ("https://gateway.company.example/devin/v3/", "https://gateway.company.example/devin"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/v3", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_addresses_are_brought_to_scheme_and_host(given, expected):
    assert check_base_url(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "http://api.devin.ai",
        "http://127.0.0.1.evil.example",
        "api.devin.ai",
        "ftp://api.devin.ai",
        "https://user:secret@api.devin.ai",
        "https://api.devin.ai?x=1",
        "https://",
        "https://h:abc",
        "https://h:99999",
        "http://[::1",
        "",
    ],
)
def test_addresses_that_would_leak_or_mislead_are_refused(given):
    with pytest.raises(OptionError):
        check_base_url(given)


@pytest.mark.parametrize("name", ["api_key", "org_id", "base_url", "api_version", "profile"])
def test_an_argument_that_is_not_a_text_is_refused_and_not_shown(name):
    with pytest.raises(OptionError, match=f"{name} must be text") as caught:
        resolve_settings(**{"api_key": "cog_" + "x" * 20, name: 123456789})
    assert "123456789" not in str(caught.value)


def test_this_machine_means_simulated():
    assert resolve_settings(KEY, base_url="http://127.0.0.1:1").simulated
    assert not resolve_settings(KEY).simulated


def test_the_key_is_in_no_repr_and_masked_everywhere():
    found = resolve_settings(KEY)

    assert KEY not in repr(found)
    assert found.masked_key == "cog_•••1111"
    assert KEY not in redact(f"the header was {KEY}")


def test_a_short_key_shows_nothing_of_itself():
    assert mask_key("cog_short") == "cog_•••"


@pytest.mark.parametrize("key", ["", "   ", "cog_with space_inside_of_it", "cog_ünïcode_0123456789", "cog_line\nbreak"])
def test_a_key_that_no_header_could_carry_is_refused(key):
    with pytest.raises(NoKey):
        resolve_settings(key)


def test_the_organization_is_remembered_for_the_key_by_hash():
    remember_org(resolve_settings(KEY), "org-found")

    assert resolve_settings(KEY).org_id == "org-found"
    assert resolve_settings(KEY).org_source == "remembered for this key"
    assert resolve_settings(OTHER).org_id is None
    content = json.loads((data_folder() / "settings.json").read_text())
    assert KEY not in json.dumps(content)


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path / "file" / "below"))

    assert remember_org(resolve_settings(KEY), "org-found").org_id == "org-found"


def test_damaged_settings_are_no_settings():
    folder = data_folder()
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{ not json")

    assert resolve_settings(KEY).org_id is None
    assert saved_profile(folder, "work") == {}


def test_the_home_is_the_platforms_data_folder_by_default(monkeypatch):
    monkeypatch.delenv("DEVIN_JUPYTER_HOME")

    assert data_folder().name == "devin_jupyter"
    assert Path.home() in data_folder().parents


def test_a_token_for_the_live_channel_comes_from_the_places_of_the_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert (resolve_settings(KEY).pat, resolve_settings(KEY).pat_source) == ("", "")
    Path(".env").write_text("DEVIN_PAT=cog_from-the-file-1\n")
    assert resolve_settings(KEY).pat_source == ".env"
    monkeypatch.setenv("DEVIN_PAT", "'cog_from-the-variable-1'")
    found = resolve_settings(KEY)
    assert (found.pat, found.pat_source) == ("cog_from-the-variable-1", "DEVIN_PAT")
    assert "cog_from" not in repr(found)
    assert resolve_settings(KEY, pat="cog_typed-just-now-1").pat_source == "the hidden prompt"
    assert resolve_settings(KEY, live=False).pat == ""


def test_an_address_from_a_file_is_given_no_token_from_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVIN_PAT", "cog_from-the-variable-1")
    Path(".env").write_text(f"DEVIN_API_KEY={KEY}\nDEVIN_API_URL=https://elsewhere.example.com\n")
    found = resolve_settings()
    assert (found.base_url, found.pat) == ("https://elsewhere.example.com", "")


def test_a_saved_profile_holds_the_token_beside_the_key(monkeypatch):
    kept = {}
    monkeypatch.setattr("devin_jupyter.config.save_to_keyring", lambda name, key: kept.update({name: key}) or True)
    monkeypatch.setattr("devin_jupyter.config.key_from_keyring", kept.get)
    save_profile(resolve_settings(KEY, pat="cog_the-token-of-work-1"), "work")
    save_profile(resolve_settings(KEY), "home")
    monkeypatch.setenv("DEVIN_PAT", "cog_from-the-variable-1")
    found = resolve_settings(profile="work")
    assert (found.pat, found.pat_source) == ("cog_the-token-of-work-1", "keyring, profile work")
    assert resolve_settings(profile="home").pat == ""  # that of the environment may be for another host
