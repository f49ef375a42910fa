"""From prompt and options to `SessionRequest`: the exact body of the create call, and what makes two the same.

Pure but for reading attachments; it never sends, and it never lets a secret's value into an identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from devin_jupyter.attachments import Attachment, SecretValue, read_attachments, read_secrets
from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.identity import Fingerprint, fingerprint, fingerprints, terms
from devin_jupyter.models.ids import is_session_id, session_id
from devin_jupyter.models.policy import Policy
from devin_jupyter.models.snapshot import Facts, Where
from devin_jupyter.options import BY_NAME, OPTIONS, Options

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

__all__ = [
    "Attachment",
    "Fingerprint",
    "SecretValue",
    "SessionRequest",
    "Where",
    "build",
    "fingerprint",
    "fingerprints",
    "terms",
]

MAX_TAGS = 49
"""The service holds 50; one is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """What a session is asked to do, resolved: rendered prompt, loaded schema, read files. Reprs hide secret values."""

    prompt: str
    """Sent byte for byte."""
    key: str | None = None
    repos: tuple[str, ...] = ()
    mode: str | None = None
    schema: Schema | None = None
    schema_optional: bool = False
    title: str | None = None
    tags: tuple[str, ...] = ()
    max_acu: int | None = None
    playbook: str | None = None
    child_playbook: str | None = None
    knowledge_ids: tuple[str, ...] | None = None
    """None is all notes, `()` none."""
    secret_ids: tuple[str, ...] | None = None
    """None is all of the organization's secrets, `()` none."""
    secrets: Mapping[str, SecretValue] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    platform: str | None = None
    disposable: bool = False
    bypass_approval: bool = False
    as_user: str | None = None
    snapshot: str | None = None
    unlisted: bool = False
    attachments: tuple[Attachment, ...] = ()
    take: str | None = None
    """None is the first take."""

    def check(self, api_version: str) -> None:
        """Refuse what this version of the API does not have, before anything is sent.

        Raises:
            Unsupported: a field of the other version.
            OptionError: more tags than the service holds.
        """
        for option in OPTIONS:
            if option.api in ("both", api_version) or not getattr(self, option.name, None):
                continue
            raise Unsupported(
                f"{option.flag} needs the {option.api} API; this key speaks {api_version}",
                "nothing was sent",
                option.instead,
            )
        if len(self.tags) > MAX_TAGS:
            raise OptionError(
                f"{len(self.tags)} tags are too many: the service holds 50, and one is used to find the session again",
                "nothing was sent",
                f"keep {MAX_TAGS}",
            )

    def body(
        self,
        api_version: str,
        *,
        tag: str | None,
        attachment_urls: Sequence[str] = (),
        idempotent: bool | None = None,
        reveal: bool = True,
    ) -> dict[str, Any]:
        """Return the JSON body of the create call; what is not set is left out.

        Args:
            api_version: `"v3"` or `"v1"`.
            tag: the `nb-…` tag of the fingerprint, or None.
            attachment_urls: where the uploads went, in the order of `.attachments`.
            idempotent: v1 only; None leaves it out.
            reveal: False masks the values of secrets, for showing.
        """
        self.check(api_version)
        body = self._common(tag, reveal)
        if api_version == "v1":
            body["prompt"] = _with_attachment_lines(self.prompt, attachment_urls)
            body |= _present(snapshot_id=self.snapshot, unlisted=self.unlisted or None, idempotent=idempotent)
            return body
        return body | _present(
            devin_mode=self.mode,
            structured_output_required=False if self.schema_optional else None,
            attachment_urls=list(attachment_urls) or None,
            repos=list(self.repos) or None,
            child_playbook_id=self.child_playbook,
            session_links=list(self.links) or None,
            platform=self.platform,
            resumable=False if self.disposable else None,
            bypass_approval=self.bypass_approval or None,
            create_as_user_id=self.as_user,
        )

    def preview(self, api_version: str, *, tag: str | None, idempotent: bool | None = None) -> dict[str, Any]:
        """Return the body as it may be shown: secrets masked, and words in place of addresses that uploads will get."""
        urls = [item.url or f"(the address of {item.name}, once it is uploaded)" for item in self.attachments]
        return self.body(api_version, tag=tag, attachment_urls=urls, idempotent=idempotent, reveal=False)

    def _common(self, tag: str | None, reveal: bool) -> dict[str, Any]:
        secrets = [
            {"key": name, "value": secret.value if reveal else "•••", "sensitive": secret.sensitive}
            for name, secret in self.secrets.items()
        ]
        return {"prompt": self.prompt} | _present(
            title=self.title,
            tags=[*self.tags, *([tag] if tag else [])] or None,
            max_acu_limit=self.max_acu,
            structured_output_schema=self.schema.wire if self.schema else None,
            playbook_id=self.playbook,
            knowledge_ids=None if self.knowledge_ids is None else list(self.knowledge_ids),
            secret_ids=None if self.secret_ids is None else list(self.secret_ids),
            session_secrets=secrets or None,
        )

    def identity(self) -> dict[str, Any]:
        """Return what makes two requests the same, apart from where they are sent. Holds no value of a secret."""
        said = {"key": self.key} if self.key is not None else {"prompt": self.prompt.rstrip()}
        return said | _present(
            repos=sorted(set(self.repos)) or None,
            mode=self.mode,
            schema=self.schema.identity() if self.schema else None,
            playbook=self.playbook,
            child_playbook=self.child_playbook,
            knowledge=None if self.knowledge_ids is None else sorted(set(self.knowledge_ids)),
            secret_ids=None if self.secret_ids is None else sorted(set(self.secret_ids)),
            secret_names=sorted(self.secrets) or None,
            links=sorted(set(self.links)) or None,
            platform=self.platform,
            as_user=self.as_user,
            snapshot=self.snapshot,
            attachments=sorted([item.name, item.sha256] for item in self.attachments) or None,
            take=self.take,
        )

    def incidental(self) -> dict[str, Any]:
        """Return what may differ without making another session: a difference attaches, and is named."""
        return {
            "title": self.title,
            "tags": list(self.tags),
            "max_acu": self.max_acu,
            "bypass_approval": self.bypass_approval,
            "schema_optional": self.schema_optional,
            "disposable": self.disposable,
            "unlisted": self.unlisted,
        }

    def facts(self, where: Where, policy: Policy, *, simulated: bool = False) -> Facts:
        """Return what is written down of the session of this request, before the POST and ever after.

        Args:
            where: where it is sent.
            policy: how it is to be started.
            simulated: whether a simulator answers.
        """
        mine = fingerprint(self, where)
        base = mine if self.take is None else fingerprint(replace(self, take=None), where)
        return Facts(
            fingerprint=mine.text,
            base=base.text,
            tag=mine.tag,
            take=self.take,
            where=where,
            cell=policy.guard,
            batch=policy.batch,
            scopes=policy.scopes(base.text),
            prompt=self.prompt,
            incidental=self.incidental(),
            mode=self.mode,
            repos=self.repos,
            max_acu=self.max_acu,
            schema=self.schema,
            simulated=simulated,
            secret_names=tuple(name for name, secret in self.secrets.items() if secret.sensitive),
        )


