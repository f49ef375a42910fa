"""How fast a history becomes a frame, beside what one would write by hand and beside the official SDK.

    python tests/benchmarks/bench_frames.py [--sessions 20000] [--passes 5] [--rounds 3] [--latency-ms 200]

The simulator runs in its own process, on loopback HTTP; each contender reads the same sessions in a fresh process,
several times. CPU is the contender's alone; memory is how far its peak rises above what it held once warm.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

from harness import KEY, ORG, Row, fresh, simulator

Results = dict[str, dict[str, Any]]


def plain(url: str) -> Any:
    """httpx, json and a DataFrame with the same dtypes: what a careful person writes."""
    import httpx
    import pandas as pd

    from devin_jupyter.frames import SessionRows

    dtypes = SessionRows().frame().dtypes
    items, after = [], None
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False) as client:
        while True:
            params = {"first": 200} | ({"after": after} if after else {})
            page = client.get(f"/v3/organizations/{ORG}/sessions", params=params).raise_for_status().json()
            items += page["items"]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                break
    frame = pd.DataFrame(items).rename(columns={"acus_consumed": "acus", "devin_mode": "mode"})
    for name in ("created_at", "updated_at"):
        frame[name] = pd.to_datetime(frame[name], unit="s", utc=True).astype(dtypes[name])
    columns = [name for name in frame.columns if name in dtypes and name not in ("created_at", "updated_at")]
    return frame.astype({name: dtypes[name] for name in columns})


def sdk(url: str) -> Any:
    """The official Python SDK and `json_normalize`."""
    import httpx
    import pandas as pd
    from devin_sdk import DevinSDK

    items: list[Any] = []
    with httpx.Client(trust_env=False) as http:
        client = DevinSDK(api_key=KEY, base_url=url, http_client=http)
        after: dict[str, Any] = {}
        while True:
            page = client.organizations.sessions.list(ORG, first=200, **after)
            items += [item.to_dict() for item in page.items]
            after = {"after": page.end_cursor}
            if not page.has_next_page:
                return pd.json_normalize(items)


def ours(url: str) -> Any:
    """`dj.sessions_frame()`."""
    return _client(url).sessions_frame()


def in_order(url: str) -> Any:
    """Our own reader, page after page: what the time windows are worth."""
    from devin_jupyter import loop
    from devin_jupyter.api.query import Query
    from devin_jupyter.frames import SessionRows

    core = _client(url).core
    rows = SessionRows()

    async def read() -> None:
        async for page in core.sessions.scan(Query.of({}), parallel=False):
            rows.add(page)

    loop.run(read())
    return rows.frame(newest_first=True)


_clients: dict[str, Any] = {}


def _client(url: str) -> Any:
    import devin_jupyter as dj
    from devin_jupyter.journal import Journal

    if url not in _clients:
        _clients[url] = dj.Devin(KEY, org_id=ORG, base_url=url, journal=Journal(":memory:"))
    return _clients[url]


CONTENDERS: dict[str, Callable[[str], Any]] = {"plain": plain, "sdk": sdk, "ours": ours, "in_order": in_order}


def measure(name: str, url: str, small: str, rounds: int) -> dict[str, Any]:
    """Run one contender in this process: warm on a small history, then timed on the large one."""
    read = CONTENDERS[name]
    read(small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        frame = read(url)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
        count = len(frame)
        del frame
        if len(times) == 1:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    return {"rows": count, "wall": wall, "cpu": cpu, "peak_mb": peak / 1024}


def run(name: str, url: str, small: str, rounds: int) -> dict[str, Any]:
    """Measure one contender in a fresh process."""
    result: dict[str, Any] = fresh(__file__, name, "--url", url, "--small", small, "--rounds", str(rounds))
    return result


def in_turn(names: tuple[str, ...], url: str, small: str, rounds: int, passes: int) -> Results:
    """Measure contenders one after the other, several times over: a busy moment of the machine falls on all of them."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(passes):
        for name in names:
            found[name].append(run(name, url, small, rounds))
    return {
        name: {key: statistics.median(one[key] for one in several) for key in several[0]}
        for name, several in found.items()
    }


