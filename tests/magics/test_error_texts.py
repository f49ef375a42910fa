"""What people read when something goes wrong, word for word, for every kind of error that a cell can meet.

The texts are in `error_texts.txt`. After a deliberate change: delete the file, run this once, and read the new one.
"""

import re
from pathlib import Path

import pytest

from devin_jupyter import errors

pytestmark = pytest.mark.usefixtures("slow_lasts")
TEXTS = Path(__file__).with_name("error_texts.txt")
SESSIONS = "/v3/organizations/{org_id}/sessions"
ELSEWHERE = {
    "ArgumentError": "a call in Python, see the tests of the client",
    "CreateUncertain": "takes 14 s of looking, see the tests of the journal",
    "RequestTimeout": "takes the time-out, see the tests of the transport",
    "ColleaguesSession": "needs a second principal, see the tests of the journal",
    "NoOrganization": "needs an enterprise key, see the tests of the client",
    "UnreadableAnswer": "names the parser's own words",
    "Detached": "needs a kernel, see test_kernel",
    "LiveUnavailable": "needs a session at work over a service without the channel, see the tests of the live channel",
    "DetachedAwait": "needs an event loop, see the tests of the client",
}


def status(number, method="GET", route=SESSIONS):
    return {"method": method, "route": route, "kind": "status", "status": number, "times": 99, "retry_after": 0}


STEPS = [
    ("%%devin --repoz a/b\nx",),
    ("%%devin\n{{ nobody }}",),
    ("%%devin --schema Nobody\nx",),
    ("%%devin --snapshot s-1\nx",),
    ("%%devin --platform amiga\nx",),
    ("%devin sessions", status(401)),
    ("%devin sessions", status(403)),
    ("%devin open devin-" + "0" * 32,),
    ("%devin tags s --add x", status(409, "POST", SESSIONS + "/{devin_id}/tags")),
    ("%devin sessions", status(422)),
    ("%devin sessions", status(429)),
    ("%devin sessions", status(500)),
    ("%devin sessions", {"method": "GET", "route": SESSIONS, "kind": "drop_before", "times": 99}),
    ("%%devin --wait --quiet --schema 'n:int' --tags sim:question\nask",),
    ("%%devin --wait --quiet --schema 'n:int' --tags sim:approval\nask to push",),
    ("%%devin --wait --quiet --schema 'n:int' --tags sim:sleep\nsleep",),
    ("%%devin --wait --quiet --schema 'n:int' --tags sim:limit\nspend",),
    ("%%devin --wait --quiet --schema 'n:int' --tags sim:fail\nfail",),
    ("%%devin --wait --quiet --schema 'n:int' --tags sim:invalid-output\nmisunderstand",),
    ("%%devin --wait 0.2 --quiet --tags sim:slow -o w\nslow",),
    ("w.output",),
    ("w.cancel_turn()",),
    ("%%devin --quiet -o w\nsomething else",),
    ("w.cost",),
    ("b = dj.map('Do {{ row }}', ['a'], max_acu=1).wait()\nb.frame['phase']",),
    ("%devin stop w\nw.result()",),
    ("%devin budget 1\n%devin budget",),
    ("%%devin --quiet --max-acu 3\ndear",),
    ("%devin budget --off\n%devin stop --all --everything",),
    ("%%devin --quiet\nhalted",),
    ("%devin resume\ndj.connect(api_version='v1')",),
]
ALONE = {
    "no key": ({"DEVIN_API_KEY": ""}, "%%devin\nx"),
    "nobody there": ({"DEVIN_API_URL": "http://127.0.0.1:9", "DEVIN_ORG_ID": "org-x"}, "%devin sessions"),
    "no journal": ({"DEVIN_JUPYTER_HOME": "/dev/null/home"}, "%%devin\nx"),
    "not recorded": ({"DEVIN_API_KEY": ""}, "%%devin\nnot in the lock file"),
}


def neutral(text):
    """Without what differs from run to run."""
    text = re.sub(r"devin-[0-9a-f]{32}", "devin-…", text)
    text = re.sub(r"sessions/[0-9a-f]{32}", "sessions/…", text)
    text = re.sub(r"127\.0\.0\.1:\d{4,}", "127.0.0.1:PORT", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "DATE", text)
    text = re.sub(r"\(queued|\(working", "(working", text)
    text = re.sub(r"\d+(\.\d+)? ACU( so far| used|(?=\)))|ACU unknown", "N ACU", text)
    text = re.sub(r"\d+\.\d+", "N", text)
    return re.sub(r"budget of the (notebook|folder) \S+", r"budget of the \1 NAME", text)


@pytest.fixture
def said(shell, service, monkeypatch, tmp_path):
    """The lines of every kind of error, under what was run."""
    monkeypatch.chdir(tmp_path)
    found = {}

    def run(name, code, *rules):
        service.faults(*rules)
        *before, last = [code] if code.startswith("%%") else code.split("\n")
        for line in before:
            shell.run(line)
        shown = shell.run(last, fails=not last.startswith(("%devin budget", "%devin stop")))
        if shown.error is not None:
            kind = type(shown.error).__name__
            found[kind] = f">>> {name}\n{neutral(shown.out[shown.out.index(kind + ':') :]).strip()}\n"

    shell.run("%%devin --wait --quiet -o s\nDo it")
    for code, *rules in STEPS:
        run(code.replace("\n", " ⏎ "), code, *rules)
    shell.run("%devin resume")
    (tmp_path / "notebook.devin.json").write_text('{"devin_lock": 1, "sessions": {}}')
    for name, (variables, code) in ALONE.items():
        with monkeypatch.context() as patch:
            if name != "not recorded":
                patch.chdir(tmp_path.parent)
            for variable, value in variables.items():
                patch.setenv(variable, value) if value else patch.delenv(variable)
            shell.run("from devin_jupyter.client.sync import disconnect; disconnect()")
            run(name, code)
    return found


def test_errors_say_what_happened_what_it_means_and_what_to_do(said):
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ThreeLines)}
    leaves = {kind for kind in kinds if not any(other is not kind and issubclass(other, kind) for other in kinds)}
    assert {kind.__name__ for kind in leaves} - said.keys() - ELSEWHERE.keys() == set()
    text = "\n".join(said.values())
    if not TEXTS.exists():
        TEXTS.write_text(text)
        pytest.fail(f"{TEXTS.name} was written anew: read it")
    assert text == TEXTS.read_text()
