"""From a prompt and options to a `SessionRequest`: templates filled in, the body of the create call, the identity.

Nothing is sent here. Files, attachments and environment variables are read before anything is sent, so that a missing
one costs nothing. A secret's value is never part of an identity.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.host import host
from devin_jupyter.models.fields import is_session_id, session_id
from devin_jupyter.models.snapshot import Facts, Policy, Where
from devin_jupyter.options import BY_NAME, OPTIONS, CreateOptions, OptionsT
from devin_jupyter.options import fill as fill_options
from devin_jupyter.recorded import same_text
from devin_jupyter.redaction import is_whole, keep_secret
from devin_jupyter.template import render
from devin_jupyter.text import kind_of, nearest, unknown_value
from devin_jupyter.values import kind_of_table, to_csv

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to go with a prompt or a message: its content, or the address it has already."""

    name: str
    content: bytes | None = field(repr=False)
    url: str | None
    sha256: str
    """Of the content; of the address, where that is all there is."""
    is_of_notebook: bool = False
    """It was read from the notebook itself, so that the dry run shows it."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A session secret; its value is in no repr and no identity."""

    value: str | None = field(repr=False)
    """None where there is none of this name: to attach or to replay takes the name only."""
    sensitive: bool = True


def read_attachments(items: Iterable[Any], variables: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Read every item: a path, a URL, the name of a variable, a table, bytes, or a `(name, value)` pair.

    Raises:
        OptionError: a file that cannot be read, or an unknown name.
    """
    if isinstance(items, Mapping):
        items = items.items()
    return tuple(_attachment(item, variables) for item in items)


def _attachment(item: Any, variables: Mapping[str, Any]) -> Attachment:
    if isinstance(item, Attachment):
        return item
    if isinstance(item, tuple) and len(item) == 2:
        return _from_value(str(item[0]), item[1], named=True)
    if not isinstance(item, str):
        return _from_value("", item, named=False)
    if item.startswith(("http://", "https://")):
        name = unquote(urlsplit(item).path.rsplit("/", 1)[-1]) or "attachment"
        return Attachment(name, None, item, hashlib.sha256(item.encode()).hexdigest())
    if item.isidentifier() and item in variables:
        return _from_value(item, variables[item], named=False)
    if item.startswith(":"):
        return _from_notebook(item)
    return _from_file(Path(item).expanduser(), item, variables)


def _from_value(name: str, value: Any, *, named: bool) -> Attachment:
    if isinstance(value, os.PathLike):
        return _from_file(Path(value), str(value), {})
    if kind_of_table(value):
        content, suffix = to_csv(value).encode(), ".csv"
    elif isinstance(value, (bytes, bytearray, memoryview)):
        content, suffix = bytes(value), ".bin"
    elif isinstance(value, str):
        content, suffix = value.encode(), ".txt"
    else:
        raise OptionError(
            f"--attach cannot send {name or 'a value'}: it is {kind_of(value)}",
            hint="attach a path, a URL, a DataFrame, bytes or str",
        )
    return _of(name if named else (name or "attachment") + suffix, content)


def _from_notebook(word: str) -> Attachment:
    from devin_jupyter.notebook import PARTS

    if word not in PARTS:
        listed = "; ".join(f"{name} is {what}" for name, (_, what, _) in PARTS.items())
        raise OptionError(f"--attach has no {word}{nearest(word, PARTS)}", hint=listed)
    name, _, read = PARTS[word]
    return replace(_of(name, read().encode()), is_of_notebook=True)


def _from_file(path: Path, said: str, variables: Mapping[str, Any]) -> Attachment:
    if not said:
        raise OptionError("--attach was given an empty name", hint=_WHAT_TO_ATTACH)
    try:
        return _of(path.name, path.read_bytes())
    except (OSError, ValueError) as problem:  # ValueError: a zero byte, or half a character, in the name
        names = [name for name, value in variables.items() if not name.startswith("_") and _is_content(value)]
        is_named = isinstance(problem, OSError) and path.parent.is_dir()
        beside = [entry.name for entry in path.parent.iterdir()] if is_named else []
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        raise OptionError(
            f"--attach cannot read {said}: {reason.lower()}{nearest(path.name, [*beside, *names])}",
            hint=_WHAT_TO_ATTACH,
        ) from None


_WHAT_TO_ATTACH = "give a path, a URL, or the name of a variable of this notebook"


def _is_content(value: Any) -> bool:
    return bool(kind_of_table(value)) or isinstance(value, (bytes, bytearray, str, os.PathLike))


def _of(name: str, content: bytes) -> Attachment:
    return Attachment(name, content, None, hashlib.sha256(content).hexdigest())


def read_secrets(said: tuple[str, ...] | Mapping[str, Any]) -> dict[str, SecretValue]:
    """Return the values for `NAME[:plain]` words from the environment or Colab, or for a mapping as given.

    Raises:
        OptionError: a name or a value that the API refuses.
    """
    if isinstance(said, Mapping):
        pairs = {str(name): _secret(str(name), value) for name, value in said.items()}
    else:
        pairs = dict(_from_environment(word) for word in said)
    for name, secret in pairs.items():
        check_secret(name, secret.value or "")
    keep_secret(secret.value for secret in pairs.values() if secret.sensitive and secret.value is not None)
    return pairs


def check_secret(name: str, value: str) -> None:
    """Refuse what the API refuses of a secret, of a session or stored, before anything is sent.

    Raises:
        OptionError: an empty or too long name, or too long a value.
    """
    if not 1 <= len(name) <= 256:
        raise OptionError("the name of a secret must have 1 to 256 characters")
    if len(value) > 65536:
        raise OptionError(f"the secret {name} is longer than 65,536 characters")


def lacking(secrets: Mapping[str, SecretValue]) -> OptionError | None:
    """Return what to say of a secret that has no value, before a session is started with it; None if all have one."""
    name = next((name for name, secret in secrets.items() if secret.value is None), None)
    if name is None:
        return None
    return OptionError(
        f"there is no environment variable {name} for --secrets{nearest(name, os.environ)}",
        hint="set it before the kernel starts, or in the notebook: os.environ[…] = getpass.getpass()",
    )


def _secret(name: str, value: Any) -> SecretValue:
    if isinstance(value, SecretValue):
        return value
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise OptionError(f"the secret {name} is text, not {type(value).__name__}")
    return SecretValue(str(value))


def _from_environment(word: Any) -> tuple[str, SecretValue]:
    name, _, kind = word.partition(":") if isinstance(word, str) else ("", "", "no text")
    if kind not in ("", "plain") or not name.isprintable():
        raise OptionError("--secrets takes NAME or NAME:plain", hint="for example --secrets NPM_TOKEN REGION:plain")
    value = os.environ.get(name)
    if value is None:
        value = host().secret(name)
    return name, SecretValue(value, sensitive=kind != "plain")


MAX_TAGS = 49
"""The service holds 50; one is ours."""


FINGERPRINT_VERSION = 2
"""The input to the hash of a version never changes; a change is a new version, looked up along with the old ones.

1 hashed the API version along with the place, and the prompt with every blank and line end in it.
"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The identity of a request as hashes, by which a session is found again. A lock file matches on `what` alone."""

    version: int
    where: str
    """16 hex digits of base URL and organization; in version 1 of the API version as well."""
    what: str
    """64 hex digits of everything else."""
    is_v1: bool = field(default=False, repr=False, compare=False)
    """The request goes to v1 of the API, whose sessions carry a tag of their own: it does not tell who started them."""
    earlier: tuple[Fingerprint, ...] = field(default=(), repr=False, compare=False)
    """What earlier versions of this package, or the other version of the API, gave the same request."""
    text: str = field(init=False, repr=False, compare=False)
    """`version:where:what`, the form kept in the journal."""
    texts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Under which the journal may have the session, `text` first."""
    tag: str = field(init=False, repr=False, compare=False)
    """The tag by which the session is found again on the service."""

    def __post_init__(self) -> None:
        text = f"{self.version}:{self.where}:{self.what}"
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "texts", (text, *(one.text for one in self.earlier)))
        object.__setattr__(self, "tag", self._tag(is_v1=self.is_v1))

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read `.text` again."""
        version, where, what = text.split(":")
        return cls(int(version), where, what)

    @property
    def first(self) -> str:
        """The text that version 1 gave it: names in journals are made of it."""
        return next((one.text for one in self.earlier if one.version == 1), self.text)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the session may carry, this one first."""
        return tuple(dict.fromkeys([self.tag, self._tag(is_v1=not self.is_v1), *(one.tag for one in self.earlier)]))

    @property
    def v1_tags(self) -> frozenset[str]:
        """Those among them that only a request to v1 of the API carries."""
        ours = {one.tag for one in (self, *self.earlier) if one.is_v1}
        return frozenset(ours if self.version == 1 else {*ours, self._tag(is_v1=True)})

    def _tag(self, *, is_v1: bool) -> str:
        # from version 2 on without the place: the tags of a service are those of one place
        text = self.text if self.version == 1 else f"{self.version}:{'v1:' if is_v1 else ''}{self.what}"
        return "nb-" + hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """A resolved create request. Reprs hide the values of secrets."""

    prompt: str
    """Sent byte for byte."""
    options: CreateOptions = field(default_factory=CreateOptions)
    """The options that say something about the session, resolved: `schema` is a `Schema`, `secrets` maps names to
    `SecretValue`s, `attach` holds `Attachment`s, `links` ids; empty lists are left out unless they mean none at all."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What a person should know of how it was read: shown, never sent, part of no identity."""

    @property
    def schema(self) -> Schema | None:
        """What the answer must look like."""
        schema: Schema | None = self.options.get("schema")
        return schema

    @property
    def secrets(self) -> Mapping[str, SecretValue]:
        """The secrets of this session only."""
        return cast("Mapping[str, SecretValue]", self.options.get("secrets") or {})

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The files to upload, or their addresses."""
        return cast("tuple[Attachment, ...]", self.options.get("attach") or ())

    @property
    def repos(self) -> tuple[str, ...]:
        """Repositories as `owner/name`."""
        return tuple(self.options.get("repos") or ())

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags a person gave."""
        return tuple(self.options.get("tags") or ())

    @property
    def mode(self) -> str | None:
        """Devin's mode; None is the organization's."""
        return self.options.get("mode")

    @property
    def max_acu(self) -> int | None:
        """The cap, in ACUs."""
        return cast("int | None", self.options.get("max_acu"))

    @property
    def take(self) -> str | None:
        """None is the first take."""
        return cast("str | None", self.options.get("take"))

    def but(self, **options: Any) -> SessionRequest:
        """Return the same request with other resolved options; None takes one away."""
        changed = {name: value for name, value in {**self.options, **options}.items() if value is not None}
        return replace(self, options=cast("CreateOptions", changed))

    def check(self, api_version: str) -> None:
        """Refuse what this version of the API does not have, before anything is sent.

        Raises:
            Unsupported: a field of the other version.
            OptionError: more tags than the service holds.
        """
        for name in self.options:
            option = BY_NAME[name]
            if option.api not in ("both", api_version):
                raise Unsupported(
                    f"{option.flag} needs the {option.api} API; this key speaks {api_version}",
                    hint=option.instead,
                )
        if len(self.tags) > MAX_TAGS:
            raise OptionError(
                f"{len(self.tags)} tags are too many: the limit is 50, and one is used to find the session again",
                hint=f"keep {MAX_TAGS}",
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
        values: dict[str, Any] = {
            **self.options,
            "schema": self.schema.wire if self.schema else None,
            "tags": [*self.tags, *([tag] if tag else [])],
            "attach": attachment_urls,
            "secrets": [
                {"key": name, "value": secret.value if reveal else "•••", "sensitive": secret.sensitive}
                for name, secret in self.secrets.items()
            ],
        }
        body: dict[str, Any] = {"prompt": self.prompt}
        if api_version == "v1" and attachment_urls:  # v1 has no field for them: they are lines of the prompt
            lines = "\n".join(f'ATTACHMENT:"{url}"' for url in values.pop("attach"))
            body["prompt"] += ("" if self.prompt.endswith("\n") else "\n") + lines
        for option in OPTIONS:
            value = values.get(option.name)
            if option.field and (value or (value is not None and option.may_be_empty)):
                is_list = option.kind == "words"
                body[option.field] = option.sent_flag if option.kind == "flag" else list(value) if is_list else value
        if api_version == "v1" and idempotent is not None:
            body["idempotent"] = idempotent
        return body

    def preview(self, api_version: str, *, tag: str | None, idempotent: bool | None = None) -> dict[str, Any]:
        """Return the body as it may be shown: secrets masked, and words in place of addresses that uploads will get."""
        urls = [item.url or f"(the address of {item.name}, once it is uploaded)" for item in self.attachments]
        return self.body(api_version, tag=tag, attachment_urls=urls, idempotent=idempotent, reveal=False)

    def identity(self, version: int = FINGERPRINT_VERSION) -> dict[str, Any]:
        """Return what makes two requests the same, apart from where they are sent. Holds no value of a secret.

        Args:
            version: of the fingerprint; an earlier one counts every blank.
        """
        seen = same_text if version > 1 else str.rstrip
        identity = self._identity_of_options()
        if "key" not in identity:
            identity["prompt"] = seen(self.prompt)
        elif version > 1:
            identity["key"] = same_text(identity["key"])
        return identity

    def _identity_of_options(self) -> dict[str, Any]:
        hashed: dict[str, Any] = {
            "schema": self.schema.identity if self.schema else None,
            "secrets": sorted(self.secrets),
            "attach": sorted([item.name, item.sha256] for item in self.attachments),
        }
        identity: dict[str, Any] = {}
        for name, said in self.options.items():
            option = BY_NAME[name]
            if option.identity and name in hashed:
                identity[option.identity] = hashed[name]
            elif option.identity:
                in_any_order = option.kind == "words"
                identity[option.identity] = sorted(set(cast("Sequence[str]", said))) if in_any_order else said
        return identity

    def fingerprint(self, where: Where) -> Fingerprint:
        """Return the identity of the request sent to `where` as hashes, with those that it had before."""
        base_url, is_v1 = where.base_url.rstrip("/").lower(), where.api_version == "v1"
        now, then = self.identity(), self.identity(1)
        what = _sha256(now)
        before = what if now == then else _sha256(then)
        earlier = [
            Fingerprint(1, _sha256([base_url, org_id, version])[:16], before, version == "v1")
            for org_id, version in dict.fromkeys([(where.org_id, where.api_version), (None, "v1")])
        ]
        place = _sha256([base_url, where.org_id])[:16]
        if where.org_id is not None:  # a key of v1 does not tell its organization
            earlier.insert(1, Fingerprint(FINGERPRINT_VERSION, _sha256([base_url, None])[:16], what, is_v1=True))
        return Fingerprint(FINGERPRINT_VERSION, place, what, is_v1, tuple(earlier))

    def fingerprints(self, where: Where) -> tuple[Fingerprint, ...]:
        """Return the fingerprint, then those by which the session of the same request may be known as well."""
        found = self.fingerprint(where)
        return (found, *found.earlier)

    def options_hash(self) -> str:
        """Return a hash of what the request says besides its words and its take: repositories, schema, mode, …."""
        said = self._identity_of_options()
        return _sha256({name: value for name, value in said.items() if name not in ("key", "take")})

    def incidental(self) -> dict[str, Any]:
        """Return what may differ without making another session: a difference attaches, and is named."""
        found: dict[str, Any] = {}
        options: Mapping[str, Any] = self.options
        for option in OPTIONS:
            if option.is_incidental:
                nothing = {"flag": False, "words": ()}.get(option.kind)
                said = options.get(option.name, nothing)
                found[option.name] = list(said) if option.kind == "words" else said
        return found

    def facts(
        self, mine: Fingerprint, base: Fingerprint, where: Where, policy: Policy, *, simulated: bool = False
    ) -> Facts:
        """Return what is written down of the session of this request, before the POST and ever after.

        Args:
            mine: its fingerprint.
            base: the fingerprint of the same request without its take.
            where: where it is sent.
            policy: how it is to be started.
            simulated: whether a simulator answers.
        """
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


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fill(
    prompt: str,
    options: OptionsT,
    variables: Mapping[str, Any] | None = None,
    optional: Callable[[str], str | None] | None = None,
) -> tuple[str, OptionsT]:
    """Return prompt and options with their templates filled in; this is done once, and before `build`.

    Args:
        prompt: the cell's text.
        options: as parsed.
        variables: the notebook's names; None, like `--raw`, leaves texts as they are.
        optional: fills in the options in place of `render`; what it returns None for is left out.

    Raises:
        TemplateError: a placeholder that cannot be filled.
        OptionError: an empty prompt or value, or a template that gives no number where one is needed.
    """
    if not isinstance(prompt, str):
        raise OptionError(f"the prompt is text, not {type(prompt).__name__}", hint="give it as a str")
    filler: Callable[[str], str] | None = None
    if variables is not None and not options.get("raw"):
        filler = partial(render, variables=variables)
        prompt = filler(prompt) if "{{" in prompt else prompt
    if not prompt.strip():
        where = "below the %%devin line, or in Python in the prompt (the first argument)"
        raise OptionError("the prompt is empty", hint=f"write what Devin should do: {where}")
    return prompt, fill_options(options, filler and (optional or filler))


def build(
    prompt: str,
    options: CreateOptions,
    variables: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> SessionRequest:
    """Return the request for a prompt and options in which every template was filled in.

    Args:
        prompt: the text.
        options: from `fill`.
        variables: the notebook's names, for `--schema`, `--attach` and `--links`.
        defaults: `mode`, `max_acu` and `tags` for requests that do not say them (`tags` are added).
        notes: what was noticed before; from `not_filled_in`.

    Raises:
        UsageMistake: a value that cannot be used; nothing was sent.
    """
    names, said = variables or {}, {**(defaults or {}), **options}
    said["tags"] = tuple(dict.fromkeys([*(defaults or {}).get("tags", ()), *(options.get("tags") or ())]))
    _check_texts(prompt, said)
    resolved: dict[str, Any] = {}
    for option in OPTIONS:
        value = said.get(option.name)
        if option.empties and value:
            resolved[option.empties] = ()
        if option.field or option.identity or option.is_incidental:
            if value is not None and option.name in _RESOLVERS:
                value = _RESOLVERS[option.name](value, names)
            if value or (option.may_be_empty and value is not None):
                resolved[option.name] = value
    unknown = [
        unknown_value(option.flag, str(said[option.name]), option.choices)
        for option in OPTIONS
        if option.is_open and said.get(option.name) is not None and said[option.name] not in option.choices
    ]
    notes = tuple(dict.fromkeys([*notes, *unknown, *_left_out(said.get("repos") or ())]))
    return SessionRequest(prompt=prompt, options=cast("CreateOptions", resolved), notes=notes)


def _check_texts(prompt: str, said: Mapping[str, Any]) -> None:
    if not is_whole(prompt):
        raise half_a_character("the prompt")
    for option in OPTIONS:
        value = said.get(option.name)
        for text in value if isinstance(value, (tuple, list)) else (value,):
            # a placeholder that was filled with nothing must neither choose another session nor reach the service
            if isinstance(text, str) and not text.strip():
                raise OptionError(f"{option.flag} has an empty value", hint="leave it out, or fill it in")
            if isinstance(text, str) and not is_whole(text):
                raise half_a_character(option.flag)


def _schema(spec: Any, variables: Mapping[str, Any]) -> Schema | None:
    if spec == "none" and "none" not in variables:
        return None
    from devin_jupyter.schema import load_schema

    return load_schema(spec, variables)


def half_a_character(where: str) -> OptionError:
    """Return the error for a text that cannot be sent, nor kept in the journal."""
    hint = 'clean it: text.encode("utf-8", "replace").decode()'
    return OptionError(f"{where} contains half a character (a lone surrogate)", "nothing was sent", hint)


_WITHIN_A_REPOSITORY: tuple[str, ...] = (
    "tree",
    "blob",
    "pull",
    "pulls",
    "issues",
    "commit",
    "commits",
    "compare",
    "releases",
    "actions",
)
_WITHIN_A_REPOSITORY += ("wiki", "raw", "blame", "edit", "branches", "tags", "src", "pull-requests", "merge_requests")
"""What follows the name of a repository in an address that was copied from a browser."""
_OTHER_PATHS = ("dev.azure.com", "visualstudio.com")
"""Hosts whose addresses are not the path by which Devin knows a repository."""
_TWO_PARTS = ("github.com", "bitbucket.org", "github.dev", "raw.githubusercontent.com", "codeload.github.com")
_NO_REPOSITORIES = ("gist.github.com", "gist.githubusercontent.com", "api.github.com", "vscode.dev")
_HOSTS = ("github.com", "gitlab.com", "bitbucket.org")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
"""Who logs in, in an address, often with a token."""
_PROJECTS = ("projects", "users")
_NO_OWNERS = ("orgs", "users", "settings", "sponsors", "topics", "marketplace", "search", "login")
"""What addresses of GitHub begin with that are of no repository."""
_SSH = re.compile(r"(?:[\w.-]+@)([\w.-]+):(?!//)(.+)")


def _repo(written: str) -> tuple[str, str]:
    """Return the name of a repository as `owner/name`, or `group/subgroup/name`, and what was left out of it."""
    text, host_name, rest = written.strip(), "", ""
    ssh = _SSH.fullmatch(text)
    if ssh is not None:
        host_name, text = ssh[1], ssh[2]
    elif "://" in text:
        parts = urlsplit(text)
        host_name, text = (parts.hostname or "").removeprefix("www."), parts.path
        rest = (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    elif re.match(r"[\w-]+(\.[\w-]+)+/[^/]+/[^/]", text):
        host_name, _, text = text.partition("/")
    name, mark, ref = next((found for found in map(text.partition, "#@?") if found[1]), (text, "", ""))
    steps = name.strip("/").split("/")
    is_data_center = bool(host_name) and (steps[0] == "scm" or (steps[0] in _PROJECTS and steps[2:3] == ["repos"]))
    if is_data_center:  # Bitbucket's own servers: /scm/P/repo.git, /projects/P/repos/repo/browse
        steps = steps[1:] if steps[0] == "scm" else [steps[1], *steps[3:]]
    end = next(
        (
            place
            for place, step in enumerate(steps)
            if place > 1 and (step == "-" or (step in _WITHIN_A_REPOSITORY and (host_name or place + 1 < len(steps))))
        ),
        len(steps),
    )
    end = min(end, 2) if host_name in _TWO_PARTS or is_data_center else end
    rest = "".join(f"/{step}" for step in steps[end:]) + mark + ref + rest
    steps = [*steps[:end]]
    steps[-1] = steps[-1].removesuffix(".git")
    is_known_elsewhere = host_name.endswith(_OTHER_PATHS) or "_git" in steps
    is_owned = host_name not in _NO_REPOSITORIES if host_name else "://" not in written and steps[0] not in _HOSTS
    is_owned = is_owned and not (host_name == "github.com" and steps[0] in _NO_OWNERS)
    is_name = is_owned and len(steps) > 1 and all(re.fullmatch(r"[\w.~+-]*\w[\w.~+-]*", step) for step in steps)
    if is_known_elsewhere or not is_name:
        hint = "several are separated by spaces: --repos acme/api acme/web"
        if is_known_elsewhere:
            hint = "give the path by which Devin's list of repositories names it"
        raise OptionError(f"{BY_NAME['repos'].flag} takes OWNER/REPO, not {_LOGIN.sub('', written)!r}", hint=hint)
    return "/".join(steps), rest


def _left_out(written: Sequence[str]) -> list[str]:
    """Name what was left out of repositories: Devin chooses the branch, unless the prompt says it."""
    found = [(*_repo(one), _LOGIN.sub("", one)) for one in written]
    return [
        f"repository {name}: {rest} of {one} is left out, say it in the prompt" for name, rest, one in found if rest
    ]


def check_message(text: Any) -> None:
    """Refuse what is no message, before anything is sent.

    Raises:
        OptionError: no text, or an empty one.
    """
    if not isinstance(text, str):
        hint = "give it as a str, such as f'… {value} …'"
        raise OptionError(f"a message is text, not {type(text).__name__}", "nothing was sent", hint)
    if not text.strip():
        raise OptionError("the message is empty", hint="write what Devin should do")


def check_max_time(limit: float) -> float | None:
    """Return the seconds of a turn; None where there is no limit.

    Raises:
        OptionError: no time at all.
    """
    if limit <= 0:
        raise OptionError("--max-time must be above 0", "nothing was sent", "for example --max-time 2h")
    return None if limit == math.inf else limit


def _link(item: Any, variables: Mapping[str, Any]) -> str:
    named = variables.get(item, item) if isinstance(item, str) else item
    text = str(getattr(named, "id", named))
    if not (is_session_id(text) or text.startswith("devin-") or "://" in text):
        raise OptionError(
            f"{BY_NAME['links'].flag}: {item!r} is neither a session in this notebook nor an id",
            hint="give the variable that -o has set, an id (devin-…) or the session's URL",
        )
    return session_id(text)


_RESOLVERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "schema": _schema,
    "repos": lambda names, _: tuple(dict.fromkeys(_repo(name)[0] for name in names)),
    "links": lambda items, names: tuple(_link(item, names) for item in items),
    "secrets": lambda said, _: read_secrets(said),
    "attach": read_attachments,
    "take": lambda label, _: None if label.strip() == "1" else label.strip(),
    "max_time": lambda limit, _: check_max_time(limit),
}
"""How the values of options become what is sent, where they are not that already."""
