"""DataFrames from what the service returns: pure builders, the only importers of pandas.

Raw pages, snapshots and outputs come in; nothing here fetches anything. Every frame has the same columns and dtypes
whether it holds no rows, only nulls or a million.
"""

from devin_jupyter.loop import paused_collector

with paused_collector():  # they import pandas
    from devin_jupyter.frames.organization import (
        audit_logs,
        automations,
        enterprise_consumption,
        guardrail_violations,
        members,
        metrics,
        organizations,
        repositories,
        reviews,
    )
    from devin_jupyter.frames.outputs import Output, outputs, outputs_of
    from devin_jupyter.frames.sessions import PullRequestRows, SessionRows, pull_requests, with_names
    from devin_jupyter.frames.storage import flat, read_csv, read_parquet, require_pyarrow, write_csv, write_parquet
    from devin_jupyter.frames.tables import consumption, insights, messages, steps

__all__ = [
    "Output",
    "PullRequestRows",
    "SessionRows",
    "audit_logs",
    "automations",
    "consumption",
    "enterprise_consumption",
    "flat",
    "guardrail_violations",
    "insights",
    "members",
    "messages",
    "metrics",
    "organizations",
    "outputs",
    "outputs_of",
    "pull_requests",
    "read_csv",
    "read_parquet",
    "repositories",
    "require_pyarrow",
    "reviews",
    "steps",
    "with_names",
    "write_csv",
    "write_parquet",
]
