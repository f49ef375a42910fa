"""Requests: every field of both create calls, the prompt byte for byte, and an identity that ignores what it should."""

import dataclasses
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devin_jupyter import options
from devin_jupyter.errors import OptionError, SchemaError, TemplateError, Unsupported
from devin_jupyter.models.snapshot import Where
from devin_jupyter.options import OPTIONS
from devin_jupyter.redaction import redact
from devin_jupyter.request import Fingerprint, SecretValue, build, fill, lacking

HERE = Where("https://api.devin.ai", "org-1", "v3")
V3_FIELDS = frozenset(
    """prompt title tags devin_mode max_acu_limit structured_output_schema structured_output_required attachment_urls
    repos knowledge_ids secret_ids session_secrets playbook_id child_playbook_id session_links platform resumable
    bypass_approval create_as_user_id""".split()  # noqa: SIM905 a list this long reads better as words
)
V1_FIELDS = frozenset(
    """prompt title tags idempotent max_acu_limit playbook_id snapshot_id knowledge_ids secret_ids session_secrets
    structured_output_schema unlisted""".split()  # noqa: SIM905 the same
)
EVERYTHING = {
    "title": "t",
    "tags": ["a"],
    "max_acu": 5,
    "schema": "count:int",
    "playbook": "playbook-1",
    "knowledge": ["note-1"],
    "secret_ids": ["secret-1"],
    "secrets": {"TOKEN": "hunter2222"},
}
V3_ONLY = {
    "mode": "fast",
    "schema_optional": True,
    "repos": ["a/b"],
    "child_playbook": "playbook-2",
    "links": ["devin-" + "a" * 32],
    "platform": "windows",
    "disposable": True,
    "bypass_approval": True,
    "as_user": "user-1",
}
V1_ONLY = {"snapshot": "snapshot-1", "unlisted": True}


def made(prompt="Fix it", variables=None, defaults=None, **keywords):
    return build(*fill(prompt, options.from_keywords(**keywords), variables), variables, defaults)


def read(prompt, line, variables=None):
    return build(*fill(prompt, options.parse(line), variables), variables)


def what(*args, **keywords):
    return made(*args, **keywords).fingerprint(HERE).what


@pytest.mark.parametrize("line", ["--take ''", "--take '{{ empty }}'", "--tags a ''", "--key ' '", "--repos ''"])
def test_a_value_that_is_empty_is_refused(line):
    with pytest.raises(OptionError, match="empty value"):
        read("Count", line, {"empty": ""})


def test_all_19_fields_of_v3_can_be_set():
    body = made(**EVERYTHING, **V3_ONLY).body("v3", tag="nb-1", attachment_urls=["https://x/f"])
    assert set(body) == V3_FIELDS
    assert (body["structured_output_required"], body["resumable"], body["tags"]) == (False, False, ["a", "nb-1"])
    assert body["session_secrets"] == [{"key": "TOKEN", "value": "hunter2222", "sensitive": True}]


def test_all_12_fields_of_v1_can_be_set():
    assert set(made(**EVERYTHING, **V1_ONLY).body("v1", tag="nb-1", idempotent=True)) == V1_FIELDS


def test_options_that_are_not_given_are_not_sent():
    assert made().body("v3", tag=None) == {"prompt": "Fix it"}
    assert made().body("v1", tag=None) == {"prompt": "Fix it"}


def test_no_knowledge_is_an_empty_list_and_all_knowledge_is_nothing():
    body = made(no_knowledge=True, no_secrets=True).body("v1", tag=None)
    assert (body["knowledge_ids"], body["secret_ids"]) == ([], [])


@pytest.mark.parametrize(("name", "value"), [*V3_ONLY.items()])
def test_a_field_of_v3_on_a_v1_key_is_refused_with_what_to_do_instead(name, value):
    partner = {"schema": "count:int"} if name == "schema_optional" else {}
    with pytest.raises(Unsupported) as caught:
        made(**{name: value}, **partner).body("v1", tag=None)
    option = next(option for option in OPTIONS if option.name == name)
    assert caught.value.hint == option.instead
    assert option.flag in caught.value.message


@pytest.mark.parametrize(("name", "value"), [*V1_ONLY.items()])
def test_a_field_of_v1_on_a_v3_key_is_refused(name, value):
    with pytest.raises(Unsupported, match="needs the v1 API"):
        made(**{name: value}).check("v3")


@given(st.text().filter(lambda text: text.strip() and "{{" not in text))
def test_the_prompt_reaches_the_body_byte_for_byte(prompt):
    for version in ("v3", "v1"):
        assert read(prompt, "", {"x": 1}).body(version, tag=None)["prompt"] == prompt


