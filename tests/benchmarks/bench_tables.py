"""How fast outputs, messages, insights and pull requests become frames, beside ten lines by hand.

    python tests/benchmarks/bench_tables.py [--sessions 5000] [--passes 5]

As in `bench_frames`: the simulator runs in its own process, each contender in a fresh one; CPU is the contender's.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from harness import KEY, ORG, Row, fresh, simulator, timed


def _pages(url: str, path: str, first: int = 200) -> Iterator[list[Any]]:
    import httpx

    after = None
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False) as client:
        while True:
            params = {"first": first} | ({"after": after} if after else {})
            page = client.get(f"/v3/organizations/{ORG}{path}", params=params).raise_for_status().json()
            yield page["items"]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                return


def outputs_by_hand(url: str, _: int) -> Any:
    import pandas as pd

    found = [item for page in _pages(url, "/sessions") for item in page if item["structured_output"]]
    frame = pd.json_normalize([item["structured_output"] for item in found])
    return frame.assign(session_id=[item["session_id"] for item in found], url=[item["url"] for item in found])


def pull_requests_by_hand(url: str, _: int) -> Any:
    import pandas as pd

    found = [
        {"url": one["pr_url"], "state": one["pr_state"], "session_id": item["session_id"]}
        for page in _pages(url, "/sessions")
        for item in page
        for one in item["pull_requests"]
    ]
    frame = pd.DataFrame(found).drop_duplicates("url")
    parts = frame["url"].str.extract(r"https?://[^/]+/(?P<repo>.+?)/pull/(?P<number>\d+)")
    return frame.assign(repo=parts["repo"], number=parts["number"].astype("Int64"))


def insights_by_hand(url: str, _: int) -> Any:
    import pandas as pd

    frame = pd.json_normalize([item for page in _pages(url, "/sessions/insights") for item in page], max_level=0)
    frame["created_at"] = pd.to_datetime(frame["created_at"], unit="s", utc=True)
    return frame


def messages_by_hand(url: str, count: int) -> Any:
    import httpx
    import pandas as pd

    names = [item["session_id"] for item in next(_pages(url, "/sessions", 200))][:count]
    rows = []
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False) as client:
        for name in names:
            page = client.get(f"/v3/organizations/{ORG}/sessions/devin-{name}/messages").raise_for_status().json()
            rows += [{"session_id": name, **item} for item in page["items"]]
    frame = pd.DataFrame(rows)
    frame["created_at"] = pd.to_datetime(frame["created_at"], unit="s", utc=True)
    return frame


_clients: dict[str, Any] = {}


def _client(url: str) -> Any:
    import devin_jupyter as dj
    from devin_jupyter.journal import Journal

    if url not in _clients:
        _clients[url] = dj.Devin(KEY, org_id=ORG, base_url=url, journal=Journal(":memory:"))
    return _clients[url]


CONTENDERS: dict[str, tuple[Callable[[str, int], Any], Callable[[str, int], Any]]] = {
    "outputs_frame": (lambda url, _: _client(url).outputs_frame(), outputs_by_hand),
    "pull_requests_frame": (lambda url, _: _client(url).pull_requests_frame(), pull_requests_by_hand),
    "insights_frame": (lambda url, _: _client(url).insights_frame(), insights_by_hand),
    "messages_frame": (lambda url, count: _client(url).messages_frame(limit=count), messages_by_hand),
}


def measure(name: str, number: int, url: str, small: str) -> dict[str, float]:
    """Read in this process, once to warm up on a small history and three times to measure."""
    read, rows = CONTENDERS[name][number], list[int]()
    read(small, 20)
    times = [timed(lambda: rows.append(len(read(url, 200)))) for _ in range(3)]
    return {"rows": rows[0], "wall": min(time.wall for time in times), "cpu": min(time.cpu for time in times)}


def rows(sessions: int, passes: int) -> list[Row]:
    """Measure and return the budgets."""
    found = list[Row]()
    with simulator(preload=sessions) as url, simulator(preload=400) as small:
        for name in CONTENDERS:
            both: tuple[list[Any], list[Any]] = ([], [])
            for _ in range(passes):
                for number in (0, 1):
                    said = ("--number", str(number), "--url", url, "--small", small)
                    both[number].append(fresh(__file__, name, *said))
            cpu = [[one["cpu"] for one in each] for each in both]
            medians = [statistics.median(each) for each in cpu]
            here, rival = (
                f"{1000 * median:.0f} ms of CPU ({1000 * min(each):.0f}–{1000 * max(each):.0f})"
                for median, each in zip(medians, cpu, strict=True)
            )
            ratio = medians[1] / medians[0]
            of = "200 conversations" if name == "messages_frame" else f"{sessions:,} sessions"
            row = Row(f"`{name}` of {of}", "≥ by hand", here, f"ten lines by hand: {rival}", f"{ratio:.2f}", ratio >= 1)
            print(f"{both[0][0]['rows']:,} and {both[1][0]['rows']:,} rows", row.line(), flush=True)
            found.append(row)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, default=5000)
    options.add_argument("--passes", type=int, default=5)
    options.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options.add_argument("--number", type=int, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    options.add_argument("--small", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.number, chosen.url, chosen.small)))
    else:
        rows(chosen.sessions, chosen.passes)


if __name__ == "__main__":
    main()
