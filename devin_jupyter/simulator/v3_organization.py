"""The routes of v3 for what belongs to an organization: repositories, reviews, members, automations, allowed tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from starlette.responses import Response

from devin_jupyter.simulator import wire
from devin_jupyter.simulator.engine import SERVICE_USER, Simulation
from devin_jupyter.simulator.preload import LISTED, THROUGH_GROUPS, USERS, automation_fields, member
from devin_jupyter.simulator.store import AUTOMATIONS
from devin_jupyter.simulator.v3_sessions import ORG, UNCONNECTED, Sim
from devin_jupyter.simulator.values import Dice, digest, opaque
from devin_jupyter.simulator.wire import Problem, Record, invalid, iso, json_response, not_found, page_of

router = APIRouter()
BETA = "/v3beta1/organizations/{org_id}"
DAY = 86400

# --- repositories: those of the preloaded past, and any other that a session has worked on ---

REPOSITORIES = BETA + "/repositories"
REPOSITORY = REPOSITORIES + "/{repository_path:path}/indexing"
INDEX_SECONDS = 120.0
"""How long an index takes at speed 1."""
_LANGUAGES = ("Python", "TypeScript", "Go", "Kotlin", "Java")


def repositories(sim: Simulation) -> list[str]:
    """Return the paths of the repositories that the organization can see."""
    worked_on = {repo for session in sim.ordered for repo in session.repos if not repo.startswith(UNCONNECTED)}
    return sorted({*LISTED, *worked_on})


def repository(sim: Simulation, path: str, *, with_status: bool = False) -> Record:
    """Return a repository as the lists show it."""
    dice = Dice(sim.config.seed, "repository", path)
    times = [session.created_at for session in sim.ordered if path in session.repos]
    return {
        "repo_name": path.rpartition("/")[2],
        "repo_path": path,
        "provider_repository_id": str(10_000_000 + dice.below(90_000_000)),
        "git_connection_id": "git-connection-simulator",
        "git_connection_host": "github.com",
        "repo_description": None if dice.chance(0.2) else f"The {path.rpartition('/')[2]} of {path.partition('/')[0]}",
        "repo_language": dice.pick(_LANGUAGES),
        "last_updated_at": int(max(times)) if times else None,
        "indexing_status": _indexing(sim, path)["indexing_status"] if with_status else None,
    }


def _indexing(sim: Simulation, path: str) -> Record:
    kept = sim.store.table("indexing").get(path)
    branches = kept["branches"] if kept else []
    status: Record = {"indexing_enabled": False, "latest_indexes": []}
    if kept:
        done = sim.now() >= kept["asked"] + INDEX_SECONDS / sim.config.speed
        jobs = [
            {
                "job_id": opaque("index", sim.config.seed, path, branch, kept["asked"]),
                "branch_name": branch,
                "commit": digest(path, branch)[:40],
                "created_at": int(kept["asked"]),
                "status": "completed" if done else "in_progress",
            }
            for branch in branches
        ]
        latest = jobs[0] if done and jobs else None
        status = {
            "indexing_enabled": True,
            "latest_completed_search_index_job": latest,
            "latest_completed_wiki_index_job": latest,
            "latest_indexes": jobs,
        }
    return {
        "repository_path": path,
        "branches": branches,
        "indexing_enabled": kept is not None,
        "indexing_status": status,
    }


def _index(sim: Simulation, path: str, branches: list[str] | None) -> Record:
    wanted = list(dict.fromkeys(branches or ["main"]))
    kept = sim.store.table("indexing").get(path)
    if kept is None or kept["branches"] != wanted:  # repeating it makes no second job
        sim.store.table("indexing")[path] = {"branches": wanted, "asked": sim.now()}
    return _indexing(sim, path)


def _unindex(sim: Simulation, path: str) -> Record:
    sim.store.table("indexing").pop(path, None)
    return _indexing(sim, path)


def _known(sim: Simulation, paths: Iterable[str]) -> list[str]:
    found, known = [*paths], set(repositories(sim))
    for path in found:
        if path not in known:
            raise not_found(f"Repository {path}")
    return found


@router.get(REPOSITORIES)
async def read_repositories(sim: Sim, query: Annotated[wire.RepositoriesQuery, Query()]) -> Response:
    word, only, without = (query.filter_name or "").lower(), query.only_repo_paths, query.exclude_repo_paths or ()
    found = [
        path
        for path in repositories(sim)
        if word in path.lower() and (only is None or path in only) and path not in without
    ]
    shown = query.load_indexing_status or False
    return page_of("repositories", found, query, str, lambda path: repository(sim, path, with_status=shown))


@router.get(REPOSITORIES + "/indexing")
async def read_indexing(sim: Sim, query: Annotated[wire.PageQuery, Query()]) -> Response:
    rows = [_indexing(sim, path) for path in sim.store.table("indexing")]
    return page_of("indexing", rows, query, lambda row: str(row["repository_path"]))


@router.put(REPOSITORIES + "/indexing")
async def index_repositories(sim: Sim, body: Annotated[wire.IndexRepositories, Body()]) -> Response:
    _known(sim, (item.repository_path for item in body.repositories))
    return json_response([_index(sim, item.repository_path, item.branch_names) for item in body.repositories])


@router.delete(REPOSITORIES + "/indexing")
async def unindex_repositories(sim: Sim, body: Annotated[wire.RemoveRepositories, Body()]) -> Response:
    return json_response([_unindex(sim, path) for path in _known(sim, body.repository_paths)])


@router.get(REPOSITORY)
async def read_repository_indexing(sim: Sim, repository_path: str) -> Response:
    return json_response(_indexing(sim, *_known(sim, [repository_path])))


@router.put(REPOSITORY)
async def index_repository(sim: Sim, repository_path: str, body: Annotated[wire.IndexRepository, Body()]) -> Response:
    _known(sim, [repository_path])
    return json_response(_index(sim, repository_path, body.branch_names))


@router.delete(REPOSITORY)
async def unindex_repository(sim: Sim, repository_path: str) -> Response:
    return json_response(_unindex(sim, *_known(sim, [repository_path])))


# --- reviews of pull requests: a second request for the same commit joins the first ---

REVIEWS = ORG + "/pr-reviews"
REVIEW_SECONDS = 120.0
"""How long a review takes at speed 1."""
_PULL = re.compile(r"https?://([^/]+)/(.+?)(?:/-)?/(?:pull|pulls|merge_requests|pull-requests)/(\d+)(?:[/?#].*)?")
_REVIEWED = 0.6
"""How many pull requests of the past were reviewed."""


def _pull_of(url: str) -> tuple[str, int]:
    match = _PULL.fullmatch(url)
    if match is None:
        raise invalid(("pr_url",), "Not the URL of a pull request")
    path = f"{match[1]}/{match[2]}"
    if match[2].startswith(UNCONNECTED):
        raise not_found("Pull request")
    return path, int(match[3])


def _head(sim: Simulation, path: str, number: int) -> str:
    """The newest commit: the first half of a review's time is not enough to push another."""
    pushes = sim.store.table("pushes").get(f"{path}#{number}", {"count": 0})["count"]
    return digest(path, number, pushes)[:40]


