"""Which key, organization, API host and version are in use, and where each came from.

A value is taken from the first of: argument, environment, `.env` of the working directory, keyring (first of all for a
named profile), the secrets of the host, such as Colab's user data. Resolving reads local places only; an organization
that is not named is asked for by the client.

A key is only ever written to the keyring. The file `settings.json` holds profiles without their keys, and the
organization found for a key, under a hash of the key.
"""

from __future__ import annotations

import codecs
import hashlib
import ipaddress
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devin_jupyter.errors import NoKey, OptionError, WrongKeyFamily
from devin_jupyter.host import host, working_directory
from devin_jupyter.redaction import keep_secret
from devin_jupyter.text import write_atomically

DEFAULT_BASE_URL = "https://api.devin.ai"
DEFAULT_PROFILE = "default"
SIMULATOR_KEY, SIMULATOR_V1_KEY, SIMULATOR_ORG = "cog_simulator", "apk_simulator", "org-simulator"
SIMULATOR_PAT = "cog_pat_simulator"
_VERSION_OF_PREFIX = {"cog_": "v3", "apk_": "v1"}
_DOTENV_NAMES = ("DEVIN_API_KEY", "DEVIN_PAT", "DEVIN_ORG_ID", "DEVIN_API_URL")
_VERSION_IN_PATH = re.compile(r"/v[13](?:beta\d)?(?=/|$)")
_WEBSITES = ("devin.ai", "www.devin.ai", "app.devin.ai", "docs.devin.ai")
_DEVINS_HOSTS = (".devin.ai", ".devinenterprise.com")
_MOST_DOTENV_BYTES = 1_000_000
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_KEYRING_SERVICE = "devin_jupyter"
_DOTENV, _URL_IN_DOTENV = ".env", "DEVIN_API_URL in .env"
_COLAB = "Colab user data"
WHERE_KEYS_ARE_MADE = "keys are made in the Devin web app: Settings → Devin API"
_HOW_TO_GIVE_A_KEY = (
    "set DEVIN_API_KEY, or call dj.connect(api_key=…) (%devin connect prompts for it); "
    "to try it without a key, use the simulator: %devin simulator or dj.connect(simulator=True)"
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often sessions are polled, in seconds."""

    fast: float = 1.0
    """Right after an act."""
    slow: float = 10.0
    """The longest interval while Devin works."""
    asleep: float = 30.0
    """For sessions that sleep or whose turn is over."""
    growth: float = 0.15
    """The interval is this part of the time since the last act, between `fast` and `slow`."""


_SIMULATOR_PACE = Pace(fast=0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a client needs to know before its first request. The key never shows in the repr."""

    api_key: str = field(repr=False)
    key_source: str = "argument"
    """Where the key came from, as shown by `%devin whoami`."""
    org_id: str | None = None
    """None until asked for; always None on v1, whose keys belong to one organization."""
    org_source: str = ""
    base_url: str = DEFAULT_BASE_URL
    """Scheme and host, without `/v3`."""
    api_version: str = "v3"
    known_as: str | None = None
    """What fingerprints use in place of the address: the port of an in-process simulator changes with the kernel."""
    profile: str | None = None
    home: Path = field(default_factory=lambda: data_folder())
    """The folder of the journal and of `settings.json`."""
    simulated: bool = False
    """The host is this machine: a simulator answers, and its sessions are labeled as simulated."""
    pace: Pace = field(default_factory=Pace)
    timeout_seconds: float = 60.0
    """How long to wait for a response; connecting has at most 10 seconds."""
    pat: str = field(default="", repr=False)
    """A personal access token, for the live channel only; empty where there is none."""
    pat_source: str = ""
    """Where the token came from."""
    live: bool | None = None
    """Whether to use the live channel: None where there is a token, True or fail, False never."""

    unused_url: str = ""
    """The `DEVIN_API_URL` in a `.env` that is not used, because the key is from another place."""

    def __reduce__(self) -> tuple[Callable[[], Settings], tuple[()]]:
        """Leave the key and the token out: a pickle is a file that anybody may open."""
        kept = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("api_key", "pat")}
        return partial(Settings, api_key="", **kept), ()

    def __copy__(self) -> Settings:
        return self

    def __deepcopy__(self, _: object) -> Settings:
        return self

    def __repr__(self) -> str:
        return f"<Settings {self.place}>"

    @property
    def place(self) -> str:
        """Where requests go, for whom and with which key, in one line."""
        host_name = urlsplit(self.base_url).netloc
        where = "simulator" if self.simulated else host_name
        key = f"key {self.masked_key} from {self.key_source}" if self.api_key else f"no key, {self.key_source[6:]}"
        return ", ".join(part for part in (f"{where} ({self.api_version})", self.org_id or "", key) if part)

    @property
    def url_note(self) -> str:
        """A sentence about an address that looks as if it were in use, and is not; empty where there is none."""
        if not self.unused_url:
            return ""
        return (
            f"DEVIN_API_URL={self.unused_url} in .env is not used, because the key is from {self.key_source}: "
            "set DEVIN_API_URL in the environment too, or put the key into .env"
        )

    @property
    def masked_key(self) -> str:
        """The key as it may be shown."""
        return mask_key(self.api_key)


