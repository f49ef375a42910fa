"""A package that changes under a running kernel, by `%autoreload 2` or an upgrade: said before anything is sent."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import devin_jupyter

RUN = """
import os, pathlib, sys, time
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
package = pathlib.Path(os.environ["PYTHONPATH"], "devin_jupyter")

def run(code):
    with capture_output() as captured:
        done = shell.run_cell(code)
    error = done.error_in_exec or done.error_before_exec
    print(type(error).__name__ if error else "ok", "|", *(getattr(error, "lines", None) or [str(error)]), flush=True)

for line in sys.argv[1].split(";"):
    run(line)
run("%load_ext devin_jupyter\\nimport devin_jupyter as dj")
run("%%devin --wait -o first\\nSay hello")
for name in ("models/enums.py", "session.py", "journal/sessions.py"):
    path = package / name
    path.write_text(path.read_text() + "\\n# a newer version\\n")
time.sleep(1.1)
run("%%devin --wait -o second\\nSay bye")
run("dj.create('Say bye')")
run("first.send('more')")
run("dj.review('https://github.com/acme/api/pull/1')")
run("dj.map('Say {{ row }}', ['bye'])")
run("%devin sessions")
run("%devin help")
"""


@pytest.mark.parametrize("before", ["%load_ext autoreload;%autoreload 2", "pass"])
def test_a_changed_package_asks_for_a_restart_before_anything_is_sent(simulator, tmp_path, before):
    folder = tmp_path / "site"
    shutil.copytree(Path(devin_jupyter.__file__).parent, folder / "devin_jupyter")
    environment = {**os.environ, "PYTHONPATH": str(folder), "IPYTHONDIR": str(tmp_path)}
    environment |= {"DEVIN_API_KEY": simulator.api_key, "DEVIN_API_URL": simulator.url}
    environment |= {"DEVIN_ORG_ID": simulator.org_id, "PYTHONDONTWRITEBYTECODE": "1"}

    def kernel(code):
        ran = subprocess.run(
            [sys.executable, "-c", code, before],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    *_, first, bye, create, send, review, batch, read, helped = kernel(RUN)
    assert first.startswith("ok")
    for line in (bye, create, send, review, batch, read):
        assert line.startswith("SetupError | devin_jupyter has changed while this kernel runs (journal/sessions.py)")
        assert "nothing was sent, and nothing is wrong with the journal" in line
        assert "restart the kernel" in line
    assert helped.startswith("ok")
    assert simulator.stats()["sessions"] == 1
    assert not any(name.startswith("POST") and "pr-reviews" in name for name in simulator.stats()["requests"])
    again = kernel(RUN.split("for name in")[0])
    assert simulator.stats()["sessions"] == 1
    assert again[-1].startswith("ok")
