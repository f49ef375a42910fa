"""The option line: read as a shell would, with errors that say what to do, and nothing secret repeated."""

import math
import shlex
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devin_jupyter import options
from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.options import BY_NAME, GROUPS, OPTIONS, CellOptions, CreateOptions, MapOptions, in_python
from devin_jupyter.options.arguments import split

BATCH = GROUPS["Batches: one session per row"]
HINTS = [
    ("--repoz a/b", "--repos"),
    ("--scehma X", "--schema"),
    ("--max_acu 3", "--max-acu"),
    ("--on-interrupt sotp", "stop"),
]


def refusal(line):
    with pytest.raises(OptionError) as caught:
        options.parse(line)
    assert len(caught.value.lines) <= 3
    return str(caught.value)


def test_the_typed_keywords_have_the_names_of_the_table():
    everywhere = {option.name for option in OPTIONS}
    per_call = {option.name for option in OPTIONS if option.elsewhere}
    of_a_batch = {option.name for option in BATCH} - {"each"}
    assert get_type_hints(CellOptions).keys() == everywhere
    assert get_type_hints(CreateOptions).keys() == everywhere - per_call
    assert get_type_hints(MapOptions).keys() == (everywhere - per_call) | of_a_batch


def test_every_example_of_the_table_parses_or_needs_its_partner():
    for option in OPTIONS:
        partner = {"again": "", "schema_optional": ""}.get(option.name, "--each t " if option.needs else "")
        assert option.name in options.parse(partner + option.example)


def test_quotes_equal_signs_and_repeated_lists_work_as_in_a_shell():
    read = options.parse(
        """--repos a/b --repos c/d e/f --title="two words" --schema '{"type": "object"}' --max-acu=5"""
    )
    assert read == {
        "repos": ("a/b", "c/d", "e/f"),
        "title": "two words",
        "schema": '{"type": "object"}',
        "max_acu": 5,
    }


def test_a_placeholder_is_one_word_with_its_spaces_and_quotes():
    read = options.parse("""--title {{ d["a b"] | upper }} --tags x-{{ n + 1 }} y""")
    assert read == {"title": '{{ d["a b"] | upper }}', "tags": ("x-{{ n + 1 }}", "y")}


def test_templates_in_numbers_and_choices_are_converted_once_filled_in():
    read = options.parse("--max-acu {{ cap }} --mode {{ m }} --title {{ t }}")
    assert sorted(options.templates(read)) == ["{{ cap }}", "{{ m }}", "{{ t }}"]
    filled = options.fill(read, lambda text: {"{{ cap }}": "7", "{{ m }}": "lite", "{{ t }}": "{{ x }}"}[text])
    assert filled == {"max_acu": 7, "mode": "lite", "title": "{{ x }}"}


def test_a_template_that_fills_a_number_with_words_is_refused():
    with pytest.raises(OptionError, match="whole number above 0"):
        options.fill(options.parse("--max-acu {{ cap }}"), lambda text: "many")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("30m", 1800), ("4h", 14400), ("1.5h", 5400), ("6d", 518400), ("2w", 1209600)]
)
def test_times_have_units(text, seconds):
    assert options.parse(f"--wait {text}").get("wait") == seconds


@pytest.mark.parametrize("name", ["1x", "class", "a b", ""])
def test_out_takes_only_what_a_variable_may_be_called(name):
    with pytest.raises(OptionError, match="takes the name of a variable"):
        options.from_keywords(out=name)


def test_wait_without_a_time_waits_without_limit():
    assert options.parse("--wait").get("wait") == math.inf
    assert options.parse("--wait --quiet")["quiet"]
    assert options.parse("--quiet").get("wait") is None


