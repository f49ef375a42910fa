"""The output of `--dry-run`: the exact request, whether it creates or attaches and why, and what it may cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from devin_jupyter.redaction import redact_tree
from devin_jupyter.render.html import facts_html
from devin_jupyter.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devin_jupyter.batches.runner import Preview
    from devin_jupyter.config import Settings
    from devin_jupyter.idempotency.dry_run import Plan
    from devin_jupyter.journal import Journal
    from devin_jupyter.request import Attachment, SessionRequest
    from devin_jupyter.session import Session

_REPORT = "no --schema: Devin fills in the built-in report; --schema none turns it off"


class DryRun:
    """A plan in readable form; nothing was sent."""

    def __init__(self, plan: Plan, settings: Settings, request: SessionRequest) -> None:
        self.plan = plan
        version = settings.api_version
        path = "/v1/sessions" if version == "v1" else f"/v3/organizations/{settings.org_id or '{org_id}'}/sessions"
        self._target = f"POST {settings.base_url}{path}{' (simulated)' if settings.simulated else ''}"
        self._files = [(item.name, len(item.content or b"")) for item in request.attachments]
        self._parts = _parts(request.attachments)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is shown above the request, as pairs."""
        plan = self.plan
        action = {
            "create": "would start a session",
            "attach": "would attach",
            "replay": "nothing to start",
            "refuse": "would be refused",
        }
        facts = [("dry run", f"{action.get(plan.action, plan.action)}: {plan.why}")]
        facts += [("session", plan.session_id)] if plan.session_id else []
        facts += [("note", line) for line in plan.notes]
        facts += [("cost", line) for line in plan.costs]
        facts += [("upload", f"{name}, {size:,} bytes" if size else name) for name, size in self._files]
        return [*facts, ("fingerprint", plan.fingerprint), ("request", self._target)]

    @property
    def body(self) -> str:
        """The exact body as JSON, with values of secrets masked, and what is attached of the notebook."""
        return _json(self.plan.body) + self._parts

    def __repr__(self) -> str:
        return _text(self.facts, self.body)

    def _repr_html_(self) -> str:
        return facts_html(self.facts, self.body, "nothing was sent")


class BatchDryRun:
    """The plan of a batch in readable form: how many sessions, at what cost, and the first request in full."""

    def __init__(self, preview: Preview, settings: Settings) -> None:
        self.preview, self.plan, self._settings = preview, preview.plan, settings

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is shown above the first request, as pairs."""
        from devin_jupyter.batches.jobs import cost_line

        plan = self.plan
        duplicates = len(plan.rows) - len(plan.items)
        counted = f"{_count(len(plan.rows), 'row')}, {len(plan.wanted)} of {_count(len(plan.items), 'session')}"
        return [
            ("dry run", self._action),
            ("rows", counted + (f" ({_count(duplicates, 'duplicate row')} beside)" if duplicates else "")),
            ("at a time", str(plan.max_parallel)),
            ("cost", cost_line(plan.wanted, plan.budget) if self._n_new else "0 ACU"),
            *([("report", _REPORT)] if plan.is_report else []),
            *(("note", note) for note in plan.notes),
            ("request", f"the first of {len(plan.wanted)}"),
        ]

    @property
    def _n_new(self) -> int:
        there: int = self.preview.n_known + self.preview.n_recorded
        return len(self.plan.wanted) - there

    @property
    def _action(self) -> str:
        known, recorded, refusal, rest = (
            self.preview.n_known,
            self.preview.n_recorded,
            self.preview.refusal,
            self._n_new,
        )
        if refusal is not None:
            return f"would be refused: {refusal.message}"
        if not self._settings.api_key:
            missing = f"; {rest} not recorded, and there is no key" if rest else ""
            return f"would replay {_count(recorded, 'session')}{missing}"
        parts = [f"would start {_count(rest, 'new session')}"] if rest or not (known or recorded) else []
        parts += [f"would attach to {known} that {'exists' if known == 1 else 'exist'} already"] if known else []
        parts += [f"would replay {_count(recorded, 'session')}"] if recorded else []
        return "; ".join(parts)

    @property
    def body(self) -> str:
        """The body of the first request as JSON; values of secrets are masked."""
        if not self.plan.wanted:
            return "no rows"
        first = self.plan.wanted[0]
        body = first.request.preview(self._settings.api_version, tag=first.fingerprint.tag)
        return _json(body) + _parts(first.request.attachments)

    def __repr__(self) -> str:
        return _text(self.facts, self.body)

    def _repr_html_(self) -> str:
        return facts_html(self.facts, self.body, "nothing was sent")


def planned_message(
    journal: Journal, notebook: str, session: Session, text: str, files: Sequence[Attachment], again: bool
) -> str:
    """Return what a `--to` cell would do, from the journal alone."""
    from devin_jupyter.models.snapshot import notebook_scope
    from devin_jupyter.recorded import message_keys
    from devin_jupyter.text import format_utc

    names = ", ".join(file.name for file in files)
    known = journal.messages.last(*message_keys(session.id, text, (file.sha256 for file in files)))
    halted = journal.halted_since()
    scopes = dict.fromkeys([notebook_scope(notebook), *journal.budgets.scopes_of(session.id)])
    refused = journal.budgets.message_refusal(scopes, session.id)
    action = f"would send to {session.id}{f' with {names}' if names else ''}"
    if known is not None and known.sent_at is not None and not again:
        action = f"would not send to {session.id}: already sent on {format_utc(known.sent_at)}; --again repeats"
    elif session.snapshot.is_archived:
        action = f"would be refused: {session.id} is archived; %devin unarchive takes it out"
    elif halted is not None:
        since = format_utc(halted)
        action = f"would be refused: nothing can be sent until you run %devin resume (%devin stop --all of {since})"
    elif refused is not None:
        action = f"would be refused: {refused.message}; {refused.hint}"
    elif known is not None and known.sent_at is None and known.posts:
        action = f"would check whether an earlier try arrived at {session.id}, and send it if not"
    return f"{action}\n{safe_text(text).rstrip()}{_parts(files)}\nnothing was sent"


def _parts(files: Sequence[Attachment]) -> str:
    """Return the text of the attachments that were read from the notebook, as they would be sent."""
    texts = ((file.name, (file.content or b"").decode()) for file in files if file.is_of_notebook)
    return "".join(f"\n\n{name}:\n{safe_text(text).rstrip()}" for name, text in texts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _json(body: Any) -> str:
    return safe_text(json.dumps(redact_tree(body), indent=2, ensure_ascii=False))


def _text(facts: list[tuple[str, str]], body: str) -> str:
    return "\n".join([*(f"{name:12}{safe_text(value)}" for name, value in facts), body, "nothing was sent"])
