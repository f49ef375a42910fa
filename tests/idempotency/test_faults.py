"""A thousand paid acts through lost answers, kills, races and deleted journals: each is paid once.

`FAULTS_SEED` and `FAULTS_ACTS` set the seed and the number of acts.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from .fork_client import ForkServer, fork_server

SEED = int(os.environ.get("FAULTS_SEED", "20261121"))
ACTS = int(os.environ.get("FAULTS_ACTS", "1000"))
A_ROUND, AT_A_TIME, MOST_TRIES = 50, 8, 30
LAG = 0.6
"""How long new sessions may be hidden: below the 1.0 s in which an uncertain act is resolved."""
CREATES = (
    {"method": "POST", "route": "/v3/organizations/{org_id}/sessions"},
    {"method": "POST", "route": "/v1/sessions"},
)
SENDS = (
    {"method": "POST", "route": "/v3/organizations/{org_id}/sessions/{devin_id}/messages"},
    {"method": "POST", "route": "/v1/sessions/{session_id}/message"},
)
READS = (
    {"method": "GET", "route": "/v3/organizations/{org_id}/sessions"},
    {"method": "GET", "route": "/v3/organizations/{org_id}/sessions/{devin_id}/messages"},
    {"method": "GET", "route": "/v1/sessions"},
)
DEAD = ("killed", "crashed", "Cancelled")


class Trial:
    """Draws acts and faults, repeats each act until it concludes, and counts."""

    def __init__(self, simulator: Any, folder: Path, server: ForkServer, seed: int, *, is_tagging: bool = True) -> None:
        self.is_tagging = is_tagging
        self.simulator, self.folder, self.server = simulator, folder, server
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.sessions: dict[tuple[str, str, str | None], str] = {}
        self.sent: set[tuple[str, str]] = set()
        self.journal = folder / "home-0"

    def draw(self) -> dict[str, Any]:
        """Return a creation or a message, new or a rerun."""
        chance = self.random.random()
        if not self.sessions or chance < 0.55:
            return self._creation()
        return self._message()

    def _creation(self) -> dict[str, Any]:
        if self.sessions and self.random.random() < 0.3:
            version, prompt, take = self.random.choice(list(self.sessions))
        else:
            version = "v1" if self.random.random() < 0.3 else "v3"
            prompt = f"request {len(self.sessions)}-{self.random.getrandbits(32)}"
            take = self.random.choice([None, None, "2", "week-47"])
        return {"kind": "create", "version": version, "prompt": prompt, "take": take}

    def _message(self) -> dict[str, Any]:
        (version, _, _), session_id = self.random.choice(list(self.sessions.items()))
        known = [text for identifier, text in self.sent if identifier == session_id]
        rerun = bool(known) and self.random.random() < 0.3
        text = self.random.choice(sorted(known)) if rerun else f"message {self.random.getrandbits(32)}"
        return {"kind": "send", "version": version, "session_id": session_id, "text": text}

    def accident(self) -> dict[str, Any]:
        """Return how the acting process ends before its time, if it does."""
        chance = self.random.random()
        if chance < 0.20:
            return {"die_at_step": self.random.randrange(15)}
        if chance < 0.32:
            return {"die_at_call": self.random.choice(["before", "after", self.random.uniform(0.0, 0.02)])}
        if chance < 0.36:
            return {"cancel_after": self.random.uniform(0.0, 0.2)}
        return {}

    def change_faults(self) -> None:
        rules: list[dict[str, Any]] = []
        for _ in range(self.random.randrange(4)):
            route = self.random.choice((*CREATES, *CREATES, *SENDS))
            kind = self.random.choice(["drop_before", "drop_after", "malformed", "status", "slow", "rate"])
            rule: dict[str, Any] = {**route, "kind": kind, "times": self.random.randrange(1, 4)}
            if kind == "status":
                rule["status"] = self.random.choice([500, 502, 503, 504, 408, 409])
            if kind == "rate":
                rule |= {"kind": "status", "status": 429, "retry_after": 0.05, "times": 1}
            if kind == "slow":
                rule["seconds"] = 1.0
            rules.append(rule)
            self.counts[f"fault {kind}"] += 1
        if self.random.random() < 0.3:
            kind = self.random.choice(["drop_before", "status"])
            rules.append(
                {**self.random.choice(READS), "kind": kind, "status": 503, "times": self.random.randrange(1, 6)}
            )
            self.counts["fault on a read"] += 1
        if self.random.random() < 0.5:
            rules.append({"kind": "hide_new", "seconds": self.random.uniform(0.0, LAG)})
            self.counts["fault hide_new"] += 1
        self.simulator.faults(*rules)

    async def one_act(self) -> None:
        act = self.draw()
        n_racing = 2 if self.random.random() < 0.15 else 1
        self.counts[act["kind"]] += 1
        self.counts["races"] += n_racing > 1
        if self.random.random() < 0.3:
            self.change_faults()
        results = await asyncio.gather(*(self.to_the_end(act) for _ in range(n_racing)))
        if act["kind"] == "create":
            assert len({item["session_id"] for item in results}) == 1, (act, results)
            key = (act["version"], act["prompt"], act["take"])
            assert self.sessions.setdefault(key, results[0]["session_id"]) == results[0]["session_id"], (act, results)
        else:
            self.sent.add((act["session_id"], act["text"]))

    async def to_the_end(self, act: dict[str, Any]) -> dict[str, Any]:
        """Rerun an act until it concludes, as a person would run the cell again after every accident."""
        place = {
            "url": self.simulator.url,
            "api_key": self.simulator.v1_key if act["version"] == "v1" else self.simulator.api_key,
            "journal": str(self.journal),
            "is_tagging": self.is_tagging,
        }
        for _ in range(MOST_TRIES):
            timeout = 0.5 if self.random.random() < 0.5 else 5.0
            result = await self.server.perform({**act, **place, **self.accident(), "timeout": timeout})
            self.counts["runs"] += 1
            if "how" in result:
                self.counts[f"{act['kind']}: {result['how']}"] += 1
                return result
            self.counts[f"ended by {result['error']}"] += 1
            assert result["error"] != "crashed", (act, result)
        raise AssertionError(f"no end to {act}, at last {result}")

    async def round(self, n_acts: int) -> None:
        gate = asyncio.Semaphore(AT_A_TIME)

        async def gated() -> None:
            async with gate:
                await self.one_act()

        await asyncio.gather(*(gated() for _ in range(n_acts)))

    async def between_rounds(self) -> None:
        """Delete the journal, go to another machine, or stay; what was paid must be listed by then."""
        await asyncio.sleep(LAG)
        chance = self.random.random()
        if chance < 0.45:
            (self.journal / "journal.db").unlink()
            self.counts["journals deleted"] += 1
        elif chance < 0.8:
            self.journal = self.folder / f"home-{self.random.randrange(3)}"
            self.counts["other machines"] += 1


def every_session(simulator: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with simulator.v3() as client:
        after = None
        while True:
            page = client.get("/sessions", params={"first": 200, **({"after": after} if after else {})}).json()
            found += page["items"]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                return found


def every_message(simulator: Any, session_ids: list[str]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    with simulator.v3() as client:
        for session_id in session_ids:
            page = client.get(f"/sessions/{session_id}/messages", params={"first": 200}).json()
            assert not page["has_next_page"]
            said = [item["message"] for item in page["items"] if item["source"] == "user"]
            found.update((session_id, text) for text in said[1:])
    return found


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_every_paid_act_happens_once(
    forking: Popen[bytes], simulator_with: Callable[..., Any], folder: Path
) -> None:
    simulator = simulator_with(speed=1.0)
    steps = folder / "steps.txt"
    async with fork_server(forking, steps) as server:
        trial = Trial(simulator, folder, server, SEED)
        for done in range(0, ACTS, A_ROUND):
            await trial.round(min(A_ROUND, ACTS - done))
            await trial.between_rounds()
    simulator.faults()
    sessions = every_session(simulator)
    messages = every_message(simulator, list(trial.sessions.values()))
    killed_at = Counter(steps.read_text().split())
    report(trial, sessions, messages, killed_at)
    tags = Counter(tag for item in sessions for tag in item["tags"])
    assert [tag for tag, count in tags.items() if count > 1] == []
    assert len(sessions) == simulator.stats()["sessions"] == len(trial.sessions)
    assert {f"devin-{item['session_id']}" for item in sessions} == set(trial.sessions.values())
    assert messages == Counter(dict.fromkeys(trial.sent, 1))
    if ACTS >= 1000:
        assert {"intent", "about-to-post", "remember", "message", "message-about-to-post", "message-arrived"} <= {
            name.partition(":")[0] for name in killed_at
        }


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_without_tags_the_journal_keeps_every_paid_act_single(
    forking: Popen[bytes], simulator_with: Callable[..., Any], folder: Path
) -> None:
    simulator = simulator_with(speed=1.0, allowed_tags=())
    steps, n_acts = folder / "steps.txt", ACTS // 4
    async with fork_server(forking, steps) as server:
        trial = Trial(simulator, folder, server, SEED, is_tagging=False)
        for done in range(0, n_acts, A_ROUND):  # on one machine, whose journal stays: nothing else knows a session
            await trial.round(min(A_ROUND, n_acts - done))
            await asyncio.sleep(LAG)
    simulator.faults()
    sessions = every_session(simulator)
    messages = every_message(simulator, list(trial.sessions.values()))
    report(trial, sessions, messages, Counter(steps.read_text().split()))
    assert {tag for item in sessions for tag in item["tags"]} == set()
    assert len(sessions) == simulator.stats()["sessions"] == len(trial.sessions)
    assert {f"devin-{item['session_id']}" for item in sessions} == set(trial.sessions.values())
    assert messages == Counter(dict.fromkeys(trial.sent, 1))


def report(trial: Trial, sessions: list[Any], messages: Counter[Any], killed_at: Counter[str]) -> None:
    print(f"\nseed {SEED}: {trial.counts['create']} creations and {trial.counts['send']} messages")
    print(f"  distinct identities {len(trial.sessions)}, sessions on the service {len(sessions)}")
    print(f"  distinct messages {len(trial.sent)}, messages on the service {messages.total()}")
    for name, count in sorted(trial.counts.items()):
        print(f"  {name:<32} {count:>6}")
    print(f"  killed at {len(killed_at)} different steps of the journal: {dict(sorted(killed_at.items()))}")
