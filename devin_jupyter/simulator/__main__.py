"""The command `python -m devin_jupyter.simulator`."""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from devin_jupyter.simulator.config import Config

try:
    from devin_jupyter.simulator.scenarios import DESCRIPTIONS
except ModuleNotFoundError as missing:
    raise SystemExit(f"the simulator needs {missing.name}: pip install 'devin-jupyter[simulator]'") from None


def parser() -> argparse.ArgumentParser:
    """Return the parser; every option has the default of `Config`."""
    default = Config()
    scenarios = "\n".join(f"  sim:{name:16}{meaning}" for name, meaning in DESCRIPTIONS.items())
    options = argparse.ArgumentParser(
        prog="python -m devin_jupyter.simulator",
        description="The Devin API, v3 and v1, in one local process. Everything it answers is made up.",
        epilog=f"A session's tags choose its scenario (none: it works, answers, and waits for its user):\n{scenarios}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = options.add_argument
    add("--host", default=default.host)
    add("--port", type=int, default=default.port, help="0 takes a free one (default)")
    add("--api-key", default=default.api_key, metavar="cog_…", help="the v3 key it takes (default: %(default)s)")
    add("--v1-key", default=default.v1_key, metavar="apk_…", help="the v1 key it takes (default: %(default)s)")
    add("--pat", default=default.pat, metavar="cog_…", help="the personal access token it takes (default: %(default)s)")
    add("--org", default=default.org, help="the organization id (default: %(default)s)")
    add("--speed", type=float, default=default.speed, help="a turn takes 240 s divided by this (default: 60)")
    add("--seed", type=int, default=default.seed, help="equal seeds give equal ids, texts, costs and outputs")
    add("--preload", type=int, default=default.preload, metavar="N", help="past sessions, spread over a year")
    add("--organizations", type=int, default=default.organizations, metavar="N", help="of the enterprise, up to 12")
    add("--today", default=default.today, metavar="DATE", help="the last day of that year (default: today)")
    add("--latency-ms", type=float, default=default.latency_ms, help="added to every answer")
    add("--state", type=Path, default=default.state, metavar="FILE", help="SQLite file that survives restarts")
    add("--strict-ids", action="store_true", help="answer session ids without devin- with 404")
    add(
        "--clock-offset", type=float, default=default.clock_offset, metavar="SECONDS", help="its clock is ahead of ours"
    )
    add("--allowed-tags", type=_words, default=None, metavar="A,B", help="refuse sessions with any other tag")
    add("--problem-json", action="store_true", help="answer v3 errors as RFC 9457 problem details")
    return options


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted or terminated."""
    options = parser()
    try:
        config = Config(**vars(options.parse_args(arguments)))
    except ValueError as mistake:
        options.error(str(mistake))
    from devin_jupyter.simulator.server import start

    done = threading.Event()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: done.set())
    try:
        running = start(config)
    except OSError as error:
        print(f"cannot listen on {config.host}:{config.port}: {error.strerror}", file=sys.stderr)
        return 1
    except sqlite3.Error as error:
        print(f"cannot keep the state in {config.state}: {error}", file=sys.stderr)
        return 1
    print(f"Devin simulator listening on {running.url}", flush=True)
    while running.is_alive and not done.wait(1.0):
        pass
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