def data_folder() -> Path:
    """Return the folder of the journal and the settings: `DEVIN_JUPYTER_HOME`, else the platform's data folder."""
    chosen = variable("DEVIN_JUPYTER_HOME")
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError:
            raise OptionError(
                f"DEVIN_JUPYTER_HOME: {chosen!r} is the home of a user that this system does not know",
                hint="give the full path of a folder",
            ) from None
    from platformdirs import user_data_path

    return user_data_path("devin_jupyter", appauthor=False)


def mask_key(api_key: str) -> str:
    """Return the prefix and, of a long key, the last four characters."""
    if not api_key:
        return "no key"
    prefix = next((prefix for prefix in ("apk_user_", *_VERSION_OF_PREFIX) if api_key.startswith(prefix)), "")
    return f"{prefix}•••{api_key[-4:] if len(api_key) - len(prefix) >= 16 else ''}"


def check_base_url(text: str, place: str = "") -> str:
    """Return scheme and host of an API address, without `/v3` or `/v1` and what comes after it.

    A path before that stays, for a gateway that has one; Devin's own hosts have none.

    Args:
        text: the address.
        place: where it stands, for the error.

    Raises:
        OptionError: not https (plain http is for this machine only), or not the address of an API.
    """
    address = unquoted(text).rstrip("/")
    named = f"{place}: " if place else ""
    try:
        parts = urlsplit(address)
        host_name, _ = parts.hostname or "", parts.port
    except ValueError:  # a port that is not a number, half a bracket
        host_name = ""
    if not host_name or parts.scheme not in ("https", "http") or parts.username or parts.query or parts.fragment:
        raise OptionError(
            f"{named}{_without_credentials(text)!r} is not the address of a Devin API",
            hint=f"give scheme and host, such as {DEFAULT_BASE_URL} or https://api.company.devinenterprise.com",
        )
    if parts.scheme == "http" and not is_loopback(host_name):
        raise OptionError(
            f"{named}plain http would expose the key on its way to {host_name}",
            hint=f"use https://{parts.netloc}; http is for a simulator on this machine only",
        )
    prefix = _VERSION_IN_PATH.split(parts.path, maxsplit=1)[0].rstrip("/")
    if host_name in _WEBSITES or (prefix and host_name.endswith(_DEVINS_HOSTS)):
        raise OptionError(
            f"{named}{address!r} is not the address of an API, which is a host without a path",
            hint=f"give {DEFAULT_BASE_URL if host_name in _WEBSITES else f'https://{parts.netloc}'}",
        )
    return f"{parts.scheme}://{parts.netloc}{prefix}"


def _without_credentials(text: str) -> str:
    """Return an address as it may be shown: all that may be a user or a password is left out."""
    scheme, separator, rest = text.rpartition("://")
    before, at, after = rest.rpartition("@")
    return f"{scheme}{separator}•••@{after}" if at and before else text


