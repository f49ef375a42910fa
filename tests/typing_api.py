"""The public API as a type checker sees it: checked by mypy together with the package, never run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import devin_jupyter as dj
from devin_jupyter.models import wire
from devin_jupyter.models.snapshot import Message, PullRequest
from devin_jupyter.panel import BatchPanel, Panel


def the_functions_of_the_package() -> None:
    assert_type(dj.connect(api_key="cog_x", org_id="org-x", base_url="https://api.devin.ai", simulator=False), dj.Devin)
    assert_type(dj.create("Count", repos=["acme/api"], schema="count:int", max_acu=5), dj.Session)
    assert_type(dj.get("devin-1", schema={"type": "object"}), dj.Session)
    assert_type(dj.last(), dj.Session)
    assert_type(dj.map("Upgrade {{ row.repo }}", [{"repo": "acme/api"}], max_acu=5), dj.Batch)
    assert_type(dj.batch("upgrade"), dj.Batch)
    assert_type(dj.compare(dj.batch("a"), dj.batch("b"), on="repo"), pd.DataFrame)
    assert_type(dj.from_notebook(Path("audit.ipynb")), list[dj.Session])
    assert_type(dj.__version__, str)


def the_frames() -> None:
    assert_type(dj.outputs_frame(tags="audit", explode="findings", keep_empty=True, limit=5), pd.DataFrame)
    assert_type(dj.messages_frame(dj.last(), limit=5), pd.DataFrame)
    assert_type(dj.pull_requests_frame(since="7d"), pd.DataFrame)
    assert_type(dj.insights_frame(), pd.DataFrame)
    assert_type(dj.consumption_frame(since="30d"), pd.DataFrame)
    assert_type(dj.sync("history"), pd.DataFrame)
    assert_type(dj.repositories_frame(filter_name="api", limit=5), pd.DataFrame)
    assert_type(dj.reviews_frame(dj.pull_requests_frame(org_ids="all"), org_ids="all"), pd.DataFrame)
    assert_type(dj.enterprise_consumption_frame("2026-10-15"), pd.DataFrame)
    assert_type(dj.audit_logs_frame("90d", action=["login"], emails=True), pd.DataFrame)
    assert_type(dj.sessions_frame(limit=5), pd.DataFrame)


def a_session(session: dj.Session) -> None:
    assert_type(session.id, str)
    assert_type(session.url, str)
    assert_type(session.phase, dj.Phase)
    assert_type(session.needs_you, bool)
    assert_type(session.status, str | None)
    assert_type(session.title, str | None)
    assert_type(session.acus, float | None)
    assert_type(session.tags, tuple[str, ...])
    assert_type(session.pull_requests, tuple[PullRequest, ...])
    assert_type(session.question, str | None)
    assert_type(session.messages, tuple[Message, ...])
    assert_type(session.snapshot, dj.Snapshot)
    assert_type(session.notice, str | None)
    assert_type(session.output, Any)  # typed by the schema, at run time
    assert_type(session.wait(timeout=60).result(), Any)
    assert_type(session.send("go on", attach=[Path("log.txt")], again=True).wait(), dj.Session)
    assert_type(session.stop(archive=True), dj.Session)
    assert_type(session.archive().unarchive().refresh(), dj.Session)
    assert_type(session.tag("a", "b", replace=True), tuple[str, ...])
    assert_type(session.attachments(), list[wire.SessionAttachment])
    assert_type(session.download("files"), list[Path])
    assert_type(session.insights(generate=True), wire.Insights)
    assert_type(session.panel(), Panel)
    assert_type(session.frame(), pd.DataFrame)
    assert_type(session.messages_frame(), pd.DataFrame)
    stop: Callable[[], None] = session.subscribe(lambda snapshot: print(snapshot.phase.value))
    stop()


def a_snapshot(snapshot: dj.Snapshot) -> None:
    assert_type(snapshot.phase, dj.Phase)
    assert_type(snapshot.phase.turn_over, bool)
    assert_type(snapshot.created_at, datetime | None)
    assert_type(snapshot.structured_output, Any)
    snapshot.phase = dj.Phase.DONE  # type: ignore[misc]  # replaced, never edited


def a_batch(batch: dj.Batch) -> None:
    assert_type(batch.sessions, list[dj.Session])
    assert_type(batch.frame(), pd.DataFrame)
    assert_type(batch.phase_counts, dict[str, int])
    assert_type(batch.questions, dict[Any, str])
    assert_type(batch["acme/api"], dj.Session)
    assert_type(iter(batch), Iterator[dj.Session])
    assert_type(len(batch), int)
    assert_type(batch.wait(timeout=60).pause().resume(all_rows=True), dj.Batch)
    assert_type(batch.retry(phase=("failed", "blocked"), take=3), dj.Batch)
    assert_type(batch.send(batch.questions, "yes"), dj.Batch)
    assert_type(batch.stop().check(), dj.Batch)
    assert_type(batch.review(limit=3, take="2"), dj.Batch)
    batch.retry(take=3, row=[1])  # type: ignore[call-arg]  # a mistyped keyword
    assert_type(batch.panel(), BatchPanel)


def a_client(devin: dj.Devin) -> None:
    assert_type(devin.create("Count"), dj.Session)
    assert_type(devin.result("devin-1", timeout=60), Any)
    assert_type(devin.self(), wire.Principal)
    assert_type(devin.permissions(), dict[str, bool | None])
    assert_type(devin.asynchronous, dj.AsyncDevin)
    assert_type(devin.sessions.list(tags=["a"], limit=5), Iterator[wire.Session])
    assert_type(devin.tags.get("devin-1"), list[str])
    assert_type(devin.repositories.list(limit=5), Iterator[wire.Repository])
    assert_type(devin.reviews.get("https://github.com/acme/api/pull/12"), wire.PrReview)
    assert_type(devin.review("https://github.com/acme/api/pull/12", take=2).status, str)
    assert_type(devin.members.names(), dict[str, str])
    assert_type(devin.org_tags.append(["a"]), list[str])
    assert_type(devin.automations.create("Triage", ["a:b"], "Triage it.", max_acu=3), wire.Automation)
    devin.automations.create("Triage", ["a:b"], "Triage it.")  # type: ignore[call-arg]  # a cap is needed
    assert_type(devin.enterprise.audit_logs(action="login"), Iterator[wire.AuditLog])
    assert_type(devin.enterprise.metrics.usage(), wire.UsageMetrics)
    with devin as same:
        assert_type(same, dj.Devin)


async def the_same_awaited(devin: dj.AsyncDevin, session: dj.Session, batch: dj.Batch) -> None:
    assert_type(await session, dj.Session)
    assert_type(await batch, dj.Batch)
    async with devin as same:
        assert_type(same, dj.AsyncDevin)
        handle = await devin.create("Count")
        assert_type(handle, dj.AsyncSession)
        assert_type(await handle, dj.AsyncSession)
        assert_type(await handle.send("go on"), dj.AsyncSession)
        assert_type(await handle.tag("a"), tuple[str, ...])
        assert_type(handle.phase, dj.Phase)
        many = await devin.map("Count {{ row }}", [1])
        assert_type(many, dj.AsyncBatch)
        assert_type(await many, dj.AsyncBatch)
        assert_type(many.sessions, list[dj.AsyncSession])
        assert_type(await (await many.retry("failed", take=3)).wait(60), dj.AsyncBatch)
        await many.retry(take=3, row=[1])  # type: ignore[call-arg]  # a mistyped keyword
        assert_type(await devin.wait(session, 60), dj.AsyncSession)
        assert_type(await devin.result("devin-1"), Any)
        assert_type(await devin.messages_frame(session), pd.DataFrame)
        async for raw in devin.sessions.list(limit=5):
            assert_type(raw, wire.Session)
        assert_type(await devin.playbooks.get("Review"), wire.Playbook)
        await devin.playbooks.get(title="Review")  # type: ignore[call-arg]
        devin.playbooks.list(limit="5")  # type: ignore[arg-type]
        await dj.Devin().playbooks.get("Review")  # type: ignore[misc]  # a plain call
        assert_type(await devin.enterprise.metrics.usage(), wire.UsageMetrics)


def the_errors(session: dj.Session) -> None:
    try:
        session.result()
    except dj.OutputInvalid as problem:
        assert_type(problem.problems, list[str])
        assert_type(problem.session_id, str)
    except dj.RateLimited as problem:
        assert_type(problem.retry_after, float | None)
        assert_type(problem.status_code, int)
    except dj.DevinError as problem:
        assert_type(problem.lines, list[str])
    except dj.Detached as problem:
        interrupt: KeyboardInterrupt = problem
        raise interrupt from None


def what_is_not_there(session: dj.Session, devin: dj.Devin) -> None:
    print(session.phaze)  # type: ignore[attr-defined]
    session.wait([30])  # type: ignore[arg-type]
    session.send(5)  # type: ignore[arg-type]
    dj.connect(api_key=5)  # type: ignore[arg-type]
    dj.creat("Count")  # type: ignore[attr-defined]
    dj.get("devin-1", schemas="count:int")  # type: ignore[call-arg]
    dj.sessions_frame(tag="audit")  # type: ignore[call-arg]
    dj.messages_frame(sincee="7d")  # type: ignore[call-arg]
    dj.create("Count", repo=["acme/api"])  # type: ignore[call-arg]
    dj.create("Count", title=5)  # type: ignore[arg-type]
    dj.map("Count {{ row }}", ["a"], max_paralel=3)  # type: ignore[call-arg]
    dj.consumption_frame(sinc="30d")  # type: ignore[call-arg]
    devin.stop("devin-1", archived=True)  # type: ignore[call-arg]
    devin.playbooks.get(title="Review")  # type: ignore[call-arg]
    devin.playbooks.get("Review")["titel"]  # type: ignore[misc]
    devin.playbooks.get("Review", retries=1)  # type: ignore[call-arg]
    dj.sessions_frame(tag="a")  # type: ignore[call-arg]
    devin.playbooks.list(limit="5")  # type: ignore[arg-type]
    session.tag(tags="a")  # type: ignore[call-arg]
    session.stop(archived=True)  # type: ignore[call-arg]
    await_nothing: str = devin.tags.get("devin-1")  # type: ignore[assignment]
    print(await_nothing)
