"""axe-core against a part of a page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any


def violations(page: Any, selector: str) -> list[str]:
    """Return the serious and critical violations below the selector, readable."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], "rules": {"region": {"enabled": False}}}
    found = page.evaluate("([where, options]) => axe.run(where, options)", [selector, options])
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]}: {node['failureSummary'][:300]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
