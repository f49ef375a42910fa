"""`Panel`: one session, live. A widget with one state, moved by snapshots and by nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from devin_jupyter import render
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.panel.acts import Act
from devin_jupyter.panel.assets import script
from devin_jupyter.panel.feed import Feed, SessionLike
from devin_jupyter.panel.widget import LiveWidget


class Panel(LiveWidget):
    """A live view of one session, with a reply box.

    dj.last().panel()         # the same as Panel(dj.last())
    """

    _esm = script("panel")
    state = traitlets.Dict().tag(sync=True)
    home = traitlets.Unicode().tag(sync=True)

    def __init__(self, session: SessionLike, *, acts: Mapping[str, Act] | None = None) -> None:
        """Follow the session until `close`.

        Args:
            session: anything with `.snapshot` and `.subscribe`; `.send`, `.stop` and `.archive` become buttons.
            acts: what the buttons call instead; plain or coroutine functions.
        """
        self._feed = Feed(session, publish=self._publish, send=self.send, acts=acts)
        super().__init__(state=self._feed.state(), home=secrets.token_hex(6))
        self.session = session
        self.on_msg(self._received)
        self._feed.follow()

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot shown."""
        return self._feed.snapshot

    def close(self) -> None:
        """Stop following the session and remove every view."""
        if hasattr(self, "_feed"):  # Python also closes what it could not construct
            self._feed.close()
        super().close()

    def saved_bundle(self, *, transcript: bool = False, live: bool = False) -> dict[str, Any]:
        """Return what a saved notebook keeps: text, static HTML and the record, no view."""
        return render.bundle(self.snapshot, transcript=transcript, home=self.home if live else "")

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, after every further snapshot."""
        self._feed.listeners.append(callback)

    @property
    def turn_over(self) -> bool:
        """Whether Devin has stopped working on the last prompt or message."""
        return self.snapshot.turn_over

    @property
    def needs_you(self) -> bool:
        """Whether Devin waits for a person."""
        return self.snapshot.needs_you

    def __repr__(self) -> str:
        """Say the same for the same snapshot, so that it may stand in a saved output."""
        return f'<Panel {self.snapshot.session_id} {self.snapshot.phase.value} "{render.labels.title(self.snapshot)}">'

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self.view_bundle()
        return {**data, **self.saved_bundle()}, metadata

    def _publish(self, state: dict[str, Any]) -> None:
        self.state = state

    def _received(self, _widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        if isinstance(content, Mapping):
            self._feed.receive(content, buffers)