def is_loopback(host_name: str) -> bool:
    """Whether a host name or address is this machine."""
    if host_name == "localhost":
        return True
    try:
        return ipaddress.ip_address(host_name.strip("[]")).is_loopback
    except ValueError:
        return False


def resolve_settings(
    api_key: str | None = None,
    org_id: str | None = None,
    base_url: str | None = None,
    api_version: str | None = None,
    profile: str | None = None,
    *,
    key_source: str = "argument",
    pat: str | None = None,
    live: bool | None = None,
) -> Settings:
    """Collect the settings from the arguments and the places behind them.

    Args:
        api_key: `cog_…` (v3) or `apk_…` (v1); else the environment and the places after it.
        org_id: `org-…`; v3 only.
        base_url: scheme and host of the API; else `DEVIN_API_URL`, else `https://api.devin.ai`.
        api_version: `"v3"` or `"v1"`, for keys whose prefix does not say.
        profile: a name given to `%devin connect --save --profile`; takes precedence over the environment.
        key_source: where `api_key` came from, as shown by `%devin whoami`.
        pat: a personal access token for the live channel; else `DEVIN_PAT`, `.env`, or what is saved with the key.
        live: whether to use the live channel: None where there is a token, True or fail, False never.

    Raises:
        NoKey: no place holds a key.
        WrongKeyFamily: the key belongs to the other API version, or to no known one.
        OptionError: an invalid address or version, or an argument that is not text.
    """
    given = {"api_key": api_key, "org_id": org_id, "base_url": base_url, "api_version": api_version, "profile": profile}
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{name} must be text, not {type(value).__name__}")
    dotenv, unreadable = _dotenv_here()
    key, key_source = _find_key(profile, dotenv, unreadable) if api_key is None else (unquoted(api_key), key_source)
    _check_key(key, key_source)
    folder = data_folder()
    saved = saved_profile(folder, profile or DEFAULT_PROFILE) if key_source.startswith("keyring") else {}
    address, named_by = _find_address(base_url, profile, saved, dotenv, key_source)
    is_simulator = is_loopback(urlsplit(address).hostname or "")
    settings = Settings(
        api_key=key,
        key_source=key_source,
        base_url=address,
        api_version=_find_version(key, key_source, api_version or saved.get("api_version"), is_simulator=is_simulator),
        profile=profile,
        home=folder,
        simulated=is_simulator,
        unused_url=_unused_url(base_url, dotenv, key_source, address),
        pace=_SIMULATOR_PACE if is_simulator else Pace(),
        live=live,
    )
    settings = _with_token(settings, pat, dotenv, dotenv_names_host=named_by == _URL_IN_DOTENV)
    return settings if settings.api_version == "v1" else _with_org(settings, org_id, dotenv, saved)


def _check_key(key: str, source: str) -> None:
    if not key:
        raise NoKey("the given API key is empty", "nothing was sent", _HOW_TO_GIVE_A_KEY)
    keep_secret([key])
    if not key.isascii() or not key.isprintable() or " " in key:
        message = f"the key from {source} contains characters that are not valid in a key"
        raise NoKey(message, "nothing was sent", _HOW_TO_GIVE_A_KEY)


def _find_address(
    given: str | None, profile: str | None, saved: Mapping[str, str], dotenv: Mapping[str, str], key_source: str
) -> tuple[str, str]:
    """Return the API's address, checked, and the place that names it.

    An address in a `.env` is used with the key beside it only: a cloned folder must not redirect other keys.
    """
    is_of_profile = bool(profile and saved)
    places = [
        (given, "base_url"),
        (saved.get("base_url") if is_of_profile else None, f"the profile {profile}"),
        (variable("DEVIN_API_URL") if not is_of_profile else None, "DEVIN_API_URL"),
        (dotenv.get("DEVIN_API_URL") if key_source == _DOTENV and not is_of_profile else None, _URL_IN_DOTENV),
        (saved.get("base_url"), "the saved profile"),
        (DEFAULT_BASE_URL, ""),
    ]
    return next((check_base_url(text, place), place) for text, place in places if text)


