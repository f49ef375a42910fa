"""Runs in pyodide, see test_pyodide.py: what works without threads, network and missing wheels, and what says so."""

import json
import os
import sys
from pathlib import Path

import micropip
import pyodide_js

SHARED = Path("/shared")
found = {"python": sys.version.split()[0], "platform": sys.platform}

await micropip.install("packaging", index_urls=[INDEX])  # noqa: F704, F821 - it runs as a cell of a notebook does
at_hand = json.loads((SHARED / "at_hand.json").read_text())
STAND_INS = {
    "numpy": ("2.4.6", {"numpy": "raise ImportError('numpy is a stand-in here')"}),
    "pandas": ("3.0.2", {"pandas": "raise ImportError('pandas is a stand-in here')"}),
    "nh3": ("0.3.4", {"nh3": "def clean(html, **_):\n    return html\n"}),
    "rpds-py": ("2026.9.1", {"rpds": (SHARED / "rpds_stand_in.py").read_text()}),
}
for name, (version, modules) in STAND_INS.items():
    if name in at_hand:
        await pyodide_js.loadPackage(name)  # noqa: F704
    else:
        micropip.add_mock_package(name, version, modules=modules)

(wheel,) = SHARED.glob("devin_jupyter-*.whl")
await micropip.install(f"emfs:{wheel}", index_urls=[INDEX])  # noqa: F704, F821
import devin_jupyter as dj  # noqa: E402

found["version"] = dj.__version__
found["loaded"] = sorted({"pandas", "httpx", "pydantic", "anywidget", "jsonschema"} & sys.modules.keys())
os.environ["DEVIN_JUPYTER_HOME"] = "/home/pyodide/devin"
SCHEMA = "[file:str, severity:low|high]"


def refusal(call, *args, **options):
    """What a call says that cannot work here."""
    try:
        call(*args, **options)
    except Exception as problem:
        return [type(problem).__name__, str(problem)]
    return ["nothing", ""]


# replay of a lock file
os.chdir("/shared/work")
audit = dj.create("Audit the code", schema=SCHEMA)
found["how"], found["answer"] = audit.how, audit.result()
found["awaited"] = (await audit).id == audit.id  # noqa: F704
found["html"] = "text/html" in audit._repr_mimebundle_()
found["repr"] = repr(audit)
found["another"] = refusal(dj.create, "Something else")
found["message"] = refusal(audit.send, "Go on")
told = []
dj.create("Audit the code", schema=SCHEMA, on_done=told.append)
found["told"] = [one.id == audit.id for one in told]

# a saved notebook
found["saved"] = [[one.id, one.result()] for one in dj.from_notebook("/shared/saved.ipynb")]

# frames and charts
if "pandas" in at_hand:
    frame = audit.frame()
    found["frame"] = [list(map(str, frame.dtypes)), len(frame)]
    found["sessions"] = len(dj.sessions_frame([audit]))
    found["messages"] = len(audit.messages_frame())
if "altair" in at_hand:
    await pyodide_js.loadPackage("altair")  # noqa: F704
    found["chart"] = type(dj.charts.spend(dj.sessions_frame([audit]))).__name__

# an answer that does not fit is noticed, by the pure validator
from devin_jupyter.schema import load_schema  # noqa: E402

schema = load_schema("count:int, on:date")
found["valid"] = [
    schema.is_valid(value) for value in ({"count": 1, "on": "2026-11-30"}, {"count": 1, "on": "soon"}, {})
]
found["no_schema"] = refusal(load_schema, {"type": "object", "properties": {"a": {"type": "strin"}}})

# the magics
from IPython.core.interactiveshell import InteractiveShell  # noqa: E402

shell = InteractiveShell.instance()
shell.run_cell("%load_ext devin_jupyter").raise_error()
shell.run_cell(f"%%devin --schema '{SCHEMA}' -o again\nAudit the code").raise_error()
found["magic"] = shell.user_ns["again"].id == audit.id

# what needs more than there is
found["simulator"] = refusal(dj.connect, simulator=True)
os.environ["DEVIN_API_KEY"], os.environ["DEVIN_ORG_ID"] = "cog_a1b2c3d4e5f6g7h8i9", "org-1"
dj.connect()
found["create"] = refusal(dj.create, "Something else")
found["sessions_list"] = refusal(dj.commands.sessions)
found["sent_nothing"] = dj.commands.journal("check") is None
print("FOUND", json.dumps(found))