def build(
    prompt: str,
    options: Options,
    variables: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> SessionRequest:
    """Return the request for a prompt and options.

    Args:
        prompt: the cell's text.
        options: as parsed; templates in them are filled in here unless that was done already.
        variables: the notebook's names, also for `--schema`, `--attach` and `--links`; None fills in no templates.
        defaults: `mode`, `max_acu` and `tags` for requests that do not say them (`tags` are added).

    Raises:
        UsageMistake: anything that cannot be meant; nothing was sent.
    """
    names = variables if variables is not None else {}
    prompt, options = _filled_in(prompt, options, None if variables is None or options.raw else names)
    usual = defaults or {}
    return SessionRequest(
        **{name: getattr(options, name) for name in _AS_SAID},
        prompt=prompt,
        repos=tuple(_repo(name) for name in options.repos),
        mode=options.mode or usual.get("mode"),
        schema=_schema(options.schema, names),
        tags=tuple(dict.fromkeys([*usual.get("tags", ()), *options.tags])),
        max_acu=options.max_acu or usual.get("max_acu"),
        knowledge_ids=() if options.no_knowledge else options.knowledge,
        secret_ids=() if options.no_secrets else options.secret_ids,
        secrets=read_secrets(options.secrets),
        links=tuple(_link(item, names) for item in options.links),
        attachments=read_attachments(options.attach, names),
        take=None if options.take == "1" else options.take,
    )


_AS_SAID = (
    "key",
    "schema_optional",
    "title",
    "playbook",
    "child_playbook",
    "platform",
    "disposable",
    "bypass_approval",
    "as_user",
    "snapshot",
    "unlisted",
)


def _filled_in(prompt: str, options: Options, names: Mapping[str, Any] | None) -> tuple[str, Options]:
    from devin_jupyter import template

    if not isinstance(prompt, str):
        raise OptionError(f"the prompt is text, not {type(prompt).__name__}", "nothing was sent", "give it as a str")
    fill = None if names is None else lambda text: template.render(text, names)
    prompt = fill(prompt) if fill else prompt
    if not prompt.strip():
        where = "below the %%devin line, or in Python in the prompt (the first argument)"
        raise OptionError("the prompt is empty", "nothing was sent", f"say what Devin shall do: {where}")
    options = options.render(fill)
    _refuse_blanks(options)
    return prompt, options


def _refuse_blanks(options: Options) -> None:
    """A placeholder that was filled with nothing must neither choose another session nor reach the service."""
    for option in OPTIONS:
        said = getattr(options, option.name, None)
        texts = said if isinstance(said, (tuple, list)) else (said,)
        if any(isinstance(text, str) and not text.strip() for text in texts):
            raise OptionError(
                f"{option.flag} is given an empty value", "nothing was sent", "leave it out, or fill it in"
            )


def _repo(name: str) -> str:
    path = urlsplit(name).path if "://" in name else name
    path = path.strip("/").removesuffix(".git")
    if "/" not in path or any(char.isspace() or char == "," for char in path):
        raise OptionError(
            f"{BY_NAME['repos'].flag} takes OWNER/REPO, not {name!r}",
            hint="several are separated by spaces: --repos acme/api acme/web",
        )
    return path


def _schema(spec: Any, variables: Mapping[str, Any]) -> Schema | None:
    if spec is None or (spec == "none" and "none" not in variables):
        return None
    from devin_jupyter.schema import load_schema

    return load_schema(spec, variables)


def _link(item: Any, variables: Mapping[str, Any]) -> str:
    named = variables.get(item, item) if isinstance(item, str) else item
    text = str(getattr(named, "id", named))
    if not (is_session_id(text) or text.startswith("devin-") or "://" in text):
        raise OptionError(
            f"{BY_NAME['links'].flag}: {item!r} is neither a session in this notebook nor an id",
            "nothing was sent",
            "give the variable that -o has set, an id (devin-…) or the session's URL",
        )
    return session_id(text)


def _with_attachment_lines(prompt: str, urls: Sequence[str]) -> str:
    if not urls:
        return prompt
    lines = "\n".join(f'ATTACHMENT:"{url}"' for url in urls)
    return prompt + ("" if prompt.endswith("\n") else "\n") + lines


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
