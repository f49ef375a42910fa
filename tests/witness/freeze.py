"""Freezes what the package writes and promises today, as the data of the witnesses.

    PYTHONPATH=tests python -m witness.freeze PART… --i-mean-to-change-the-past

PART is `fingerprints`, `fingerprints_2`, `batch_keys`, `signatures`, `modules`, `recorded` (journal, lock file, sync
folder, service) or `all`. What is frozen stands for files and tags that users have; a witness that fails is a bug in
the code, not in the data. Freeze anew only when a promise was changed on purpose, and only its part; keep an old
journal beside the new one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from witness import readings, surface
from witness.service import BASE_URL, KEY, ORG

DATA = Path(__file__).with_name("data")
PLACES: list[dict[str, Any]] = [
    {"base_url": "https://api.devin.ai", "org_id": "org-acme", "api_version": "v3"},
    {"base_url": "https://API.Company.devinenterprise.com/", "org_id": "org-web", "api_version": "v3"},
    {"base_url": "https://api.devin.ai", "org_id": None, "api_version": "v1"},
    {"base_url": "http://127.0.0.1:8765", "org_id": None, "api_version": "v1"},
]
PROMPTS = ["Find the flaky tests", "Répare l'horloge ⏰\n\n  and say why  \n", "x", "Line\r\nends \t\nstay"]
VALUES: dict[str, list[Any]] = {
    "repos": [["acme/api"], ["acme/web", "acme/api"], ["https://github.com/acme/api.git"]],
    "mode": ["normal", "fast", "lite", "ultra"],
    "schema": ["severity:low|high, count:int, cve:str?", {"type": "object", "properties": {"ok": {"type": "boolean"}}}],
    "schema_optional": [True],
    "title": ["Audit"],
    "tags": [["audit", "team:web"]],
    "max_acu": [5],
    "playbook": ["playbook-1a2b"],
    "child_playbook": ["playbook-3c4d"],
    "knowledge": [["note-2", "note-1"]],
    "no_knowledge": [True],
    "secret_ids": [["secret-2", "secret-1"]],
    "no_secrets": [True],
    "secrets": [{"NPM_TOKEN": "one-value"}, {"NPM_TOKEN": "other-value", "REGION": "eu"}],
    "links": [
        ["devin-0123456789abcdef0123456789abcdef", "https://app.devin.ai/sessions/ffeeddccbbaa99887766554433221100"]
    ],
    "attach": [[["facts.csv", "a,b\n1,2\n"]], [["b.txt", "b"], ["a.txt", "a"]]],
    "platform": ["windows"],
    "disposable": [True],
    "bypass_approval": [True],
    "as_user": ["user-1a2b"],
    "snapshot": ["snapshot-1a2b"],
    "unlisted": [True],
    "out": ["audit"],
    "wait": [True, "30m"],
    "on_interrupt": ["stop"],
    "quiet": [True],
    "save_transcript": [True],
    "dry_run": [True],
    "raw": [True],
    "take": ["1", "2", "week-47"],
    "new": [True],
    "key": ["nightly"],
    "max_age": ["6d"],
    "replace": [True],
    "beside": [True],
    "budget": [20],
    "each": ["rows"],
    "name": ["sweep"],
    "max_parallel": [3],
    "limit": [2],
    "max_failures": [4],
    "max_median": [1.5],
    "when_done": ["archive"],
    "prefix": ["devin_"],
}
"""Every option of today but `help`, `to` and `again`, which start nothing."""
_NEEDS = {"schema_optional": "schema"} | dict.fromkeys(
    ("name", "max_parallel", "limit", "max_failures", "max_median", "when_done", "prefix"), "each"
)
_APART = [{"knowledge", "no_knowledge"}, {"secret_ids", "no_secrets"}, {"new", "take"}, {"replace", "beside"}]


def fingerprints() -> None:
    """Every option alone in every place, and a hundred mixtures."""
    cases: list[dict[str, Any]] = [
        {"prompt": PROMPTS[0], "options": _whole({name: value}), "place": place}
        for name, values in VALUES.items()
        for value in values
        for place in PLACES
    ]
    cases += [{"prompt": prompt, "options": {}, "place": place} for prompt in PROMPTS for place in PLACES]
    draw = random.Random(2026)
    while len(cases) < len(VALUES) + 600:
        names = draw.sample(sorted(VALUES), draw.randint(2, 9))
        if any(pair <= set(names) for pair in _APART):
            continue
        options = _whole({name: draw.choice(VALUES[name]) for name in names})
        cases.append({"prompt": draw.choice(PROMPTS), "options": options, "place": draw.choice(PLACES)})
        if len([case for case in cases if len(case["options"]) > 2]) >= 120:
            break
    for case in cases:
        found, case["terms"] = surface.identity(**case)
        case["fingerprint"], case["tag"] = next(iter(found.items()))
    _write("fingerprints.json", cases)


def fingerprints_2() -> None:
    """What version 2 gives the cases of version 1, which stay frozen beside it."""
    cases = json.loads((DATA / "fingerprints.json").read_text("utf-8"))
    found = [surface.identity(case["prompt"], case["options"], case["place"])[0] for case in cases]
    _write("fingerprints_2.json", [list(next(iter(one.items()))) for one in found])


def _whole(options: dict[str, Any]) -> dict[str, Any]:
    for name, needed in _NEEDS.items():
        if name in options and needed not in options:
            options = {**options, needed: VALUES[needed][0]}
    return options


def batch_keys() -> None:
    """Named, in a cell, in a notebook whose cell is not known, and without any of these."""
    cells = [None, *({"notebook": "/home/ada/a.ipynb", "cell_id": one, "out": two} for one, two in _CELLS)]
    cases: list[dict[str, Any]] = [
        {"prompt": "Fix {{ row }}", "rows": ["a", "b"], "options": options, "place": place, "cell": cell}
        for place in PLACES
        for options in ({}, {"name": "sweep"}, {"out": "fixed"}, {"name": "sweep", "out": "fixed"})
        for cell in cells
    ]
    for case in cases:
        case["called"] = surface.batch_key(**case)
    _write("batch_keys.json", cases)


_CELLS = (("c1", None), (None, "fixed"), (None, None))


def recorded() -> None:
    """A journal with everything in it, what the service says of it, and the files that are written from it."""
    from devin_jupyter.simulator.config import Config
    from devin_jupyter.simulator.server import start

    running = start(Config(api_key=KEY, org=ORG, speed=1.0))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ |= {"DEVIN_JUPYTER_HOME": scratch, "JPY_SESSION_NAME": readings.NOTEBOOK, "WITNESS": running.url}
        with _client() as devin:
            _act(devin)
        for act in ("arrived", "never_arrived", "sent", "never_sent"):
            done = subprocess.run([sys.executable, "-m", "witness.freeze", "--die", act], check=False)
            assert done.returncode == 9, (act, done)
        for name in ("lock.devin.json", "sync", "journal.db"):
            shutil.rmtree(DATA / name) if (DATA / name).is_dir() else (DATA / name).unlink(missing_ok=True)
        with _client() as devin:
            devin.lock(DATA / "lock.devin.json", notebook=readings.NOTEBOOK)
            devin.sync(DATA / "sync")
        with sqlite3.connect(folder / "journal.db") as db:
            db.execute("VACUUM")
        shutil.copy(folder / "journal.db", DATA / "journal.db")
    _write("service.json", _everything(running.url))
    shutil.copy(Path(__file__).parents[2] / "notebooks/quickstart.ipynb", DATA / "saved_notebook.json")
    expected()


def expected() -> None:
    """What is read of the recorded files today."""
    from witness import test_recorded

    with tempfile.TemporaryDirectory() as scratch:
        _write("expected.json", test_recorded.read_all(Path(scratch)))


def _act(devin: Any) -> None:
    devin.budget(60, notebook=readings.NOTEBOOK)
    made = {
        name: surface.create_in_cell(devin, prompt, readings.CELLS[name], **options)
        for name, (prompt, options) in readings.CREATED.items()
        if name != "watch"
    }
    _clock(300)
    for name in ("audit", "asked"):
        made[name].wait(20)
    made["audit"].send(readings.SENT)
    _clock(300)
    made["audit"].wait(20)
    made["trial"].stop()
    sweep = devin.map(readings.SWEEP, readings.ROWS, **readings.SWEEP_OPTIONS)
    hello = surface.map_in_cell(
        devin, readings.NAMELESS[0], readings.NAMELESS[1], readings.NAMELESS_CELL, **readings.NAMELESS[2]
    )
    for _ in range(8):
        _clock(300)
        hello.wait(3, quiet=True)
        sweep.wait(3, quiet=True)
    sweep.retry(take=2)
    for _ in range(4):
        _clock(300)
        sweep.wait(3, quiet=True)
    sweep.pause()
    prompt, options = readings.CREATED["watch"]  # the last, so that it is at work still
    made["watch"] = surface.create_in_cell(devin, prompt, readings.CELLS["watch"], **options)
    print(sweep, hello, made)


def _clock(seconds: float) -> None:
    httpx.post(f"{os.environ['WITNESS']}/_sim/clock", json={"advance": seconds}, trust_env=False).raise_for_status()


@contextmanager
def _client(die: str = "") -> Iterator[Any]:
    """A client whose requests to the frozen address go to the simulator, or end the process."""
    there = httpx.URL(os.environ["WITNESS"])

    async def forward(request: httpx.Request) -> httpx.Response:
        deadly = request.method == "POST" and request.url.path.endswith("/messages" if "sent" in die else "/sessions")
        if die.startswith("never") and deadly:
            os._exit(9)
        url = request.url.copy_with(scheme="http", host=there.host, port=there.port)
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            answer = await client.request(request.method, url, content=request.content, headers=headers)
        if die and deadly:
            os._exit(9)
        headers = {"content-type": answer.headers["content-type"]}
        return httpx.Response(answer.status_code, content=answer.content, headers=headers)

    with surface.client(KEY, ORG, BASE_URL, forward) as devin:
        yield devin


def die(act: str) -> None:
    """Pay for something and be killed on the way."""
    with _client(act) as devin:
        if act in ("arrived", "never_arrived"):
            prompt, options = readings.ARRIVED if act == "arrived" else readings.NEVER_ARRIVED
            devin.create(prompt, **options)
        else:
            name = "audit" if act == "sent" else "asked"
            prompt, options = readings.CREATED[name]
            session = surface.create_in_cell(devin, prompt, readings.CELLS[name], **options)
            session.send(readings.SENT_UNCERTAINLY if act == "sent" else readings.NEVER_SENT)


def _everything(url: str) -> dict[str, Any]:
    base = f"{url}/v3/organizations/{ORG}"
    with httpx.Client(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        sessions = client.get(f"{base}/sessions", params={"first": 100}).json()["items"]
        messages = {
            one["session_id"]: client.get(f"{base}/sessions/{one['session_id']}/messages").json()["items"]
            for one in sessions
        }
    return {"sessions": sessions, "messages": messages}


def _write(name: str, value: Any) -> None:
    if isinstance(value, list):  # a line a case, which reads well in a diff
        text = "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
    else:
        rows = (f"{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}" for key, item in value.items())
        text = "{\n" + ",\n".join(rows) + "\n}"
    (DATA / name).write_text(text + "\n", "utf-8")


def main() -> None:
    """Freeze the parts that are named, or die as one was told."""
    parts = {
        "fingerprints": fingerprints,
        "fingerprints_2": fingerprints_2,
        "batch_keys": batch_keys,
        "signatures": lambda: _write("signatures.json", readings.signatures()),
        "modules": lambda: _write("modules.json", readings.modules()),
        "recorded": recorded,
        "expected": expected,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--i-mean-to-change-the-past", action="store_true", dest="is_meant")
    parser.add_argument("--die", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.die:
        die(args.die)
    if not args.parts or not {*args.parts} <= {*parts, "all"}:
        parser.error(f"name parts: {', '.join([*parts, 'all'])}")
    if not args.is_meant:
        parser.error("the data stand for what users have on their disks: say --i-mean-to-change-the-past")
    DATA.mkdir(exist_ok=True)
    for name, freeze in parts.items():
        if name in args.parts or ("all" in args.parts and name != "expected"):
            freeze()


if __name__ == "__main__":
    main()
