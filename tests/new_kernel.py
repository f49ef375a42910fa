"""Kernels for tests, started once more where one dies before it has answered.

`jupyter_client` picks the ports of a kernel and lets go of them; another program may take one before the kernel binds
it, a second later, and the kernel dies: https://github.com/jupyter/jupyter_client/issues/487.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from jupyter_client import manager

SECONDS = 300
"""How long a kernel may take to answer: longer than any busy machine needs."""


def twice(start: Callable[..., Any]) -> Callable[..., Any]:
    """Let what starts a kernel try again; what the second one wrote before it died is told with the error."""

    def start_new_kernel(**options: Any) -> Any:
        try:
            return start(**options)
        except RuntimeError:
            with options.get("stderr") or nullcontext(), tempfile.TemporaryFile("w+") as errors:
                try:
                    return start(**options | {"stderr": errors})
                except RuntimeError as died:
                    errors.seek(0)
                    died.add_note(errors.read())
                    raise

    return start_new_kernel


def start_kernel() -> Any:
    """Start a Python kernel; returns its manager and its client."""
    return twice(manager.start_new_kernel)(startup_timeout=SECONDS)


async def start_async_kernel() -> Any:
    """Start a Python kernel for a test that awaits; returns its manager and its client."""
    try:
        return await manager.start_new_async_kernel(startup_timeout=SECONDS)
    except RuntimeError:
        return await manager.start_new_async_kernel(startup_timeout=SECONDS)