def _review(sim: Simulation, path: str, number: int, sha: str, asked: float) -> Record:
    passed = (sim.now() - asked) * sim.config.speed / REVIEW_SECONDS
    over = "errored" if number % 100 == 13 else "completed"
    status = "pending" if passed < 0.2 else "running" if passed < 1 else over
    return {
        "status": status,
        "repo_path": path,
        "pr_number": number,
        "commit_sha": sha,
        "created_at": iso(asked),
    }


async def read_review(sim: Sim, query: Annotated[wire.PrReviewQuery, Query()]) -> Response:
    path, number = _pull_of(query.pr_url)
    head = _head(sim, path, number)
    wanted = query.commit_sha or head
    table = sim.store.table("reviews")
    found = next(
        (
            row
            for row in [*table.values()][::-1]
            if row["pull"] == f"{path}#{number}" and len(wanted) >= 4 and row["sha"].startswith(wanted)
        ),
        None,
    )
    if found is not None:
        return json_response(_review(sim, path, number, found["sha"], found["asked"]))
    past = sim.past_pull(f"https://{path}/pull/{number}")
    if past is not None and head.startswith(wanted) and Dice(past.url, "review").chance(_REVIEWED):
        return json_response(_review(sim, path, number, head, past.at + 600))
    raise not_found("Review")


