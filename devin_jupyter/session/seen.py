"""What a handle shows of its session without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devin_jupyter import turns
from devin_jupyter.client.tracking import State
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Message, OutputVersion, PullRequest, Snapshot
from devin_jupyter.options.times import seconds

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema


class LastSeen:
    """The attributes of a session as last seen: values, never I/O."""

    state: State
    schema: Schema | None
    """What the output is read as; None without one."""

    @property
    def snapshot(self) -> Snapshot:
        """Everything as last seen, in one immutable value."""
        return self.state.snapshot

    @property
    def id(self) -> str:
        """The session's id, `devin-…`."""
        return self.state.session_id

    @property
    def url(self) -> str:
        """Its page in the web app."""
        return self.snapshot.url

    @property
    def phase(self) -> Phase:
        """What it is doing, in one word."""
        return self.snapshot.phase

    @property
    def needs_you(self) -> bool:
        """Whether it waits for a reply or an approval, also when it fell asleep over it."""
        return self.snapshot.needs_you

    @property
    def status(self) -> str | None:
        """The service's own word for its state."""
        return self.snapshot.status

    @property
    def status_detail(self) -> str | None:
        """The service's reason for that state; on v1 its `status_enum`."""
        return self.snapshot.status_detail

    @property
    def title(self) -> str | None:
        """Its title."""
        return self.snapshot.title

    @property
    def acus(self) -> float | None:
        """ACUs consumed so far; None where unknown."""
        return self.snapshot.acus

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that people set."""
        return self.snapshot.tags

    @property
    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Its pull requests: `.url` and `.state`."""
        return self.snapshot.pull_requests

    @property
    def question(self) -> str | None:
        """Devin's last message, when the turn ended without an answer."""
        return self.snapshot.question

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as read so far, oldest first; read at the end of each turn."""
        return self.snapshot.messages

    @property
    def output(self) -> Any:
        """The structured output of the last turn, typed by the schema; None where there is none.

        `.snapshot.structured_output` is the raw value, also while it is interim.

        Raises:
            TurnOpen: Devin is still working on it; `.result()` waits.
            OutputInvalid: it does not fit the schema.
        """
        return turns.output_of(self.snapshot, self.schema)

    @property
    def outputs(self) -> tuple[OutputVersion, ...]:
        """The structured outputs seen on this handle's client so far, oldest first: interim ones and answers.

        Each has `.at` (UTC), `.value` (raw) and `.is_final`.
        """
        return self.state.outputs

    def answer(self, *, waited: float | str | None = None) -> Any:
        """Return what `result` returns, from what was last seen: without asking or waiting.

        Args:
            waited: seconds waited so far, for the message where there is no answer.

        Raises:
            TurnError: there is no answer; the class says why.
        """
        if not self.snapshot.turn_over:
            raise turns.problem_of(self.snapshot, waited=seconds(waited))
        return turns.answer_of(self.snapshot, self.schema)
