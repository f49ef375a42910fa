"""`%devin` commands about the organization, money, the journal and the connection."""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter import loop
from devin_jupyter.config import WHERE_KEYS_ARE_MADE, Settings, data_folder, mask_key, no_key, resolve_settings
from devin_jupyter.errors import DevinError, Forbidden, LiveUnavailable, NoKey, NotFound, OptionError, Unsupported
from devin_jupyter.host import working_directory
from devin_jupyter.magics.completion import CACHE, prefetch
from devin_jupyter.magics.display import Table, Text, labeled, write_file
from devin_jupyter.magics.frontend import recent_lines
from devin_jupyter.magics.session_commands import unix_time
from devin_jupyter.models.fields import parse_time
from devin_jupyter.redaction import redact, redact_colored
from devin_jupyter.text import format_acus, format_amount, nearest

if TYPE_CHECKING:
    from devin_jupyter.client.sync import Devin
    from devin_jupyter.magics.frontend import Notebook


def playbooks(notebook: Notebook, args: Any) -> Any:
    """List playbooks, or show one."""
    if args.show:
        one = notebook.devin.playbooks.get(args.show)
        return Text(f"{one.get('title')} ({one.get('playbook_id')})\n\n{one.get('body')}")
    found = list(notebook.devin.playbooks.list())
    CACHE.add("playbooks", _pairs(found, "playbook_id", "title"))
    rows = [
        {"title": one.get("title"), "macro": one.get("macro"), "id": one.get("playbook_id")}
        for one in _with_text(args.text, found, "title")
    ]
    return Table(rows, empty="no playbooks")


def knowledge(notebook: Notebook, args: Any) -> Any:
    """List knowledge notes, or show one."""
    if args.show:
        one = notebook.devin.knowledge.get(args.show)
        return Text(f"{one.get('name')} ({_note_id(one)})\nwhen: {_trigger(one)}\n\n{one.get('body')}")
    found = list(notebook.devin.knowledge.list())
    CACHE.add("knowledge", ((_note_id(one), str(one.get("name") or "")) for one in found))
    rows = [
        {"name": one.get("name"), "when": _trigger(one), "id": _note_id(one)}
        for one in _with_text(args.text, found, "name")
    ]
    return Table(rows, empty="no knowledge notes")


def secrets(notebook: Notebook, args: Any) -> Table:
    """List the names of secrets; the service never returns values."""
    found = list(notebook.devin.secrets.list())
    CACHE.add("secrets", _pairs(found, "secret_id", "key", "secret_name"))
    rows = [
        {
            "name": one.get("key") or one.get("secret_name"),
            "type": one.get("secret_type"),
            "note": one.get("note"),
            "id": one.get("secret_id"),
        }
        for one in _with_text(args.text, found, "key", "secret_name")
    ]
    return Table(rows, empty="no secrets")


def schedules(notebook: Notebook, args: Any) -> Table:
    """List scheduled sessions."""
    rows = [
        {
            "name": one.get("name"),
            "when": one.get("frequency") or one.get("scheduled_at"),
            "on": "yes" if one.get("enabled", True) else "no",
            "id": one.get("scheduled_session_id"),
        }
        for one in _with_text(args.text, list(notebook.devin.schedules.list()), "name")
    ]
    return Table(rows, empty="no schedules")


def repositories(notebook: Notebook, args: Any) -> Table:
    """List the repositories that the organization can see."""
    found = list(notebook.devin.repositories.list(filter_name=args.text, load_indexing_status=args.indexing))
    CACHE.add("repos", ((str(one.get("repo_path")), str(one.get("repo_language") or "")) for one in found))
    rows = []
    for one in found:
        row = {"repository": one.get("repo_path"), "language": one.get("repo_language")}
        status = one.get("indexing_status") or {}
        rows.append({**row, "indexed": "yes" if status.get("indexing_enabled") else "no"} if args.indexing else row)
    return Table(rows, empty="no repositories")


