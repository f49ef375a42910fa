"""Which key, organization, host and API version are in use, and where each came from.

Precedence: argument, environment, `.env` of the working directory, keyring (or the named profile), Colab's user
data. Resolving reads local places only; the organization of a key that nobody named is asked for by the client.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from devin_jupyter import keys
from devin_jupyter.errors import NoKey, OptionError, WrongKeyFamily
from devin_jupyter.redaction import keep_secret

DEFAULT_BASE_URL = "https://api.devin.ai"
SIMULATOR_KEY, SIMULATOR_V1_KEY, SIMULATOR_ORG = "cog_simulator", "apk_simulator", "org-simulator"
_PREFIXES = {"cog_": "v3", "apk_": "v1"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often sessions are looked at, in seconds."""

    fast: float = 1.0
    """Right after something was done."""
    slow: float = 10.0
    """The longest pause while Devin works."""
    asleep: float = 30.0
    """For sessions that sleep or whose turn is over."""
    growth: float = 0.15
    """The pause is this part of the time since the last act, between `fast` and `slow`."""


_SIMULATED_PACE = Pace(fast=0.2)
"""The service on this machine is not worn out by questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a client needs to know before its first request. The key never shows in the repr."""

    api_key: str = field(repr=False)
    key_source: str = "argument"
    """Where the key came from, in words fit for `%devin whoami`."""
    org_id: str | None = None
    """None until asked for; always None on v1, whose keys belong to one organization."""
    org_source: str = ""
    base_url: str = DEFAULT_BASE_URL
    """Scheme and host, without `/v3`."""
    api_version: str = "v3"
    known_as: str | None = None
    """What fingerprints say in place of the address: the port of a simulator in a process changes with the kernel."""
    profile: str | None = None
    home: Path = field(default_factory=lambda: home())
    """The folder of the journal and of `settings.json`."""
    simulated: bool = False
    """The host is this machine: a simulator answers, and everything it says is labeled so."""
    pace: Pace = field(default_factory=Pace)
    timeout_seconds: float = 60.0
    """How long to wait for an answer; connecting has at most 10 seconds."""

    def __repr__(self) -> str:
        """Show everything but the key."""
        where = f"{self.base_url} {self.api_version} {self.org_id or 'organization not asked for yet'}"
        return f"<Settings {mask(self.api_key)} from {self.key_source}, {where}>"

    @property
    def masked_key(self) -> str:
        """The key as it may be shown."""
        return mask(self.api_key)


def home() -> Path:
    """Return the folder of the journal and the settings: `DEVIN_JUPYTER_HOME`, else the platform's data folder."""
    chosen = os.environ.get("DEVIN_JUPYTER_HOME")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("devin_jupyter", appauthor=False)


def mask(api_key: str) -> str:
    """Return the prefix and the last four characters of a long key, and nothing else of it."""
    if not api_key:
        return "no key"
    prefix = next((prefix for prefix in ("apk_user_", *_PREFIXES) if api_key.startswith(prefix)), "")
    return f"{prefix}•••{api_key[-4:] if len(api_key) - len(prefix) >= 16 else ''}"


