"""The operations of the API for blocking callers: one line each into the async ones, whose documentation they carry.

No logic here: names, parameters and docstrings are those of `devin_jupyter.api`, and a test holds them together.
"""

from __future__ import annotations

from devin_jupyter.namespaces.of_organization import Consumption, Knowledge, Metrics, Playbooks, Schedules, Secrets
from devin_jupyter.namespaces.of_sessions import Attachments, Events, Insights, Messages, Sessions, Tags

__all__ = [
    "Attachments",
    "Consumption",
    "Events",
    "Insights",
    "Knowledge",
    "Messages",
    "Metrics",
    "Playbooks",
    "Schedules",
    "Secrets",
    "Sessions",
    "Tags",
]