def reviews(notebook: Notebook, args: Any) -> Any:
    """Show reviews of pull requests, or request one."""
    if args.request:
        if not args.pull_requests:
            raise OptionError("--request needs the address of a pull request", "nothing was sent")
        for url in args.pull_requests:
            print(notebook.devin.review(url, take=args.take))
        return None
    if args.take:
        raise OptionError("--take goes with --request", "nothing was sent")
    frame = notebook.devin.reviews_frame(list(args.pull_requests) if args.pull_requests else None)
    shown = frame[["pr_url", "status", "commit_sha", "error"]].astype(object).where(lambda cells: cells.notna(), None)
    rows = [
        {"pull request": url, "review": status or error or "none", "commit": (sha or "")[:9]}
        for url, status, sha, error in shown.itertuples(index=False)
    ]
    return Table(rows, empty="no review was requested from this machine")


def members(notebook: Notebook, args: Any) -> Table:
    """List the members of the organization by name."""
    frame = notebook.devin.members_frame()
    rows = [
        {"name": name, "roles": ", ".join(roles), "through": kind, "id": identifier}
        for identifier, name, kind, roles in frame[["user_id", "name", "kind", "roles"]].itertuples(index=False)
    ]
    return Table(_with_text(args.text, rows, "name", "id"), empty="no members")


def automations(notebook: Notebook, args: Any) -> Table:
    """List automations, or switch one on or off."""
    devin = notebook.devin
    if args.enable and args.disable:
        raise OptionError("--enable and --disable cannot be combined", "nothing was sent")
    if args.enable:
        devin.automations.enable(args.enable)
    if args.disable:
        devin.automations.disable(args.disable)
    rows = []
    for one in devin.automations.list(search=args.text):
        limits, invocation = one.get("limits") or {}, one.get("last_invocation")
        cap = limits.get("max_acu_limit")
        rows.append(
            {
                "name": one.get("name"),
                "on": "yes" if one.get("enabled") else "no",
                "triggers": ", ".join(str(trigger.get("event_type")) for trigger in one.get("triggers") or ()),
                "ACU a session": "no cap" if cap is None else format_amount(cap),
                "last": invocation.get("status") if invocation else None,
                "id": one.get("automation_id"),
            }
        )
    return Table(rows, empty="no automations")


def org_tags(notebook: Notebook, args: Any) -> Table:
    """Show or change the session tags that the enterprise allows."""
    tags = notebook.devin.org_tags
    if args.add and args.replace:
        raise OptionError("--add and --replace cannot be combined", "nothing was sent")
    if args.replace:
        tags.replace(args.replace, args.org)
    if args.add:
        tags.append(args.add, args.org)
    for tag in args.remove or ():
        tags.remove(tag, args.org)
    default = tags.default(args.org)
    rows = [{"tag": tag, "": "default" if tag == default else None} for tag in tags.list(args.org)]
    return Table(rows, empty="no list: every tag is allowed")


def organizations(notebook: Notebook, args: Any) -> Table:
    """Show what each organization of an enterprise has consumed in a billing cycle, against its limit."""
    frame = notebook.devin.enterprise_consumption_frame(args.cycle)
    from devin_jupyter.frames.chart_data import cycle_text, organization_records

    rows = [
        {"organization": one["organization"], "ACU": one["label"], "limit": one["state"], "id": one["org_id"]}
        for one in organization_records(frame)
    ]
    return Table(rows, title=labeled(cycle_text(frame), notebook.devin.settings.simulated), empty="no organizations")


def audit(notebook: Notebook, args: Any) -> Table:
    """List what was done in an enterprise, and by whom."""
    frame = notebook.devin.audit_logs_frame(args.since, args.until, args.action, limit=args.limit or 50)
    columns = ["created_at", "action", "user_name", "user_id", "service_user_name", "org_id"]
    shown = frame[columns].astype(object).where(lambda cells: cells.notna(), None)
    rows = [
        {"when": f"{when:%Y-%m-%d %H:%M}", "action": action, "who": name or user or machine, "organization": org_id}
        for when, action, name, user, machine, org_id in shown.itertuples(index=False)
    ]
    return Table(rows, empty="nothing was logged")


