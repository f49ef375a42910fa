"""The `%devin` commands: one table, from which a line is read, run, explained and completed, and the README written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from textwrap import wrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from devin_jupyter.api.query import BY_KEYWORD
from devin_jupyter.errors import OptionError
from devin_jupyter.magics import org_commands, session_commands
from devin_jupyter.options import BY_NAME, CELL, Argument, Syntax, explained, help_text, split
from devin_jupyter.options.arguments import refuse_short_key
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from devin_jupyter.magics.frontend import Notebook


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `%devin`."""

    name: str
    help: str
    run: Callable[[Notebook, Any], Any]
    """Takes the notebook and the values of the arguments as attributes; returns what the notebook shows."""
    example: str
    arguments: tuple[Argument, ...] = ()
    api: str = "both"
    more: str = ""
    """Further lines in the help of this command."""
    in_python: str = ""
    """The same as the example, without magics; by default the function of `dj.commands`."""

    @property
    def python(self) -> str:
        """Return the call that does the same without magics, such as in marimo."""
        return self.in_python or f"dj.commands.{self.name}()"

    @property
    def syntax(self) -> Syntax:
        """How its line is read."""
        return Syntax(f"%devin {self.name}", self.arguments, self.example)

    @property
    def summary(self) -> str:
        """The help, with the API version where there is only one."""
        return self.help + (f" ({self.api} only)" if self.api != "both" else "")


def run(notebook: Notebook, line: str) -> Any:
    """Run a `%devin` line and return what the notebook shows.

    Raises:
        OptionError: an unknown command, or an argument that it does not take.
    """
    words = split(line, comments=line.split()[:1] != ["send"])  # a message is free text
    if not words or words[0] in ("--help", "-h", "?"):
        words = ["help", *words[1:]]
    name, *rest = words
    command = find(name)
    if "--help" in rest or "-h" in rest:
        command, rest = COMMANDS["help"], [name]
    is_topic = command.name == "help" and len(rest) == 1  # one with dashes is no option of the help itself
    args = {"topic": rest[0]} if is_topic else command.syntax.read(rest)
    return command.run(notebook, SimpleNamespace(**args))


_OTHER_COMMANDS = {
    **{"status": "show", "get": "open", "list": "sessions", "ls": "sessions"},
    **{"consumption": "usage", "attachments": "files", "message": "send"},
}
"""Other names that people try for a command, and its name."""


def find(name: str) -> Command:
    """Return the command of this name.

    Raises:
        OptionError: there is none; names the nearest.
    """
    name = _OTHER_COMMANDS.get(name, name)
    if name not in COMMANDS:
        refuse_short_key(name)
        raise OptionError(
            f"there is no command {name!r}{nearest(name, COMMANDS)}",
            hint="%devin help lists the commands; a prompt for Devin goes in a %%devin cell",
        )
    return COMMANDS[name]


def _help(notebook: Notebook, args: Any) -> None:
    """`%devin help [COMMAND|OPTION]`; a command goes before an option of the same name, unless there are dashes."""
    topic = args.topic
    if topic is None:
        print(overview())
        return
    flag = topic if topic.startswith("-") or topic in COMMANDS else "--" + topic.replace("_", "-")
    if topic.lstrip("%") == "devin":
        print(help_text())
    elif flag in CELL.by_flag:
        print(f"%%devin\n{explained([CELL.by_flag[flag]])}")
    else:
        print(command_help(find(topic)))


def overview() -> str:
    """Return every command with one line, and where the options of `%%devin` are explained."""
    lines = ["%devin COMMAND …", ""]
    width = max(map(len, COMMANDS)) + 2
    for group, commands in GROUPS.items():
        lines += [f"{group}:", *(f"    {one.name:{width}}{one.summary}" for one in commands), ""]
    return "\n".join([*lines, "%devin help COMMAND explains one. A session is started by a %%devin cell: see %%devin?"])


