"""What is attached and which secrets go along: read from anywhere, refused in words, never shown."""

import sys
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest

from devin_jupyter.errors import OptionError
from devin_jupyter.redaction import redact
from devin_jupyter.request import Attachment, SecretValue, read_attachments, read_secrets


def test_an_empty_name_is_called_one():
    with pytest.raises(OptionError) as caught:
        read_attachments([""], {})
    assert caught.value.message == "--attach was given an empty name"


def test_everything_that_has_content_can_be_attached(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("line")
    ready = Attachment("ready.bin", b"x", None, "0" * 64)
    table = pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="key"))
    items = [
        ready,
        path,
        ("rows.csv", table),
        b"raw",
        bytearray(b"raw"),
        "note",
        "https://x.test/a%20b.csv",
        "https://x",
    ]
    read = read_attachments(items, {"note": "text"})
    assert read[0] is ready
    names = [
        "ready.bin",
        "log.txt",
        "rows.csv",
        "attachment.bin",
        "attachment.bin",
        "note.txt",
        "a b.csv",
        "attachment",
    ]
    assert [one.name for one in read] == names
    assert read[2].content == b"key,n\na,1\n"
    assert (read[6].content, read[6].url) == (None, "https://x.test/a%20b.csv")
    assert "raw" not in repr(read[3])
    assert [one.name for one in read_attachments({"a.txt": "x"}, {})] == ["a.txt"]


@pytest.mark.parametrize("item", [5, None, {"a": 1}, "no such file", "a\0b", ("name", 5)])
def test_what_has_none_is_refused_before_anything_is_sent(item):
    with pytest.raises(OptionError, match="--attach cannot"):
        read_attachments([item], {})


def test_secrets_come_from_the_environment_and_are_masked_from_then_on(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter-two-token")
    monkeypatch.setenv("MY_REGION", "antarctica-one")
    read = read_secrets(("MY_TOKEN", "MY_REGION:plain"))
    assert read["MY_TOKEN"] == SecretValue("hunter-two-token")
    assert read["MY_REGION"] == SecretValue("antarctica-one", sensitive=False)
    assert "hunter" not in repr(read)
    assert redact("hunter-two-token in antarctica-one").endswith("in antarctica-one")
    assert "hunter" not in redact("a hunter-two-token")


def test_secrets_in_python_are_values():
    kept = SecretValue("as it is", sensitive=False)
    assert read_secrets({"A": kept, "B": 5}) == {"A": kept, "B": SecretValue("5")}


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"": "x"}, "1 to 256 characters"),
        ({"A" * 257: "x"}, "1 to 256 characters"),
        ({"A": "x" * 65537}, "longer than 65,536"),
        ({"A": None}, "is text"),
        ({"A": True}, "is text"),
        (("NAME:loud",), "NAME or NAME:plain"),
        (("two\nlines",), "NAME or NAME:plain"),
        ((5,), "NAME or NAME:plain"),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_in_words(said, word):
    with pytest.raises(OptionError, match=word):
        read_secrets(said)


def test_colab_keeps_secrets_of_its_own(monkeypatch):
    def get(name):
        if name != "GRANTED":
            raise RuntimeError("not granted")
        return "kept by colab"

    colab = ModuleType("google.colab")
    colab.userdata = SimpleNamespace(get=get)
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    assert read_secrets(("GRANTED",))["GRANTED"].value == "kept by colab"
    assert read_secrets(("REFUSED",))["REFUSED"].value is None