def _with_text(text: str | None, found: Iterable[Mapping[str, Any]], *fields: str) -> list[Mapping[str, Any]]:
    text = (text or "").lower()
    return [one for one in found if any(text in str(one.get(name) or "").lower() for name in fields)]


def _pairs(found: Iterable[Mapping[str, Any]], key: str, *labels: str) -> list[tuple[str, str]]:
    return [(str(one.get(key)), next((str(one[name]) for name in labels if one.get(name)), "")) for one in found]


def _note_id(note: Mapping[str, Any]) -> str:
    return str(note.get("note_id") or note.get("id") or "")


def _trigger(note: Mapping[str, Any]) -> Any:
    return note.get("trigger") or note.get("trigger_description")


def usage(notebook: Notebook, args: Any) -> Table:
    """ACUs by day; where the key may not see that, the sum over sessions by the day they started."""
    since, until = unix_time(args.since), unix_time(args.until, "--until")
    try:
        found = notebook.devin.consumption.daily(since=since, until=until)
    except (Forbidden, NotFound, Unsupported) as problem:
        return _summed(notebook, since, until, problem.message)
    rows = [
        {"day": _day(day.get("date")), "ACU": format_amount(day.get("acus") or 0)}
        for day in found.get("consumption_by_date") or ()
    ]
    title = f"{format_acus(found.get('total_acus'))} in all; days begin at 08:00 UTC"
    return Table(rows, title=labeled(title, notebook.devin.settings.simulated), empty="no usage")


def _day(value: Any) -> str:
    moment = parse_time(value)
    return "unknown" if moment is None else f"{moment:%Y-%m-%d}"


def _summed(notebook: Notebook, since: int | None, until: int | None, why: str) -> Table:
    """Return the ACUs that sessions report themselves, by the day on which they were started."""
    if notebook.devin.settings.api_version == "v1":
        raise Unsupported("v1 does not report ACUs", hint="open the usage page of the web app, or use a v3 key")
    filters = {name: value for name, value in (("created_after", since), ("created_before", until)) if value}
    days: dict[str, float] = {}
    unknown = 0
    for raw in notebook.devin.sessions.list(**filters):
        acus = raw.get("acus_consumed")
        day = _day(raw.get("created_at"))
        days[day] = days.get(day, 0.0) + (acus or 0.0)
        unknown += not acus
    rows = [{"day": day, "ACU": format_amount(acus)} for day, acus in sorted(days.items())]
    missing = f"; unknown for {unknown} sessions" if unknown else ""
    total = format_acus(sum(days.values()))
    title = f"{total} over sessions by the day they started{missing} ({why})"
    return Table(rows, title=labeled(title, notebook.devin.settings.simulated), empty="no sessions")


def budget(notebook: Notebook, args: Any) -> None:
    """Show or set the budget of this notebook, with the arithmetic."""
    if args.off and args.acus not in (None, "off"):
        raise OptionError("--off and a limit cannot be combined", hint="remove one of them")
    from devin_jupyter.models.snapshot import notebook_scope

    wanted = "off" if args.off else args.acus
    scope = notebook_scope(notebook.host.notebook)
    print(notebook.journal.budgets.set_or_show(scope, wanted, now=time.time()))


def journal(notebook: Notebook, args: Any) -> Any:
    """Show, check, export or repair the journal."""
    return {"check": _check, "export": _export, "repair": _repair}.get(args.act or "show", _show)(notebook, args)


def _show(notebook: Notebook, args: Any) -> Table:
    book = notebook.journal
    entries = book.sessions(notebook=notebook.host.notebook)
    simulated = sum(entry.snapshot is not None and entry.snapshot.simulated for entry in entries)
    label = f"{simulated} of {len(entries)} are simulated; " if 0 < simulated < len(entries) else ""
    title = f"sessions of this notebook in {book.path}"
    rows = [
        {
            "session": entry.session_id,
            "title": entry.snapshot.title if entry.snapshot else None,
            "phase": entry.snapshot.label if entry.snapshot else None,
            "ACU": None if entry.acus is None else format_amount(entry.acus),
            "take": entry.facts.take,
            "batch": entry.facts.batch,
        }
        for entry in reversed(entries)
    ]
    open_acts = len(book.undecided(notebook.host.notebook))
    title += f"; unresolved requests: {open_acts}, see %devin journal check" if open_acts else ""
    title = labeled(label + title, simulated == len(entries) > 0)
    return Table(rows, title=title, empty="the journal has no sessions of this notebook")


