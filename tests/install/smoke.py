"""What an installed package must manage in an environment that has nothing else: one cell, its answer, its frames.

Run by the tests with the interpreter of that environment, in an empty folder. Prints one JSON line.
"""

from __future__ import annotations

import json
import sys
import warnings

warnings.filterwarnings("error", module=r"devin_jupyter\b")

from IPython.core.interactiveshell import InteractiveShell  # noqa: E402 (our own warnings count from the first import)

SETUP = """
from typing import Literal
import pydantic
import devin_jupyter as dj

class Finding(pydantic.BaseModel):
    file: str
    severity: Literal["low", "high"]

devin = dj.connect(simulator=True);
"""
CELL = "%%devin --repos acme/api --schema list[Finding] --max-acu 5 --quiet --wait -o audit\nFind {{ 6 * 7 }} things."


def main() -> None:
    shell = InteractiveShell.instance()
    for code in ("%load_ext devin_jupyter", SETUP, CELL, "panel = audit.panel(); panel.close()"):
        shell.run_cell(code).raise_error()
    import devin_jupyter as dj

    audit = shell.user_ns["audit"]
    rows = audit.result()
    report = {
        "python": list(sys.version_info[:2]),
        "home": dj.__file__,
        "phase": audit.phase.value,
        "findings": sorted({type(row).__name__ for row in rows}),
        "columns": list(audit.frame().columns)[:2],
        "sessions": len(dj.sessions_frame()),
        "acus": str(dj.sessions_frame()["acus"].dtype),
        "prompt": audit.messages[0].text,
    }
    print(json.dumps(report))


main()
