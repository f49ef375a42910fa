"""Past sessions of a busy year, so that frames, charts and filters have something to show; all follow from the seed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devin_jupyter.simulator.sessions import Frame, Message, Pull, Session, Timeline
from devin_jupyter.simulator.values import SUBCATEGORIES, TOPICS, Dice, digest

DAY, YEAR = 86400, 365
_PROJECTS = ("api", "web", "mobile", "billing", "search", "infra", "data-pipeline", "docs", "design", "auth")
_PEOPLE = ("ana", "ben", "chloe", "dev", "emma", "finn", "gita", "hugo", "ines", "jun", "kofi", "lena")
REPOS = tuple(f"acme/{name}" for name in _PROJECTS)
_QUIET = """accounts admin alerts audit blog cache catalog checkout cli config cron dashboard events export feed forms
    gateway geo images import inbox invoices jobs ledger mailer maps metrics notify orders payments profile queue
    reports sync webhooks"""
LISTED = (*REPOS, *(f"acme/{name}" for name in _QUIET.split()))
"""The repositories of the organization; those beyond `REPOS` have no past sessions."""
TEAMS = ("payments", "platform", "growth", "search", "mobile", "security")
USERS = tuple(f"user-{name}" for name in _PEOPLE)
_TAGS = ("urgent", "nightly", "customer", "tech-debt")
SERVICE_USERS = ("service-user-ci", "service-user-nightly")
PLAYBOOKS = ("playbook-audit", "playbook-upgrade", "playbook-review")
ORIGINS = (
    *(("webapp",) * 6),
    *(("slack",) * 4),
    *(("api",) * 4),
    *(("automation",) * 2),
    *("linear", "jira", "teams", "cli", "desktop", "code_scan", "other"),
)
TASKS = {
    "bug_fixing": "Fix: {title} in {repo}",
    "ci_cd_and_devops": "Make the CI of {repo} pass again and cut its time in half",
    "code_quality_and_security": "Audit the dependencies of {repo} and report what is exploitable",
    "code_review": "Review the open pull requests of {repo}",
    "code_review_and_analysis": "Explain how {file} of {repo} is used and what breaks if it changes",
    "data_and_automation": "Build a weekly report from the events of {repo}",
    "documentation_and_content": "Document the public functions of {file} in {repo}",
    "feature_development": "Add pagination to the list endpoints of {repo}",
    "migrations_and_upgrades": "Upgrade {package} in {repo} to the current release",
    "other": "Have a look at {repo} and tell me what you would do first",
    "refactoring_and_optimization": "Refactor {file} in {repo} without changing its behavior",
    "research_and_exploration": "Find out why {symbol} in {repo} is slow for large accounts",
    "security": "Check whether {repo} is affected: {title}",
    "unit_test_generation": "Write tests for {file} in {repo}",
}
CATEGORIES = tuple(TASKS)
FINDINGS = {
    "type": "object",
    "required": ["summary", "findings"],
    "properties": {
        "summary": {"type": "string"},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["title", "severity", "file", "line"],
                "properties": {
                    "title": {"type": "string"},
                    "severity": {"enum": ["low", "medium", "high", "critical"]},
                    "file": {"type": "string"},
                    "line": {"type": "integer", "minimum": 1},
                    "cve": {"type": ["string", "null"]},
                },
            },
        },
    },
}
"""The schema of those past sessions that have an output."""
_LATER = (
    *((("suspended", "inactivity"),) * 70),
    *((("exit", "finished"),) * 14),
    *((("exit", None),) * 4),
    *((("error", "error"),) * 3),
    *((("suspended", "usage_limit_exceeded"),) * 4),
    *((("suspended", "user_request"),) * 3),
    ("suspended", "out_of_credits"),
    ("suspended", "org_usage_limit_exceeded"),
)
_TODAY = (*((("running", "waiting_for_user"),) * 6), *((("running", "finished"),) * 2), ("suspended", "inactivity"))
_GOOD = ("inactivity", "finished", "waiting_for_user")


def preloaded_sessions(count: int, *, seed: int | str, today: int, org_id: str) -> list[Session]:
    """Return `count` sessions of the year before `today`, oldest first, with orders from `-count` to -1."""
    dice = [Dice(seed, "past", index) for index in range(count)]
    births = sorted((_birth(one, today), index) for index, one in enumerate(dice))
    sessions: list[Session] = []
    for place, (created_at, index) in enumerate(births):
        session = _session(dice[index], digest(seed, "past", index), created_at, place - count, today, org_id)
        if sessions and dice[index].chance(0.04):
            parent = sessions[-1 - dice[index].below(min(5, len(sessions)))]
            session.parent_session_id = parent.id
            parent.child_session_ids = [*(parent.child_session_ids or []), session.id]
        sessions.append(session)
    return sessions


def sessions_of_others(count: int, *, seed: int, today: int, names: Iterable[str]) -> list[Session]:
    """Return the past of further organizations, which have between a fifth and twice as many sessions."""
    return [
        session
        for org_id in names
        for session in preloaded_sessions(
            int(count * Dice(seed, org_id).between(0.2, 2.0)), seed=f"{seed}/{org_id}", today=today, org_id=org_id
        )
    ]


def _birth(dice: Dice, today: int) -> float:
    """More sessions toward the end of the year, most of them on working days between 8 and 18 o'clock."""
    day = int(YEAR * dice.between(0, 1) ** 1.5)
    weekday = (today // DAY - day + 4) % 7  # 1 January 1970 was a Thursday
    if weekday in (0, 6) and dice.chance(0.8):
        day = min(YEAR - 1, day + 2)
    hour = dice.between(8, 18) if dice.chance(0.85) else dice.between(0, 24)
    return today - (day + 1) * DAY + hour * 3600


def _session(dice: Dice, seed: str, created_at: float, order: int, today: int, org_id: str) -> Session:
    category, repo, topic = dice.pick(CATEGORIES), dice.pick(REPOS), dice.pick(TOPICS)
    prompt = TASKS[category].format(
        repo=repo, title=topic.title, file=topic.file, package=topic.package, symbol=topic.symbol
    )
    origin = dice.pick(ORIGINS)
    by_machine = origin in ("api", "automation", "code_scan")
    recent = created_at > today - DAY
    status, detail = dice.pick(_TODAY if recent else _LATER)
    asked = dice.chance(0.3) and detail in _GOOD
    session = Session(
        id=seed[:32],
        order=order,
        created_at=created_at,
        request={"prompt": prompt, "repos": [repo], "structured_output_schema": FINDINGS if asked else None},
        seed=seed,
        title=prompt if len(prompt) <= 60 else prompt[:59] + "…",
        mode=dice.pick(("normal", "normal", "normal", "normal", "fast", "lite", "ultra")),
        tags=[f"team:{dice.pick(TEAMS)}", *([dice.pick(_TAGS)] if dice.chance(0.3) else [])],
        repos=(repo,),
        org_id=org_id,
        origin=origin,
        user_id=None if by_machine else dice.pick(USERS),
        service_user_id=dice.pick(SERVICE_USERS) if by_machine else None,
        playbook_id=dice.pick(PLAYBOOKS) if dice.chance(0.2) else None,
        schedule_id="sched-nightly" if origin == "automation" else None,
        category=category,
        subcategory=dice.pick(SUBCATEGORIES[category]),
        categorized_at=created_at,
        archived=dice.chance(0.08),
        turns=1,
    )
    output = _findings(dice, repo) if asked else None
    _add_past(session, dice, status, detail, output)
    return session


def _findings(dice: Dice, repo: str) -> dict[str, Any]:
    topics = dice.sample(TOPICS, dice.below(5))
    findings = [
        {
            "title": topic.title,
            "severity": dice.pick(("low", "medium", "medium", "high", "critical")),
            "file": topic.file,
            "line": 10 + dice.below(400),
            "cve": f"CVE-2099-{1000 + dice.below(9000)}" if dice.chance(0.4) else None,
        }
        for topic in topics
    ]
    return {"summary": f"{len(findings)} findings in {repo}", "findings": findings}


def _add_past(session: Session, dice: Dice, status: str, detail: str | None, output: Any) -> None:
    """Give the session its past: its cost, messages and pull requests."""
    start, minutes = session.created_at, dice.between(4, 170)
    end = start + minutes * 60
    price = {"fast": 4.0, "lite": 0.4, "ultra": 2.5}.get(session.mode, 1.0)
    acus = 0.0 if dice.chance(0.02) else round(price * (0.2 + minutes / 45 * dice.between(0.5, 1.5)), 2)
    asleep_after = 1800 if detail == "inactivity" else 0
    said = ["I'll have a look.", "Here is where I am: the change works, the tests are running.", "Done."]
    messages = [
        Message(start + (end - start) * part, "devin" if part else "user", text, f"event-{session.id[:24]}{place:08x}")
        for place, (part, text) in enumerate(zip((0.0, 0.1, 0.6, 1.0), [session.request["prompt"], *said], strict=True))
    ]
    pulls = [_pull(dice, session.repos[0], end) for _ in range(dice.pick((0, 0, 0, 1, 1, 1, 1, 1, 1, 2)))]
    session.timeline = Timeline([Frame(end + asleep_after, status, detail, acus, output)], messages, pulls)


def _pull(dice: Dice, repo: str, at: float) -> Pull:
    url = f"https://github.com/{repo}/pull/{100 + dice.below(9000)}"
    settled_at = at + dice.between(0.5, 72) * 3600
    fate = dice.pick(("merged", "merged", "merged", "closed", None))
    return Pull(at, url, settled_at, fate) if fate else Pull(at, url)


AUTOMATION_OF = {"sched-nightly": "automation-nightly"}
"""The automation that started the past sessions of a schedule."""


def first_automations(today: int) -> list[dict[str, Any]]:
    """Return the automations that an organization begins with."""

    def made(key: str, days: int, event: str, prompt: str, **more: Any) -> dict[str, Any]:
        at = today - days * DAY
        return {
            "automation_id": f"automation-{key}",
            **automation_fields(),
            "triggers": [{"event_type": event, "conditions": None, "replies": [], "trigger_id": f"trigger-{key}"}],
            "actions": [{"type": "start_session", "prompt": prompt, "session": {"tags": [key]}}],
            "created_at": at,
            "updated_at": at,
            "created_by": {"type": "user", "id": USERS[0], "name": person(USERS[0])},
            **more,
        }

    rule = {"any": [{"all": [{"field": "rrule", "operator": "recurrence", "value": "FREQ=DAILY;BYHOUR=2"}]}]}
    nightly = {"event_type": "schedule:recurring", "conditions": rule, "replies": [], "trigger_id": "trigger-nightly"}
    ran = {"fired_at": today + 2 * 3600 - DAY, "status": "succeeded"}
    return [
        made(
            "nightly",
            300,
            "schedule:recurring",
            "Audit the dependencies of acme/api and report what is exploitable.",
            name="Nightly dependency audit",
            triggers=[nightly],
            limits={"max_acu_limit": 5, "invocations": {"max_per_window": 1, "window_seconds": DAY}},
            last_invocation=ran,
            next_run_at=today + DAY + 2 * 3600,
        ),
        made(
            "triage",
            120,
            "github:issue_opened",
            "Triage the issue and label it.",
            name="Triage new issues",
            limits={"max_acu_limit": 2, "invocations": None},
            last_invocation={**ran, "fired_at": today - 3 * 3600, "status": "skipped"},
        ),
        made(
            "ci",
            60,
            "github:check_run_failed",
            "Find out why CI fails and repair it.",
            name="Repair red builds",
            limits={"max_acu_limit": 8, "invocations": None},
            concurrency={"max_concurrent_runs": 2, "max_queue_depth": 10},
            last_invocation={**ran, "fired_at": today - 9 * 3600, "status": "failed"},
        ),
        made(
            "incident",
            30,
            "webhook:incoming",
            "Read the incident and propose a first step.",
            name="First look at incidents",
            enabled=False,
        ),
    ]


def automation_fields() -> dict[str, Any]:
    """Return the default fields of an automation."""
    unset = ("metadata", "limits", "concurrency", "notifications", "tools", "session_settings", "security_profile")
    later = ("last_edited_by", "last_invocation", "next_run_at")
    return {
        "enabled": True,
        "run_as": {"type": "organization"},
        **dict.fromkeys(unset),
        "slack_reply_access": "slack_users",
        "teams_reply_access": "teams_users",
        **dict.fromkeys(later),
    }


_FAMILIES = ("Costa", "Berg", "Dubois", "Rao", "Stone", "Walsh", "Iyer", "Lind", "Mota", "Sato", "Mensah", "Novak")
THROUGH_GROUPS = USERS[-4:]
"""Those who are members through a group of the identity provider."""


def person(user_id: str) -> str:
    """Return the name of a user."""
    first = user_id.removeprefix("user-")
    family = _FAMILIES[_PEOPLE.index(first)] if first in _PEOPLE else "User"
    return f"{first.capitalize()} {family}"


def member(user_id: str, org_id: str) -> dict[str, Any]:
    """Return a user as lists of members show one."""
    role = {"role_id": "role-member", "role_name": "Member", "role_type": "org"}
    email = f"{user_id.removeprefix('user-')}@example.com"
    assignments = [{"org_id": org_id, "role": role}]
    return {"user_id": user_id, "name": person(user_id), "email": email, "role_assignments": assignments}