def _check(notebook: Notebook, args: Any) -> None:
    problems = notebook.journal.check()
    open_acts = [] if problems else notebook.journal.undecided()
    print("\n".join(problems or [f"{notebook.journal.path} is sound", *open_acts]))


def _export(notebook: Notebook, args: Any) -> None:
    text = json.dumps(notebook.journal.export(), indent=1, ensure_ascii=False)
    print(write_file(args.file or "devin-journal.json", text))


def _repair(notebook: Notebook, args: Any) -> None:
    print(notebook.journal.repair())


def lock(notebook: Notebook, args: Any) -> None:
    """Write the lock file of this notebook."""
    from devin_jupyter.journal import lockfile

    path = Path(args.file).expanduser() if args.file else None
    print(lockfile.record(notebook.journal, notebook.host.notebook, path))


def connect(notebook: Notebook, args: Any) -> None:
    """Choose key, organization and host, and print the result."""
    from devin_jupyter.client import sync as devin
    from devin_jupyter.client.sync import connect_checked

    if args.simulator:
        _simulated(devin.connect(simulator=True, **({"api_version": args.api} if args.api else {})))
        return
    wanted = {"org_id": args.org, "base_url": args.url, "api_version": args.api, "profile": args.profile}
    if not (args.new_key or args.save or args.live) and _replays(notebook, wanted):
        devin.connect()  # prints that there is no key and what is replayed
        return
    who: list[tuple[str, str | None]] = []

    def check(client: Devin) -> None:
        who.extend(_principal(client))  # this also shows whether the key works
        loop.run(client.core.where())

    key = _key(notebook, args, wanted)
    token = _token(notebook, key, wanted) if args.live else None
    before = devin.find_default()
    try:
        client = connect_checked(
            check, key, *wanted.values(), key_source="the hidden prompt", pat=token, live=True if args.live else None
        )
    except DevinError as problem:
        if before is not None:
            problem.note(f"still connected to {before.settings.place}")
        raise
    if args.save:
        _save(client, args.profile)
    print(_line(client, who[0][1]))
    if args.live:
        print(f"the live channel is on, with the {_named_token(client.settings)}")
    if not notebook.host.is_headless:
        prefetch(client)


def _replays(notebook: Notebook, wanted: dict[str, Any]) -> bool:
    """Whether there is no key, no way to prompt for one, and a lock file to replay."""
    from devin_jupyter.recorded import locks_beside

    if wanted["profile"] or _can_ask(notebook):
        return False
    try:
        resolve_settings(**wanted)
    except NoKey as problem:
        return problem.message == no_key().message and locks_beside(working_directory()) is not None
    return False


def _can_ask(notebook: Notebook) -> bool:
    if notebook.host.in_kernel:
        return not notebook.host.is_headless
    return sys.stdin is not None and sys.stdin.isatty()


def _key(notebook: Notebook, args: Any, wanted: dict[str, Any]) -> str | None:
    """None where a key is known; else one asked for, hidden: for a profile only where it is to be saved."""
    from devin_jupyter.config import saved_profiles

    profile = wanted["profile"]
    if args.new_key:
        return ask_for_key(notebook)
    try:
        resolve_settings(**wanted)
    except NoKey as problem:
        if profile and not args.save:
            suggestion = nearest(profile, saved_profiles(data_folder()))
            raise NoKey(problem.message + suggestion, problem.consequence, problem.hint) from None
        return ask_for_key(notebook)
    return None


def _token(notebook: Notebook, key: str | None, wanted: dict[str, Any]) -> str | None:
    """Return the token for the live channel, asked for where none is known."""
    if resolve_settings(key, **wanted).pat:
        return None
    return _ask(notebook, "personal access token (cog_…, not shown): ", WHERE_KEYS_ARE_MADE)


