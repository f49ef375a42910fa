"""`help()` is enough: everything public has a first line, units where they matter, and says what it raises."""

from __future__ import annotations

import inspect
import pydoc
import re
from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType
from typing import Any

import devin_jupyter as dj
from devin_jupyter import errors, panel
from devin_jupyter.attributes import method
from devin_jupyter.client import sync

STARTS = [
    *((name, getattr(dj, name)) for name in dj.__all__),
    ("panel", panel),
    *((f"sync.{name}", getattr(sync, name)) for name in ("Sessions", "Playbooks", "Knowledge")),
]


def is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("devin_jupyter")


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public functions and properties that we wrote."""
    for base in filter(is_ours, kind.__mro__):
        for name, member in vars(base).items():
            plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            plain = plain.__wrapped__ if isinstance(plain, method) else plain
            if not name.startswith("_") and (inspect.isfunction(plain) or isinstance(plain, property)):
                yield name, plain


def everything() -> Iterator[tuple[str, Any]]:
    """Every public name: modules, functions, classes, and the methods and properties of these."""
    for name, thing in STARTS:
        inside = [(f"{name}.{one}", getattr(thing, one)) for one in getattr(thing, "__all__", ())]
        for full, one in inside if isinstance(thing, ModuleType) else [(name, thing)]:
            yield full, one
            if inspect.isclass(one):
                yield from ((f"{full}.{member}", found) for member, found in members(one))
        if isinstance(thing, ModuleType):
            yield name, thing


PUBLIC = dict(everything())


def said(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


def test_the_walk_reaches_functions_classes_methods_and_properties() -> None:
    assert {"create", "Session", "Session.wait", "Session.phase", "Batch.frame", "charts.spend"} <= PUBLIC.keys()
    assert {"panel.Panel", "sync.Sessions.list", "OutputInvalid"} <= PUBLIC.keys()
    assert len(PUBLIC) > 200


def test_everything_public_has_a_first_line() -> None:
    assert [name for name, thing in PUBLIC.items() if not re.match(r"[`A-Z0-9]", said(thing))] == []


def test_times_and_money_have_units() -> None:
    units = {"timeout": "second", "waited": "second", "seconds": "second", "acus": "ACU", "budget": "ACU"}
    missing = []
    for name, thing in PUBLIC.items():
        if inspect.isfunction(thing) and "Args:" in said(thing):
            parts = set(inspect.signature(thing).parameters) & set(units)
        else:
            parts = {name.rpartition(".")[2]} & set(units) if isinstance(thing, property) else set()
        missing += [f"{name}({part})" for part in parts if units[part] not in said(thing)]
    assert missing == []
    assert "UTC" in said(dj.Snapshot)
    assert "ACU" in said(dj.Snapshot)


def test_a_function_that_returns_a_table_says_what_its_rows_are() -> None:
    tables = [
        name
        for name, thing in PUBLIC.items()
        if inspect.isfunction(thing) and "DataFrame" in str(inspect.signature(thing).return_annotation)
    ]
    assert len(tables) > 5
    assert [name for name in tables if not re.search(r"\brows?\b|columns?", said(PUBLIC[name]), re.IGNORECASE)] == []


def test_every_error_that_is_named_exists() -> None:
    missing = []
    for name, thing in PUBLIC.items():
        _, _, raises = said(thing).partition("Raises:\n")
        for line in re.findall(r"^    ([A-Z][\w, ]*):", raises, re.MULTILINE):
            missing += [f"{name}: {one}" for one in re.split(r", ?", line) if not hasattr(errors, one)]
    builtin = ("ValueError", "TypeError", "KeyError", "RuntimeError", "AssertionError")
    assert [entry for entry in missing if not entry.endswith(builtin)] == []


def test_the_help_of_a_session_is_enough_to_use_it() -> None:
    text = pydoc.plain(pydoc.render_doc(dj.Session))
    handle = {name for name, _ in members(dj.Session)}
    assert [name for name in handle if not name.startswith("_") and name not in text] == []
    assert [phase.value for phase in dj.Phase if phase.value not in text] == []
    for word in ("ACU", "UTC", "seconds", "DataFrame", "Unsupported", "ConnectionTrouble", "Detached", "notice", "how"):
        assert word in text
    for name in ("NeedsReply", "NeedsApproval", "SessionAsleep", "SessionBlocked", "SessionStopped", "SessionFailed"):
        assert name in said(dj.Session.result)
    assert "WaitTimeout" in said(dj.Session.result)
    assert "OutputInvalid" in said(dj.Session.output.fget)


def test_the_attributes_of_a_handle_are_those_of_a_snapshot() -> None:
    known = {field.name for field in fields(dj.Snapshot)} | {name for name, _ in members(dj.Snapshot)}
    shared = {"url", "phase", "needs_you", "status", "status_detail", "title", "acus", "tags", "pull_requests"}
    assert shared | {"question", "messages"} <= known & {name for name, _ in members(dj.Session)}


def test_every_error_says_in_help_what_it_means() -> None:
    kinds = [thing for thing in PUBLIC.values() if inspect.isclass(thing) and issubclass(thing, BaseException)]
    assert len(kinds) > 20
    assert [kind for kind in kinds if not vars(kind).get("__doc__")] == []
    helps = {kind: pydoc.plain(pydoc.render_doc(kind)).replace(" |  ", "") for kind in kinds}
    assert [kind for kind, text in helps.items() if said(kind) not in text] == []


def test_the_help_of_the_package_is_ten_lines_of_start_here():
    lines = (inspect.getdoc(dj) or "").splitlines()

    assert len([line for line in lines if line]) == 10
    assert lines[0].endswith("Start here:")
    assert all(name in "\n".join(lines) for name in ("%devin simulator", "dj.create", "dj.map", "%devin help"))


def test_the_help_of_create_gives_each_usual_option_a_type_and_a_meaning() -> None:
    assert dj.create.__doc__ is not None
    text = dj.create.__doc__
    for name in (
        "repos",
        "schema",
        "attach",
        "secrets",
        "max_acu",
        "budget",
        "max_time",
        "wait",
        "on_done",
        "take",
        "key",
    ):
        assert re.search(rf"^ +{name} \(.+\): \S", text, re.MULTILINE), name
    assert "and so on" not in text