@pytest.mark.parametrize(("line", "hint"), HINTS)
def test_what_is_nearly_right_gets_the_nearest_right_word(line, hint):
    assert f"did you mean {hint}?" in refusal(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hello", "the prompt goes below"),
        ("--title 'x", "is never closed"),
        ("--max-acu 0", "whole number above 0, not '0'"),
        ("--max-acu -3", "whole number above 0, not '-3'"),
        ("--max-acu 2.5", "whole number above 0"),
        ("--max-acu", "--max-acu needs a value"),
        ("--budget nan", "number above 0"),
        ("--quiet=3", "--quiet takes no value"),
        ("--wait soon", "30m"),
        ("-o 3x", "name of a variable"),
        ("--knowledge a --no-knowledge", "cannot be combined"),
        ("--new --take 2", "cannot be combined"),
        ("--replace --beside", "cannot be combined"),
        ("--again", "--again needs --to"),
        ("--limit 3", "--limit needs --each"),
        ("--schema-optional", "--schema-optional needs --schema"),
        ("--to s --repos a/b", "--repos cannot be combined with --to"),
        ("--repoz a/b", "did you mean --repos?"),
        ("—max-acu 5", "did you mean --max-acu?"),
        ("–max-acu 5", "did you mean --max-acu?"),
        ("--secrets NAME:hidden --repos", "--repos needs at least one value"),
    ],
)
def test_a_mistake_is_named(line, words):
    assert words in refusal(line)


@pytest.mark.parametrize(
    "line",
    [
        "--title cog_AbCdEf123456",
        "--tags=apk_user_AbCdEf123",
        "'cog_abcd1234 efgh'",
        "--title x:cog_Ab1Cd2Ef3Gh4Ij5Kl6",
        "--title (cog_Ab1Cd2Ef3Gh4Ij5Kl6)",
        "--repos team/apk_Ab1Cd2Ef3Gh4",
        "--title Bearer:cog_AbCdEfGhIjKlMnOpQrSt",
    ],
)
def test_a_key_on_the_line_is_refused_and_not_repeated(line):
    said = refusal(line)
    assert "AbCdEf" not in said
    assert "abcd" not in said
    assert "API key" in said


def test_a_word_unlike_any_option_gets_no_suggestion():
    assert "did you mean" not in refusal("--bogus")
    assert "did you mean" not in refusal("--qqq")


def test_the_keys_of_the_simulator_are_no_secret():
    assert options.parse("--title cog_simulator").get("title") == "cog_simulator"


@pytest.mark.parametrize("words", ["-o apk_result", "--tags apk_build", "--attach apk_files", "--title 'cog_service'"])
def test_a_word_that_begins_as_keys_do_is_no_key(words):
    assert options.parse(words)


@pytest.mark.parametrize(
    "line", ["--secrets TOKEN=hunter2222", "--secrets=TOKEN=hunter2222", "--secrets A B=hunter2222"]
)
def test_a_secret_value_on_the_line_is_refused_and_not_repeated(line):
    assert "hunter2222" not in refusal(line)


def test_lines_that_end_in_a_backslash_go_on_in_the_body():
    line, body = options.continued("--repos a/b \\", "  --title 'x' \\\n--quiet\nThe prompt\\\nstays.\n")
    assert (line, body) == ("--repos a/b --title 'x' --quiet", "The prompt\\\nstays.\n")
    assert options.continued("--title a\\\\", "body\n") == ("--title a\\\\", "body\n")


def test_keywords_have_the_names_of_the_table():
    read = options.from_keywords(repos=["a/b"], max_acu=3, wait=True, knowledge=[], take=2, title=None, quiet=False)
    assert read == {"repos": ("a/b",), "max_acu": 3, "wait": math.inf, "knowledge": (), "take": "2"}
    assert options.from_keywords(repos="a/b") == {"repos": ("a/b",)}


def test_a_wrong_keyword_gets_the_nearest_name():
    with pytest.raises(OptionError, match="did you mean max_acu"):
        options.from_keywords(max_accu=3)
    with pytest.raises(OptionError, match="did you mean detach"):
        options.from_keywords(on_interrupt="detatch")
    assert options.from_keywords(mode="fats")["mode"] == "fats"  # the service may know it