router.add_api_route(REVIEWS, read_review, methods=["GET"])


@router.post(REVIEWS)
async def create_review(sim: Sim, body: Annotated[wire.PrReviewCreate, Body()]) -> Response:
    path, number = _pull_of(body.pr_url)
    sha = _head(sim, path, number)
    table, key = sim.store.table("reviews"), f"{path}#{number}@{sha}"
    if key not in table:
        table[key] = {"pull": f"{path}#{number}", "sha": sha, "asked": sim.now()}
    return json_response(_review(sim, path, number, sha, table[key]["asked"]))


# --- members ---

MEMBERS = BETA + "/members"
DIRECT = ("user-simulator", *(user for user in USERS if user not in THROUGH_GROUPS))


def _people(sim: Simulation, users: Iterable[str], query: wire.MembersQuery) -> list[Record]:
    rows = [member(user, sim.config.org) for user in users]
    return [row for row in rows if query.email in (None, row["email"])]


@router.get(MEMBERS + "/users")
async def read_members(sim: Sim, query: Annotated[wire.MembersQuery, Query()]) -> Response:
    return page_of("members", _people(sim, DIRECT, query), query, lambda row: str(row["user_id"]))


@router.get(MEMBERS + "/idp-users")
async def read_idp_members(sim: Sim, query: Annotated[wire.MembersQuery, Query()]) -> Response:
    return page_of("idp-users", _people(sim, THROUGH_GROUPS, query), query, lambda row: str(row["user_id"]))


@router.get(MEMBERS + "/users/{user_id}")
async def read_member(sim: Sim, user_id: str) -> Response:
    if user_id not in (*DIRECT, *THROUGH_GROUPS):
        raise not_found("User")
    groups: list[Record] = []
    if user_id in THROUGH_GROUPS:
        role = {"role_id": "role-member", "role_name": "Member", "role_type": "org"}
        groups = [{"idp_group_name": "engineers", "role": role, "org_id": sim.config.org}]
    return json_response({**member(user_id, sim.config.org), "idp_role_assignments": groups})


# --- automations: they never fire by themselves ---

AUTOMATION = ORG + "/automations/{automation_id}"
_RUN_AS = ("organization", "creator", "service_user")
_ACTIONS = ("start_session", "message_session", "monitor_session")
SCHEMAS: Record = {
    "sources": {
        source: {
            event: {"event_type": event, "name": name, "category": source, "supported_replies": [], "fields": fields}
        }
        for source, event, name, fields in (
            ("github", "github:issue_opened", "Issue opened", {"labels": {"type": "list"}, "title": {"type": "text"}}),
            ("schedule", "schedule:recurring", "On a schedule", {"rrule": {"type": "recurrence"}}),
            ("webhook", "webhook:incoming", "Webhook", {"body": {"type": "object"}}),
        )
    },
    "update_semantics": "merge_patch",
    "default_net_policy": None,
    "security_profile": None,
}


def _check_automation(body: wire.AutomationCreate | wire.AutomationUpdate) -> None:
    for name in body.model_extra or ():
        raise invalid(("body", name), "Extra inputs are not permitted", "extra_forbidden")
    if body.run_as is not None and body.run_as.get("type") not in _RUN_AS:
        raise invalid(("body", "run_as", "type"), "Not a known type")
    if body.run_as is not None and body.run_as["type"] == "creator":
        raise Problem(403, "A service user cannot make a personal automation")
    for index, trigger in enumerate(body.triggers or ()):
        if not isinstance(trigger.get("event_type"), str):
            raise invalid(("body", "triggers", index, "event_type"), "Field required", "missing")
    for index, action in enumerate(body.actions or ()):
        if action.get("type") not in _ACTIONS:
            raise invalid(("body", "actions", index, "type"), "Not a known action")
        if action["type"] == "start_session" and not isinstance(action.get("prompt"), str):
            raise invalid(("body", "actions", index, "prompt"), "Field required", "missing")
    cap = (body.limits or {}).get("max_acu_limit")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or not 1 <= cap <= 1000):
        raise invalid(("body", "limits", "max_acu_limit"), "From 1 to 1000")