def command_help(command: Command) -> str:
    """Return usage, arguments and an example of one command."""
    usage = wrap(command.syntax.usage, 100, subsequent_indent="    ")
    more = wrap(command.more, 100, initial_indent="    ", subsequent_indent="    ")
    about, example = f"    {command.summary}", f"    e.g. {command.example}"
    example += f"\n    in Python: {command.python}"
    parts = [[*usage, "", about], [explained(command.arguments)], [example], more]
    return "\n\n".join("\n".join(part) for part in parts if any(part))


def readme_table() -> str:
    """Return the Markdown table of all commands for the README."""
    lines = ["| command | what it does | example | in Python, and so in marimo |", "| --- | --- | --- | --- |"]
    for command in COMMANDS.values():
        cells = [f"`{command.syntax.usage}`", command.summary, f"`{command.example}`", f"`{command.python}`"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


_positional = partial(Argument, is_positional=True)
_WHICH = _positional(
    "session", "a name in the notebook, an id or a URL; default: the last one", metavar="SESSION", values="sessions"
)
_ONE = _positional(
    "session", "a name in the notebook, an id or a URL", metavar="SESSION", is_needed=True, values="sessions"
)
_MANY = _positional("sessions", "names, ids or URLs; default: the last one", "words", "SESSION", values="sessions")
_TEXT = _positional("text", "only those with this text in their name", metavar="TEXT")
_SINCE = Argument("since", "started since then: 7d, 12h or a date such as 2026-11-01", metavar="TIME")
_UNTIL = Argument("until", "before this time, in the same forms", metavar="TIME")
_OUT = Argument("out", "the variable to set", metavar="NAME", short="-o", values="out")

_OF_FIX = ("out", "repos", "mode", "max_acu", "attach", "tags", "wait", "take", "budget", "dry_run")
"""The options of `%%devin` that `%devin fix` takes too."""

GROUPS: dict[str, tuple[Command, ...]] = {
    "Sessions": (
        Command(
            "sessions",
            "list sessions of the organization, newest first",
            session_commands.sessions,
            "%devin sessions login --origin slack --since 7d --mine",
            (
                _positional(
                    "text", "only sessions with this text in their title, tags, repositories or id", metavar="TEXT"
                ),
                _SINCE,
                _UNTIL,
                Argument("mine", "started by the owner of this key", "flag"),
                Argument(
                    "origin", "started from here", "words", "ORIGIN", choices=BY_KEYWORD["origin"].values, is_open=True
                ),
                Argument("phase", "only in these phases", "words", "PHASE", choices=BY_KEYWORD["phase"].values),
                Argument("tags", "with these tags", "words", metavar="TAG", values="tags"),
                Argument("repos", "on these repositories", "words", metavar="OWNER/REPO", values="repos"),
                Argument("playbook", "following this playbook", metavar="ID", values="playbooks"),
                Argument("category", "of this category", metavar="CATEGORY"),
                Argument("archived", "only archived sessions", "flag"),
                Argument("limit", "at most this many", "int", "N"),
                Argument("live", "a live board instead of a table (notebooks only)", "flag"),
            ),
            more="Returns the table: after `found = %devin sessions login`, found.ids are the ids and found.frame is a "
            "DataFrame. A title links to its session; %devin open ID_OR_URL opens one here.",
            in_python='dj.commands.sessions("login", origin="slack", since="7d", mine=True)',
        ),
        Command(
            "open",
            "open an existing session and show it",
            session_commands.open_session,
            "%devin open https://app.devin.ai/sessions/1a2b… -o s",
            (
                _ONE,
                _OUT,
                Argument("schema", "the shape of its answer, as in %%devin", metavar="SPEC", values="schemas"),
                Argument("quiet", "show nothing", "flag"),
            ),
            more="Give a variable that holds an id or a URL by its bare name: %devin open found_id. $name and {name} "
            "are not expanded, nor are they in %%devin.",
            in_python='dj.get("https://app.devin.ai/sessions/1a2b…")',
        ),
        Command(
            "show",
            "show a session as it is now",
            session_commands.show,
            "%devin show audit",
            (_WHICH, Argument("transcript", "with the conversation", "flag")),
            in_python="audit.refresh()",
        ),
        Command(
            "wait",
            "wait until the turn is over",
            session_commands.wait,
            "%devin wait audit 30m",
            (
                _WHICH,
                _positional("time", "at most this long: 90 (seconds), 30m, 4h", "time", "TIME"),
                Argument("on_interrupt", "what Ctrl-C does to it", choices=("detach", "stop")),
            ),
            in_python='audit.wait("30m")',
        ),
        Command(
            "send",
            "send a message to a session",
            session_commands.send,
            "%devin send audit 'Please also look at the tests' --wait",
            (
                _ONE,
                _positional(
                    "text", "the message; for long ones, use a %%devin --to cell", "words", "TEXT", is_needed=True
                ),
                Argument("attach", "paths, URLs or names of variables", "words", "FILE", values="files"),
                Argument("again", "send it even if it was already sent", "flag"),
                Argument("wait", "wait for the reply, at most this long", "wait", "TIME"),
                Argument("as_user", "send as this member", metavar="ID"),
            ),
            in_python='audit.send("Please also look at the tests").wait()',
        ),
        Command(
            "fix",
            "ask Devin about the last error of this notebook; the corrected cell is shown as a diff, never run",
            session_commands.fix,
            "%devin fix --max-acu 2",
            (
                _positional("text", "a hint for Devin, such as what the cell should do", "words", "TEXT"),
                *map(BY_NAME.__getitem__, _OF_FIX),
            ),
            more="Waits for the answer; run it again after an interrupt, and it attaches to the same session. Where "
            "the front end can take it, the corrected cell is offered as the next input; elsewhere, to copy. "
            "In Python: dj.fix().result()",
            in_python="dj.fix(max_acu=2).result()",
        ),
        Command(
            "stop",
            "end sessions permanently; --all ends all of this notebook's and blocks new ones until %devin resume",
            session_commands.stop,
            "%devin stop audit",
            (
                _positional("sessions", "names, ids or URLs", "words", "SESSION", values="sessions"),
                Argument(
                    "all",
                    "every running session of this notebook; none can start until %devin resume",
                    "flag",
                ),
                Argument("everything", "with --all: the sessions of every notebook that uses this journal", "flag"),
                Argument("archive", "archive them too", "flag"),
            ),
            more="A stopped session cannot be resumed. If the kernel hangs: python -m devin_jupyter stop --all",
            in_python="audit.stop()",
        ),
        Command("resume", "allow sessions again after stop --all", session_commands.resume, "%devin resume"),
        Command(
            "archive",
            "archive sessions: puts them to sleep and hides them from lists",
            session_commands.archive,
            "%devin archive audit",
            (_MANY, Argument("undo", "the same as %devin unarchive", "flag")),
            in_python="audit.archive()",
            api="v3",
        ),
        Command(
            "unarchive",
            "take sessions out of the archive, so that a message wakes them",
            session_commands.unarchive,
            "%devin unarchive audit",
            (_MANY,),
            api="v3",
            in_python="audit.unarchive()",
        ),
    ),
    "What a session holds": (
        Command(
            "tags",
            "show, add or replace a session's tags",
            session_commands.tags,
            "%devin tags audit --add release-12",
            (
                _WHICH,
                Argument("add", "tags to add", "words", "TAG", values="tags"),
                Argument("remove", "tags to remove", "words", "TAG", values="tags"),
                Argument("replace", "replace all tags with these", "words", "TAG", values="tags"),
            ),
            in_python='audit.tag("release-12")',
        ),
        Command(
            "messages",
            "show the conversation",
            session_commands.messages,
            "%devin messages audit --limit 5",
            (_WHICH, Argument("limit", "only the newest N", "int", "N")),
            in_python="dj.commands.messages(audit, limit=5)",
        ),
        Command(
            "files",
            "list a session's files, or download them",
            session_commands.files,
            "%devin files audit --download results",
            (
                _WHICH,
                Argument(
                    "download",
                    "into FOLDER; default: a folder named after the session",
                    "optional",
                    "FOLDER",
                    values="files",
                ),
            ),
            api="v3",
            in_python='audit.download("results")',
        ),
        Command(
            "insights",
            "the service's analysis of a session",
            session_commands.insights,
            "%devin insights audit --generate",
            (_WHICH, Argument("generate", "generate the analysis, which takes about a minute", "flag")),
            api="v3",
            in_python="audit.insights(generate=True)",
        ),
    ),
    "What the organization has": (
        Command(
            "playbooks",
            "list playbooks, or show one",
            org_commands.playbooks,
            "%devin playbooks upgrade",
            (_TEXT, Argument("show", "show this one in full", metavar="ID", values="playbooks")),
            in_python='dj.commands.playbooks("upgrade")',
        ),
        Command(
            "knowledge",
            "list knowledge notes, or show one",
            org_commands.knowledge,
            "%devin knowledge deploy",
            (_TEXT, Argument("show", "show this one in full", metavar="ID", values="knowledge")),
        ),
        Command(
            "secrets",
            "list the names of the organization's secrets, never their values",
            org_commands.secrets,
            "%devin secrets",
            (_TEXT,),
        ),
        Command(
            "schedules",
            "list scheduled sessions",
            org_commands.schedules,
            "%devin schedules",
            (_TEXT,),
            api="v3",
        ),
        Command(
            "repositories",
            "list the repositories that the organization can see",
            org_commands.repositories,
            "%devin repositories billing",
            (_TEXT, Argument("indexing", "also show whether they are indexed", "flag")),
            api="v3",
        ),
        Command(
            "reviews",
            "show the reviews of pull requests, or request them (costs ACUs, once)",
            org_commands.reviews,
            "%devin reviews https://github.com/acme/api/pull/12 --request",
            (
                _positional(
                    "pull_requests", "their addresses; default: those requested from this machine", "words", "URL"
                ),
                Argument("request", "request a review of each, unless there is one", "flag"),
                Argument("take", "with --request: a further review, of a newer commit for example", metavar="LABEL"),
            ),
            api="v3",
        ),
        Command(
            "members",
            "list the members of the organization by name",
            org_commands.members,
            "%devin members ana",
            (_TEXT,),
            api="v3",
        ),
        Command(
            "automations",
            "list what runs by itself, or switch an automation on or off",
            org_commands.automations,
            "%devin automations nightly",
            (
                _TEXT,
                Argument("enable", "let this one run", metavar="NAME|ID"),
                Argument("disable", "pause this one", metavar="NAME|ID"),
            ),
            api="v3",
        ),
        Command(
            "org_tags",
            "show or change the session tags that the enterprise allows",
            org_commands.org_tags,
            "%devin org_tags --add release-12",
            (
                Argument("add", "allow these too", "words", "TAG"),
                Argument("remove", "no longer allow these", "words", "TAG"),
                Argument("replace", "allow these only", "words", "TAG"),
                Argument("org", "of this organization; default: that of the connection", metavar="ORG"),
            ),
            api="v3",
        ),
    ),
    "What an enterprise has": (
        Command(
            "organizations",
            "ACUs of each organization in a billing cycle, against its limit",
            org_commands.organizations,
            "%devin organizations --cycle 2026-10-15",
            (Argument("cycle", "a day in it; default: the newest", metavar="DAY"),),
            api="v3",
        ),
        Command(
            "audit",
            "list what was done in the enterprise, and by whom, the newest first",
            org_commands.audit,
            "%devin audit --since 7d --action create_session",
            (
                _SINCE,
                _UNTIL,
                Argument("action", "only these, such as login or create_session", "words", "ACTION"),
                Argument("limit", "at most this many; default: 50", "int", "N"),
            ),
            api="v3",
        ),
    ),
    "Money and records": (
        Command(
            "usage",
            "ACUs by day; summed over sessions if the key may not see consumption",
            org_commands.usage,
            "%devin usage --since 30d",
            (_SINCE, _UNTIL),
            in_python='dj.commands.usage(since="30d")',
        ),
        Command(
            "budget",
            "show or set how many ACUs this notebook may spend",
            org_commands.budget,
            "%devin budget 20",
            (
                _positional(
                    "acus", "the limit, or off for no limit; what was already spent still counts", metavar="ACU|off"
                ),
                Argument("off", "the same as off", "flag"),
            ),
            in_python="dj.budget(20)",
        ),
        Command(
            "journal",
            "show or check the local record of paid sessions and messages",
            org_commands.journal,
            "%devin journal check",
            (
                _positional("act", "default: show", choices=("show", "check", "export", "repair"), values="acts"),
                _positional("file", "for export; default: devin-journal.json", metavar="FILE", values="files"),
            ),
            more="show lists the sessions of this notebook; check verifies the file; export writes all of it as JSON, "
            "redacted; repair recovers what can be read of a damaged file.",
            in_python='dj.commands.journal("check")',
        ),
        Command(
            "lock",
            "write this notebook's sessions and answers to a file that replays them without a key",
            org_commands.lock,
            "%devin lock audit.devin.json",
            (_positional("file", "default: NAME.devin.json beside the notebook", metavar="FILE", values="files"),),
            in_python='dj.commands.lock("audit.devin.json")',
            more="Only files named NAME.devin.json are replayed, so the suffix is added where it is missing.",
        ),
    ),
    "Setting up": (
        Command(
            "connect",
            "choose key, organization and host; prompts for a key (hidden) if none is found",
            org_commands.connect,
            "%devin connect --profile work --save",
            (
                Argument("org", "the organization's id, org-…", metavar="ORG"),
                Argument("url", "the API URL of a dedicated deployment", metavar="URL"),
                Argument("api", "the API version, for keys without a known prefix", choices=("v1", "v3")),
                Argument("profile", "the saved key with this name", metavar="NAME", values="profiles"),
                Argument("save", "save the key in the system keyring", "flag"),
                Argument("new_key", "prompt for a key even if one is found", "flag"),
                Argument("live", "use the live channel, and prompt for its token if none is found", "flag"),
                Argument("simulator", "the same as %devin simulator", "flag"),
            ),
            in_python='dj.connect(profile="work")',
        ),
        Command(
            "whoami",
            "show the key, its owner, its organization and its permissions",
            org_commands.whoami,
            "%devin whoami",
        ),
        Command(
            "simulator",
            "start a local simulator and connect to it (free)",
            org_commands.simulator,
            "%devin simulator",
            (
                Argument("v1", "use the v1 API, as with an apk_… key", "flag"),
                Argument("preload", "with this many past sessions", "int", "N"),
                Argument("organizations", "an enterprise with this many organizations, at most 12", "int", "N"),
            ),
            in_python="dj.connect(simulator=True)",
        ),
        Command(
            "debug",
            "a report for a bug ticket, without secrets",
            org_commands.debug,
            "%devin debug report.txt",
            (_positional("file", "default: show it here", metavar="FILE", values="files"),),
            in_python='dj.commands.debug("report.txt")',
        ),
        Command(
            "help",
            "explain a command or an option; without one, list all commands",
            _help,
            "%devin help send",
            (_positional("topic", "a command, or an option of %%devin", metavar="COMMAND", values="commands"),),
            in_python='dj.commands.help("send")',
        ),
    ),
}
COMMANDS = {command.name: command for commands in GROUPS.values() for command in commands}
