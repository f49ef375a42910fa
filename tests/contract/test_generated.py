"""Thousands of generated requests, good and bad: no server error, and no answer that nobody documented.

Schemathesis runs as a program of its own against the simulator. Whether a request that fits its schema is accepted is
not asked of it: cron expressions, platform names, cursors and ended sessions are beyond what a schema can say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from contract.openapi import document, read_yaml
from contract.sample_organization import BODIES, QUERIES, Ids, populate

pytestmark = [pytest.mark.schemathesis, pytest.mark.timeout(900)]
SPECS = os.environ.get("DEVIN_SPECS", "")
EXAMPLES = 25
SEED = 20
"""The requests are the same in every run, so that a red run is never luck."""


def run(folder: Path, spec: dict[str, Any], simulator: Any, key: str, ids: Ids) -> tuple[int, str]:
    """Let schemathesis loose, and return its exit status and the end of its report."""
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    parameters = "\n".join(f'"path.{name}" = "{known[0]}"' for name, known in ids.items())
    settings = f"[generation]\nwith-security-parameters = false\n[parameters]\n{parameters}\n"
    (folder / "schemathesis.toml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "spec.json"]
    command += ["--url", simulator.url, "--header", f"Authorization: Bearer {key}", "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED)]
    command += ["--exclude-checks", "positive_data_acceptance"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout[-20_000:] + done.stderr[-2_000:]


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_requests_generated_from_the_facts(simulator_with: Any, tmp_path: Path, version: str) -> None:
    simulator = simulator_with(api_key="cog_enterprise_test")
    ids = populate(simulator)
    spec = document(version, ids, BODIES | QUERIES)
    key = simulator.api_key if version == "v3" else simulator.v1_key
    status, report = run(tmp_path, spec, simulator, key, {})
    assert status == 0, report


@pytest.mark.skipif(not SPECS, reason="DEVIN_SPECS names no folder with v3-openapi.yaml and v1-openapi.yaml")
@pytest.mark.parametrize("version", ["v3", "v1"])
def test_requests_generated_from_the_published_documents(simulator_with: Any, tmp_path: Path, version: str) -> None:
    simulator = simulator_with(api_key="cog_enterprise_test")
    ids = populate(simulator)
    spec = read_yaml(Path(SPECS) / f"{version}-openapi.yaml")
    for path, operations in spec["paths"].items():
        for method in ("post", "patch") if "/schedules" in path else ():  # 400: a platform that is not there
            if method in operations:
                operations[method]["responses"].setdefault("400", {"description": "Bad Request"})
    key = simulator.api_key if version == "v3" else simulator.v1_key
    status, report = run(tmp_path, spec, simulator, key, ids)
    assert status == 0, report