def _triggers(sim: Simulation, given: list[Record], before: list[Record]) -> tuple[list[Record], list[Record]]:
    """Return the triggers to store, and those to show once: a new webhook comes with its secret."""
    kept: list[Record] = []
    shown: list[Record] = []
    had = any(trigger["event_type"] == "webhook:incoming" for trigger in before)
    for trigger in given:
        row = {"conditions": None, "replies": [], **trigger, "trigger_id": sim.store.fresh_id("trigger")}
        secret = {}
        if row["event_type"] == "webhook:incoming":
            row["webhook"] = {"url": f"https://hooks.example.com/{row['trigger_id']}"}
            secret = {} if had else {"secret": opaque("whsec", sim.config.seed, row["trigger_id"])}
        kept.append(row)
        shown.append({**row, "webhook": {**row["webhook"], **secret}} if "webhook" in row else row)
    return kept, shown


@router.get(ORG + "/automations")
async def read_automations(sim: Sim, query: Annotated[wire.AutomationsQuery, Query()]) -> Response:
    found = [
        row
        for row in reversed(sim.store.all(AUTOMATIONS))
        if (query.search or "").lower() in row["name"].lower()
        and query.creator_id in (None, row["created_by"]["id"])
        and query.enabled in (None, row["enabled"])
        and (query.event_type is None or any(one["event_type"] == query.event_type for one in row["triggers"]))
        and (query.agent_types is None or "new_session" in query.agent_types)
    ]
    return page_of("automations", found, query, lambda row: str(row["automation_id"]))


@router.post(ORG + "/automations")
async def create_automation(sim: Sim, body: Annotated[wire.AutomationCreate, Body()]) -> Response:
    _check_automation(body)
    given = body.model_dump(exclude_unset=True, exclude={"template_id"})
    kept, shown = _triggers(sim, body.triggers, [])
    now, author = int(sim.now()), {"type": "service_user", "id": SERVICE_USER, "name": "simulator"}
    fields = {**automation_fields(), **given, "triggers": kept, "created_at": now, "updated_at": now}
    row = sim.store.create(AUTOMATIONS, {**fields, "created_by": author})
    return json_response({**row, "triggers": shown}, 201)


@router.get(ORG + "/automations/schemas")
async def read_automation_schemas(query: Annotated[wire.SchemasQuery, Query()]) -> Response:
    return json_response(SCHEMAS)


@router.get(ORG + "/automations/templates")
async def read_automation_templates() -> Response:
    template = {
        "template_id": "template-triage",
        "name": "Triage issues",
        "description": "Label new issues.",
        "category": "github",
        "featured": True,
        "docs_url": None,
        "required_integrations": ["github"],
        "required_mcps": [],
        "triggers": [{"event_type": "github:issue_opened"}],
        "actions": [{"type": "start_session", "prompt": "Triage the issue."}],
    }
    return json_response({"templates": [template]})


@router.get(AUTOMATION)
async def read_automation(sim: Sim, automation_id: str) -> Response:
    return json_response(sim.store.read(AUTOMATIONS, automation_id))


@router.patch(AUTOMATION)
async def update_automation(sim: Sim, automation_id: str, body: Annotated[wire.AutomationUpdate, Body()]) -> Response:
    old = sim.store.read(AUTOMATIONS, automation_id)
    _check_automation(body)
    given = body.model_dump(exclude_unset=True)
    for name in ("name", "actions", "enabled"):  # null keeps these
        if name in given and given[name] is None:
            del given[name]
    if "run_as" in given:
        given["run_as"] = given["run_as"] or {"type": "organization"}
    shown = old["triggers"]
    if "triggers" in given:
        given["triggers"], shown = _triggers(sim, body.triggers or [], old["triggers"])
    for name in ("limits", "metadata"):  # these merge
        if isinstance(given.get(name), dict):
            merged = {**(old[name] or {}), **given[name]}
            given[name] = {key: value for key, value in merged.items() if value is not None}
    author = {"type": "service_user", "id": SERVICE_USER, "name": "simulator"}
    more = {"updated_at": int(sim.now()), "last_edited_by": author}
    row = sim.store.update(AUTOMATIONS, automation_id, {**given, **more})
    return json_response({**row, "triggers": shown})


