"""The async core: one client for one key, over settings, API, journal, creation and monitor.

It lives on one event loop, the first that uses it. It never imports IPython or pandas.
"""

from __future__ import annotations

from devin_jupyter.client.aio import AsyncDevin
from devin_jupyter.client.core import Core
from devin_jupyter.client.tracking import Listener, State

__all__ = ["AsyncDevin", "Core", "Listener", "State"]