def ask_for_key(notebook: Notebook) -> str:
    """Ask for a key without showing it.

    Raises:
        NoKey: no prompt is possible, or nothing was typed.
    """
    prompt = "Devin API key (cog_… or apk_…, not shown): "
    return _ask(notebook, prompt, WHERE_KEYS_ARE_MADE)


def _ask(notebook: Notebook, prompt: str, where: str) -> str:
    from getpass import getpass

    from devin_jupyter.redaction import keep_secret

    if not _can_ask(notebook):
        raise NoKey(
            "no Devin API key found, and this environment cannot prompt for one",
            "nothing was sent",
            "set DEVIN_API_KEY before the kernel starts; to try things out without a key: %devin simulator",
        )
    key = getpass(prompt).strip()
    if not key:
        raise NoKey("no key was typed", "nothing was sent", where)
    keep_secret([key])
    return key


def _save(client: Devin, profile: str | None) -> None:
    from devin_jupyter.config import save_profile

    if not save_profile(client.settings, profile):
        raise OptionError(
            "the key was not saved: this machine has no keyring",
            "the connection lasts until the kernel ends",
            "pip install 'devin-jupyter[keyring]', or set DEVIN_API_KEY",
        )
    print(f"saved in the keyring{f' as {profile}' if profile else ''}")


def _line(client: Devin, who: str | None) -> str:
    chosen = client.settings
    org = chosen.org_id or "the key's own organization"
    key = f"key {chosen.masked_key} from {chosen.key_source}"
    note = f"\n{chosen.url_note}" if chosen.url_note else ""
    return f"connected to {chosen.base_url} ({chosen.api_version}) as {who}, {org}, {key}{note}"


def simulator(notebook: Notebook, args: Any) -> None:
    """Start the simulator in this process, or find the running one, and connect to it."""
    from devin_jupyter.client import sync as devin

    options: dict[str, Any] = {"api_version": "v1"} if args.v1 else {}
    given = {"preload": args.preload, "organizations": args.organizations}
    options |= {name: value for name, value in given.items() if value is not None}
    _simulated(devin.connect(simulator=True, **options))


def _simulated(client: Devin) -> None:
    version = client.settings.api_version
    print(f"connected to the simulator in this process ({version}): sessions are simulated and cost nothing")


def whoami(notebook: Notebook, args: Any) -> Table:
    """Show the principal, organization and key in use, and what the key may read."""
    devin = notebook.devin
    chosen = devin.settings
    principal = _principal(devin)  # first: fails at once if the service is unreachable
    permissions = {} if chosen.api_version == "v1" else devin.permissions()  # v1 keys have none of these
    rows = [
        *principal,
        ("API", f"{chosen.base_url} ({chosen.api_version}){', simulated' if chosen.simulated else ''}"),
        ("note", chosen.url_note or None),
        ("key", f"{chosen.masked_key} from {chosen.key_source}"),
        ("live channel", _live(devin)),
        ("journal", None if chosen.simulated else str(devin.journal.path)),
        *((title, ", ".join(names)) for title, names in _by_answer(permissions).items() if names),
    ]
    return Table([{"": name, "value": value} for name, value in rows if value is not None])


def _live(devin: Devin) -> str:
    """Say whether the live channel is on, and why not; a connection that is possible is tried."""
    follower = devin.core.follower
    with suppress(LiveUnavailable):
        loop.run(follower.require())
        return f"on, {_named_token(devin.settings)}"
    state, reason = follower.state
    return f"{'off' if state == 'connecting' else state}: {reason or 'it did not connect in time'}"


def _named_token(chosen: Settings) -> str:
    if not chosen.pat:
        return f"key {chosen.masked_key} from {chosen.key_source}, a person's"
    return f"token {mask_key(chosen.pat)} from {chosen.pat_source}"


