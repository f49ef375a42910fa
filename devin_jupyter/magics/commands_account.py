"""`%devin connect`, `whoami`, `simulator`: which key, whose, where."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from devin_jupyter import loop
from devin_jupyter.config import data_folder, no_key, resolve_settings
from devin_jupyter.errors import NoKey, OptionError
from devin_jupyter.magics.command import Call
from devin_jupyter.magics.notebook import Notebook
from devin_jupyter.magics.seen import warm
from devin_jupyter.magics.shown import Table
from devin_jupyter.text import nearest


def connect(call: Call) -> None:
    """Choose key, organization and host, and say what came out."""
    from devin_jupyter.client import default as devin
    from devin_jupyter.client.default import connect_checked

    said = call.said
    if said.simulator:
        _simulated(devin.connect(simulator=True, **({"api_version": said.api} if said.api else {})))
        return
    wanted = {"org_id": said.org, "base_url": said.url, "api_version": said.api, "profile": said.profile}
    if not (said.new_key or said.save) and _replays(call.notebook, wanted):
        devin.connect()  # says that there is no key, and what is replayed
        return
    who: list[tuple[str, str | None]] = []

    def check(client: Any) -> None:
        who.extend(_principal(client))  # tells as well whether the key works
        loop.run(client.core.where())

    key = _key(call, wanted)
    client = connect_checked(check, key, *wanted.values(), key_source="the hidden prompt")
    if said.save:
        _save(client, said.profile)
    print(_line(client, who[0][1]))
    if not call.notebook.host.is_headless:
        warm(client)


def _replays(notebook: Notebook, wanted: dict[str, Any]) -> bool:
    """Whether there is no key, nobody to ask for one, and a lock file to run the notebook from."""
    from pathlib import Path

    from devin_jupyter.recorded import locks_beside

    if wanted["profile"] or _can_ask(notebook):
        return False
    try:
        resolve_settings(**wanted)
    except NoKey as problem:
        return problem.message == no_key().message and locks_beside(Path.cwd()) is not None
    return False


def _can_ask(notebook: Notebook) -> bool:
    if notebook.host.in_kernel:
        return not notebook.host.is_headless
    return sys.stdin is not None and sys.stdin.isatty()


def _key(call: Call, wanted: dict[str, Any]) -> str | None:
    """None where a key is known; else one asked for, hidden: for a profile only where it is to be saved."""
    from devin_jupyter.config import saved_profiles

    profile = wanted["profile"]
    if call.said.new_key:
        return ask_for_key(call.notebook)
    try:
        resolve_settings(**wanted)
    except NoKey as problem:
        if profile and not call.said.save:
            meant = nearest(profile, saved_profiles(data_folder()))
            raise NoKey(problem.message + meant, problem.consequence, problem.hint) from None
        return ask_for_key(call.notebook)
    return None


def ask_for_key(notebook: Notebook) -> str:
    """Ask for a key without showing it.

    Raises:
        NoKey: nobody can be asked, or nothing was typed.
    """
    from devin_jupyter.redaction import keep_secret

    if not _can_ask(notebook):
        raise NoKey(
            "no Devin API key was found, and nobody can be asked for one here",
            "nothing was sent",
            "set DEVIN_API_KEY before the kernel starts; to try things out without a key: %devin simulator",
        )
    key = getpass.getpass("Devin API key (cog_… or apk_…, not shown): ").strip()
    if not key:
        raise NoKey("no key was typed", "nothing was sent", "create one in the Devin settings, under API keys")
    keep_secret([key])
    return key


def _save(client: Any, profile: str | None) -> None:
    from devin_jupyter.config import save_profile

    if not save_profile(client.settings, profile):
        raise OptionError(
            "the key was not saved: there is no keyring on this machine",
            "the connection holds until the kernel ends",
            "pip install 'devin-jupyter[keyring]', or set DEVIN_API_KEY",
        )
    print(f"saved in the keyring{f' as {profile}' if profile else ''}")


def _line(client: Any, who: str | None) -> str:
    chosen = client.settings
    org = chosen.org_id or "the key's own organization"
    key = f"key {chosen.masked_key} from {chosen.key_source}"
    return f"connected to {chosen.base_url} ({chosen.api_version}) as {who}, {org}, {key}"


def simulator(call: Call) -> None:
    """Start the simulator in this process, or find the running one, and connect to it."""
    from devin_jupyter.client import default as devin

    options: dict[str, Any] = {"api_version": "v1"} if call.said.v1 else {}
    if call.said.preload is not None:
        options["preload"] = call.said.preload
    _simulated(devin.connect(simulator=True, **options))


def _simulated(client: Any) -> None:
    version = client.settings.api_version
    print(f"connected to the simulator in this process ({version}): sessions are simulated, and cost nothing")


def whoami(call: Call) -> Table:
    """Say who acts, where, with which key, and what it may read."""
    devin = call.devin
    chosen = devin.settings
    principal = _principal(devin)  # first: where nobody answers, this tells so at once
    permissions = {} if chosen.api_version == "v1" else devin.permissions()  # v1 keys have none of these
    rows = [
        *principal,
        ("API", f"{chosen.base_url} ({chosen.api_version}){', simulated' if chosen.simulated else ''}"),
        ("key", f"{chosen.masked_key} from {chosen.key_source}"),
        ("journal", None if chosen.simulated else str(devin.journal.path)),
        *((f"may use {name}", _YES[may]) for name, may in permissions.items()),
    ]
    return Table([{"": name, "value": value} for name, value in rows if value is not None])


_YES = {True: "yes", False: "no", None: "not known"}


def _principal(devin: Any) -> list[tuple[str, str | None]]:
    chosen = devin.settings
    if chosen.api_version == "v1":
        next(iter(devin.sessions.list(limit=1)), None)  # v1 has no call of its own that tells whether a key works
        return [("principal", "the owner of the key"), ("organization", "the key's own")]
    who = devin.self()
    kind = str(who.get("principal_type") or "unknown").replace("_", " ")
    name = who.get("service_user_name") or who.get("user_name")
    identifier = who.get("service_user_id") or who.get("user_id")
    person = " ".join(str(part) for part in (kind, name, f"({identifier})" if identifier else None) if part)
    org = devin.settings.org_id or who.get("org_id")
    source = f" (from {chosen.org_source})" if chosen.org_source and not chosen.simulated else ""
    return [("principal", person), ("organization", f"{org}{source}" if org else "not known yet")]