def _unused_url(given: str | None, dotenv: Mapping[str, str], key_source: str, address: str) -> str:
    """Return the address of a `.env` that is not used, as it may be shown; empty where no one would expect it to be."""
    if given or variable("DEVIN_API_URL") or key_source == _DOTENV:
        return ""
    url = _without_credentials(dotenv.get("DEVIN_API_URL", ""))
    return "" if url.rstrip("/") == address else url


def _find_version(key: str, source: str, named: str | None, *, is_simulator: bool) -> str:
    version = _check_version(key, named)
    if not (named or is_simulator or key.startswith(tuple(_VERSION_OF_PREFIX))):
        raise WrongKeyFamily(
            f"the key {mask_key(key)} from {source} is neither a v3 key (cog_…) nor a v1 key (apk_…)",
            "nothing was sent",
            f"{WHERE_KEYS_ARE_MADE}; if it is one, name its API version: dj.connect(api_key=…, api_version='v3')",
        )
    return version


def _with_org(settings: Settings, given: str | None, dotenv: Mapping[str, str], saved: Mapping[str, str]) -> Settings:
    """Return the settings with the organization, if any place names one; else the client asks the service."""
    remembered = saved_settings(settings.home).get("organisations")
    known = remembered if isinstance(remembered, dict) else {}
    for organization, source in (
        (given, "argument"),
        (variable("DEVIN_ORG_ID"), "DEVIN_ORG_ID"),
        (dotenv.get("DEVIN_ORG_ID"), _DOTENV),
        (saved.get("org_id"), "profile"),
        (known.get(_key_hash(settings)), "remembered for this key"),
    ):
        if isinstance(organization, str) and organization.strip():
            return replace(settings, org_id=_checked_org(organization.strip(), source), org_source=source)
    return settings


def _checked_org(organization: str, source: str) -> str:
    if not organization.isascii() or not organization.isprintable() or " " in organization:
        raise OptionError(
            f"the organization of {source} contains characters that no id has: {organization!r}",
            hint="its id begins with org-; leave it out, and %devin whoami shows it",
        )
    return organization


def _dotenv_here() -> tuple[dict[str, str], NoKey | None]:
    """Return the settings in the `.env` of the working directory, and why it cannot be read."""
    try:
        return read_dotenv(working_directory()), None
    except NoKey as problem:
        return {}, problem


def _find_key(profile: str | None, dotenv: Mapping[str, str], unreadable: NoKey | None) -> tuple[str, str]:
    if profile:
        key = key_from_keyring(profile)
        if not key:
            hint = "%devin connect --save --profile NAME saves one (needs pip install 'devin-jupyter[keyring]')"
            raise NoKey(f"no key is saved for the profile {profile!r}", "nothing was sent", hint)
        return key, f"keyring, profile {profile}"
    if key := variable("DEVIN_API_KEY"):
        return key, "DEVIN_API_KEY"
    if unreadable is not None:  # it may hold a key, which would go before those of the next places
        raise unreadable
    if key := dotenv.get("DEVIN_API_KEY"):
        return key, _DOTENV
    if key := key_from_keyring(DEFAULT_PROFILE):
        return key, "keyring"
    if key := host().secret("DEVIN_API_KEY"):
        return key, _COLAB
    raise no_key()


def _with_token(
    settings: Settings, given: str | None, dotenv: Mapping[str, str], *, dotenv_names_host: bool
) -> Settings:
    """Return the settings with the token for the live channel, if there is one."""
    token, source = unquoted(given or ""), "the hidden prompt"
    if not token and settings.live is not False:
        token, source = _find_token(settings, dotenv, dotenv_names_host=dotenv_names_host)
    if not token:
        return settings
    keep_secret([token])
    return replace(settings, pat=token, pat_source=source)