def _by_answer(permissions: Mapping[str, bool | None]) -> dict[str, list[str]]:
    """Return what the key may use, named by the subject of the permission: `ManageOrgSecrets` is `secrets`."""
    titles = {True: "permissions", False: "no permission for", None: "permission unknown for"}

    def subject(permission: str) -> str:
        words = re.sub(r"^(View|Manage|Use)|Org(?=[A-Z])|Account(?=[A-Z])", "", permission)
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words).lower()

    return {
        title: list(dict.fromkeys(subject(name) for name, may in permissions.items() if may is answer))
        for answer, title in titles.items()
    }


def _principal(devin: Devin) -> list[tuple[str, str | None]]:
    chosen = devin.settings
    if chosen.api_version == "v1":
        next(iter(devin.sessions.list(limit=1)), None)  # v1 has no call that only checks a key
        return [("principal", "the owner of the key"), ("organization", "the key's own")]
    who = devin.self()
    kind = str(who.get("principal_type") or "unknown").replace("_", " ")
    name = who.get("service_user_name") or who.get("user_name")
    identifier = who.get("service_user_id") or who.get("user_id")
    person = " ".join(str(part) for part in (kind, name, f"({identifier})" if identifier else None) if part)
    org = devin.settings.org_id or who.get("org_id")
    source = f" (from {chosen.org_source})" if chosen.org_source and not chosen.simulated else ""
    return [("principal", person), ("organization", f"{org}{source}" if org else "not known yet")]


_PACKAGES = (
    "devin-jupyter",
    "ipython",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
    "httpx",
    "websockets",
    "pydantic",
    "pandas",
)
EMPTY_LOG = "no warnings; logging.getLogger('devin_jupyter').setLevel('DEBUG') records more, then run it again"


def debug(notebook: Notebook, args: Any) -> None:
    """Write the report to a file, or show it."""
    text = report(notebook)
    if not args.file:
        print(text)
        return
    path = write_file(args.file, text + "\n")
    print(f"{path}: review it before you attach it to a ticket")


def report(notebook: Notebook) -> str:
    """Return the report; every line has passed the redactor."""
    from devin_jupyter.api.transport import RECENT

    parts = {
        "versions": _versions(),
        "front end": _front_end(notebook),
        "connection": _connection(),
        "network": _network(),
        "live channel": _live_report(),
        "last error": _last_error(),
        "requests": "\n".join(RECENT) or "none in this kernel",
        "log": "\n".join(recent_lines()) or EMPTY_LOG,
    }
    blocks = [f"== {name}\n{text}" for name, text in parts.items()]
    return redact("\n\n".join(["devin_jupyter report, redacted", *blocks]))


def _versions() -> str:
    import platform  # 40 modules with the next one: not for `%devin help`
    from importlib import metadata

    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    for name in _PACKAGES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


def _front_end(notebook: Notebook) -> str:
    here = notebook.host
    kind = f"Jupyter kernel ({here.kind})" if here.in_kernel else here.kind
    return f"{kind}, {'headless' if here.is_headless else 'interactive'}, cell id {here.cell_id or 'not told'}"


def _connection() -> str:
    from devin_jupyter.client import sync as devin

    client = devin.find_default()
    if client is None:
        return "not connected"
    try:
        problems = client.journal.check()
    except DevinError as problem:
        problems = [problem.message]
    return "\n".join([repr(client.settings), f"journal {client.journal.path}: {'; '.join(problems) or 'sound'}"])


def _network() -> str:
    from devin_jupyter import network
    from devin_jupyter.client import sync as devin
    from devin_jupyter.config import DEFAULT_BASE_URL

    client = devin.find_default()
    return network.report(client.settings.base_url if client is not None else DEFAULT_BASE_URL)


def _live_report() -> str:
    from devin_jupyter.client import sync as devin

    client = devin.find_default()
    if client is None:
        return "not connected"
    state, reason = client.core.follower.state
    used = sys.modules.get("devin_jupyter.live.socket")  # not loaded for a report
    return "\n".join([state if reason is None else f"{state}: {reason}", *(used.RECENT if used else ())])


def _last_error() -> str:
    error = getattr(sys, "last_value", None)
    if error is None:
        return "none in this kernel"
    return redact_colored("".join(traceback.format_exception(error))).strip()
