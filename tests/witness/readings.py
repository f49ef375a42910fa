"""What a person reads of sessions, frames and files, as JSON: the witnesses are made and compared by it."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from witness.service import BASE_URL, KEY, ORG

import devin_jupyter as dj

NOTEBOOK = "/home/ada/audit.ipynb"
CELLS = {
    name: {"notebook": NOTEBOOK, "cell_id": f"cell-{name}", "out": name}
    for name in ("audit", "watch", "trial", "asked")
}
SCHEMA = "tests:[name:str], count:int"
CREATED: dict[str, tuple[str, dict[str, Any]]] = {
    "audit": (
        "Find the flaky tests",
        {"repos": ["acme/api"], "schema": SCHEMA, "max_acu": 5, "tags": ["audit"], "title": "Audit"},
    ),
    "watch": ("Keep watching the build", {"max_acu": 3, "tags": ["sim:slow"], "mode": "lite"}),
    "trial": ("Try something", {"max_acu": 2, "take": "2", "secrets": {"NPM_TOKEN": "a-secret-that-nobody-has"}}),
    "asked": ("Ask me", {"max_acu": 2, "tags": ["sim:question"], "attach": [("facts.csv", "a,b\n1,2\n")]}),
}
ARRIVED = ("Audit the billing service", {"max_acu": 4})
NEVER_ARRIVED = ("Audit the mail service", {"max_acu": 4})
SENT = "And the slow ones?"
SENT_UNCERTAINLY = "One thing more"
NEVER_SENT = "This was never sent"
SWEEP = "Audit {{ row.repo }} for {{ row.what }}"
ROWS = [
    {"repo": "acme/api", "what": "leaks", "tag": "batch"},
    {"repo": "acme/web", "what": "races", "tag": "sim:flaky"},
    {"repo": "acme/web", "what": "races", "tag": "sim:flaky"},
    {"repo": "acme/mail", "what": "typos", "tag": "sim:fail"},
    {"repo": "acme/docs", "what": "links", "tag": "batch"},
]
SWEEP_OPTIONS: dict[str, Any] = {
    "name": "sweep",
    "schema": "ok:bool, note:str",
    "repos": ["{{ row.repo }}"],
    "tags": ["{{ row.tag }}"],
    "max_acu": 2,
    "budget": 40,
    "limit": 3,
    "max_parallel": 2,
}
NAMELESS = ("Say hello to {{ row }}", ["Ada", "Grace"], {"max_acu": 1, "tags": ["hello"]})
NAMELESS_CELL = {"notebook": NOTEBOOK, "cell_id": "cell-hello", "out": "hello"}


_NOT_MADE_BY_HAND = ("Batch", "Session", "Snapshot")


def session(one: dj.Session) -> dict[str, Any]:
    """Return the attributes of a handle."""
    seen = one.snapshot
    plain = {name: getattr(one, name) for name in ("id", "url", "status", "status_detail", "title", "acus", "question")}
    return plain | {
        "phase": str(one.phase),
        "needs_you": one.needs_you,
        "tags": list(one.tags),
        "pull_requests": [[pull.url, pull.state] for pull in one.pull_requests],
        "output": seen.structured_output,
        "is_final": seen.output_is_final,
        "messages": [[message.source, message.text] for message in one.messages],
        "schema": seen.schema,
        "repos": list(seen.repos),
        "max_acu": seen.max_acu_limit,
        "fingerprint": seen.fingerprint,
        "recorded": str(seen.recorded),
        "created": str(seen.created_at),
        "updated": str(seen.updated_at),
    }


ADDED = {"user_name"}
"""Columns that came later."""


def frame(table: Any) -> dict[str, Any]:
    """Return the columns of a frame with their dtypes and values as text."""
    return {
        str(name): [str(table[name].dtype), *(json.dumps(_plain(value), sort_keys=True) for value in table[name])]
        for name in table.columns
        if name not in ADDED
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray":
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, bool, int, float)) and value == value else str(value)


def batch(one: dj.Batch) -> dict[str, Any]:
    """Return what a batch shows of itself."""
    return {
        "name": one.name,
        "repr": repr(one),
        "phases": dict(one.phase_counts),
        "frame": frame(one.frame()),
        "sessions": [handle.id for handle in one.sessions],
    }


def lock_file(path: Path) -> Any:
    """Return what a lock file holds, without the moment at which it was written."""
    held = json.loads(path.read_text("utf-8"))
    return {name: value for name, value in held.items() if name not in ("recorded", "recorded_at", "written_at")}


def signatures() -> dict[str, Any]:
    """Return the parameters of every public name, and of the methods of every public class."""
    found: dict[str, Any] = {}
    for name in dj.__all__:
        found |= _signature(name, getattr(dj, name))
    with dj.Devin(KEY, org_id=ORG, base_url=BASE_URL) as devin:
        for name in sorted(vars(devin) | vars(devin.asynchronous)):
            for title, holder in (("Devin", devin), ("AsyncDevin", devin.asynchronous)):
                part = getattr(holder, name, None)
                if (
                    name[0] != "_"
                    and name != "core"
                    and name != "journal"
                    and type(part).__module__.startswith("devin")
                ):
                    found |= _members(f"{title}().{name}", type(part), of_class=False)
    return found


def _signature(name: str, value: Any) -> dict[str, Any]:
    if inspect.isclass(value):
        return _members(name, value, of_class=True)
    if inspect.ismodule(value):
        own = {key: one for key, one in vars(value).items() if getattr(one, "__module__", "") == value.__name__}
        return {f"{name}.{key}": _signature("", one)[""] for key, one in sorted(own.items()) if key[0] != "_"}
    if not callable(value):
        return {name: {"kind": type(value).__name__}}
    return {name: {"kind": "function", "parameters": _parameters(value), "has_doc": bool(inspect.getdoc(value))}}


def _members(title: str, kind: type, *, of_class: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if of_class and issubclass(kind, dict) is False and not hasattr(kind, "__members__"):
        made = [] if title in _NOT_MADE_BY_HAND or issubclass(kind, BaseException) else _parameters(kind)
        found[title] = {"kind": "class", "parameters": made, "has_doc": bool(inspect.getdoc(kind))}
    elif hasattr(kind, "__members__"):
        found[title] = {"kind": "enum", "members": {name: str(one.value) for name, one in kind.__members__.items()}}
    own = {name for base in kind.__mro__ if base.__module__.startswith("devin_jupyter") for name in vars(base)}
    for name in sorted(own):
        if name == "core" or (name[0] == "_" and name not in ("__await__", "__enter__", "__aenter__", "__len__")):
            continue
        value = inspect.getattr_static(kind, name)
        value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        value = value.__wrapped__ if type(value).__name__ == "method" else value  # one that was an attribute once
        if isinstance(value, property) or not callable(value):
            found.setdefault(f"{title}.{name}", {"kind": "attribute"})
        elif not isinstance(value, kind if hasattr(kind, "__members__") else ()):
            found[f"{title}.{name}"] = {
                "kind": "method",
                "parameters": _parameters(value)[1:],
                "has_doc": name[0] == "_" or bool(inspect.getdoc(getattr(kind, name))),
            }
    return found


def _parameters(value: Any) -> list[str]:
    """Return `name`, `name=default`, `*name`, `**name`; `name/` is positional only, `kw:name` goes by its name only."""
    try:
        seen = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    marks = {"KEYWORD_ONLY": ("kw:", ""), "VAR_POSITIONAL": ("*", ""), "VAR_KEYWORD": ("**", "")}
    found = []
    for one in seen:
        before, after = marks.get(one.kind.name, ("", "/" if one.kind is one.POSITIONAL_ONLY else ""))
        found.append(f"{before}{one.name}{after}" + ("" if one.default is one.empty else f"={one.default!r}"))
    return found


_SHELL = """
import sys
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
"""
_STEPS = {
    "load_ext": "shell.run_line_magic('load_ext', 'devin_jupyter')",
    "Devin": "shell.run_cell('import devin_jupyter as dj; dj.Devin').raise_error()",
    "dry_run": "shell.run_cell('%%devin --dry-run --repos acme/api\\nFind the flaky tests').raise_error()",
}


def modules() -> dict[str, dict[str, Any]]:
    """Return, after each of the first steps of a notebook, what was loaded: of others by package, of ours how many."""
    program = [_SHELL, "import contextlib, io, json", "loaded = {}"]
    for name, step in _STEPS.items():
        program += ["with contextlib.redirect_stdout(io.StringIO()):", f"    {step}"]
        program += [f"loaded[{name!r}] = sorted(set(sys.modules) - before)"]
    program += ["print(json.dumps(loaded))"]
    with tempfile.TemporaryDirectory() as folder:
        own = {"DEVIN_API_KEY": KEY, "DEVIN_ORG_ID": ORG, "DEVIN_API_URL": BASE_URL, "DEVIN_JUPYTER_HOME": folder}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEVIN_", "COV_", "PYTEST"))}
        command = [sys.executable, "-c", "\n".join(program)]
        done = subprocess.run(
            command, cwd=folder, env={**kept, **own}, capture_output=True, text=True, timeout=300, check=True
        )
    found = {}
    for name, every in json.loads(done.stdout.splitlines()[-1]).items():
        ours = [module for module in every if module.split(".")[0] == "devin_jupyter"]
        tops = {module.split(".")[0] for module in every} - {"devin_jupyter"}
        others = sorted(top for top in tops if top not in sys.stdlib_module_names and not top.startswith("__"))
        found[name] = {"ours": len(ours), "others": others, "sqlite3": "sqlite3" in tops, "ssl": "ssl" in tops}
    return found