def test_the_help_and_the_readme_show_every_option_with_its_example():
    for text in (options.help_text(), options.readme_table().replace("\\|", "|")):
        for option in OPTIONS:
            assert option.bare in text
            assert option.example in text


def test_only_out_and_help_have_a_single_letter():
    assert {option.short for option in OPTIONS if option.short} == {"-o", "-h"}


@given(st.dictionaries(st.sampled_from(["title", "platform", "key", "schema"]), st.text(min_size=1), max_size=4))
def test_any_text_survives_quoting(values):
    clean = {name: text for name, text in values.items() if "{{" not in text}
    line = " ".join(f"{BY_NAME[name].flag}={shlex.quote(text)}" for name, text in clean.items())
    read = options.parse(line)
    assert read == clean


PIECES = ["--repos ", "--wait ", "--max-acu", "--schema=", "{{ x }}", "--", "{{", "}}", *"""-="' \\abow{}|:.,/3é\n"""]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_line_does_anything_but_parse_or_give_a_clean_error(line):
    try:
        outcome = options.parse(line)
    except DevinError as problem:  # and neither SystemExit nor an error of argparse
        outcome = problem
    assert isinstance(outcome, dict) or 1 <= len(outcome.lines) <= 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--tags nightly # the nightly build", ["--tags", "nightly"]),
        ("--tags nightly #", ["--tags", "nightly"]),
        ("--title 'a # b' --tags '#1'", ["--title", "a # b", "--tags", "#1"]),
        ("--title “Audit of it”", ["--title", "Audit of it"]),
        ("--title ‘Audit of it’", ["--title", "Audit of it"]),
        ("--title=“Audit of it” -o s", ["--title=Audit of it", "-o", "s"]),
        (r"--attach C:\Users\me\a.csv", ["--attach", r"C:\Users\me\a.csv"]),
        (r"--attach=.\data\a.csv \\server\share\b.csv", [r"--attach=.\data\a.csv", r"\\server\share\b.csv"]),
        (r"--attach 'C:\Users\me\a.csv'", ["--attach", r"C:\Users\me\a.csv"]),
        ("--tags acme/api#1 {{ '# x' }}", ["--tags", "acme/api#1", "{{ '# x' }}"]),
    ],
)
def test_comments_curly_quotes_and_windows_paths_are_read_as_they_are_meant(line, words):
    assert split(line) == words


def test_what_may_be_a_comment_or_a_value_is_refused():
    with pytest.raises(OptionError, match="may be a comment or a value") as caught:
        split("--tags nightly #nightly build")
    assert "'#nightly'" in caught.value.hint
    assert split("send audit see #418 # really", comments=False) == ["send", "audit", "see", "#418", "#", "really"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--max-acu takes a whole number above 0", "max_acu= takes a whole number above 0"),
        ("for example --max-acu 5; or --raw to send it", "for example max_acu=5; or raw=True to send it"),
        ("--schema nope: there is no variable nope", "schema='nope': there is no variable nope"),
        (
            "several are separated by spaces: --repos acme/api acme/web",
            "several are a list: repos=['acme/api', 'acme/web']",
        ),
        ("with the next --take (take= in Python) and a higher --max-acu", "with the next take= and a higher max_acu="),
        (
            "give each its own, such as --name '{{ name }}'",
            "give each its own, such as name='{{ name }}'",
        ),
        ("for example -o audit", "for example out='audit'"),
        ("%devin stop --all ends them; --limit 3 tries", "%devin stop --all ends them; limit=3 tries"),
        ("write --take LABEL instead", "write take=LABEL instead"),
        ("no --other of ours", "no --other of ours"),
    ],
)
def test_errors_in_python_name_keywords_in_place_of_options(text, said):
    with pytest.raises(OptionError) as caught, in_python():
        raise OptionError("message", text, text)
    assert (caught.value.consequence, caught.value.hint) == (said, said)
    assert str(caught.value) == f"message\n{said}\n{said}"
