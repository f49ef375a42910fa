"""What `--attach` and `--secrets` name, read into values: a file, an address, a variable; an environment variable.

Reading happens before anything is sent, so that a missing file costs nothing. Nothing is uploaded here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from devin_jupyter.errors import OptionError
from devin_jupyter.host import host
from devin_jupyter.redaction import keep_secret
from devin_jupyter.text import nearest


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to go with a prompt or a message: its content, or the address it has already."""

    name: str
    content: bytes | None = field(repr=False)
    url: str | None
    sha256: str
    """Of the content; of the address, where that is all there is."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A session secret; its value is in no repr and no identity."""

    value: str | None = field(repr=False)
    """None where there is none of this name: to attach or to replay takes the name only."""
    sensitive: bool = True


def read_attachments(items: Iterable[Any], variables: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Read every item: a path, a URL, the name of a variable, a table, bytes, or a `(name, value)` pair.

    Raises:
        OptionError: a file that cannot be read, or an unknown name.
    """
    if isinstance(items, Mapping):
        items = items.items()
    return tuple(_attachment(item, variables) for item in items)


def _attachment(item: Any, variables: Mapping[str, Any]) -> Attachment:
    if isinstance(item, Attachment):
        return item
    if isinstance(item, tuple) and len(item) == 2:
        return _from_value(str(item[0]), item[1], named=True)
    if not isinstance(item, str):
        return _from_value("", item, named=False)
    if item.startswith(("http://", "https://")):
        name = unquote(urlsplit(item).path.rsplit("/", 1)[-1]) or "attachment"
        return Attachment(name, None, item, hashlib.sha256(item.encode()).hexdigest())
    if item.isidentifier() and item in variables:
        return _from_value(item, variables[item], named=False)
    return _from_file(Path(item).expanduser(), item, variables)


def _from_value(name: str, value: Any, *, named: bool) -> Attachment:
    if isinstance(value, os.PathLike):
        return _from_file(Path(value), str(value), {})
    if hasattr(value, "to_csv"):
        index = any(level is not None for level in value.index.names)
        content, suffix = value.to_csv(index=index, lineterminator="\n").encode(), ".csv"
    elif isinstance(value, (bytes, bytearray, memoryview)):
        content, suffix = bytes(value), ".bin"
    elif isinstance(value, str):
        content, suffix = value.encode(), ".txt"
    else:
        raise OptionError(
            f"--attach cannot send {name or 'a value'}: it is a {type(value).__name__}",
            hint="attach a path, a URL, a DataFrame, bytes or str",
        )
    return _of(name if named else (name or "attachment") + suffix, content)


def _from_file(path: Path, said: str, variables: Mapping[str, Any]) -> Attachment:
    if not said:
        raise OptionError("--attach was given an empty name", "nothing was sent", _WHAT_TO_ATTACH)
    try:
        return _of(path.name, path.read_bytes())
    except (OSError, ValueError) as problem:  # ValueError: a zero byte, or half a character, in the name
        names = [name for name, value in variables.items() if not name.startswith("_") and _is_content(value)]
        is_named = isinstance(problem, OSError) and path.parent.is_dir()
        beside = [entry.name for entry in path.parent.iterdir()] if is_named else []
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        raise OptionError(
            f"--attach cannot read {said}: {reason.lower()}{nearest(path.name, [*beside, *names])}",
            "nothing was sent",
            _WHAT_TO_ATTACH,
        ) from None


_WHAT_TO_ATTACH = "give a path, a URL, or the name of a variable of this notebook"


def _is_content(value: Any) -> bool:
    return hasattr(type(value), "to_csv") or isinstance(value, (bytes, bytearray, str, os.PathLike))


def _of(name: str, content: bytes) -> Attachment:
    return Attachment(name, content, None, hashlib.sha256(content).hexdigest())


def read_secrets(said: tuple[str, ...] | Mapping[str, Any]) -> dict[str, SecretValue]:
    """Return the values for `NAME[:plain]` words from the environment or Colab, or for a mapping as given.

    Raises:
        OptionError: a name or a value that the API refuses.
    """
    if isinstance(said, Mapping):
        pairs = {str(name): _secret(str(name), value) for name, value in said.items()}
    else:
        pairs = dict(_from_environment(word) for word in said)
    for name, secret in pairs.items():
        check_secret(name, secret.value or "")
    keep_secret(secret.value for secret in pairs.values() if secret.sensitive and secret.value is not None)
    return pairs


def check_secret(name: str, value: str) -> None:
    """Refuse what the API refuses of a secret, of a session or stored, before anything is sent.

    Raises:
        OptionError: an empty or too long name, or too long a value.
    """
    if not 1 <= len(name) <= 256:
        raise OptionError("the name of a secret must have 1 to 256 characters", "nothing was sent")
    if len(value) > 65536:
        raise OptionError(f"the secret {name} is longer than 65,536 characters", "nothing was sent")


def lacking(secrets: Mapping[str, SecretValue]) -> OptionError | None:
    """Return what to say of a secret that has no value, before a session is started with it; None if all have one."""
    name = next((name for name, secret in secrets.items() if secret.value is None), None)
    if name is None:
        return None
    return OptionError(
        f"there is no environment variable {name} for --secrets{nearest(name, os.environ)}",
        "nothing was sent",
        "set it before the kernel starts, or in the notebook: os.environ[…] = getpass.getpass()",
    )


def _secret(name: str, value: Any) -> SecretValue:
    if isinstance(value, SecretValue):
        return value
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise OptionError(f"the secret {name} is text, not {type(value).__name__}", "nothing was sent")
    return SecretValue(str(value))


def _from_environment(word: Any) -> tuple[str, SecretValue]:
    name, _, kind = word.partition(":") if isinstance(word, str) else ("", "", "no text")
    if kind not in ("", "plain") or not name.isprintable():
        raise OptionError("--secrets takes NAME or NAME:plain", hint="for example --secrets NPM_TOKEN REGION:plain")
    value = os.environ.get(name)
    if value is None:
        value = host().secret(name)
    return name, SecretValue(value, sensitive=kind != "plain")
