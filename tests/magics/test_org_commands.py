"""`%devin` commands about repositories, reviews, people, automations and the enterprise, against the simulator."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from devin_jupyter.magics.completion import CACHE

PR = "https://github.com/acme/api/pull/12"
REVIEW = "POST /v3/organizations/{org_id}/pr-reviews"
CREATE = "POST /v3/organizations/{org_id}/sessions"


def rows(ran: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = ran.value.rows
    return listed


@pytest.fixture
def company(connected: Any, simulator_with: Any) -> Any:
    simulator = simulator_with(api_key="cog_enterprise_test", organizations=3, preload=30, today="2026-11-01")
    connected(simulator, simulator.api_key)
    return simulator


def test_repositories_are_listed_and_known_to_tab(shell: Any, service: Any) -> None:
    assert "acme/billing" in [row["repository"] for row in rows(shell.run("%devin repositories"))]
    assert [row["repository"] for row in rows(shell.run("%devin repositories billing --indexing"))] == ["acme/billing"]
    assert ("acme/billing", "") in [(name, "") for name, _ in CACHE.get("repos")]
    before = service.stats()["requests"]
    assert "%%devin --repos acme/billing" in shell.tab("%%devin --repos acme/bil|")
    assert service.stats()["requests"] == before


def test_a_review_is_requested_once(shell: Any, service: Any) -> None:
    assert "no review was requested" in repr(shell.run("%devin reviews").value)
    assert "pending" in shell.run(f"%devin reviews {PR} --request").out
    assert "attached" in shell.run(f"%devin reviews {PR} --request").out
    assert service.requests(REVIEW) == 1
    (row,) = rows(shell.run("%devin reviews"))
    assert row["pull request"] == PR
    assert row["review"] in ("pending", "running", "completed")
    (other,) = rows(shell.run("%devin reviews https://github.com/acme/api/pull/13"))
    assert other["review"] == "none"
    assert "--take goes with --request" in shell.run(f"%devin reviews {PR} --take 2", fails=True).out
    assert "needs the address" in shell.run("%devin reviews --request", fails=True).out


def test_members_are_listed_by_name_without_addresses(shell: Any, service: Any) -> None:
    (row,) = rows(shell.run("%devin members costa"))
    assert (row["name"], row["id"]) == ("Ana Costa", "user-ana")
    assert "@" not in repr(shell.run("%devin members").value)


def test_automations_are_listed_and_switched(shell: Any, connected: Any, simulator_with: Any) -> None:
    simulator = simulator_with(preload=5, today="2026-11-01")
    connected(simulator, simulator.api_key)
    listed = {row["name"]: row for row in rows(shell.run("%devin automations"))}
    assert listed["First look at incidents"]["ACU a session"] == "no cap"
    assert listed["Nightly dependency audit"]["last"] == "succeeded"
    ran = shell.run("%devin automations --disable 'Triage new issues'")
    assert {row["name"]: row["on"] for row in rows(ran)}["Triage new issues"] == "no"
    ran = shell.run("%devin automations triage --enable automation-triage")
    assert [row["on"] for row in rows(ran)] == ["yes"]
    assert "cannot be combined" in shell.run("%devin automations --enable a --disable b", fails=True).out


def test_allowed_tags_are_shown_and_changed(shell: Any, company: Any) -> None:
    org = f"--org {company.org_id}"
    assert "every tag is allowed" in repr(shell.run(f"%devin org_tags {org}").value)
    assert [row["tag"] for row in rows(shell.run(f"%devin org_tags --add a b {org}"))] == ["a", "b"]
    assert [row["tag"] for row in rows(shell.run(f"%devin org_tags --remove a {org}"))] == ["b"]
    assert [row["tag"] for row in rows(shell.run(f"%devin org_tags --replace c {org}"))] == ["c"]
    assert "cannot be combined" in shell.run(f"%devin org_tags --add a --replace b {org}", fails=True).out


def test_an_enterprise_shows_its_organizations_and_its_log(shell: Any, company: Any) -> None:
    ran = shell.run("%devin organizations --cycle 2026-10-15")
    assert len(rows(ran)) == 3
    assert "2026-10-01 08:00 UTC to 2026-11-01 08:00 UTC" in repr(ran.value)
    log = rows(shell.run("%devin audit --since 2026-09-01 --action login --limit 5"))
    assert [row["action"] for row in log] == ["login"] * 5
    assert "Ana Costa" in repr(shell.run("%devin audit --since 2026-01-01 --limit 500").value)


def test_the_key_of_an_organization_is_told_what_it_lacks(shell: Any, service: Any) -> None:
    ran = shell.run("%devin organizations", fails=True)
    assert "needs the permission ManageOrganizations at enterprise level" in ran.out
    shell.run("%devin simulator")
    ran = shell.run("%devin organizations", fails=True)
    assert "%devin simulator --organizations 12 has an enterprise (in Python: dj.connect(simulator=True" in ran.out
    assert "Settings" not in ran.out
    shell.run("%devin simulator --organizations 12")
    assert len(rows(shell.run("%devin organizations"))) == 12
    assert "there are 1 to 12 organizations" in shell.run("%devin simulator --organizations 13", fails=True).out


def test_the_simulator_lists_the_repositories_that_the_notebooks_work_on(shell: Any, service: Any) -> None:
    shell.run("import devin_jupyter as dj; listed = set(dj.repositories_frame()['repo'])")
    listed = shell.names["listed"]
    named = set()
    for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        named |= {name for cell in cells for name in re.findall(r"acme/[\w-]+", "".join(cell["source"]))}
    assert {"acme/api", "acme/jobs", "acme/feed"} <= named
    assert named <= listed


def test_a_repository_that_is_not_listed_is_told_before_the_session_is_paid_for(shell: Any, service: Any) -> None:
    cell = "%%devin --repos acme/bilking --wait --quiet -o s\nCount"
    assert "not among" not in shell.run(cell.replace("bilking", "first")).out  # nothing was read so far
    shell.run("%devin repositories")
    dry = shell.run(cell.replace("--wait", "--dry-run --wait"))
    assert (
        "acme/bilking is not among the repositories that this key can list (did you mean acme/billing?); "
        "the session may see more"
    ) in dry.out
    ran = shell.run(cell)
    assert ran.out.startswith("acme/bilking is not among the repositories")
    assert "not among" not in shell.run(cell.replace("acme/bilking", "Acme/Billing") + " here").out
    assert service.requests(CREATE) == 3
    assert "not among" not in shell.run(cell).out  # a rerun pays for nothing
    names = "import devin_jupyter as dj\n"
    assert "not among" in shell.run(names + "dj.create('Count all', repos=['acme/nowhere']).stop()").out
    rows_cell = "%%devin --each ['acme/nope','acme/api'] --repos '{{ row }}' --max-acu 50 --wait --quiet -o b\nCount"
    shell.run("table = ['acme/nope', 'acme/api']")
    out = shell.run(rows_cell.replace("['acme/nope','acme/api']", "table")).out
    assert "acme/nope is not among" in out
    assert (
        "not among"
        in shell.run(names + "dj.map('Sum', ['acme/nada'], repos=['{{ row }}'], max_acu=50, name='m').stop()").out
    )


def test_a_tag_that_is_not_allowed_is_told_before_the_session_is_paid_for(shell: Any, company: Any) -> None:
    shell.run(
        f"import devin_jupyter as dj\ndevin = dj.connect('{company.api_key}', base_url='{company.url}',"
        f" org_id='{company.org_id}')\ndevin.org_tags.append(['red'])"
    )
    assert "%%devin --tags red" in shell.tab("%%devin --tags re|")
    out = shell.run("%%devin --tags blue --wait --quiet\nCount").out
    assert "the enterprise does not allow the tag blue: its list has red" in out
    assert "lacks the one by which sessions are found again; where an organization allows only listed tags, %c" in out
    more = shell.run("%%devin --tags red --wait --quiet\nCount more").out  # the list is not enforced, as is known now
    assert "does not allow" not in more
    assert "lacks" not in more


def test_each_takes_an_expression_of_the_notebook(shell: Any, service: Any) -> None:
    shell.run("import devin_jupyter as dj")
    each = "--each \"dj.repositories_frame(filter_name='bi')\" --repos '{{ row.repo }}'"
    cell = f"%%devin {each} --max-acu 50 --wait --quiet"
    shell.run(cell + " -o b\nCount in {{ row.repo }}")
    assert sorted(shell.names["b"].frame()["repo"]) == ["acme/billing", "acme/mobile"]
    ran = shell.run("%%devin --each nothing() --max-acu 1\nCount", fails=True)
    assert "--each nothing() raised NameError" in ran.out
    service.faults({"kind": "status", "status": 403, "route": "/v3beta1/organizations/{org_id}/repositories"})
    assert "at organization level" in shell.run(cell + "\nSum", fails=True).out