def _find_token(settings: Settings, dotenv: Mapping[str, str], *, dotenv_names_host: bool) -> tuple[str, str]:
    """Return the token and its place: the environment, unless a profile or a `.env` names the host, or the key's.

    As with keys, a host that a `.env` names gets no token from elsewhere.
    """
    profile = settings.profile
    if not (profile or dotenv_names_host) and (token := variable("DEVIN_PAT")):
        return token, "DEVIN_PAT"
    if not profile and (token := dotenv.get("DEVIN_PAT", "")):
        return token, _DOTENV
    if settings.key_source.startswith("keyring"):
        return key_from_keyring(_pat_entry(profile or DEFAULT_PROFILE)) or "", settings.key_source
    return (host().secret("DEVIN_PAT") or "", _COLAB) if settings.key_source == _COLAB else ("", "")


def _pat_entry(profile: str) -> str:
    return f"{profile} (personal access token)"


def _check_version(key: str | None, wanted: str | None) -> str:
    if wanted not in (None, "v1", "v3"):
        raise OptionError(f"there is no API version {wanted!r}", hint="give api_version='v3' or api_version='v1'")
    belongs = next((version for prefix, version in _VERSION_OF_PREFIX.items() if key and key.startswith(prefix)), None)
    if belongs and wanted and belongs != wanted:
        raise WrongKeyFamily(
            f"the key {mask_key(key or '')} is for API {belongs}, but {wanted} was requested",
            "nothing was sent",
            "v3 takes service-user keys and personal access tokens (cog_…), v1 takes the older apk_… keys",
        )
    return wanted or belongs or "v3"


def no_key() -> NoKey:
    """Return the error for a call that needs a key when there is none."""
    return NoKey("no Devin API key was found", "nothing was sent", _HOW_TO_GIVE_A_KEY)


def simulator_settings(
    base_url: str, *, api_version: str = "v3", org_id: str = SIMULATOR_ORG, folder: Path
) -> Settings:
    """Return the settings for the simulator in this process."""
    version = _check_version(None, api_version)
    return Settings(
        api_key=SIMULATOR_V1_KEY if version == "v1" else SIMULATOR_KEY,
        key_source="the simulator",
        org_id=None if version == "v1" else org_id,
        org_source="the simulator",
        base_url=check_base_url(base_url),
        api_version=version,
        home=folder,
        simulated=True,
        pace=_SIMULATOR_PACE,
        pat=SIMULATOR_PAT,
        pat_source="the simulator",
    )


def replay_settings(lock_name: str, api_version: str = "v3") -> Settings:
    """Return the settings of a client without a key, which replays a lock file and sends no requests."""
    source = f"none: replaying {lock_name}"
    return Settings(api_key="", key_source=source, api_version=api_version, home=data_folder())


def remember_org(settings: Settings, org_id: str) -> Settings:
    """Remember the organization of a key for the next time, and return the settings with it."""
    _save_setting(settings.home, "organisations", _key_hash(settings), org_id)
    return replace(settings, org_id=org_id, org_source="the service")


def _key_hash(settings: Settings) -> str:
    return hashlib.sha256(f"{settings.base_url}\n{settings.api_key}".encode()).hexdigest()[:32]


def save_profile(settings: Settings, profile: str | None = None) -> bool:
    """Save the key in the keyring and the rest in `settings.json`; return False where there is no keyring."""
    name = profile or settings.profile or DEFAULT_PROFILE
    if not save_to_keyring(name, settings.api_key):
        return False
    if settings.pat:
        save_to_keyring(_pat_entry(name), settings.pat)
    rest = {"base_url": settings.base_url, "api_version": settings.api_version, "org_id": settings.org_id}
    _save_setting(settings.home, "profiles", name, {key: value for key, value in rest.items() if value})
    return True


def saved_profiles(home: Path) -> list[str]:
    """Return the names of the profiles that `%devin connect --save --profile` has saved."""
    found = saved_settings(home).get("profiles")
    return sorted(found) if isinstance(found, dict) else []


