"""Pull requests as a frame, and the repository in a URL."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
from payloads import V1, V3

from devin_jupyter import frames
from devin_jupyter.frames.sessions import repository
from devin_jupyter.models.fields import PullRequest

DAY = datetime(2026, 11, 21, tzinfo=UTC)


FORGES = {
    "https://github.com/acme/api/pull/7": "acme/api",
    "https://github.acme.test/acme/api/pull/new": None,
    "https://github.acme.test/acme/api/pull/7": "acme/api",
    "https://github.acme.test/acme/api/pull/7/files": "acme/api",
    "https://gitlab.com/group/sub/repo/-/merge_requests/3": "group/sub/repo",
    "https://bitbucket.org/team/repo/pull-requests/12": "team/repo",
    "https://dev.azure.com/org/project/_git/repo/pullrequest/9": "org/project/repo",
    "https://github.com/acme/api/issues/7": None,
    "not a url": None,
    "": None,
}


def test_repositories_are_read_from_the_urls_of_all_forges() -> None:
    assert {url: repository(url) for url in FORGES} == FORGES


def test_pull_requests_are_one_row_per_url() -> None:
    early, late = DAY, DAY.replace(hour=5)
    url, other = "https://github.com/acme/api/pull/7", "https://example.test/x"

    frame = frames.pull_requests(
        [
            ("devin-late", late, early, [PullRequest(url, "open"), PullRequest(other)]),
            ("devin-early", early, late, [PullRequest(url, "merged")]),
            ("devin-unknown", None, None, [PullRequest(url, None)]),
        ]
    )

    assert frame["url"].tolist() == [url, other]
    assert frame["session_id"].tolist() == ["devin-unknown", "devin-late"]
    assert frame["state"].tolist()[0] == "merged"
    assert frame["repo"].isna().tolist() == [False, True]
    assert frame["number"].tolist()[0] == 7
    assert [str(dtype) for dtype in frame.dtypes] == ["string", "string", "Int64", "category", "string"]
    pd.testing.assert_series_equal(frames.pull_requests([]).dtypes, frame.dtypes)


def test_pull_requests_are_read_from_raw_sessions_of_both_versions() -> None:
    v3, v1 = frames.PullRequestRows(), frames.PullRequestRows(api_version="v1")

    assert v3.add([V3, V3]) == 1
    assert v1.add([V1]) == len(v1) == 1
    assert v3.frame()["number"].tolist() == [7, 8]
    assert v1.frame()["state"].isna().all()
    assert len(v3.frame(limit=0)) == 0
