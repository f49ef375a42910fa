"""Decide for each request: attach to the session there is, adopt the one whose answer was lost, or pay for one POST.

The only caller of create. The decision is made under a lease, from the journal first and from the service second.
"""

from __future__ import annotations

from devin_jupyter.creation.creator import Creator
from devin_jupyter.creation.planning import plan_replay
from devin_jupyter.creation.policy import Api, Plan, Started
from devin_jupyter.creation.replay import replay
from devin_jupyter.paid import Clock

__all__ = ["Api", "Clock", "Creator", "Plan", "Started", "plan_replay", "replay"]
