"""The use-case category of a session, guessed from its prompt as the service would after a while."""

from __future__ import annotations

import re

from devin_jupyter.simulator.ids import Dice

SUBCATEGORIES: dict[str, tuple[str, ...]] = {
    "bug_fixing": ("Crash fix", "Regression", "Flaky behavior", "Other"),
    "ci_cd_and_devops": ("Pipeline speed", "Deployment", "Infrastructure as code", "Other"),
    "code_quality_and_security": ("Static analysis", "Lint and types", "Dependency audit", "Other"),
    "code_review": ("Pull request review", "Other"),
    "code_review_and_analysis": ("Architecture review", "Performance analysis", "Other"),
    "data_and_automation": ("Data pipeline", "Reporting", "Scraping", "Other"),
    "documentation_and_content": ("API reference", "Tutorial", "README", "Other"),
    "feature_development": ("Backend feature", "Frontend feature", "Integration", "Other"),
    "migrations_and_upgrades": ("Framework upgrade", "Language upgrade", "Schema migration", "Other"),
    "other": ("Other",),
    "refactoring_and_optimization": ("Dead code", "Modularisation", "Performance", "Other"),
    "research_and_exploration": ("Codebase question", "Feasibility", "Other"),
    "security": ("Vulnerability fix", "Secrets", "Access control", "Other"),
    "unit_test_generation": ("Coverage", "Regression tests", "Other"),
}
"""Display names by category."""

_WORDS = (
    ("security", r"vulnerab|cve\b|exploit|injection|xss|secret|auth\b"),
    ("code_quality_and_security", r"audit|lint|static analysis|type hints|mypy"),
    ("unit_test_generation", r"\btests?\b|coverage|pytest|jest"),
    ("bug_fixing", r"\bfix|bug|crash|regression|broken|error"),
    ("migrations_and_upgrades", r"migrat|upgrade|port\b|bump"),
    ("documentation_and_content", r"document|readme|docs?\b|tutorial|changelog"),
    ("refactoring_and_optimization", r"refactor|optimi[sz]e|clean ?up|speed|dead code"),
    ("ci_cd_and_devops", r"\bci\b|pipeline|deploy|docker|kubernetes|terraform"),
    ("code_review", r"review"),
    ("data_and_automation", r"\bdata\b|csv|scrape|report|dashboard|etl"),
    ("research_and_exploration", r"explain|find out|which|why|how |count|list|explore|research"),
    ("feature_development", r"add|implement|build|create|support|endpoint"),
)
_COMPILED = [(category, re.compile(pattern, re.IGNORECASE)) for category, pattern in _WORDS]


def category_of(prompt: str, seed: str) -> tuple[str, str]:
    """Return category and subcategory for a prompt."""
    category = next((name for name, pattern in _COMPILED if pattern.search(prompt)), "other")
    return category, Dice(seed, "subcategory").pick(SUBCATEGORIES[category])