def check_base_url(text: str) -> str:
    """Return scheme and host of an API address, without `/v3` or `/v1`.

    Raises:
        OptionError: not https (plain http is for this machine only), or not the address of an API.
    """
    address = text.strip().rstrip("/")
    for version in ("/v3", "/v1", "/v3beta1"):
        address = address.removesuffix(version)
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # a port that is no number, half a bracket
        host = ""
    if not host or parts.scheme not in ("https", "http") or parts.username or parts.query or parts.fragment:
        raise OptionError(
            f"{text!r} is not the address of a Devin API",
            hint=f"give scheme and host, such as {DEFAULT_BASE_URL} or https://api.company.devinenterprise.com",
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise OptionError(
            f"plain http would show the key to the network on its way to {host}",
            hint=f"use https://{parts.netloc}; http is for a simulator on this machine only",
        )
    return address


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def resolve(
    api_key: str | None = None,
    org_id: str | None = None,
    base_url: str | None = None,
    api_version: str | None = None,
    profile: str | None = None,
    *,
    key_source: str = "argument",
) -> Settings:
    """Collect the settings from the arguments and the places behind them.

    Args:
        api_key: `cog_…` (v3) or `apk_…` (v1); else the environment and the places after it.
        org_id: `org-…`; v3 only.
        base_url: scheme and host of the API; else `DEVIN_API_URL`, else `https://api.devin.ai`.
        api_version: `"v3"` or `"v1"`, for keys whose prefix does not tell.
        profile: a name given to `%devin connect --save --profile`; goes before the environment.
        key_source: where `api_key` came from, in words fit for `%devin whoami`.

    Raises:
        NoKey: no place holds a key.
        WrongKeyFamily: the key belongs to the other API version, or to no known one.
        OptionError: an address or version that cannot be meant, or what is no text.
    """
    _check_texts(api_key=api_key, org_id=org_id, base_url=base_url, api_version=api_version, profile=profile)
    folder = home()
    dotenv = keys.from_dotenv(Path.cwd())
    key, source = (_given_key(api_key), key_source) if api_key is not None else _find_key(profile, dotenv)
    _check_key(key, source)
    noted = keys.profile_of(folder, profile or keys.DEFAULT_PROFILE) if source.startswith("keyring") else {}
    # an address found in a .env is used with the key found beside it only: a cloned folder must not redirect other keys
    beside = dotenv if source == ".env" else {}
    around = os.environ.get("DEVIN_API_URL") or beside.get("DEVIN_API_URL")
    saved = noted.get("base_url")
    address = check_base_url(base_url or (saved if profile and noted else around or saved) or DEFAULT_BASE_URL)
    simulated = is_loopback(urlsplit(address).hostname or "")
    said = api_version or noted.get("api_version")
    version = _version(key, said)
    if not (said or simulated):
        _check_family(key, source)
    settings = Settings(
        api_key=key,
        key_source=source,
        base_url=address,
        api_version=version,
        profile=profile,
        home=folder,
        simulated=simulated,
    )
    organization, org_source = _find_org(settings, org_id, dotenv, noted)
    pace = _SIMULATED_PACE if settings.simulated else Pace()
    return replace(settings, org_id=organization, org_source=org_source, pace=pace)


def _check_key(key: str, source: str) -> None:
    keep_secret([key])
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NoKey(f"the key from {source} holds characters that no key has", "nothing was sent", _WHERE_FROM)


def _check_family(key: str, source: str) -> None:
    if not key.startswith(tuple(_PREFIXES)):
        raise WrongKeyFamily(
            f"the key {mask(key)} from {source} is of no known family: Devin's begin with cog_ (v3) or apk_ (v1)",
            "nothing was sent",
            "if it is Devin's all the same, say for which API: dj.connect(api_key=…, api_version='v3')",
        )


def simulator(base_url: str, *, api_version: str = "v3", org_id: str = SIMULATOR_ORG, folder: Path) -> Settings:
    """Return the settings for the simulator in this process."""
    version = _version(None, api_version)
    return Settings(
        api_key=SIMULATOR_V1_KEY if version == "v1" else SIMULATOR_KEY,
        key_source="the simulator",
        org_id=None if version == "v1" else org_id,
        org_source="the simulator",
        base_url=check_base_url(base_url),
        api_version=version,
        home=folder,
        simulated=True,
        pace=_SIMULATED_PACE,
    )


def replaying(lock_name: str, api_version: str = "v3") -> Settings:
    """Return the settings of a client without a key, which replays a lock file and asks nobody."""
    return Settings(api_key="", key_source=f"none: replaying {lock_name}", api_version=api_version, home=home())


def no_key() -> NoKey:
    """Return the error for whatever needs a key when there is none."""
    return NoKey("no Devin API key was found", "nothing was sent", _WHERE_FROM)


def remember_org(settings: Settings, org_id: str) -> Settings:
    """Note the organization of a key for the next time, and return the settings with it."""
    keys.save(settings.home, "organisations", keys.key_hash(settings.base_url, settings.api_key), org_id)
    return replace(settings, org_id=org_id, org_source="the service")


def save_profile(settings: Settings, profile: str | None = None) -> bool:
    """Save the key in the keyring and the rest beside it; False where there is no keyring to save a key in."""
    name = profile or settings.profile or keys.DEFAULT_PROFILE
    if not keys.to_keyring(name, settings.api_key):
        return False
    rest = {"base_url": settings.base_url, "api_version": settings.api_version, "org_id": settings.org_id}
    keys.save(settings.home, "profiles", name, {key: value for key, value in rest.items() if value})
    return True


def _check_texts(**said: object) -> None:
    for name, value in said.items():
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{name} is a text, not a value of the type {type(value).__name__}", "nothing was sent")


def _given_key(api_key: str) -> str:
    if not api_key.strip():
        raise NoKey("the API key given is empty", "nothing was sent", _WHERE_FROM)
    return api_key.strip()


def _find_key(profile: str | None, dotenv: Mapping[str, str]) -> tuple[str, str]:
    if profile:
        saved = keys.from_keyring(profile)
        if not saved:
            raise NoKey(f"no key is saved for the profile {profile!r}", "nothing was sent", _HOW_TO_SAVE)
        return saved, f"keyring, profile {profile}"
    places: tuple[tuple[str, Callable[[], str | None]], ...] = (
        ("DEVIN_API_KEY", lambda: os.environ.get("DEVIN_API_KEY", "").strip()),
        (".env", lambda: dotenv.get("DEVIN_API_KEY")),
        ("keyring", lambda: keys.from_keyring(keys.DEFAULT_PROFILE)),
        ("Colab user data", lambda: keys.from_colab("DEVIN_API_KEY")),
    )
    for source, look in places:
        found: str | None = look()
        if found:
            return found, source
    raise no_key()


_WHERE_FROM = (
    "set DEVIN_API_KEY, or call dj.connect(api_key=…) (%devin connect asks for it hidden); "
    "to try everything without a key, use the simulator: %devin simulator or dj.connect(simulator=True)"
)
_HOW_TO_SAVE = "%devin connect --save --profile NAME saves one (needs pip install 'devin-jupyter[keyring]')"


def _version(key: str | None, wanted: str | None) -> str:
    if wanted not in (None, "v1", "v3"):
        raise OptionError(f"there is no API version {wanted!r}", hint="give api_version='v3' or api_version='v1'")
    belongs = next((version for prefix, version in _PREFIXES.items() if key and key.startswith(prefix)), None)
    if belongs and wanted and belongs != wanted:
        raise WrongKeyFamily(
            f"the key {mask(key or '')} belongs to API {belongs}, and {wanted} was asked for",
            "nothing was sent",
            "v3 takes service-user keys and personal access tokens (cog_…), v1 takes the older apk_… keys",
        )
    return wanted or belongs or "v3"


def _find_org(
    settings: Settings, org_id: str | None, dotenv: Mapping[str, str], noted: Mapping[str, str]
) -> tuple[str | None, str]:
    if settings.api_version == "v1":
        return None, ""
    remembered = keys.saved(settings.home).get("organisations")
    known = remembered if isinstance(remembered, dict) else {}
    for value, source in (
        (org_id, "argument"),
        (os.environ.get("DEVIN_ORG_ID"), "DEVIN_ORG_ID"),
        (dotenv.get("DEVIN_ORG_ID"), ".env"),
        (noted.get("org_id"), "profile"),
        (known.get(keys.key_hash(settings.base_url, settings.api_key)), "remembered for this key"),
    ):
        if isinstance(value, str) and value.strip():
            return value.strip(), source
    return None, ""