def saved_profile(home: Path, profile: str) -> dict[str, str]:
    """Return what is saved of a profile beside its key: organization, base URL, API version."""
    profiles = saved_settings(home).get("profiles")
    found = profiles.get(profile) if isinstance(profiles, dict) else None
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def saved_settings(home: Path) -> dict[str, Any]:
    """Return the content of `settings.json`; empty where it is missing or unreadable."""
    try:
        content = json.loads((home / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _save_setting(home: Path, section: str, name: str, value: Mapping[str, Any] | str) -> None:
    content = saved_settings(home)
    kept = content.get(section)
    content[section] = {**(kept if isinstance(kept, dict) else {}), name: value}
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(home / "settings.json", json.dumps(content, indent=2, sort_keys=True).encode(), mode=0o600)
    except OSError:
        return  # a home that cannot be written only means looking things up again


def read_dotenv(folder: Path) -> dict[str, str]:
    """Return the `DEVIN_…` settings of the `.env` file in `folder`; empty without such a file.

    Raises:
        NoKey: the file cannot be read, or is not text.
    """
    try:
        content = _regular_file(folder / ".env")
        lines = _decoded(content).splitlines() if content else []
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):  # a virtual environment may have this name too
        return {}
    except (OSError, ValueError) as problem:
        why = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
        raise NoKey(
            f"the file {folder / '.env'} cannot be read: {why}",
            "nothing was sent, and no place after it was searched for a key",
            "save it as a small UTF-8 text file that you may read, remove it, or set DEVIN_API_KEY",
        ) from None
    found = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        first, *rest = name.split() or [""]
        name = rest[0] if first == "export" and len(rest) == 1 else name.strip()
        if equals and name in _DOTENV_NAMES:
            value = value.strip()
            closing = _QUOTES.get(value[:1])
            found[name] = (value[1:].partition(closing)[0] if closing else value.partition(" #")[0]).strip()
    return {name: found[name] for name in _DOTENV_NAMES if found.get(name)}


def _regular_file(path: Path) -> bytes:
    """Return the content of a small regular file; a pipe or a device could block, or never end.

    Raises:
        OSError: it cannot be read, as the system says.
        ValueError: it is something else, or too large.
    """
    if stat.S_ISDIR(path.stat().st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a regular file")
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is not a regular file")
        content = file.read(_MOST_DOTENV_BYTES + 1)
    if len(content) > _MOST_DOTENV_BYTES:
        raise ValueError("it is larger than 1 MB")
    return content


def _decoded(content: bytes) -> str:
    """Return the text of a `.env` file, as editors on any system save it.

    Raises:
        ValueError: it is in no encoding that is recognized, and may hold settings of ours.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in content[:2]:  # UTF-16 without a mark
        encoding = "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    else:
        encoding = "utf-8-sig"
    holds_ours = b"DEVIN" in content.replace(b"\0", b"")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if not holds_ours:
            return ""
        raise ValueError(f"it is not {encoding.removesuffix('-sig').upper()} text") from None
    if "\0" in text or (holds_ours and "DEVIN" not in text):
        raise ValueError(f"it is not {encoding.removesuffix('-sig').upper()} text")
    return text


def variable(name: str) -> str:
    """Return an environment variable without what tools leave around its value: `docker --env-file` keeps quotes."""
    return unquoted(os.environ.get(name, ""))


def unquoted(text: str) -> str:
    """Return a value without the white space, the byte order mark and the pair of quotes around it."""
    text = text.strip().strip("\ufeff").strip()
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def key_from_keyring(profile: str) -> str | None:
    """Return the key saved for a profile; None without the `keyring` extra, a backend or an entry."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        value: str | None = keyring.get_password(_KEYRING_SERVICE, profile)
    except (KeyringError, RuntimeError, OSError):
        return None
    return value or None


def save_to_keyring(profile: str, api_key: str) -> bool:
    """Save a key for a profile; return False where there is no keyring to save it in."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return False
    try:
        keyring.set_password(_KEYRING_SERVICE, profile, api_key)
    except (KeyringError, RuntimeError, OSError):
        return False
    return True
