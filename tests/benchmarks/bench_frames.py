"""How fast a history becomes a frame, beside what one would write by hand and beside the official SDK.

    python tests/benchmarks/bench_frames.py [--sessions 20000 200000] [--passes 5] [--rounds 3] [--latency-ms 200]

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
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        frame = read(url)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        count = len(frame)
        del frame
        if len(walls) == 1:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"rows": count, "wall": walls, "cpu": cpus, "peak_mb": [peak / 1024]}


def run(name: str, url: str, small: str, rounds: int) -> dict[str, Any]:
    """Measure one contender in a fresh process."""
    result: dict[str, Any] = fresh(__file__, name, "--url", url, "--small", small, "--rounds", str(rounds))
    return result


def in_turn(names: tuple[str, ...], url: str, small: str, rounds: int, passes: int) -> Results:
    """Measure contenders one after the other, several times over: a busy moment of the machine falls on all of them."""
    found: Results = {}
    for _ in range(passes):
        for name in names:
            one = run(name, url, small, rounds)
            kept = found.setdefault(name, {"rows": one["rows"], "wall": [], "cpu": [], "peak_mb": []})
            for key in ("wall", "cpu", "peak_mb"):
                kept[key] += one[key]
    return found


def compare(sizes: tuple[int, ...], passes: int, rounds: int, latency_ms: float) -> list[Row]:
    """Print the tables and return the budgets, at each size; the slow service and the SDK at the first one only."""
    rows, costs = list[Row](), list[float]()
    for number, sessions in enumerate(sizes):
        names = ("plain", "ours", "sdk") if number == 0 else ("plain", "ours")
        with simulator(preload=sessions) as url, simulator(preload=400) as small:
            near = in_turn(names, url, small, rounds, passes)
        _table(f"{sessions:,} sessions over loopback HTTP", near)
        rows += _near(f"{sessions:,} sessions → typed frame", near)
        costs.append(_median(near["ours"], "cpu") / near["ours"]["rows"] * 1e6)
    if len(costs) > 1:
        ratio = costs[-1] / costs[0]
        what, here = f"cost of a row, {sizes[0]:,} to {sizes[-1]:,} sessions", f"{costs[-1]:.1f} µs of CPU"
        rows.append(Row(what, "the same, ± 10 %", here, f"{costs[0]:.1f} µs", f"{ratio:.2f}", 0.9 <= ratio <= 1.1))
    with simulator(preload=sizes[0], latency_ms=latency_ms) as url, simulator(preload=400) as small:
        far = in_turn(("in_order", "ours"), url, small, 1, 1)
    _table(f"{sizes[0]:,} sessions with {latency_ms:g} ms per page", far)
    wall = _median(far["in_order"], "wall") / _median(far["ours"], "wall")
    here, order = (f"{_median(far[name], 'wall'):.1f} s" for name in ("ours", "in_order"))
    what = f"{sizes[0]:,} sessions with {latency_ms:g} ms per page"
    rows.append(Row(what, "≥ 4.5 × page after page", here, f"page after page: {order}", f"{wall:.1f}", wall >= 4.5))
    return rows


def _median(found: dict[str, Any], key: str) -> float:
    return float(statistics.median(found[key]))


def _spread(found: dict[str, Any], key: str) -> str:
    return f"{_median(found, key):.2f} s ({min(found[key]):.2f}–{max(found[key]):.2f})"


def _near(what: str, near: Results) -> list[Row]:
    def speed(name: str, key: str, unit: str) -> str:
        per = near[name]["rows"] / _median(near[name], key)
        return f"{per:,.0f} rows per {unit}, {_spread(near[name], key)}"

    rows, plain = list[Row](), "httpx + json + typed DataFrame"
    for key, unit in (("cpu", "CPU second"), ("wall", "second")):
        ratio = _median(near["plain"], key) / _median(near["ours"], key)
        rival = f"{plain}: {speed('plain', key, unit)}"
        rows.append(Row(what, "≥ 1.5 × plain", speed("ours", key, unit), rival, f"{ratio:.2f}", ratio >= 1.5))
    if "sdk" in near:
        ratio = _median(near["sdk"], "cpu") / _median(near["ours"], "cpu")
        rival = f"`devinai` + `json_normalize`: {speed('sdk', 'cpu', 'CPU second')}"
        here = speed("ours", "cpu", "CPU second")
        rows.append(Row(what, "≥ 9 × official SDK", here, rival, f"{ratio:.1f}", ratio >= 9))
    memory, other = (_median(near[name], "peak_mb") for name in ("ours", "plain"))
    peak, ratio = f"{memory:.0f} MB", memory / other
    rows.append(Row("its peak memory", "≤ 0.95 × plain", peak, f"plain: {other:.0f} MB", f"{ratio:.2f}", ratio <= 0.95))
    return rows


def _table(title: str, results: Results) -> None:
    print(f"\n{title}\n{'':10}{'rows':>9}{'wall s (min–max)':>24}{'CPU s (min–max)':>24}{'peak MB':>9}")
    for name, found in results.items():
        wall, cpu = (_spread(found, key) for key in ("wall", "cpu"))
        print(f"{name:10}{found['rows']:>9,}{wall:>24}{cpu:>24}{_median(found, 'peak_mb'):>9.1f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, nargs="+", default=[20_000, 200_000])
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
        rows = compare(tuple(chosen.sessions), chosen.passes, chosen.rounds, chosen.latency_ms)
        print("", *(row.line() for row in rows), sep="\n")


if __name__ == "__main__":
    main()