def compare(sessions: int, passes: int, rounds: int, latency_ms: float) -> list[Row]:
    """Print the tables and return the budgets."""
    with simulator(preload=sessions) as url, simulator(preload=400) as small:
        near = in_turn(("plain", "sdk", "ours"), url, small, rounds, passes)
    _table(f"{sessions:,} sessions over loopback HTTP", near, "plain")
    with simulator(preload=sessions, latency_ms=latency_ms) as url, simulator(preload=400) as small:
        far = {name: run(name, url, small, 1) for name in ("plain", "in_order", "ours")}
    _table(f"the same with {latency_ms:g} ms per page", far, "in_order")
    return _budgets(f"{sessions:,} sessions → typed frame", latency_ms, near, far)


def _budgets(what: str, latency_ms: float, near: Results, far: Results) -> list[Row]:
    def speed(found: dict[str, Any]) -> str:
        return (
            f"{found['rows'] / found['cpu']:,.0f} rows per CPU second ({found['wall']:.2f} s, CPU {found['cpu']:.2f} s)"
        )

    def pages(found: dict[str, Any]) -> str:
        return f"{found['wall']:.1f} s, CPU {found['cpu']:.2f} s"

    plain_cpu, sdk_cpu = (near[name]["cpu"] / near["ours"]["cpu"] for name in ("plain", "sdk"))
    peak = near["ours"]["peak_mb"] / near["plain"]["peak_mb"]
    wall = far["in_order"]["wall"] / far["ours"]["wall"]
    plain, sdk = (
        f"httpx + json + typed DataFrame: {speed(near['plain'])}",
        f"`devinai` + `json_normalize`: {speed(near['sdk'])}",
    )
    memory, other = (f"{near[name]['peak_mb']:.0f} MB" for name in ("ours", "plain"))
    order = f"page after page: {pages(far['in_order'])}"
    slow = f"the same with {latency_ms:g} ms per page"
    return [
        Row(what, "≥ 0.7 × plain", speed(near["ours"]), plain, f"{plain_cpu:.2f}", plain_cpu >= 0.7),
        Row(what, "≥ 5 × official SDK", speed(near["ours"]), sdk, f"{sdk_cpu:.1f}", sdk_cpu >= 5),
        Row("its peak memory", "≤ 1.3 × plain", memory, f"plain: {other}", f"{peak:.2f}", peak <= 1.3),
        Row(slow, "≥ 4 × page after page", pages(far["ours"]), order, f"{wall:.1f}", wall >= 4),
    ]


def _table(title: str, results: dict[str, dict[str, Any]], base: str) -> None:
    head = f"{'':10}{'rows':>8}{'wall s':>9}{'CPU s':>8}{'rows/wall s':>13}{'rows/CPU s':>12}{'peak MB':>9}"
    print(f"\n{title}\n{head}{'× ' + base:>12}")
    for name, found in results.items():
        rows, wall, cpu = found["rows"], found["wall"], found["cpu"]
        ratio = results[base]["wall"] / wall if base == "in_order" else results[base]["cpu"] / cpu
        print(
            f"{name:10}{rows:>8,}{wall:>9.2f}{cpu:>8.2f}{rows / wall:>13,.0f}{rows / cpu:>12,.0f}"
            f"{found['peak_mb']:>9.1f}{ratio:>12.2f}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, default=20_000)
    options.add_argument("--passes", type=int, default=5)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--latency-ms", type=float, default=200)
    options.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    options.add_argument("--small", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.url, chosen.small, chosen.rounds)))
    else:
        rows = compare(chosen.sessions, chosen.passes, chosen.rounds, chosen.latency_ms)
        print("", *(row.line() for row in rows), sep="\n")


if __name__ == "__main__":
    main()
