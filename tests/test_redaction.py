"""Keys and bearer headers are masked wherever they turn up; words that merely look alike are kept."""

from __future__ import annotations

import pytest

from devin_jupyter.redaction import redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("the key cog_a1b2c3d4e5f6 leaks", "the key cog_••• leaks"),
        ("apk_user_0123456789abcdef", "apk_•••"),
        ("cog_abcdefghijklmnopqrst", "cog_•••"),
        ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.x.y", "Authorization: Bearer •••"),
        ("authorization: basic dXNlcjpwYXNzd29yZA==", "authorization: basic •••"),
        ("Basic dXNlcjpwYXNzWo", "Basic •••"),
        ("AUTHORIZATION: BEARER eyJhbGciOiJIUzI1NiJ9.x.y", "AUTHORIZATION: BEARER •••"),
        ("ä: baſic dXNlcjpwYXNzd29yZA== and cog_a1b2c3d4e5f6", "ä: baſic ••• and cog_•••"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "check the basic functionality first",
        "Basic authentication is off",
        "the bearer of the news",
        "write apk_output and apk_builder",
        "basic TypeScript",
        "the simulator takes cog_simulator and apk_simulator",
    ],
)
def test_words_are_kept(text: str) -> None:
    assert redact(text) == text