def test_a_prompt_is_filled_in_once_and_raw_leaves_it_alone():
    assert read("a {{ x }}", "", {"x": "{{ y }}"}).prompt == "a {{ y }}"
    assert read("a {{ x }}", "--raw", {"x": 1}).prompt == "a {{ x }}"
    assert read("a {{ x }}", "", None).prompt == "a {{ x }}"
    with pytest.raises(TemplateError):
        read("a {{ z }}", "", {"x": 1})


def test_option_values_are_templates_too():
    request = read("p", "--title {{ x }} --max-acu {{ n }} --tags t-{{ n }}", {"x": "A b", "n": 3})
    assert request.options == {"title": "A b", "max_acu": 3, "tags": ("t-3",)}


def test_an_empty_prompt_is_refused():
    for prompt in ("", " \n\t"):
        with pytest.raises(OptionError, match=r"(?s)prompt is empty.*in Python in the prompt \(the first argument\)"):
            made(prompt)


def test_a_prompt_that_is_not_a_text_is_refused():
    for prompt in (5, None, b"text"):
        with pytest.raises(OptionError, match="the prompt is text"):
            made(prompt)


def test_defaults_fill_options_that_were_not_given():
    request = made(defaults={"mode": "lite", "max_acu": 3, "tags": ("nb", "a")}, tags=["a", "b"])
    assert (request.mode, request.max_acu, request.tags) == ("lite", 3, ("nb", "a", "b"))
    assert made(defaults={"mode": "lite"}, mode="fast").mode == "fast"


@pytest.mark.parametrize("name", ["a/b,", "a/b,c/d"])
def test_repositories_are_separated_by_spaces(name):
    with pytest.raises(OptionError, match="separated by spaces"):
        made(repos=[name, "c/d"])


def test_repositories_may_be_given_as_addresses():
    assert made(repos=["https://github.com/acme/api.git", "acme/web"]).repos == ("acme/api", "acme/web")
    with pytest.raises(OptionError, match="OWNER/REPO"):
        made(repos=["api"])


def test_links_may_be_names_ids_or_addresses():
    class Handle:
        id = "devin-" + "b" * 32

    links = ["audit", "c" * 32, "https://app.devin.ai/sessions/" + "d" * 32]
    assert made(variables={"audit": Handle()}, links=links).options["links"] == tuple(
        "devin-" + letter * 32 for letter in "bcd"
    )


def test_a_link_to_nothing_known_is_refused_before_anything_is_paid():
    with pytest.raises(OptionError, match="neither a session in this notebook nor an id"):
        made(variables={"audit": 5}, links=["aduit"])
    with pytest.raises(OptionError, match="'audit' is neither"):
        made(variables={"audit": 5}, links=["audit"])


def test_too_many_tags_are_refused_before_anything_is_sent():
    with pytest.raises(OptionError, match="50 tags"):
        made(tags=[str(n) for n in range(50)]).check("v3")


def test_attachments_come_from_files_addresses_and_variables(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"hello")
    table = pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="row"))
    names = {"table": table, "blob": b"\x00", "text": "plain", "plain": pd.DataFrame({"a": [1]})}
    said = [str(path), "https://example.org/files/a%20b.pdf?x=1", *names]
    found = made(variables=names, attach=said).attachments
    assert [(item.name, item.content) for item in found] == [
        ("notes.txt", b"hello"),
        ("a b.pdf", None),
        ("table.csv", b"row,a\nx,1\n"),
        ("blob.bin", b"\x00"),
        ("text.txt", b"plain"),
        ("plain.csv", b"a\n1\n"),
    ]
    assert found[1].url == said[1]


def test_attachments_in_python_may_be_values_with_names(tmp_path):
    found = made(attach={"rows.csv": pd.DataFrame({"a": [1]}), "n.txt": "text"}).attachments
    assert [(item.name, item.content) for item in found] == [("rows.csv", b"a\n1\n"), ("n.txt", b"text")]


def test_a_missing_file_names_the_nearest_one(tmp_path):
    (tmp_path / "report.csv").write_text("x")
    with pytest.raises(OptionError, match=r"did you mean report\.csv"):
        made(attach=[str(tmp_path / "reprot.csv")])
    with pytest.raises(OptionError, match="it is an int"):
        made(variables={"n": 3}, attach=["n"])


def test_v1_writes_attachment_lines_on_their_own():
    body = made("Read it", variables={"x": "t"}, attach=["x"]).body("v1", tag=None, attachment_urls=["https://f/1"])
    assert body["prompt"] == 'Read it\nATTACHMENT:"https://f/1"'
    assert made("Read it\n").body("v1", tag=None, attachment_urls=["u"])["prompt"] == 'Read it\nATTACHMENT:"u"'


