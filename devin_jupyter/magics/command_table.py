"""The one table of `%devin` commands: parsing, help, completion and the README are read from it."""

from __future__ import annotations

from functools import partial
from typing import get_args

from devin_jupyter.magics.command import Command
from devin_jupyter.models.enums import SEEN_ORIGIN, Origin
from devin_jupyter.models.phase import Phase
from devin_jupyter.options import Argument

SESSIONS, FILES, LIBRARY, MONEY, SETUP = (
    "Sessions",
    "What a session holds",
    "What the organization has",
    "Money and records",
    "Setting up",
)
GROUPS = (SESSIONS, FILES, LIBRARY, MONEY, SETUP)
ORIGINS: tuple[str, ...] = (*get_args(Origin), *SEEN_ORIGIN)
PHASES = tuple(phase.value for phase in Phase)

_positional = partial(Argument, is_positional=True)
_WHICH = _positional(
    "session", "a name in the notebook, an id or a URL; default: the last one", metavar="SESSION", values="sessions"
)
_ONE = _positional(
    "session", "a name in the notebook, an id or a URL", metavar="SESSION", is_needed=True, values="sessions"
)
_MANY = _positional("sessions", "names, ids or URLs; default: the last one", "words", "SESSION", values="sessions")
_TEXT = _positional("text", "only those with this text in the name", metavar="TEXT")
_SINCE = Argument("since", "since this long ago, or since a date: 7d, 12h, 2026-11-01", metavar="TIME")
_UNTIL = Argument("until", "before then, said likewise", metavar="TIME")
_OUT = Argument("out", "the variable to set", metavar="NAME", short="-o", values="out")

