"""A secret that the service repeats arrives masked, however JSON writes it, and nothing else is changed."""

from __future__ import annotations

import base64
import html
import json
import reprlib
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devin_jupyter import redaction
from devin_jupyter.api.transport import Transport
from devin_jupyter.config import Settings
from devin_jupyter.errors import ApiError
from devin_jupyter.idempotency.messages import Conversation, normalized
from devin_jupyter.redaction import as_returned, contains_secret, keep_secret, redact_response
from devin_jupyter.text import safe_text

KEY = "cog_canary0123456789abcdef"


@pytest.fixture(autouse=True)
def nothing_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "masked", redaction.Masked())


@settings(max_examples=2 * settings().max_examples)
@given(
    secret=st.text(min_size=12, max_size=40), before=st.text(max_size=5), after=st.text(max_size=5), ascii=st.booleans()
)
def test_no_secret_survives_in_a_text_of_an_answer(secret: str, before: str, after: str, ascii: bool) -> None:
    redaction.masked = redaction.Masked()
    keep_secret([secret])
    try:
        body = json.dumps({"message": before + secret + after}, ensure_ascii=ascii).encode()
    except UnicodeEncodeError:
        return
    assert contains_secret(body)
    assert secret not in redact_response(json.loads(body))["message"]


@settings(max_examples=2 * settings().max_examples)
@given(secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=12, max_size=40), data=st.data())
def test_no_secret_survives_where_any_letter_of_the_json_is_escaped(secret: str, data: st.DataObject) -> None:
    redaction.masked = redaction.Masked()
    keep_secret([secret])
    flags = data.draw(st.lists(st.booleans(), min_size=len(secret), max_size=len(secret)))
    text = "".join(
        f"\\u{ord(char):04x}" if flag else json.dumps(char)[1:-1] for char, flag in zip(secret, flags, strict=True)
    )
    body = f'{{"message": "{text}"}}'.encode()
    assert contains_secret(body)
    assert secret not in redact_response(json.loads(body))["message"]


def _has_sound_ends(secret: str) -> bool:
    """Not among them are the public keys of the simulator, which are shown on purpose."""
    return secret == secret.strip() and not secret.endswith("_simulator")


@settings(max_examples=2 * settings().max_examples)
@given(secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=12, max_size=40).filter(_has_sound_ends))
def test_no_secret_survives_in_html_or_in_an_address(secret: str) -> None:
    redaction.masked = redaction.Masked()
    keep_secret([secret])
    for write in (html.escape, quote, quote_plus, partial(quote, safe="")):
        shown = write(secret)
        assert shown not in redaction.redact(f"<p>{shown}</p>")


def test_a_short_secret_may_be_a_word_and_is_left_in_the_data() -> None:
    keep_secret(["finished"])
    assert not contains_secret(b'{"status_detail": "finished"}')
    assert redaction.redact("finished") == "•••"


def test_keys_texts_and_lists_are_masked_and_numbers_stay() -> None:
    keep_secret([KEY])
    answer = {KEY: [f"x {KEY}", 1.5, None, True, {"a": KEY}]}
    assert redact_response(answer) == {"•••": ["x •••", 1.5, None, True, {"a": "•••"}]}


def transport(body: bytes) -> Transport:
    wire = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    return Transport(Settings(api_key=KEY, org_id="org-x", home=Path("nowhere")), wire=wire)


@pytest.mark.parametrize("text", [f"the key is {KEY}", f"\n{KEY}", KEY * 3])
async def test_the_transport_hands_out_masked_values_and_masked_pages(text: str) -> None:
    keep_secret([KEY])
    served = transport(json.dumps({"items": [{"title": text}]}).encode())
    expected = {"items": [{"title": text.replace(KEY, "•••")}]}
    assert await served.request("GET", "/v3/x") == expected
    assert json.loads(await served.get_bytes("/v3/x")) == expected


async def test_a_page_without_secrets_is_handed_on_byte_for_byte() -> None:
    keep_secret([KEY])
    body = b'{"items":  [ {"title":"\\u00fc"} ]}'
    assert await transport(body).get_bytes("/v3/x") == body


def test_a_message_that_holds_a_secret_is_recognized_when_the_service_shows_it() -> None:
    keep_secret([KEY])
    shown: dict[str, list[Any]] = {normalized(as_returned(f"use {KEY}\nplease")): [1.0]}
    assert Conversation(shown, None).times_of(f"use {KEY} \n please") == [1.0]


PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(f"{n}Ab/c+d" * 8 for n in range(6)) + "\n-----END PRIVATE KEY-----\n"
LONG = "".join(f"{n:03}q" for n in range(150))
AWKWARD = ["two words", PEM, LONG, 'it\'s "quoted" \\ here', "ünï/cödé 🔑 key", "tab\tand\0zero and more"]