def test_secrets_come_from_the_environment_and_are_masked_from_then_on(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter-is-secret")
    monkeypatch.setenv("MY_REGION", "eu-central")
    request = read("p", "--secrets MY_TOKEN MY_REGION:plain", {})
    assert request.secrets == {
        "MY_TOKEN": SecretValue("hunter-is-secret"),
        "MY_REGION": SecretValue("eu-central", False),
    }
    assert "hunter" not in repr(request) + json.dumps(request.identity()) + json.dumps(request.incidental())
    assert redact("a hunter-is-secret b") == "a ••• b"
    assert redact("eu-central") == "eu-central"
    assert "hunter" not in json.dumps(request.body("v3", tag=None, reveal=False))


def test_a_secret_without_a_value_names_the_nearest_variable(monkeypatch):
    monkeypatch.setenv("NPM_TOKEN", "x")
    problem = lacking(read("p", "--secrets NPM_TOKN", {}).secrets)
    assert problem is not None
    assert "did you mean NPM_TOKEN" in problem.what
    assert lacking(read("p", "--secrets NPM_TOKEN", {}).secrets) is None


def test_trailing_white_space_makes_no_other_session():
    assert what("Fix it") == what("Fix it \n\n")
    assert what("Fix it") != what(" Fix it")


SAME = [
    {"title": "t"},
    {"tags": ["x"]},
    {"max_acu": 3},
    {"bypass_approval": True},
    {"take": 1},
]
OTHER = [
    {"repos": ["a/b"]},
    {"mode": "fast"},
    {"schema": "count:int"},
    {"playbook": "p"},
    {"child_playbook": "p"},
    {"knowledge": ["n"]},
    {"no_knowledge": True},
    {"secret_ids": ["s"]},
    {"no_secrets": True},
    {"secrets": {"A": "bbbb"}},
    {"links": ["a" * 32]},
    {"platform": "windows"},
    {"as_user": "u"},
    {"attach": {"a.txt": "x"}},
    {"take": 2},
    {"key": "k"},
]


@pytest.mark.parametrize("keywords", SAME)
def test_what_is_not_identity_attaches(keywords):
    assert what(**keywords) == what()


def test_what_is_identity_makes_another_session():
    prints = [what(), *(what(**keywords) for keywords in OTHER)]
    assert len(set(prints)) == len(prints)


def test_a_key_replaces_the_prompt():
    assert what("one", key="k") == what("two", key="k") != what("one", key="l")


def test_secret_values_titles_of_schemas_and_order_are_not_identity():
    assert what(secrets={"A": "one1"}) == what(secrets={"A": "two2"})
    assert what(repos=["a/b", "c/d"]) == what(repos=["c/d", "a/b"])
    plain = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert what(schema=plain) == what(
        schema={"title": "T", "$schema": "http://json-schema.org/draft-07/schema#"} | plain
    )


def test_the_fingerprint_has_two_parts_and_a_tag():
    request = made()
    one = request.fingerprint(HERE)
    other = request.fingerprint(dataclasses.replace(HERE, org_id="org-2"))
    assert one.what == other.what
    assert one.where != other.where
    assert one.tag == other.tag  # it is looked for within one organization
    assert (len(one.tag), len(one.where), len(one.what), one.version) == (19, 16, 64, 2)
    assert Fingerprint.parse(one.text) == one
    assert request.fingerprint(dataclasses.replace(HERE, base_url="https://API.devin.ai/")) == one


def test_the_fingerprint_of_version_1_never_changes():
    """Sessions that were paid for are found by it: a change needs a new version, and the old one kept beside it."""
    one = made("Fix it", repos=["a/b"], mode="fast", no_knowledge=True, take="2").fingerprint(HERE)
    assert one.first == "1:19a33d831ebdad89:515560913ae4971ab79cbde0cca85c5e7447d78eb610c544c0214e93f0a7c484"
    assert one.text == "2:beb73f0cb37a1008:515560913ae4971ab79cbde0cca85c5e7447d78eb610c544c0214e93f0a7c484"


def test_the_version_of_the_api_is_no_part_of_the_identity():
    request, v1 = made(), Where(HERE.base_url, None, "v1")
    by_v3, by_v1 = request.fingerprint(HERE), request.fingerprint(v1)
    assert by_v1.text in by_v3.texts
    assert by_v1.tag != by_v3.tag  # a key of v1 does not tell whose it is, so its sessions can be told by their tag
    assert {by_v1.tag, *by_v1.tags} <= set(by_v3.tags)
    assert by_v3.tag in by_v1.tags
    assert by_v3.v1_tags == {by_v1.tag, by_v1.earlier[0].tag}


@pytest.mark.parametrize(
    "other",
    [
        "Find it\r\n  and say why\r\n",
        "\ufeffFind it\n  and say why",
        "Find it  \t\n  and say why\u00a0\n\n",
        "Find it\r  and say why",
    ],
)
def test_invisible_characters_do_not_change_the_request(other):
    plain = "Find it\n  and say why"
    assert what(other) == what(plain)
    assert what(key=other) == what(key=plain)
    assert made(other).body("v3", tag=None)["prompt"] == other  # sent as it is written


def test_texts_that_are_composed_in_another_way_are_one_and_what_is_seen_counts():
    assert what("Re\u0301pare l'horloge") == what("R\u00e9pare l'horloge")
    assert len({what(text) for text in ("a b", "a  b", " a b", "a\nb", "a\n\nb", "A b")}) == 6


def test_schemas_are_checked_before_anything_is_sent():
    with pytest.raises(SchemaError):
        made(schema={"type": "array"})
    assert made(schema="none").schema is None


def test_a_preview_stands_in_for_what_is_not_known_yet():
    request = made("Read it", attach=[("a.txt", b"x")], secrets={"TOKEN": "hush-hush"})
    shown = request.preview("v1", tag="nb-1", idempotent=True)
    assert shown["prompt"] == 'Read it\nATTACHMENT:"(the address of a.txt, once it is uploaded)"'
    assert shown["idempotent"] is True
    assert "hush" not in str(shown)


@pytest.mark.parametrize(
    ("written", "name", "left_out"),
    [
        ("git@github.com:acme/api.git", "acme/api", ""),
        ("ssh://git@github.com/acme/api.git", "acme/api", ""),
        ("ssh://git@github.com:22/acme/api", "acme/api", ""),
        ("github.com/acme/api", "acme/api", ""),
        ("https://www.github.com/acme/api/", "acme/api", ""),
        ("https://github.com/acme/api/tree/main", "acme/api", "/tree/main"),
        ("https://github.com/acme/api/pull/418", "acme/api", "/pull/418"),
        ("https://github.com/acme/api/blob/main/a.py#L3", "acme/api", "/blob/main/a.py#L3"),
        ("acme/api/tree/main", "acme/api", "/tree/main"),
        ("acme/api#main", "acme/api", "#main"),
        ("acme/api@v2", "acme/api", "@v2"),
        ("https://gitlab.com/acme/tools/api", "acme/tools/api", ""),
        ("https://gitlab.com/acme/tools/api/-/tree/main", "acme/tools/api", "/-/tree/main"),
        ("git@gitlab.com:acme/tools/api.git", "acme/tools/api", ""),
        ("acme/tools/api", "acme/tools/api", ""),
        ("https://git.acme.com/projects/WEB/repos/api/browse", "WEB/api", "/browse"),
        ("https://git.acme.com/scm/web/api.git", "web/api", ""),
        ("https://raw.githubusercontent.com/acme/api/main/a.py", "acme/api", "/main/a.py"),
    ],
)
def test_an_address_of_a_repository_becomes_its_name_and_what_is_left_out_is_noted(written, name, left_out):
    request = made(repos=[written])
    assert request.repos == (name,)
    assert [note for note in request.notes if left_out in note] == list(request.notes)
    assert bool(request.notes) == bool(left_out)
    assert request.fingerprint(HERE) == made(repos=[name]).fingerprint(HERE)


def test_who_logs_in_to_a_repository_is_never_repeated():
    (note,) = made(repos=["https://me:ghp_0123456789@github.com/acme/api/tree/main"]).notes
    assert note.endswith("/tree/main of https://github.com/acme/api/tree/main is left out, say it in the prompt")
    with pytest.raises(OptionError) as caught:
        made(repos=["https://me:ghp_0123456789@dev.azure.com/acme/web/_git/api"])
    assert "ghp_" not in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        "https://dev.azure.com/acme/web/_git/api",
        "git@ssh.dev.azure.com:v3/acme/web/api",
        "https://acme.visualstudio.com/web/_git/api",
        "https://github.com/acme",
        "https://github.com/orgs/acme/repositories",
        "https://gist.github.com/acme/0123456789abcdef",
        "https://api.github.com/repos/acme/api",
        "github.com/acme",
        "file:///acme/api",
        "acme/..",
        "C:/Users/api x",
    ],
)
def test_an_address_without_a_clear_name_of_a_repository_is_refused(written):
    with pytest.raises(OptionError, match="OWNER/REPO") as caught:
        made(repos=[written])
    assert caught.value.consequence == ""


def test_blanks_around_a_take_or_a_choice_are_no_other_request():
    assert made("Fix it", take="week-47 \n").fingerprint(HERE) == made("Fix it", take="week-47").fingerprint(HERE)
    assert made("Fix it", take=" 1").fingerprint(HERE) == made("Fix it").fingerprint(HERE)
    assert made("Fix it", mode=" LITE").fingerprint(HERE) == made("Fix it", mode="lite").fingerprint(HERE)