_TABLE = (
    Command(
        "sessions",
        SESSIONS,
        "list sessions of the organization, newest first",
        "commands_list:sessions",
        "%devin sessions login --origin slack --since 7d --mine",
        (
            _positional("text", "only those with this text in title, tags, repositories or id", metavar="TEXT"),
            _SINCE,
            _UNTIL,
            Argument("mine", "started by this key's principal", "flag"),
            Argument("origin", "where they were started", "words", "ORIGIN", choices=ORIGINS),
            Argument("phase", "only in these phases", "words", "PHASE", choices=PHASES),
            Argument("tags", "with these tags", "words", metavar="TAG", values="tags"),
            Argument("repos", "on these repositories", "words", metavar="OWNER/REPO", values="repos"),
            Argument("playbook", "following this playbook", metavar="ID", values="playbooks"),
            Argument("category", "of this category", metavar="CATEGORY"),
            Argument("archived", "the archived ones only", "flag"),
            Argument("limit", "at most this many", "int", "N"),
            Argument("live", "a live board instead of a table; in a notebook", "flag"),
        ),
        more="Returns the table, so `found = %devin sessions login` keeps it; found.frame is a DataFrame.",
    ),
    Command(
        "open",
        SESSIONS,
        "make a handle on a session that exists, and show it",
        "commands_act:open_session",
        "%devin open https://app.devin.ai/sessions/1a2b… -o s",
        (
            _ONE,
            _OUT,
            Argument("schema", "the shape of its answer, as in %%devin", metavar="SPEC", values="schemas"),
            Argument("quiet", "show nothing", "flag"),
        ),
        more="A variable that holds an id or a URL goes by its bare name: %devin open found_id. $name and {name} are "
        "not filled in, here as little as in %%devin.",
    ),
    Command(
        "show",
        SESSIONS,
        "show a session as it is now",
        "commands_act:show",
        "%devin show audit",
        (_WHICH, Argument("transcript", "with the conversation", "flag")),
    ),
    Command(
        "wait",
        SESSIONS,
        "wait until the turn is over",
        "commands_act:wait",
        "%devin wait audit 30m",
        (
            _WHICH,
            _positional("time", "no longer than this: 90 (seconds), 30m, 4h", "time", "TIME"),
            Argument("on_interrupt", "what Ctrl-C does to it", choices=("detach", "stop")),
        ),
    ),
    Command(
        "send",
        SESSIONS,
        "send a message to a session",
        "commands_act:send",
        "%devin send audit 'Please also look at the tests' --wait",
        (
            _ONE,
            _positional(
                "text", "the message; a %%devin --to cell is better for long ones", "words", "TEXT", is_needed=True
            ),
            Argument("attach", "paths, URLs or names of variables", "words", "FILE", values="files"),
            Argument("again", "send it though it was sent before", "flag"),
            Argument("wait", "wait for the reply, or no longer than this", "wait", "TIME"),
            Argument("as_user", "write as this member", metavar="ID"),
        ),
    ),
    Command(
        "stop",
        SESSIONS,
        "end sessions for good; --all: all that this notebook started, and let none start until %devin resume",
        "commands_act:stop",
        "%devin stop audit",
        (
            _MANY,
            Argument(
                "all",
                "every session of this notebook that is at work; until %devin resume none can be started",
                "flag",
            ),
            Argument("everything", "with --all: of every notebook that uses this journal", "flag"),
            Argument("archive", "archive them too", "flag"),
        ),
        more="A stopped session cannot be woken up. When the kernel hangs: python -m devin_jupyter stop --all",
    ),
    Command("resume", SESSIONS, "allow sessions again after stop --all", "commands_act:resume", "%devin resume"),
    Command(
        "archive",
        SESSIONS,
        "put sessions away: they sleep, and leave the lists",
        "commands_act:archive",
        "%devin archive audit",
        (_MANY, Argument("undo", "take them out of the archive", "flag")),
        api="v3",
    ),
    Command(
        "tags",
        FILES,
        "show, add or replace a session's tags",
        "commands_data:tags",
        "%devin tags audit --add release-12",
        (
            _WHICH,
            Argument("add", "tags to add", "words", "TAG", values="tags"),
            Argument("replace", "exactly these tags from now on", "words", "TAG", values="tags"),
        ),
    ),
    Command(
        "messages",
        FILES,
        "show the conversation",
        "commands_data:messages",
        "%devin messages audit --limit 5",
        (_WHICH, Argument("limit", "the newest N only", "int", "N")),
    ),
    Command(
        "files",
        FILES,
        "list a session's files, or download them",
        "commands_data:files",
        "%devin files audit --download results",
        (
            _WHICH,
            Argument("download", "into FOLDER, or one named after the session", "optional", "FOLDER", values="files"),
        ),
        api="v3",
    ),
    Command(
        "insights",
        FILES,
        "what the service says about how a session went",
        "commands_data:insights",
        "%devin insights audit --generate",
        (_WHICH, Argument("generate", "have the analysis made; about a minute", "flag")),
        api="v3",
    ),
    Command(
        "playbooks",
        LIBRARY,
        "list playbooks, or show one",
        "commands_library:playbooks",
        "%devin playbooks upgrade",
        (_TEXT, Argument("show", "one of them in full", metavar="ID", values="playbooks")),
    ),
    Command(
        "knowledge",
        LIBRARY,
        "list knowledge notes, or show one",
        "commands_library:knowledge",
        "%devin knowledge deploy",
        (_TEXT, Argument("show", "one of them in full", metavar="ID", values="knowledge")),
    ),
    Command(
        "secrets",
        LIBRARY,
        "list the names of the organization's secrets; never values",
        "commands_library:secrets",
        "%devin secrets",
        (_TEXT,),
    ),
    Command(
        "schedules",
        LIBRARY,
        "list scheduled sessions",
        "commands_library:schedules",
        "%devin schedules",
        (_TEXT,),
        api="v3",
    ),
    Command(
        "usage",
        MONEY,
        "ACUs by day, where the key may see them; else summed over sessions",
        "commands_money:usage",
        "%devin usage --since 30d",
        (_SINCE, _UNTIL),
    ),
    Command(
        "budget",
        MONEY,
        "show or set how many ACUs this notebook may spend",
        "commands_money:budget",
        "%devin budget 20",
        (
            _positional("acus", "the limit, or off for none; what was spent stays counted", metavar="ACU|off"),
            Argument("off", "the same as off", "flag"),
        ),
    ),
    Command(
        "journal",
        MONEY,
        "what this machine knows it has paid for",
        "commands_money:journal",
        "%devin journal check",
        (
            _positional("act", "default: show", choices=("show", "check", "export", "repair"), values="acts"),
            _positional("file", "for export; default: devin-journal.json", metavar="FILE", values="files"),
        ),
        more="show lists the sessions of this notebook; check tells whether the file is sound; export writes all of it "
        "as JSON, redacted; repair saves what can be read of a damaged file.",
    ),
    Command(
        "lock",
        MONEY,
        "write this notebook's sessions and answers to a file that replays them without a key",
        "commands_money:lock",
        "%devin lock audit.devin.json",
        (_positional("file", "default: NAME.devin.json beside the notebook", metavar="FILE", values="files"),),
    ),
    Command(
        "connect",
        SETUP,
        "choose key, organization and host; asks for the key hidden where none is found",
        "commands_account:connect",
        "%devin connect --profile work --save",
        (
            Argument("org", "the organization's id, org-…", metavar="ORG"),
            Argument("url", "the API's address, for a dedicated deployment", metavar="URL"),
            Argument("api", "the API version, for keys whose prefix does not tell", choices=("v1", "v3")),
            Argument("profile", "a saved key of this name", metavar="NAME", values="profiles"),
            Argument("save", "keep the key in the system's keyring", "flag"),
            Argument("new_key", "ask for a key although one is known", "flag"),
            Argument("simulator", "the same as %devin simulator", "flag"),
        ),
    ),
    Command(
        "whoami",
        SETUP,
        "who acts, where, with which key, and what it may do",
        "commands_account:whoami",
        "%devin whoami",
    ),
    Command(
        "simulator",
        SETUP,
        "a Devin that costs nothing: start it in this process and connect to it",
        "commands_account:simulator",
        "%devin simulator",
        (
            Argument("v1", "speak the older API, as with an apk_… key", "flag"),
            Argument("preload", "with this many past sessions", "int", "N"),
        ),
    ),
    Command(
        "debug",
        SETUP,
        "a report for a bug ticket, without secrets",
        "commands_debug:debug",
        "%devin debug report.txt",
        (_positional("file", "default: show it here", metavar="FILE", values="files"),),
    ),
    Command(
        "help",
        SETUP,
        "explain one command; alone: list them all",
        "command_help:show",
        "%devin help send",
        (_positional("topic", "a command, or an option of %%devin", metavar="COMMAND", values="commands"),),
    ),
)
COMMANDS = {command.name: command for command in _TABLE}
