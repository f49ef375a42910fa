"""The wire between a widget and the browser, in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Wire:
    """A comm that keeps what is sent."""

    comm_id = "wire"

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self._news = threading.Condition()

    def send(self, data: dict[str, Any] | None = None, metadata: Any = None, buffers: Any = None) -> None:
        with self._news:
            self.sent.append(data or {})
            self._news.notify_all()

    def on_msg(self, _callback: Any) -> None: ...

    def close(self, *_: Any, **__: Any) -> None: ...

    @property
    def custom(self) -> list[dict[str, Any]]:
        return [data["content"] for data in self.sent if data.get("method") == "custom"]

    def trait(self, name: str) -> list[Any]:
        """Every value that was sent for a trait."""
        updates = [data["state"] for data in self.sent if data.get("method") == "update"]
        return [state[name] for state in updates if name in state]

    def wait(self, found: Callable[[], Any]) -> Any:
        """Wait until something is found among what was sent."""
        with self._news:
            assert self._news.wait_for(found, timeout=300)
        return found()

    def last(self, **wanted: Any) -> dict[str, Any]:
        """Wait for a custom message with these fields; the newest one counts."""

        def found() -> list[dict[str, Any]]:
            return [content for content in self.custom if wanted.items() <= content.items()]

        newest: dict[str, Any] = self.wait(found)[-1]
        return newest
