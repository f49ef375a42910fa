"""The places outside the environment where a key may live, and what is remembered beside it.

A key itself is only ever written to the keyring; the file `settings.json` holds profiles without their keys and the
organization found for a key, under a hash of the key. Nothing here talks to the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEYRING_SERVICE = "devin_jupyter"
DEFAULT_PROFILE = "default"
DOTENV_NAMES = ("DEVIN_API_KEY", "DEVIN_ORG_ID", "DEVIN_API_URL")


def from_dotenv(folder: Path) -> dict[str, str]:
    """Return the `DEVIN_…` settings of the `.env` file in `folder`; empty without a readable one."""
    try:
        lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines if not line.lstrip().startswith("#"))
    found = {name.strip(): _unquoted(value) for name, equals, value in pairs if equals}
    return {name: found[name] for name in DOTENV_NAMES if found.get(name)}


def _unquoted(value: str) -> str:
    value = value.strip()
    if value[:1] in ("'", '"'):
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].rstrip()


def from_colab(name: str) -> str | None:
    """Return a value of Colab's user data; None elsewhere, or where the notebook may not read it."""
    if "google.colab" not in sys.modules:
        return None
    try:
        from google.colab import userdata

        return userdata.get(name) or None
    except Exception:  # Colab raises its own types for a missing secret and for a refused one
        return None


def from_keyring(profile: str) -> str | None:
    """Return the key saved for a profile; None without the `keyring` extra, a backend or an entry."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        value: str | None = keyring.get_password(KEYRING_SERVICE, profile)
    except (KeyringError, RuntimeError, OSError):
        return None
    return value or None


def to_keyring(profile: str, api_key: str) -> bool:
    """Save a key for a profile; False where there is no keyring to save it in."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return False
    try:
        keyring.set_password(KEYRING_SERVICE, profile, api_key)
    except (KeyringError, RuntimeError, OSError):
        return False
    return True


def saved(home: Path) -> dict[str, Any]:
    """Return the content of `settings.json`; empty where it is missing or unreadable."""
    try:
        content = json.loads((home / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def save(home: Path, section: str, name: str, value: Mapping[str, Any] | str) -> None:
    """Put one value into a section of `settings.json`, atomically and readable by its owner only.

    A home that cannot be written is no reason to fail: it only means looking things up again.
    """
    content = saved(home)
    kept = content.get(section)
    content[section] = {**(kept if isinstance(kept, dict) else {}), name: value}
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=home, prefix="settings-")  # mkstemp makes it 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, sort_keys=True)
        os.replace(temporary, home / "settings.json")
    except OSError:
        return


def key_hash(base_url: str, api_key: str) -> str:
    """Return the name under which the organization of a key is remembered."""
    return hashlib.sha256(f"{base_url}\n{api_key}".encode()).hexdigest()[:32]


def profiles(home: Path) -> list[str]:
    """Return the names that `%devin connect --save --profile` has saved keys under."""
    found = saved(home).get("profiles")
    return sorted(found) if isinstance(found, dict) else []


def profile_of(home: Path, profile: str) -> dict[str, str]:
    """Return what `%devin connect --save` noted for a profile beside its key: organization, base URL, API version."""
    profiles = saved(home).get("profiles")
    found = profiles.get(profile) if isinstance(profiles, dict) else None
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