@router.delete(AUTOMATION)
async def delete_automation(sim: Sim, automation_id: str) -> Response:
    return json_response(sim.store.delete(AUTOMATIONS, automation_id))


# --- allowed session tags; the key of an enterprise changes them ---

TAGS = "/v3/enterprise/organizations/{org_id}/tags"


async def enterprise_only(sim: Sim) -> None:
    """Refuse the keys of an organization."""
    if not sim.config.is_enterprise:
        raise Problem(403, "This endpoint needs an enterprise service user")


async def known_organization(sim: Sim, org_id: str) -> None:
    """Raise the 404 for an organization that the enterprise does not have."""
    if org_id not in sim.config.names:
        raise not_found("Organization")


tags = APIRouter(dependencies=[Depends(enterprise_only), Depends(known_organization)])


def default_tag(sim: Simulation, org_id: str) -> str | None:
    """Return the tag of sessions without one."""
    found: str | None = sim.store.table("org_tags").get(org_id, {"default": None})["default"]
    return found


def _keep_tags(sim: Simulation, org_id: str, allowed: Iterable[str], default: str | None) -> None:
    kept = list(dict.fromkeys(allowed))
    sim.store.table("org_tags")[org_id] = {"tags": kept, "default": default if default in kept else None}


def _tags(sim: Simulation, org_id: str) -> Response:
    return json_response({"tags": sim.allowed_tags(org_id)})


@tags.get(TAGS)
async def read_org_tags(sim: Sim, org_id: str) -> Response:
    return _tags(sim, org_id)


@tags.post(TAGS)
async def append_org_tags(sim: Sim, org_id: str, body: Annotated[wire.OrgTagsWrite, Body()]) -> Response:
    _keep_tags(sim, org_id, [*sim.allowed_tags(org_id), *body.tags], default_tag(sim, org_id))
    return _tags(sim, org_id)


@tags.put(TAGS)
async def replace_org_tags(sim: Sim, org_id: str, body: Annotated[wire.OrgTagsWrite, Body()]) -> Response:
    _keep_tags(sim, org_id, body.tags, default_tag(sim, org_id))
    return _tags(sim, org_id)


@tags.delete(TAGS)
async def clear_org_tags(sim: Sim, org_id: str) -> Response:
    _keep_tags(sim, org_id, [], None)
    return _tags(sim, org_id)


@tags.get(TAGS + "/default")
async def read_default_tag(sim: Sim, org_id: str) -> Response:
    return json_response({"default_tag": default_tag(sim, org_id)})


@tags.put(TAGS + "/default")
async def set_default_tag(sim: Sim, org_id: str, body: Annotated[wire.DefaultTagWrite, Body()]) -> Response:
    if body.tag not in sim.allowed_tags(org_id):
        raise invalid(("body", "tag"), "Not an allowed tag")
    _keep_tags(sim, org_id, sim.allowed_tags(org_id), body.tag)
    return json_response({"default_tag": body.tag})


@tags.delete(TAGS + "/default")
async def clear_default_tag(sim: Sim, org_id: str) -> Response:
    _keep_tags(sim, org_id, sim.allowed_tags(org_id), None)
    return json_response({"default_tag": None})


@tags.delete(TAGS + "/{tag}")
async def remove_org_tag(sim: Sim, org_id: str, tag: str) -> Response:
    present = sim.allowed_tags(org_id)
    if tag not in present:
        raise not_found("Tag")
    _keep_tags(sim, org_id, [one for one in present if one != tag], default_tag(sim, org_id))
    return _tags(sim, org_id)
