"""What belongs to an organization and what an enterprise sees, as frames: typed also when empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clients import devin

from devin_jupyter import Devin, charts, frames
from devin_jupyter.errors import Forbidden, NotFound, OptionError, Unsupported
from devin_jupyter.frames import organization as built

__all__ = ["devin"]
EMPTY = {
    "repositories": frames.repositories([]),
    "reviews": frames.reviews([]),
    "members": frames.members([], emails=True),
    "automations": frames.automations([]),
    "organizations": frames.organizations([]),
    "consumption": frames.enterprise_consumption([], (None, None), {}),
    "logs": frames.audit_logs([], {}, emails=True),
    "violations": frames.guardrail_violations([], texts=True),
    "metrics": frames.metrics([]),
}


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


@pytest.fixture
def company(simulator_with: Any) -> Iterator[Devin]:
    simulator = simulator_with(api_key="cog_enterprise_test", organizations=4, preload=60, today="2026-11-01")
    client = Devin(simulator.api_key, base_url=simulator.url)
    yield client
    client.close()


@pytest.fixture
def past(simulator_with: Any) -> Iterator[Devin]:
    simulator = simulator_with(preload=30, today="2026-11-01")
    client = Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id)
    yield client
    client.close()


def test_repositories_are_a_frame_that_a_batch_can_use(past: Devin) -> None:
    found = past.repositories_frame()
    assert dtypes(found) == dtypes(EMPTY["repositories"])
    assert found["repo"].is_unique
    assert found["is_indexed"].isna().all()
    past.repositories.index(["acme/api"])
    indexed = past.repositories_frame(indexing=True, only_repo_paths=["acme/api", "acme/web"])
    assert indexed.set_index("repo")["is_indexed"].to_dict() == {"acme/api": True, "acme/web": False}
    assert indexed["index_status"].notna().tolist() == [True, False]
    batch = past.map("Count in {{ row.repo }}", past.repositories_frame(limit=2), repos=["{{ row.repo }}"], max_acu=1)
    assert len(batch) == 2
    batch.stop()


def test_members_have_no_addresses_unless_asked_for(past: Devin) -> None:
    found = past.members_frame()
    assert "email" not in found.columns
    assert set(found["kind"]) == {"member", "group member"}
    asked = past.members_frame(emails=True)
    assert dtypes(asked) == dtypes(EMPTY["members"])
    assert asked["email"].notna().all()
    assert not frames.members([("member", {"user_id": "a"})], emails=False)["name"].notna().any()


def test_automations_are_a_frame_without_secrets(past: Devin) -> None:
    past.automations.create("Incidents", ["webhook:incoming"], "Look.", max_acu=3, metadata={"a": "b"})
    found = past.automations_frame()
    assert dtypes(found) == dtypes(EMPTY["automations"])
    assert "whsec" not in str(found.to_dict("records"))
    row = found.set_index("name").loc["Nightly dependency audit"]
    assert (row["max_acu"], row["last_status"], row["triggers"]) == (5, "succeeded", ["schedule:recurring"])
    assert past.automations_frame(enabled=False)["name"].tolist() == ["First look at incidents"]


def test_sessions_have_the_names_of_their_users_where_the_key_may_read_them(past: Devin, simulator_with: Any) -> None:
    found = past.sessions_frame()
    named = found.dropna(subset=["user_id"])
    assert named["user_name"].notna().all()
    assert found.columns.get_loc("user_name") == found.columns.get_loc("service_user_id") + 1
    drawn = charts.spend(found, by="user").to_dict()
    groups = {record["group"] for record in drawn["data"]["values"]}
    assert {"Ana Costa", "Ben Berg"} & groups
    assert not any(group.startswith("user-") for group in groups)
    simulator = simulator_with(preload=30, today="2026-11-01")
    simulator.faults(
        *(
            {"kind": "status", "status": 403, "route": f"/v3beta1/organizations/{{org_id}}/members/{name}"}
            for name in ("users", "idp-users")
        )
    )
    with Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id) as refused:
        ids = refused.sessions_frame()
        assert ids["user_name"].isna().all()
        assert list(dtypes(ids).items()) == list(dtypes(found).items())
        assert refused.sessions_frame(limit=0).columns.tolist() == found.columns.tolist()
        with pytest.raises(Forbidden, match="ViewOrgMembership at organization level"):
            refused.members_frame()


def test_sessions_of_an_enterprise_have_the_same_frames(company: Devin) -> None:
    organizations = company.organizations_frame()
    assert dtypes(organizations) == dtypes(EMPTY["organizations"])
    everything = company.sessions_frame(org_ids="all")
    assert set(everything["org_id"]) == set(organizations["org_id"])
    some = company.sessions_frame(org_ids=organizations["org_id"].head(2))
    assert set(some["org_id"]) == set(organizations["org_id"].head(2))
    assert everything.loc[everything["service_user_id"] == "service-user-ci", "user_name"].eq("ci").all()
    prs = company.pull_requests_frame(org_ids="all", since="2026-10-01")
    reviewed = company.reviews_frame(prs.head(20), org_ids="all")
    assert dtypes(reviewed) == dtypes(EMPTY["reviews"])
    assert reviewed["status"].notna().any()
    assert len(company.messages_frame(org_ids="all", limit=3)) == 12
    assert len(company.insights_frame(org_ids="all", limit=3)) == 3
    assert len(company.outputs_frame(org_ids="all", limit=30)) > 0


def test_the_spend_of_an_enterprise_is_a_row_per_organization_and_day(company: Devin) -> None:
    found = company.enterprise_consumption_frame("2026-10-15")
    assert dtypes(found) == dtypes(EMPTY["consumption"])
    assert found["cycle_after"].nunique() == 1
    assert found["date"].dropna().between(found["cycle_after"].iloc[0], found["cycle_before"].iloc[0]).all()
    organizations = company.organizations_frame().set_index("org_id")
    assert found.groupby("org_id")["limit"].first().to_dict() == organizations["max_cycle_acu"].to_dict()
    assert set(found["org_id"]) == set(organizations.index)
    bounds = (found["cycle_after"].iloc[0].to_pydatetime(), found["cycle_before"].iloc[0].to_pydatetime())
    assert company.enterprise_consumption_frame(bounds)["acus"].sum() == pytest.approx(found["acus"].sum())
    newest, before = company.enterprise_consumption_frame(), company.enterprise_consumption_frame(1)
    assert newest["cycle_after"].iloc[0] == before["cycle_before"].iloc[0]
    for wrong in (99, True, "1999-01-01", 1.5, ("2026-02-01", "2026-01-01")):
        with pytest.raises(OptionError, match="no billing cycle"):
            company.enterprise_consumption_frame(wrong)


def test_the_chart_shows_organizations_against_their_limits(company: Devin) -> None:
    drawn = charts.organizations(company.enterprise_consumption_frame("2026-10-15"))
    bars, limits, labels = drawn.to_dict()["layer"]
    shown = {record["organization"]: record for record in bars["data"]["values"]}
    assert len(shown) == 4
    assert len(limits["data"]["values"]) == sum(record["limit"] is not None for record in shown.values())
    assert all("ACU" not in record["label"] for record in labels["data"]["values"])
    assert "2026-10-01 08:00 UTC to 2026-11-01 08:00 UTC" in repr(drawn)
    assert charts.organizations(EMPTY["consumption"]).to_dict()["layer"]
    over = frames.enterprise_consumption(
        [({"org_id": "a", "name": "A"}, {"consumption_by_date": [{"date": 0, "acus": 9.0}]})], (0, 1), {"a": 5}
    )
    (record,) = charts.organizations(over).to_dict()["layer"][0]["data"]["values"]
    assert (record["state"], record["label"]) == ("over the limit", "9 of 5 · 180%")
    with pytest.raises(OptionError, match="needs its consumption"):
        charts.organizations(company.organizations_frame())


def test_limits_that_may_not_be_read_are_those_of_the_organizations(company: Devin, simulator_with: Any) -> None:
    simulator = simulator_with(api_key="cog_enterprise_test", organizations=4, preload=60, today="2026-11-01")
    simulator.faults({"kind": "status", "status": 403, "route": "/v3/enterprise/consumption/acu-limits/devin"})
    found = company.enterprise_consumption_frame("2026-10-15")
    assert found["limit"].notna().any()


def test_logs_have_names_and_no_addresses_unless_asked_for(company: Devin) -> None:
    found = company.audit_logs_frame("2026-01-01", "2026-11-01")
    assert "email" not in found.columns
    assert found["created_at"].is_monotonic_decreasing
    assert found.dropna(subset=["user_id"])["user_name"].notna().all()
    some = company.audit_logs_frame(action=["login", "create_session"], limit=7, emails=True)
    assert dtypes(some) == dtypes(EMPTY["logs"])
    assert len(some) == 7
    own = company.audit_logs_frame("400d", org_id="org-payments")
    assert set(own["org_id"]) == {"org-payments"}
    refused = company.guardrail_violations_frame()
    assert "user_message" not in refused.columns
    texts = company.guardrail_violations_frame(org_id="org-payments", texts=True)
    assert dtypes(texts) == dtypes(EMPTY["violations"])


def test_addresses_inside_the_data_of_a_log_are_masked() -> None:
    data = {"to": "ana@example.com", "user_email": "b@c.de", "list": [{"x": "a b@c"}, "d@e.fr"], "n": 1}
    assert built.without_addresses(data) == {"to": "•••", "list": [{"x": "a b@c"}, "•••"], "n": 1}


def test_odd_answers_make_rows_all_the_same() -> None:
    odd: dict[str, Any] = {
        "name": 5,
        "triggers": "x",
        "actions": [7],
        "limits": [],
        "indexing_status": {"latest_indexes": 3},
    }
    assert len(frames.automations([odd, {}])) == 2
    assert len(frames.repositories([odd, {}])) == 2
    assert len(frames.organizations([odd, {"shade": 1}])) == 2
    assert frames.organizations([{"shade": 1}])["extra"].tolist() == [{"shade": 1}]
    assert len(frames.reviews([("https://x.y/a", None, None)])) == 1


def test_what_is_no_list_of_pull_requests_is_refused(devin: Devin) -> None:
    with pytest.raises(OptionError, match="no column"):
        devin.reviews_frame(pd.DataFrame({"a": [1]}))
    with pytest.raises(OptionError, match="is not a list of pull requests"):
        devin.reviews_frame(5)
    assert dtypes(devin.reviews_frame()) == dtypes(EMPTY["reviews"])


def test_v1_has_none_of_these_frames(simulator: Any) -> None:
    with Devin(simulator.v1_key, base_url=simulator.url) as old, pytest.raises(Unsupported):
        old.repositories_frame()
    with Devin(simulator.v1_key, base_url=simulator.url) as old:
        assert old.sessions_frame()["user_name"].isna().all()


def test_a_folder_synced_by_an_earlier_version_gets_the_new_column() -> None:
    old = frames.SessionRows().frame().drop(columns="user_name")
    row = pd.concat([old, pd.DataFrame({"session_id": ["devin-1"]})], ignore_index=True)
    row["created_at"] = pd.to_datetime(row["created_at"], utc=True)
    from devin_jupyter.frames.storage import stack_sessions

    whole = stack_sessions([row])
    assert whole.columns.get_loc("user_name") == whole.columns.get_loc("service_user_id") + 1


def test_metrics_are_a_frame_of_periods_of_one_organization_or_of_all(company: Devin, past: Devin) -> None:
    for client, org_ids in ((company, "all"), (past, None)):
        found = client.metrics_frame("2026-08-15", "2026-10-20", every="month", org_ids=org_ids)
        assert dtypes(found) == dtypes(EMPTY["metrics"])
        assert [f"{day:%m-%d}" for day in found["start"]] == ["08-15", "09-01", "10-01"]
        assert found["end"].tolist() == [*found["start"][1:], pd.Timestamp("2026-10-20", tz="UTC")]
        sessions = client.sessions_frame(since="2026-08-15", until="2026-10-20", org_ids=org_ids)
        assert found["sessions"].sum() == len(sessions)
        assert found["org_id"].isna().all() == (org_ids is not None)
        assert found["by_size"].map(lambda one: sum(one.values())).tolist() == found["sessions"].tolist()
    assert len(past.metrics_frame("2026-10-01", "2026-10-16")) == 3
    assert len(past.metrics_frame(every="day")) == 30
    with pytest.raises(OptionError, match="org_ids=5 is not a valid filter"):
        company.metrics_frame(org_ids=5)
    with pytest.raises(OptionError, match="unknown every"):
        past.metrics_frame(every="hour")
    with pytest.raises(OptionError, match="more than 400 periods"):
        past.metrics_frame("2020-01-01", every="day")


def test_metrics_of_some_organizations_have_rows_of_their_own_and_sum_up_to_all(company: Devin, past: Devin) -> None:
    span = ("2026-09-01", "2026-11-01")
    names = company.organizations_frame()["org_id"].tolist()
    each = company.metrics_frame(*span, every="month", org_ids=names)
    whole = company.metrics_frame(*span, every="month", org_ids="all")
    assert each["org_id"].tolist() == [name for name in names for _ in range(2)]
    assert each.groupby("start")["sessions"].sum().tolist() == whole["sessions"].tolist()
    for name in names:
        sessions = company.sessions_frame(since=span[0], until=span[1], org_ids=name)
        assert each.loc[each["org_id"] == name, "sessions"].sum() == len(sessions) > 0
    assert len(company.metrics_frame(*span, org_ids=names[0], every="month")) == 2
    with pytest.raises(NotFound):
        company.metrics_frame(*span, org_ids="org-unknown")
    with pytest.raises(NotFound):
        past.metrics_frame(*span, org_ids=names[1])


def test_a_folder_and_dask_hold_the_sessions_of_many_organizations_as_well(company: Devin, tmp_path: Path) -> None:
    two = ["org-payments", "org-mobile"]
    expected = company.sessions_frame(org_ids=two)
    for _ in range(2):
        found = company.sync(tmp_path / "two", org_ids=two)
        assert sorted(found["session_id"]) == sorted(expected["session_id"])
    assert set(company.sync(tmp_path / "all", org_ids="all")["org_id"]) > set(two)
    with pytest.raises(OptionError, match="sessions of filters"):
        company.sync(tmp_path / "two", org_ids="all")
    pytest.importorskip("dask.dataframe")
    found = company.sessions_frame(org_ids=two, engine="dask").compute()
    assert sorted(found["session_id"]) == sorted(expected["session_id"])
