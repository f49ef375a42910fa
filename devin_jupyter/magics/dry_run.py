"""What `--dry-run` shows: the exact request, create or attach and why, and what it may cost."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from devin_jupyter.errors import redact_tree
from devin_jupyter.render.values import CELL, table
from devin_jupyter.render.wording import safe_text


class DryRun:
    """A plan, readable; nothing was sent."""

    def __init__(self, plan: Any, settings: Any, request: Any) -> None:
        """Keep what would be done."""
        self.plan = plan
        version = settings.api_version
        path = "/v1/sessions" if version == "v1" else f"/v3/organizations/{settings.org_id or '{org_id}'}/sessions"
        self._target = f"POST {settings.base_url}{path}"
        self._files = [(item.name, len(item.content or b"")) for item in request.attachments]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is shown above the request, as pairs."""
        plan = self.plan
        action = {"create": "would start a session", "attach": "would attach", "refuse": "would be refused"}
        facts = [("dry run", f"{action.get(plan.action, plan.action)}: {plan.why}")]
        facts += [("session", plan.session_id)] if plan.session_id else []
        facts += [("cost", line) for line in plan.costs]
        facts += [("upload", f"{name}, {size:,} bytes" if size else name) for name, size in self._files]
        return [*facts, ("fingerprint", plan.fingerprint), ("request", self._target)]

    @property
    def body(self) -> str:
        """The exact body as JSON; values of secrets are masked."""
        return safe_text(json.dumps(redact_tree(self.plan.body), indent=2, ensure_ascii=False))

    def __repr__(self) -> str:
        """Facts and body as text."""
        lines = [f"{name:12}{value}" for name, value in self.facts]
        return "\n".join([*lines, self.body, "nothing was sent"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="{CELL};opacity:0.8">{name}</td><td style="{CELL}">{escape(safe_text(value))}</td></tr>'
            for name, value in self.facts
        )
        body = f'<pre style="margin:6px 0;white-space:pre-wrap">{escape(self.body)}</pre>'
        return f"<div>{table(rows)}{body}<div>nothing was sent</div></div>"
