"""The made-up analysis of a simulated session; it follows from the session alone."""

from __future__ import annotations

from typing import Any

from devin_jupyter.simulator.ids import Dice
from devin_jupyter.simulator.sessions import Session

_ISSUES = (
    ("setup", "The test suite could not be started at once", "Several minutes went into missing dependencies"),
    ("scope", "The request left open which modules count", "Devin looked at more files than needed"),
    ("access", "A private package index could not be reached", "One check was left out"),
)
_ACTIONS = {"setup": "machine_setup", "scope": "prompt_improvement", "access": "repo_config"}
_ADVICE = {
    "setup": "Install the test dependencies when the machine is prepared",
    "scope": "Name the modules in the prompt",
    "access": "Give the repository access to the package index",
}
_LANGUAGES = ("Python", "TypeScript", "Go", "Java", "SQL")
_TOOLS = ("pytest", "FastAPI", "React", "GitHub Actions", "Docker", "pandas")


def analysis_of(session: Session, now: float) -> dict[str, Any]:
    """Return the `analysis` of the insights."""
    dice = Dice(session.seed, "analysis")
    issues = [
        {"id": f"issue-{number}", "label": label, "issue": issue, "impact": impact}
        for number, (label, issue, impact) in enumerate(dice.sample(_ISSUES, dice.below(3)), 1)
    ]
    return {
        "action_items": [
            {"action_item": _ADVICE[issue["label"]], "type": _ACTIONS[issue["label"]], "issue_id": issue["id"]}
            for issue in issues
        ],
        "issues": issues,
        "timeline": _timeline(session, now),
        "classification": {
            "category": session.category or "other",
            "confidence": round(dice.between(0.6, 0.99), 2),
            "programming_languages": dice.sample(_LANGUAGES, 1 + dice.below(2)),
            "tools_and_frameworks": dice.sample(_TOOLS, 1 + dice.below(3)),
        },
        "suggested_prompt": _suggestion(session, issues),
        "note_usage": {"good_usages": _notes(session), "bad_usages": []},
    }


def _timeline(session: Session, now: float) -> list[dict[str, Any]]:
    steps = [("Asked", session.timeline.words[0].text, "blue")]
    steps += [("Opened a pull request", pull.url, "green") for pull in session.timeline.opened(now)]
    steps += [("Answered", word.text, "gray") for word in session.timeline.said(now) if word.source == "devin"][-1:]
    return [
        {"title": title, "description": text[:200], "color": color, "issue_id": None} for title, text, color in steps
    ]


def _suggestion(session: Session, issues: list[dict[str, str]]) -> dict[str, Any]:
    prompt = str(session.request["prompt"])
    where = ", ".join(session.repos) or "the repository"
    return {
        "original_prompt": prompt,
        "suggested_prompt": f"{prompt}\n\nWork in {where}; say which files you changed and how you tested.",
        "feedback_items": [
            {"summary": issue["label"], "details": issue["impact"], "excerpt": prompt[:80], "issue_id": issue["id"]}
            for issue in issues
        ],
    }


def _notes(session: Session) -> list[dict[str, str]]:
    used = session.request.get("knowledge_ids") or []
    reason = "It was about this repository"
    return [{"note_id": note, "reason": reason, "message": "Devin followed it"} for note in used[:3]]
