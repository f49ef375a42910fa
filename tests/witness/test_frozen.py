"""Identities, batch keys, public signatures and what the first steps load are those of the day they were frozen."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from witness import readings, surface

import devin_jupyter as dj

DATA = Path(__file__).with_name("data")


def frozen(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


def test_every_request_is_known_by_its_old_fingerprint_and_tag() -> None:
    cases = frozen("fingerprints.json")
    assert len(cases) > 300
    changed = []
    for case in cases:
        found, terms = surface.identity(case["prompt"], case["options"], case["place"])
        if found.get(case["fingerprint"]) != case["tag"] or terms != case["terms"]:
            changed.append({**case, "now": found})
    assert not changed, f"{len(changed)} of {len(cases)} requests would be paid for again, such as {changed[:3]}"


def test_every_request_is_known_by_its_fingerprint_and_tag_of_version_2() -> None:
    cases, now = frozen("fingerprints.json"), frozen("fingerprints_2.json")
    assert len(cases) == len(now)
    changed = []
    for case, (text, tag) in zip(cases, now, strict=True):
        found, _ = surface.identity(case["prompt"], case["options"], case["place"])
        if found.get(text) != tag:
            changed.append({**case, "now": found})
    assert not changed, f"{len(changed)} of {len(cases)} requests would be paid for again, such as {changed[:3]}"


def test_a_batch_is_found_under_its_old_key() -> None:
    cases = frozen("batch_keys.json")
    changed = [
        (case, now)
        for case in cases
        if (now := surface.batch_key(*(case[part] for part in ("prompt", "rows", "options", "place", "cell"))))
        != case["called"]
    ]
    assert not changed, f"{len(changed)} of {len(cases)} batches would be lost, such as {changed[:3]}"


def test_public_names_take_what_they_took() -> None:
    now = readings.signatures()
    problems = []
    for name, then in frozen("signatures.json").items():
        if name not in now:
            problems.append(f"{name}: gone")
        else:
            problems += [f"{name}: {what}" for what in _broken(then, now[name])]
    assert not problems, "calls that worked would fail:\n" + "\n".join(problems)


def _broken(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what a caller of yesterday stumbles over; more parameters with defaults are welcome."""
    callable_kinds = ("class", "function", "method")
    if then["kind"] != now["kind"] and not (then["kind"] in callable_kinds and now["kind"] in callable_kinds):
        return [f"was a {then['kind']}, is a {now['kind']}"]
    if then["kind"] == "enum":
        return [
            f"{key} = {value!r} is gone" for key, value in then["members"].items() if now["members"].get(key) != value
        ]
    if then["kind"] not in callable_kinds:
        return []
    found = [] if now["has_doc"] or not then["has_doc"] else ["lost its documentation"]
    old, new = [_renamed(one) for one in then["parameters"]], now["parameters"]
    by_name = {_name(one): one for one in new}
    found += [
        f"took {one}, takes {by_name.get(_name(one), 'no such parameter')}"
        for one in old
        if by_name.get(_name(one)) not in (one, one.removeprefix("kw:"))  # a keyword may become positional as well
    ]
    order = [_name(one) for one in new if not one.startswith(("kw:", "*"))]
    before = [_name(one) for one in old if not one.startswith(("kw:", "*"))]
    if order[: len(before)] != before:
        found.append(f"positional parameters were {before}, are {order}")
    known = {_name(one) for one in old}
    found += [f"needs {one}" for one in new if _name(one) not in known and "=" not in one and one[0] != "*"]
    return found


_RENAMED = {"what": "message", "means": "consequence", "do": "hint"}
"""The three lines of an error; `.what`, `.means` and `.do` are still read. Only the package makes errors."""


def _renamed(parameter: str) -> str:
    name, *default = parameter.partition("=")
    return "".join([_RENAMED.get(name, name), *default])


def _name(parameter: str) -> str:
    return parameter.removeprefix("kw:").partition("=")[0].strip("*/")


def test_the_first_steps_load_no_more_than_they_did() -> None:
    now = readings.modules()
    for step, then in frozen("modules.json").items():
        more = set(now[step]["others"]) - set(then["others"])
        assert not more, f"{step} loads {sorted(more)} as well"
        assert now[step]["ours"] <= then["ours"], f"{step} loads {now[step]['ours']} modules, not {then['ours']}"
        for name in ("sqlite3", "ssl"):
            assert now[step][name] <= then[name], f"{step} loads {name} as well"


def test_no_module_hides_a_public_name() -> None:
    # once imported, a submodule is an attribute of the package, in the place of a function with its name
    hidden = [name for name in dj.__all__ if importlib.util.find_spec(f"devin_jupyter.{name}")]
    assert hidden == ["charts", "errors"], "these modules would replace public functions: rename them"