def looks(secret: str) -> list[str]:
    """How Python, JSON and a log write it, one in the other too."""
    in_json = [json.dumps(secret), json.dumps(secret, ensure_ascii=False)]
    reprs = [repr(text) for text in (secret, *in_json)]
    return [secret, *in_json, *reprs, repr(repr(secret)), " ".join(secret.split()), reprlib.repr([secret] * 2)]


@pytest.mark.parametrize("secret", AWKWARD, ids=ascii)
def test_however_a_secret_is_written_no_long_part_of_it_is_left(secret: str) -> None:
    keep_secret([secret])
    parts = [secret.strip()[:8], secret.strip()[-8:]] if len(secret) > 80 else [secret[:6]]
    for look in looks(secret):
        assert "•••" in redaction.redact(f"before {look} after")
        assert not [part for part in parts if part in redaction.redact(f"before {look} after")]


@pytest.mark.parametrize("secret", AWKWARD, ids=ascii)
@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_of_the_service_that_repeats_a_secret_shows_no_part_of_it(secret: str, status: int) -> None:
    keep_secret([secret])
    for body in ({"detail": f"the value {secret} is not allowed"}, f"<p>the value {secret} is not allowed"):
        content = body if isinstance(body, str) else json.dumps(body)
        wire = httpx.MockTransport(lambda request, content=content: httpx.Response(status, content=content.encode()))
        failing = Transport(Settings(api_key=KEY, org_id="org-x", home=Path("nowhere")), wire=wire)
        with pytest.raises(ApiError) as caught:
            await failing.request("POST", "/v3/x")
        assert "the value ••• is not allowed" in " ".join(caught.value.detail.split())
        assert secret.strip()[:8] not in f"{caught.value!r} {vars(caught.value)}".replace("the value", "")


def test_a_text_that_is_cut_shows_no_half_of_a_secret() -> None:
    keep_secret([LONG])
    for before in (0, 80, 99, 100):
        shown = safe_text("x" * before + LONG * 3 + "y" * 5000, 100)
        assert "q" not in shown
        assert shown.startswith(("x" * before + "•••" * 3)[:100])


PEM = (
    "-----BEGIN KEY-----\n"
    + "\n".join(f"line{n}Zq9xW2rT8yU4iO6pA1sD3fG5hJ7kL0+/{n}" for n in range(9))
    + "\n-----END KEY-----\n"
)


@pytest.mark.parametrize("secret", ["correct-horse-battery", "p@ss/w0rd+öffnen", PEM])
@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_a_secret_in_base64_and_a_single_line_of_one_with_many_are_masked(secret: str, before: str) -> None:
    keep_secret([secret])
    for content in (before + secret, before + secret.strip(), before + secret.strip() + "\n"):
        for coded in (base64.b64encode(content.encode()), base64.urlsafe_b64encode(content.encode())):
            shown = redaction.redact(f"TOKEN={coded.decode()}")
            assert "•••" in shown
            assert len(shown) < 30
    for line in secret.splitlines():
        if not line.startswith("-----"):
            assert line.strip() not in redaction.redact(f"cat: {line}")
    if not before:
        wrapped = redaction.redact(base64.encodebytes(secret.encode()).decode())
        assert not any(len(word) > 8 for word in wrapped.replace("•••", " ").split())


def test_short_words_and_keys_of_the_api_have_no_parts() -> None:
    keep_secret(["finished", KEY])
    assert redaction.redact(base64.b64encode(b"finished").decode()) == base64.b64encode(b"finished").decode()


def test_after_a_restart_secrets_are_masked_again_by_the_names_that_were_given(
    simulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devin_jupyter import Devin
    from devin_jupyter.journal import Journal

    secret = "hunter2-and-then-some"
    monkeypatch.setenv("MY_TOKEN", secret)
    with Devin(simulator.api_key, base_url=simulator.url, journal=Journal(tmp_path)) as before:
        before.create("say hello", secrets=["MY_TOKEN"])
    monkeypatch.setattr(redaction, "masked", redaction.Masked())
    with simulator.v3() as plain:  # as Devin may write it into a title
        plain.post("/sessions", json={"prompt": "x", "title": f"uses {secret} and {secret}"})
    with Devin(simulator.api_key, base_url=simulator.url, journal=Journal(tmp_path)) as after:
        assert "uses ••• and •••" in [item["title"] for item in after.sessions.list()]
        assert "uses ••• and •••" in after.sessions_frame()["title"].tolist()
