"""The one table of options: parser, help, completion, README, keywords, request body and identity are read from it.

A new option is one row here and one key of a `TypedDict` below, which type checkers read for `dj.create` and `dj.map`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict, get_args

from devin_jupyter.models.enums import DevinMode
from devin_jupyter.options.arguments import Argument

MODES: tuple[str, ...] = get_args(DevinMode)
_MAP = "use map(prompt, rows, …)"

GROUPS: dict[str, tuple[Argument, ...]] = {
    "What Devin gets": (
        Argument(
            "repos",
            "repositories that Devin works on",
            "words",
            "OWNER/REPO",
            "--repos acme/api acme/web",
            api="v3",
            instead="name the repository in the prompt",
            values="repos",
            field="repos",
            identity="repos",
        ),
        Argument(
            "mode",
            "how Devin works; fast is about twice as fast and costs about four times as much",
            "word",
            "",
            "--mode lite",
            "the organization's mode",
            choices=MODES,
            is_open=True,
            api="v3",
            instead="leave it out",
            field="devin_mode",
            identity="mode",
        ),
        Argument(
            "schema",
            "the shape of the answer: a name in the notebook, JSON, a .json file, or shorthand",
            "word",
            "SPEC",
            "--schema 'severity:low|high, count:int, cve:str?'",
            "free text",
            values="schemas",
            takes_objects=True,
            field="structured_output_schema",
            identity="schema",
        ),
        Argument(
            "schema_optional",
            "allow the turn to end without a structured answer",
            "flag",
            "",
            "--schema Finding --schema-optional",
            api="v3",
            instead="leave it out: v1 never forces an answer",
            needs="schema",
            field="structured_output_required",
            sent_flag=False,
            is_incidental=True,
        ),
        Argument(
            "title",
            "the session's title",
            "word",
            "TEXT",
            "--title 'Audit of acme/api'",
            "Devin makes one",
            field="title",
            is_incidental=True,
        ),
        Argument(
            "tags",
            "tags to find it by",
            "words",
            "TAG",
            "--tags audit team:web",
            values="tags",
            field="tags",
            is_incidental=True,
        ),
        Argument(
            "max_acu",
            "suspend the session once it has used this many ACUs (agent compute units, Devin's billing unit)",
            "int",
            "N",
            "--max-acu 5",
            "no cap",
            field="max_acu_limit",
            is_incidental=True,
        ),
        Argument(
            "max_time",
            "stop the session for good once a turn takes longer than this, as long as a kernel watches it",
            "time",
            "TIME",
            "--max-time 2h",
            "no limit",
            allowed_with_to=True,
            is_incidental=True,
        ),
        Argument(
            "playbook",
            "the playbook to follow",
            "word",
            "ID",
            "--playbook playbook-1a2b",
            values="playbooks",
            field="playbook_id",
            identity="playbook",
        ),
        Argument(
            "child_playbook",
            "the playbook for sessions that this one starts",
            "word",
            "ID",
            "--child-playbook playbook-3c4d",
            api="v3",
            instead="name the playbook in the prompt",
            values="playbooks",
            field="child_playbook_id",
            identity="child_playbook",
        ),
        Argument(
            "knowledge",
            "only these knowledge notes",
            "words",
            "ID",
            "--knowledge note-1a2b",
            "all notes",
            values="knowledge",
            field="knowledge_ids",
            may_be_empty=True,
            identity="knowledge",
        ),
        Argument(
            "no_knowledge",
            "no knowledge notes at all",
            "flag",
            "",
            "--no-knowledge",
            excludes="knowledge",
            empties="knowledge",
        ),
        Argument(
            "secret_ids",
            "only these of the organization's secrets",
            "words",
            "ID",
            "--secret-ids secret-1a2b",
            "all secrets",
            values="secrets",
            field="secret_ids",
            may_be_empty=True,
            identity="secret_ids",
        ),
        Argument(
            "no_secrets",
            "none of the organization's secrets",
            "flag",
            "",
            "--no-secrets",
            excludes="secret_ids",
            empties="secret_ids",
        ),
        Argument(
            "secrets",
            "secrets for this session only: environment variables by name, sensitive unless marked :plain",
            "words",
            "NAME[:plain]",
            "--secrets NPM_TOKEN REGION:plain",
            values="environment",
            takes_objects=True,
            field="session_secrets",
            identity="secret_names",
        ),
        Argument(
            "links",
            "related sessions that Devin may look at",
            "words",
            "SESSION",
            "--links audit",
            api="v3",
            instead="put the session's URL in the prompt",
            values="sessions",
            takes_objects=True,
            field="session_links",
            identity="links",
        ),
        Argument(
            "attach",
            "files for Devin: paths, URLs, or names of a DataFrame, bytes or str in the notebook; :traceback is the "
            "last error with its cell, :cell the cell above with its output, :notebook all cells above",
            "words",
            "PATH|URL|NAME|:PART",
            "--attach report.pdf df",
            values="files",
            takes_objects=True,
            allowed_with_to=True,
            field="attachment_urls",
            identity="attachments",
        ),
        Argument(
            "platform",
            "the machine Devin works on: a platform, or the name of an outpost pool",
            "word",
            "P",
            "--platform windows",
            "the organization's",
            api="v3",
            instead="leave it out",
            values="platforms",
            field="platform",
            identity="platform",
        ),
        Argument(
            "disposable",
            "discard the machine when the session stops; it cannot be resumed",
            "flag",
            "",
            "--disposable",
            api="v3",
            instead="leave it out",
            field="resumable",
            sent_flag=False,
            is_incidental=True,
        ),
        Argument(
            "bypass_approval",
            "skip the approvals of safe mode",
            "flag",
            "",
            "--bypass-approval",
            api="v3",
            instead="leave it out",
            field="bypass_approval",
            is_incidental=True,
        ),
        Argument(
            "as_user",
            "act as this member of the organization",
            "word",
            "ID",
            "--as-user user-1a2b",
            api="v3",
            instead="use that person's own key",
            allowed_with_to=True,
            field="create_as_user_id",
            identity="as_user",
        ),
        Argument(
            "snapshot",
            "the machine snapshot to start from",
            "word",
            "ID",
            "--snapshot snapshot-1a2b",
            api="v1",
            instead="leave it out: v3 takes the organization's machine",
            field="snapshot_id",
            identity="snapshot",
        ),
        Argument(
            "unlisted",
            "keep the session out of the organization's list",
            "flag",
            "",
            "--unlisted",
            api="v1",
            instead="leave it out: v3 lists every session",
            field="unlisted",
            is_incidental=True,
        ),
    ),
    "What the notebook does": (
        Argument(
            "out",
            "assign the session to this variable, before any waiting",
            "word",
            "NAME",
            "-o audit",
            "none; dj.last() finds it",
            short="-o",
            values="out",
            takes_objects=True,
            allowed_with_to=True,
        ),
        Argument(
            "wait",
            "wait until the turn is over; the cell fails if there is no answer",
            "wait",
            "TIME",
            "--wait 30m",
            "don't wait; up to 4 h in non-interactive runs (jupyter execute)",
            allowed_with_to=True,
        ),
        Argument(
            "on_interrupt",
            "what Ctrl-C does to the remote session",
            "word",
            "",
            "--wait --on-interrupt stop",
            "detach",
            choices=("detach", "stop"),
            allowed_with_to=True,
        ),
        Argument(
            "on_done",
            "tell this function of the notebook, or this https:// address, when the turn or the batch is over",
            "word",
            "NAME|URL",
            "--on-done notify",
            "nobody",
            takes_objects=True,
            allowed_with_to=True,
            values="functions",
        ),
        Argument("quiet", "show nothing below the cell", "flag", "", "--quiet", allowed_with_to=True),
        Argument(
            "save_transcript",
            "keep the conversation in the saved notebook",
            "flag",
            "",
            "--save-transcript",
            allowed_with_to=True,
            elsewhere="it belongs to the cell: %%devin --save-transcript",
        ),
        Argument(
            "dry_run",
            "show the exact request and what it may cost; send nothing",
            "flag",
            "",
            "--dry-run",
            allowed_with_to=True,
            elsewhere="plan(prompt, …) shows it: dj.plan, or that of your client",
        ),
        Argument("raw", "send the text as it is, without filling in {{ }}", "flag", "", "--raw", allowed_with_to=True),
        Argument(
            "help",
            "show this help; send nothing",
            "flag",
            "",
            "--help",
            short="-h",
            allowed_with_to=True,
            elsewhere="see help(dj.create), or %devin help in a notebook",
        ),
    ),
    "Which session, and what it may cost": (
        Argument(
            "to",
            "send the cell as a message to this session (a name, an id or a URL)",
            "word",
            "SESSION",
            "--to audit",
            values="sessions",
            takes_objects=True,
            excludes="each",
            allowed_with_to=True,
            elsewhere="use session.send(…)",
        ),
        Argument(
            "again",
            "with --to: send the message even if it was already sent",
            "flag",
            "",
            "--to audit --again",
            needs="to",
            allowed_with_to=True,
            elsewhere="it belongs to session.send(…)",
        ),
        Argument(
            "take",
            "start another session for the same request; safe to leave in the notebook",
            "word",
            "LABEL",
            "--take 2",
            "the first",
            identity="take",
        ),
        Argument(
            "new",
            "start another session with the next unused label (interactive only); prints the --take to keep",
            "flag",
            "",
            "--new",
            excludes="take",
        ),
        Argument(
            "key",
            "identify the request by this text, so the prompt can change without starting another session",
            "word",
            "TEXT",
            "--key audit-{{ week }}",
            "the prompt",
            identity="key",
        ),
        Argument("max_age", "ignore earlier sessions older than this", "time", "TIME", "--max-age 6d", "any age"),
        Argument(
            "replace",
            "after an edit: stop the cell's earlier session, then start this one",
            "flag",
            "",
            "--replace",
            excludes="beside",
        ),
        Argument(
            "beside",
            "start a new session and leave the earlier one (or a colleague's) running",
            "flag",
            "",
            "--beside",
        ),
        Argument(
            "budget",
            "refuse, or pause the batch, before spending more ACUs than this",
            "number",
            "ACU",
            "--budget 20",
            "no limit",
        ),
    ),
    "Batches: one session per row": (
        Argument(
            "each",
            "one session per row of this DataFrame or list: its name, or an expression such as dj.repositories_frame()",
            "word",
            "NAME",
            "--each repos",
            values="tables",
            takes_objects=True,
            elsewhere=_MAP,
        ),
        Argument(
            "name",
            "the batch's name; dj.batch(name) finds it again",
            "word",
            "BATCH",
            "--name upgrade",
            needs="each",
            elsewhere=_MAP,
        ),
        Argument(
            "max_parallel",
            "how many sessions run at a time",
            "int",
            "N",
            "--max-parallel 8",
            "5",
            needs="each",
            elsewhere=_MAP,
        ),
        Argument(
            "limit",
            "run only the first N rows (a pilot)",
            "int",
            "N",
            "--limit 3",
            "all rows",
            needs="each",
            elsewhere=_MAP,
        ),
        Argument(
            "max_failures",
            "pause the batch after this many failures in a row",
            "int",
            "N",
            "--max-failures 3",
            "5",
            needs="each",
            elsewhere=_MAP,
        ),
        Argument(
            "max_median",
            "pause the batch when the median cost of its sessions exceeds this",
            "number",
            "ACU",
            "--max-median 4",
            "no limit",
            needs="each",
            elsewhere=_MAP,
        ),
        Argument(
            "when_done",
            "what to do with finished sessions",
            "word",
            "",
            "--when-done archive",
            "keep",
            choices=("keep", "archive", "stop"),
            needs="each",
            elsewhere=_MAP,
        ),
        Argument(
            "prefix",
            "prefix for output columns, to avoid name clashes",
            "word",
            "TEXT",
            "--prefix devin_",
            needs="each",
            elsewhere=_MAP,
        ),
    ),
}
OPTIONS: tuple[Argument, ...] = tuple(option for options in GROUPS.values() for option in options)
BY_NAME: Mapping[str, Argument] = {option.name: option for option in OPTIONS}


class CreateOptions(TypedDict, total=False):
    """The keywords of `dj.create`: what `%%devin --help` lists, with `_`. None and False are not given.

    Numbers and times may be texts, as on the magic line: `wait="30m"`, and in a batch `max_acu="{{ row.cap }}"`.
    """

    repos: Sequence[str] | None
    mode: str | None
    schema: Any
    schema_optional: bool
    title: str | None
    tags: Sequence[str] | None
    max_acu: int | str | None
    max_time: float | str | timedelta | None
    playbook: str | None
    child_playbook: str | None
    knowledge: Sequence[str] | None
    no_knowledge: bool
    secret_ids: Sequence[str] | None
    no_secrets: bool
    secrets: Sequence[str] | Mapping[str, Any] | None
    links: Any
    attach: Any
    platform: str | None
    disposable: bool
    bypass_approval: bool
    as_user: str | None
    snapshot: str | None
    unlisted: bool
    out: str | None
    wait: float | str | timedelta | None
    on_interrupt: str | None
    on_done: Callable[[Any], object] | str | None
    quiet: bool
    raw: bool
    take: str | int | None
    new: bool
    key: str | int | None
    max_age: float | str | timedelta | None
    replace: bool
    beside: bool
    budget: float | str | None


class MapOptions(CreateOptions, total=False):
    """The keywords of `dj.map`: those of `dj.create`, and those of a batch."""

    name: str | None
    max_parallel: int | str | None
    limit: int | str | None
    max_failures: int | str | None
    max_median: float | str | None
    when_done: str | None
    prefix: str | None


class CellOptions(MapOptions, total=False):
    """Everything that a `%%devin` line may say; once read, the options travel as this dict."""

    save_transcript: bool
    dry_run: bool
    help: bool
    to: Any
    again: bool
    each: Any
