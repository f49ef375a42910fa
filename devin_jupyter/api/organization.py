"""What belongs to an organization besides its sessions: repositories, reviews, members, allowed tags, automations.

All of it is v3 only.

If the service refuses, calls raise an `ApiError`, which names a missing permission and its level; if it cannot be
reached, `ConnectionTrouble`; on v1, `Unsupported`.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from devin_jupyter.api.client import Service, flatten, items_of
from devin_jupyter.api.library import NamedResource, check_fields
from devin_jupyter.api.sessions import Sessions
from devin_jupyter.errors import DevinError, Forbidden, NotFound, OptionError, UnreadableAnswer
from devin_jupyter.loop import also_blocking, also_iterating, checked
from devin_jupyter.models import wire
from devin_jupyter.redaction import keep_secret
from devin_jupyter.text import closest

Json = dict[str, Any]
IndexingList = list[wire.RepositoryIndexing]
TagList = list[str]
TemplateList = list[wire.AutomationTemplate]
Actions = Sequence[Mapping[str, Any]]


# --- repositories --------------------------------------------------------------------------------------------


@checked
class Repositories:
    """The repositories that the organization can see, and their indexing; a path is `owner/repo`. v3 only.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("repositories")
    async def list(
        self,
        *,
        filter_name: str | None = None,
        only_repo_paths: Sequence[str] | None = None,
        exclude_repo_paths: Sequence[str] | None = None,
        load_indexing_status: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[wire.Repository]:
        """Iterate over the repositories. (`GET …/repositories`)

        Args:
            filter_name: only those with this text in their name.
            only_repo_paths: only these.
            exclude_repo_paths: without these.
            load_indexing_status: fill in `indexing_status`.
            limit: the most to return.
        """
        params: Json = {
            "filter_name": filter_name,
            "only_repo_paths": only_repo_paths,
            "exclude_repo_paths": exclude_repo_paths,
            "load_indexing_status": "true" if load_indexing_status else None,
        }
        is_whole = limit is None and not (filter_name or only_repo_paths or exclude_repo_paths)
        seen: set[str] = set()
        pages = self._service.pages(wire.Repository, "repositories.list", key="repo_path", limit=limit, params=params)
        async for page in pages:
            for item in page:
                seen.add(str(item.get("repo_path")))
                yield item
        if is_whole:
            self._service.seen.repositories = frozenset(seen)

    @also_blocking
    async def get(self, repository_path: str) -> wire.Repository:
        """Return a repository with its `indexing_status`. (`GET …/repositories`)

        Raises:
            NotFound: the organization cannot see it; names the nearest.
        """
        async for item in self.list(only_repo_paths=[repository_path], load_indexing_status=True):
            if item.get("repo_path") == repository_path:
                return item
        _, _, name = repository_path.rpartition("/")
        listed = [str(item.get("repo_path")) async for item in self.list(filter_name=name, limit=50)]
        near = closest(repository_path, listed)
        raise NotFound(
            f"the organization does not list the repository {repository_path}",
            "nothing was changed",
            f"did you mean {near[0]}?" if near else "devin.repositories.list() lists those that it can see",
            status_code=404,
        )

    @also_iterating("repositories")
    async def indexed(self, *, limit: int | None = None) -> AsyncIterator[wire.RepositoryIndexing]:
        """Iterate over the repositories that are set up for indexing. (`GET …/repositories/indexing`)"""
        pages = self._service.pages(wire.RepositoryIndexing, "repositories.indexed", key="repository_path", limit=limit)
        async for item in flatten(pages):
            yield item

    @also_blocking
    async def index(self, repositories: Iterable[str | Mapping[str, Any]]) -> IndexingList:
        """Index repositories; repeating it starts no second job. (`PUT …/repositories/indexing`)

        Args:
            repositories: paths, or `{"repository_path": …, "branch_names": […]}`.
        """
        given = [repositories] if isinstance(repositories, str) else repositories
        listed = [{"repository_path": item} if isinstance(item, str) else dict(item) for item in given]
        return await self._service.call_list(
            wire.RepositoryIndexing, "repositories.index", bare=True, json={"repositories": listed}
        )

    @also_blocking
    async def unindex(self, repository_paths: Iterable[str]) -> IndexingList:
        """Stop indexing repositories, and forget their branches. (`DELETE …/repositories/indexing`)"""
        paths = [repository_paths] if isinstance(repository_paths, str) else [*repository_paths]
        return await self._service.call_list(
            wire.RepositoryIndexing, "repositories.unindex", bare=True, json={"repository_paths": paths}
        )

    @also_blocking
    async def indexing(self, repository_path: str) -> wire.RepositoryIndexing:
        """Return how far the indexing of a repository is. (`GET …/repositories/{path}/indexing`)"""
        return await self._service.call_as(
            wire.RepositoryIndexing, "repositories.indexing", repository_path=repository_path
        )

    @also_blocking
    async def index_one(
        self, repository_path: str, branch_names: Sequence[str] | None = None
    ) -> wire.RepositoryIndexing:
        """Index a repository, on these branches. (`PUT …/repositories/{path}/indexing`)"""
        body = {} if branch_names is None else {"branch_names": [*branch_names]}
        return await self._service.call_as(
            wire.RepositoryIndexing, "repositories.index_one", repository_path=repository_path, json=body
        )

    @also_blocking
    async def unindex_one(self, repository_path: str) -> wire.RepositoryIndexing:
        """Stop indexing a repository, and forget its branches. (`DELETE …/repositories/{path}/indexing`)"""
        return await self._service.call_as(
            wire.RepositoryIndexing, "repositories.unindex_one", repository_path=repository_path
        )


# --- reviews of pull requests --------------------------------------------------------------------------------


@checked
class Reviews:
    """Devin's reviews of pull requests. What a review says stands in the comments of the pull request. v3 only.

    `Devin.review` is the call that never pays twice.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_blocking
    async def create(self, pr_url: str) -> wire.PrReview:
        """Request a review of the newest commit; costs ACUs, and is never retried. (`POST …/pr-reviews`)

        This is the bare call: `Devin.review` is the one that never pays twice.

        Args:
            pr_url: the URL of the pull or merge request.
        """
        return await self._service.call_as(wire.PrReview, "reviews.create", json={"pr_url": pr_url})

    @also_blocking
    async def get(self, pr_url: str, commit_sha: str | None = None) -> wire.PrReview:
        """Return the state of a review. (`GET …/pr-reviews`)

        Args:
            pr_url: the URL of the pull or merge request.
            commit_sha: full or short; by default the newest commit.

        Raises:
            NotFound: no review was requested for this commit.
        """
        params = {"pr_url": pr_url, "commit_sha": commit_sha}
        return await self._service.call_as(wire.PrReview, "reviews.get", params=params)


def pull_request_url(text: str) -> str:
    """Return the URL of a pull or merge request in one spelling: https, no query, no tab of the page.

    Raises:
        OptionError: it is no such URL.
    """
    written = text.strip() if isinstance(text, str) else ""
    parts = urlsplit(written if "://" in written else f"https://{written}")
    steps = [step for step in parts.path.split("/") if step]
    marks = ("pull", "pulls", "merge_requests", "pullrequest", "pull-requests", "pullrequests")
    place = next((at for at, step in enumerate(steps) if step in marks), None)
    is_valid = parts.scheme in ("http", "https") and "." in parts.netloc and place and len(steps) > place + 1
    if not is_valid or place is None or not steps[place + 1].isdecimal():
        raise OptionError(
            f"{text!r:.120} is not the URL of a pull request",
            "nothing was sent",
            "give its full address, such as https://github.com/acme/api/pull/12",
        )
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(":443").removesuffix(":80")
    host = "github.com" if host == "www.github.com" else host
    return f"https://{host}/{'/'.join(steps[: place + 1])}/{int(steps[place + 1])}"


# --- members -------------------------------------------------------------------------------------------------


@checked
class Members:
    """The people of the organization. E-mail addresses are left out unless asked for. v3 only.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._names: asyncio.Task[dict[str, str]] | None = None

    @also_iterating("members")
    async def list(
        self, *, email: str | None = None, emails: bool = False, limit: int | None = None
    ) -> AsyncIterator[wire.Member]:
        """Iterate over the direct members; those through groups are in `idp_users`. (`GET …/members/users`)

        Args:
            email: only the one with exactly this address.
            emails: return addresses too.
            limit: the most to return.
        """
        async for member in self._people("members.list", email, emails, limit):
            yield member

    @also_iterating("members")
    async def idp_users(
        self, *, email: str | None = None, emails: bool = False, limit: int | None = None
    ) -> AsyncIterator[wire.Member]:
        """Iterate over the members through groups of the identity provider. (`GET …/members/idp-users`)

        Args:
            email: as for `list`.
            emails: as for `list`.
            limit: as for `list`.
        """
        async for member in self._people("members.idp_users", email, emails, limit):
            yield member

    @also_blocking
    async def get(self, user_id: str, *, emails: bool = False) -> wire.Member:
        """Return a member. (`GET …/members/users/{id}`)

        Args:
            user_id: `user-…`.
            emails: return the address too.
        """
        return without_email(await self._service.call_as(wire.Member, "members.get", user_id=user_id), emails)

    @also_blocking
    async def names(self) -> dict[str, str]:
        """Return the names of members by id, as far as the key may read them. Read once."""
        if self._service.is_v1:
            return {}
        if self._names is None:
            self._names = asyncio.ensure_future(names_of(self.list(), self.idp_users()))
        try:
            self._service.seen.members = found = await asyncio.shield(self._names)
        except DevinError:  # only names are missing then; tried again the next time
            self._names = None
            return {}
        return found

    async def _people(
        self, operation: str, email: str | None, emails: bool, limit: int | None
    ) -> AsyncIterator[wire.Member]:
        pages = self._service.pages(wire.Member, operation, key="user_id", limit=limit, params={"email": email})
        async for member in flatten(pages):
            yield without_email(member, emails or email is not None)


async def names_of(*lists: AsyncIterator[Any]) -> dict[str, str]:
    """Return names by id from lists of people or service users; a list that may not be read has none."""
    found: dict[str, str] = {}

    async def read(people: AsyncIterator[Any]) -> None:
        try:
            async for one in people:
                identifier, name = one.get("user_id") or one.get("service_user_id"), one.get("name")
                if identifier and name:
                    found[str(identifier)] = str(name)
        except (Forbidden, NotFound):
            pass  # ids are shown then

    await asyncio.gather(*map(read, lists))
    count = Counter(found.values())  # two people of one name stay two
    return {identifier: f"{name} ({identifier})" if count[name] > 1 else name for identifier, name in found.items()}


def without_email(member: wire.Member, asked: bool) -> wire.Member:
    """Return a member without the address, unless it was asked for."""
    return member if asked else cast(wire.Member, {**member, "email": None})


# --- allowed session tags ------------------------------------------------------------------------------------


@checked
class OrgTags:
    """The session tags that the enterprise allows in an organization, and its default tag. v3 only.

    Where a list is enforced, sessions take only tags from it. `org_id` is by default the organization of the client.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_blocking
    async def list(self, org_id: str | None = None) -> TagList:
        """Return the allowed tags. (`GET …/tags`)"""
        return await self._tags("org_tags.list", org_id)

    @also_blocking
    async def append(self, tags: Sequence[str], org_id: str | None = None) -> TagList:
        """Allow further tags and return all. (`POST …/tags`)"""
        return await self._tags("org_tags.append", org_id, {"tags": words(tags)})

    @also_blocking
    async def replace(self, tags: Sequence[str], org_id: str | None = None) -> TagList:
        """Allow these tags only. (`PUT …/tags`)"""
        return await self._tags("org_tags.replace", org_id, {"tags": words(tags)})

    @also_blocking
    async def remove(self, tag: str, org_id: str | None = None) -> TagList:
        """No longer allow a tag, and return the rest. (`DELETE …/tags/{tag}`)"""
        return await self._tags("org_tags.remove", org_id, tag=tag)

    @also_blocking
    async def clear(self, org_id: str | None = None) -> TagList:
        """Empty the list. (`DELETE …/tags`)"""
        return await self._tags("org_tags.clear", org_id)

    @also_blocking
    async def default(self, org_id: str | None = None) -> str | None:
        """Return the tag that sessions without one get. (`GET …/tags/default`)"""
        return await self._default("org_tags.default", org_id)

    @also_blocking
    async def set_default(self, tag: str, org_id: str | None = None) -> str | None:
        """Set that tag, which must be an allowed one. (`PUT …/tags/default`)"""
        return await self._default("org_tags.set_default", org_id, {"tag": tag})

    @also_blocking
    async def clear_default(self, org_id: str | None = None) -> str | None:
        """Unset that tag. (`DELETE …/tags/default`)"""
        return await self._default("org_tags.clear_default", org_id)

    async def _tags(self, operation: str, org_id: str | None, body: Json | None = None, **ids: Any) -> TagList:
        answer = await self._call(operation, org_id, body, **ids)
        tags = listed_tags(answer)
        if org_id in (None, self._service.settings.org_id):
            self._service.seen.allowed_tags = frozenset(tags)
        return tags

    async def _default(self, operation: str, org_id: str | None, body: Json | None = None) -> str | None:
        tag = (await self._call(operation, org_id, body)).get("default_tag")
        return None if tag is None else str(tag)

    async def _call(self, operation: str, org_id: str | None, body: Json | None, **ids: Any) -> Json:
        if org_id is not None:
            ids["org_id"] = org_id
        return await self._service.call_as(dict[str, Any], operation, json=body, **ids)


def listed_tags(answer: Mapping[str, Any]) -> TagList:
    """Return the tags in an answer.

    Raises:
        UnreadableAnswer: what it calls tags is no list.
    """
    tags = answer.get("tags") or []
    if not isinstance(tags, list):
        raise UnreadableAnswer("expected a list of tags", "nothing more was sent", "try again later")
    return [str(tag) for tag in tags if tag is not None]


def words(values: str | Iterable[str]) -> list[str]:
    """Return the values of an argument that takes one or several; a string is one."""
    return [values] if isinstance(values, str) else [*values]


# --- automations ---------------------------------------------------------------------------------------------

_AUTOMATION: NamedResource[wire.Automation] = NamedResource("automation", "automation_id", "name")
_AUTOMATION_FIELDS = (
    *("name", "triggers", "actions", "run_as", "enabled", "metadata", "limits", "concurrency", "notifications"),
    *("tools", "session_settings", "security_profile", "slack_reply_access", "teams_reply_access"),
)


class HiddenSecret:
    """A secret that the service shows once: no repr, frame or pickle holds it, `.reveal()` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        keep_secret([value])
        self._value = value

    def reveal(self) -> str:
        """Return the secret."""
        return self._value

    def __repr__(self) -> str:
        return "<hidden secret: .reveal() returns it>"

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not stored; .reveal() returns it")


_SECRET_NAME = re.compile(
    r"^(?!.*_(?:ids?|names?)$).*(?:secret|token|password|(?:api|signing|private|access)_?key)", re.IGNORECASE
)
"""What services call a secret. Where in an automation they show it is documented for the triggers only."""


def hide_secrets(automation: wire.Automation) -> wire.Automation:
    """Return an automation with the secrets of its webhooks hidden, wherever they stand."""

    def hidden(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: hidden(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [hidden(inner, name) for inner in value]
        is_secret = isinstance(value, str) and value and _SECRET_NAME.search(name)
        return HiddenSecret(value) if is_secret else value

    kept = {name: value if name in _GROUPS else hidden(value, name) for name, value in automation.items()}
    return cast(wire.Automation, kept)


def _revealed(value: Any) -> Any:
    """Return a JSON value as it was read: what is sent back to the service is no secret to it."""
    if isinstance(value, HiddenSecret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _revealed(inner) for name, inner in value.items()}
    return [*map(_revealed, value)] if isinstance(value, (list, tuple)) else value


@checked
class Automations:
    """What runs by itself: sessions that start when a trigger fires. v3 only.

    The secret of a webhook is in the answer that first has it, as a `HiddenSecret`: `.reveal()` returns it.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("automations")
    async def list(
        self,
        *,
        search: str | None = None,
        creator_id: str | None = None,
        enabled: bool | None = None,
        event_type: str | None = None,
        agent_types: Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[wire.Automation]:
        """Iterate over the automations, newest first. (`GET …/automations`)

        Args:
            search: only those with this text.
            creator_id: only those of this user or service user.
            enabled: only those that are on, or off.
            event_type: only those with such a trigger.
            agent_types: any of these.
            metadata: all of these pairs.
            limit: the most to return.
        """
        params: Json = {
            "search": search,
            "creator_id": creator_id,
            "enabled": None if enabled is None else str(enabled).lower(),
            "event_type": event_type,
            "agent_types": agent_types,
            **{f"metadata.{key}": value for key, value in (metadata or {}).items()},
        }
        pages = self._service.pages(
            wire.Automation, "automations.list", key="automation_id", limit=limit, params=params
        )
        async for item in flatten(pages):
            yield hide_secrets(item)

    @also_blocking
    async def get(self, automation: str) -> wire.Automation:
        """Return an automation. (`GET …/automations/{id}`)

        Args:
            automation: its id or name.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: several have the name.
        """

        async def read(identifier: str) -> wire.Automation:
            found = await self._service.call_as(wire.Automation, "automations.get", automation_id=identifier)
            return hide_secrets(found)

        return await _AUTOMATION.read(automation, read, self.list())

    @also_blocking
    async def create(
        self,
        /,
        name: str,
        triggers: Sequence[str | Mapping[str, Any]],
        actions: str | Actions,
        *,
        max_acu: int,
        run_as: Mapping[str, Any] | None = None,
        template_id: str | None = None,
        **fields: Any,
    ) -> wire.Automation:
        """Create an automation: a standing order, so each session needs a cap. (`POST …/automations`)

        Each call creates another one; in a cell that is run again, `ensure` does not.

            devin.automations.create("Triage", ["github:issue_opened"], "Triage the issue.", max_acu=3)

        Args:
            name: what people see.
            triggers: event types, or triggers with `event_type`, `conditions`, `replies`.
            actions: the prompt of the session to start, or actions with their `type`.
            max_acu: the most that each session may cost, in ACUs.
            run_as: by default the organization.
            template_id: the template that it follows.
            fields: `enabled`, `metadata`, `limits` (without `max_acu_limit`), `concurrency`, `notifications`, `tools`,
                `session_settings`, `security_profile`, `slack_reply_access`, `teams_reply_access`.

        Raises:
            OptionError: a field that automations do not have, or no cap; nothing was sent.
            Unprocessable: the service refuses a field.
        """
        body: Json = {
            **_capped_body({"name": name, "triggers": triggers, "actions": actions, **fields}, max_acu),
            "run_as": {"type": "organization"} if run_as is None else dict(run_as),
        }
        if template_id is not None:
            body["template_id"] = template_id
        return hide_secrets(await self._service.call_as(wire.Automation, "automations.create", json=body))

    @also_blocking
    async def ensure(
        self,
        /,
        name: str,
        triggers: Sequence[str | Mapping[str, Any]],
        actions: str | Actions,
        *,
        max_acu: int,
        run_as: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> wire.Automation:
        """Make sure that an automation of this name does this: create it, change it, or leave it alone.

        What the service has beyond what is given, such as fields that it fills in, stays.

        Args:
            name: by which it is found.
            triggers: as for `create`.
            actions: as for `create`.
            max_acu: the most that each session may cost, in ACUs.
            run_as: as for `create`; by default as it is.
            fields: as for `create`.

        Raises:
            OptionError: a field that automations do not have, no cap, or several of this name; nothing was changed.
            Unprocessable: the service refuses a field.
        """
        wanted = _capped_body({"triggers": triggers, "actions": actions, **fields}, max_acu)
        wanted |= {} if run_as is None else {"run_as": dict(run_as)}
        present = await _AUTOMATION.find(name, self.list())
        if present is None:
            return await self.create(name, triggers, actions, max_acu=max_acu, run_as=run_as, **fields)
        there = _revealed(present)
        change = {field: value for field, value in wanted.items() if not _holds(there.get(field), value)}
        return await self.update(_AUTOMATION.id_of(present), **change) if change else present

    @also_blocking
    async def update(self, /, automation: str, **fields: Any) -> wire.Automation:
        """Change an automation; what is not given stays, None clears. (`PATCH …/automations/{id}`)

        Args:
            automation: its id or name.
            fields: those of `create`, and `name`, `triggers`, `actions`; lists are replaced as a whole, and of groups
                such as `limits` what is not given stays.

        Raises:
            NotFound: there is none; names the nearest.
            OptionError: a field that automations do not have, or several of this name.
        """
        check_fields("automation", fields, _AUTOMATION_FIELDS)
        present = await self.get(automation)
        body = _automation_body(fields)
        for name in _GROUPS & body.keys():  # a service that replaces groups would drop the cap with the rest of one
            body[name] = _merged(present.get(name), body[name])
        return hide_secrets(
            await self._service.call_as(
                wire.Automation, "automations.update", automation_id=_AUTOMATION.id_of(present), json=body
            )
        )

    @also_blocking
    async def enable(self, automation: str) -> wire.Automation:
        """Let an automation run: by its id or name. (`PATCH …/automations/{id}`)"""
        return await self.update(automation, enabled=True)

    @also_blocking
    async def disable(self, automation: str) -> wire.Automation:
        """Pause an automation: by its id or name. (`PATCH …/automations/{id}`)"""
        return await self.update(automation, enabled=False)

    @also_blocking
    async def delete(self, automation: str) -> wire.Automation:
        """Delete an automation and return it as it was: by its id or name. (`DELETE …/automations/{id}`)"""
        present = await self.get(automation)
        await self._service.call("automations.delete", automation_id=_AUTOMATION.id_of(present))
        return present

    @also_iterating("sessions")
    async def sessions(self, automation: str, *, limit: int | None = None) -> AsyncIterator[wire.Session]:
        """Iterate over the sessions that an automation started. (`GET …/sessions`)

        Args:
            automation: its id or name.
            limit: the most to return.
        """
        identifier = _AUTOMATION.id_of(await self.get(automation))
        async for session in Sessions(self._service).list(automation_ids=[identifier], limit=limit):
            yield session

    @also_blocking
    async def schemas(self, security_profile_id: str | None = None) -> wire.AutomationSchemas:
        """Return the events that may trigger an automation, with their fields. (`GET …/automations/schemas`)"""
        params = {"security_profile_id": security_profile_id}
        return await self._service.call_as(wire.AutomationSchemas, "automations.schemas", params=params)

    @also_blocking
    async def templates(self) -> TemplateList:
        """Return ready-made automations. (`GET …/automations/templates`)"""
        answer = await self._service.call("automations.templates")
        return cast(TemplateList, items_of(answer, "templates"))


_GROUPS = frozenset({"limits", "concurrency", "notifications", "tools", "session_settings", "metadata"})
"""Fields of an automation with fields of their own, which services merge with the present ones, or replace."""


def _merged(present: Any, given: Any) -> Any:
    """Return a group with the present values of what is not given; None clears."""
    if not isinstance(present, Mapping) or not isinstance(given, Mapping):
        return given
    return {**present, **{name: _merged(present.get(name), value) for name, value in given.items()}}


def _holds(present: Any, wanted: Any) -> bool:
    """Return whether a value of the service says all that is wanted; it may say more, such as defaults and ids."""
    if isinstance(present, Mapping) and isinstance(wanted, Mapping):
        return all(_holds(present.get(name), value) for name, value in wanted.items())
    if isinstance(present, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return len(present) == len(wanted) and all(map(_holds, present, wanted))
    return bool(present == wanted)


def _capped_body(fields: Json, max_acu: int) -> Json:
    """Return the fields of a request, checked, with the cap that each session needs.

    Raises:
        OptionError: a field that automations do not have, or no cap.
    """
    check_fields("automation", fields, _AUTOMATION_FIELDS)
    if isinstance(max_acu, bool) or not isinstance(max_acu, int) or max_acu < 1:
        raise OptionError(f"max_acu={max_acu!r} is no cap", "nothing was sent", "give ACUs per session, 1 to 1000")
    body = _automation_body(fields)
    return {**body, "limits": {**(body.get("limits") or {}), "max_acu_limit": max_acu}}


def _automation_body(fields: Json) -> Json:
    body = dict(fields)
    triggers, actions = body.get("triggers"), body.get("actions")
    if triggers is not None:
        given = [triggers] if isinstance(triggers, (str, Mapping)) else triggers
        body["triggers"] = [{"event_type": one} if isinstance(one, str) else _without_answer(one) for one in given]
    if isinstance(actions, str):
        body["actions"] = [{"type": "start_session", "prompt": actions}]
    elif actions is not None:
        body["actions"] = [dict(one) for one in actions]
    revealed: Json = _revealed(body)
    return revealed


def _without_answer(trigger: Mapping[str, Any]) -> Json:
    """Return a trigger; one that was read without what only answers have, since bodies forbid unknown fields."""
    only = ("trigger_id", "webhook") if "trigger_id" in trigger else ()
    return {name: value for name, value in trigger.items() if name not in only}
