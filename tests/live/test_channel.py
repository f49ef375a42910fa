"""Many sessions over one connection, with a socket that a test moves: limits, failures, acts, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from devin_jupyter.errors import DevinError, LiveUnavailable
from devin_jupyter.live import channel as channels
from devin_jupyter.live.channel import Channel, Timing
from devin_jupyter.live.socket import CANCEL, RESPOND, ChannelLost, Refused
from devin_jupyter.models.steps import Hint, LiveView

QUICK = Timing(first_pause=0.0, longest_pause=0.0, tries=3, answer=60.0, linger=0.02, publish=0.0, again=0.0)
A, B = (f"devin-{digit * 32}" for digit in "ab")


class Socket:
    """Answers as the test says, and ends when it says so."""

    def __init__(self, service: Service, notify: Callable[[str, Any], None]) -> None:
        self.service, self.notify = service, notify
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def listen(self) -> None:
        await self.ended

    async def request(self, method: str, params: Any) -> Any:
        self.service.sent.append((method, params.get("sessionId")))
        answer = self.service.answers.get(method, {"protocolVersion": 1})
        return answer(params) if callable(answer) else await self.given(answer)

    async def act(self, method: str, params: Any) -> Any:
        self.service.sent.append((method, params.get("sessionId")))
        return await self.given(self.service.answers.get(method))

    async def given(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        if answer == "never":
            await asyncio.Event().wait()
        return answer

    def says(self, session_id: str, update: dict[str, Any], method: str = "session/update") -> None:
        self.notify(method, {"sessionId": session_id, "update": update})

    async def close(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Service:
    """What a channel is connected to, and what it was told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None]] = []
        self.answers: dict[str, Any] = {}
        self.refusals: list[ChannelLost] = []
        self.sockets: list[Socket] = []
        self.views: dict[str, LiveView] = {}
        self.hints: list[tuple[str, Hint]] = []
        self.timing = QUICK

    def channel(self, **changes: Any) -> Channel:
        async def connect(notify: Callable[[str, Any], None]) -> Any:
            if self.refusals:
                raise self.refusals.pop(0)
            self.sockets.append(Socket(self, notify))
            return self.sockets[-1]

        def publish(view: LiveView) -> None:
            self.views[view.session_id] = view

        timing = Timing(**{**{name: getattr(QUICK, name) for name in QUICK.__slots__}, **changes})
        return Channel(
            connect,
            publish=publish,
            on_hint=lambda *hint: self.hints.append(hint),
            earlier=lambda session_id: self.view(session_id).steps,
            timing=timing,
        )

    async def until(self, is_so: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not is_so():  # noqa: ASYNC110  # there is no event for everything that a test waits for
                await asyncio.sleep(0.001)

    async def on(self, *session_ids: str) -> None:
        await self.until(lambda: all(self.view(each).state == "on" for each in session_ids))

    def view(self, session_id: str) -> LiveView:
        return self.views.get(session_id, LiveView(session_id=session_id))


@pytest.fixture
def service() -> Service:
    return Service()


def thought(text: str) -> dict[str, Any]:
    content = {"type": "text", "text": text}
    return {"sessionUpdate": "agent_thought_chunk", "messageId": "t", "content": content}


ASKS = {
    "sessionUpdate": "tool_call",
    "toolCallId": "c",
    "title": "Push",
    "status": "pending",
    "_meta": {"cognition.ai/permissionType": "command", "cognition.ai/requestId": "r"},
}


async def test_sessions_come_and_go_and_the_connection_with_them(service: Service) -> None:
    channel = service.channel()
    channel.watch([A, B])
    await service.on(A, B)
    socket = service.sockets[0]
    socket.says(A, thought("one"))
    socket.says(A.removeprefix("devin-"), thought(" two"))
    socket.says("devin-" + "c" * 32, thought("of nobody"))
    socket.notify("session/update", {"sessionId": 3})
    socket.says(A, {}, "_cognition.ai/agent_stopped")
    socket.says(A, {}, "_cognition.ai/ephemeral/presence")
    await service.until(lambda: service.view(A).steps and service.view(A).steps[0].text == "one two")
    assert service.hints == [(A, Hint.STATUS | Hint.OVER)]
    channel.watch([B])
    assert (service.view(A).state, service.view(A).steps[0].text) == ("off", "one two")
    channel.watch([])
    await service.until(lambda: not channel.is_open)
    channel.watch([A])
    await service.until(lambda: len(service.sockets) == 2)
    await service.on(A)
    await channel.aclose()
    assert service.view(A).reason == "the client was closed"
    assert service.sockets[1].ended.done()
    await service.channel().aclose()  # of one that was never used


async def test_at_most_so_many_are_followed_and_the_first_ones_come_first(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "MOST_SESSIONS", 3)
    monkeypatch.setattr(channels, "_MOST_PARKED", 2)
    channel, many = service.channel(), [f"devin-{number:032d}" for number in range(5)]
    channel.watch(many)
    await service.on(*many[:3])
    assert service.view(many[4]).reason == "at most 3 sessions are followed at a time"
    channel.watch(many[3:])
    await service.on(*many[3:])
    assert {service.view(each).state for each in many[:3]} == {"off"}
    assert len(channel._parked) == 2
    await channel.aclose()


async def test_that_there_are_too_many_is_told_once_and_again_to_one_that_comes_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "MOST_SESSIONS", 1)
    channel, (first, second, third) = service.channel(), [f"devin-{number:032d}" for number in range(3)]
    channel.watch([first, second])
    told = service.view(second)
    assert told.reason == "at most 1 sessions are followed at a time"
    channel.watch([first, second, third])
    assert service.view(second) is told
    assert service.view(third).reason == told.reason
    channel.watch([second, third])
    await service.on(second)
    channel.watch([third, second])
    assert service.view(second).reason == told.reason
    channel.watch([third])
    service.views.clear()
    channel.watch([third, second])
    assert service.view(second).reason == told.reason
    await channel.aclose()


async def test_sessions_that_are_over_hold_only_so_much(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_MOST_KEPT", 150)
    channel, many = service.channel(), [f"devin-{number:032d}" for number in range(3)]
    channel.watch(many)
    await service.on(*many)
    for each in many:
        service.sockets[0].says(each, thought("x" * 100))
    channel.watch([])
    assert [service.view(each).steps[0].text for each in many] in (
        ["", "", "x" * 100],
        ["", "x" * 100, ""],
        ["x" * 100, "", ""],
    )
    assert all(service.view(each).steps[0].title for each in many)
    await channel.aclose()


async def test_what_a_person_waits_for_is_told_at_once_and_the_rest_now_and_then(service: Service) -> None:
    channel = service.channel(publish=3600.0)
    channel.watch([A])
    await service.until(lambda: service.sent.count(("session/load", A)))
    await service.until(lambda: channel._attached[A].state == "on")
    socket = service.sockets[0]
    socket.says(A, thought("one"))
    assert service.view(A).steps == ()
    socket.says(A, ASKS)
    assert service.view(A).approval is not None
    assert len(service.view(A).steps) == 2
    socket.says(A, {"sessionUpdate": "session_info_update", "_meta": {"cognition.ai/statusEnum": "blocked"}})
    assert service.view(A).steps[-1].status == "blocked"
    await channel.aclose()


async def test_what_happened_during_the_load_is_looked_at_when_it_is_over(service: Service) -> None:
    def load(params: Any) -> Any:
        over = {"sessionUpdate": "session_info_update", "_meta": {"cognition.ai/statusEnum": "blocked"}}
        if params["sessionId"] == A:
            service.sockets[0].says(A, over)
        return {}

    service.answers["session/load"] = load
    channel = service.channel()
    channel.watch([A, B])
    await service.on(A, B)
    assert service.hints == [(A, Hint.STATUS)]
    await channel.aclose()


async def test_an_odd_update_does_not_end_the_others(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    channel = service.channel()
    channel.watch([A])
    await service.on(A)
    transcript = channel._attached[A].transcript
    transcript.apply = None  # type: ignore[assignment,method-assign]
    service.sockets[0].says(A, thought("one"))
    assert "an update of" in caplog.text
    await channel.aclose()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"initialize": {"protocolVersion": 9}}, "the service speaks another version of the protocol (9)"),
        ({"initialize": Refused("initialize", {"code": -32000, "message": "who?"})}, "who? (initialize: -32000)"),
        ({"initialize": "never"}, "the service did not answer; given up after 3 attempts"),
        (
            {"initialize": Refused("initialize", {"code": -32010, "message": "later"})},
            "later (initialize: -32010); given up after 3 attempts",
        ),
        ({"session/load": Refused("x", {"code": -32000, "message": "who?"})}, "who? (x: -32000)"),
    ],
)
async def test_what_ends_the_channel(service: Service, answers: dict[str, Any], reason: str) -> None:
    service.answers = answers
    channel = service.channel(again=600.0, answer=0.05 if "not answer" in reason else 60.0)
    channel.watch([A])
    await service.until(lambda: service.view(A).state == "unavailable")
    assert service.view(A).reason == channel.failed == reason
    channel.watch([A, B])  # too soon to try again
    await service.until(lambda: service.view(B).state == "unavailable")
    with pytest.raises(LiveUnavailable):
        await service.channel(answer=0.05).open() if "given up" in reason else await channel.open()
    await channel.aclose()


async def test_a_fault_of_ours_ends_the_channel_and_nothing_else(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answers = {"initialize": TypeError("oh")}
    channel = service.channel()
    channel.watch([A])
    await service.until(lambda: service.view(A).state == "unavailable")
    assert "a fault in devin_jupyter: TypeError('oh')" in str(service.view(A).reason)
    await channel.aclose()


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        ({"code": -32002, "message": "Access denied"}, 1),
        ({"code": -32020, "message": "Blocked", "data": {"detail": "user_frozen"}}, 1),
        ({"code": -32013, "message": "broken"}, 3),
        ({"code": -32013, "message": "broken", "data": {"cognition.ai/retryable": False}}, 1),
    ],
)
async def test_a_session_that_is_refused_leaves_the_others_alone(
    service: Service, error: dict[str, Any], tries: int
) -> None:
    def load(params: Any) -> Any:
        if params["sessionId"] == A:
            raise Refused("session/load", error)
        return {}

    service.answers = {"session/load": load}
    channel = service.channel()
    channel.watch([A, B])
    await service.until(lambda: service.view(A).state == "unavailable")
    await service.on(B)
    assert service.sent.count(("session/load", A)) == tries
    assert str(error.get("data", {}).get("detail", error["message"])) in str(service.view(A).reason)
    service.sockets[0].ended.set_exception(ChannelLost("the connection was lost"))
    await service.until(lambda: len(service.sockets) == 2)
    await service.on(B)
    assert service.sent.count(("session/load", A)) == tries  # it is not asked for again
    assert (B, Hint.STATUS) in service.hints  # something may have happened meanwhile
    await channel.aclose()


async def test_a_connection_that_lasted_is_a_good_one(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_LASTED", 0.0)
    channel = service.channel()
    channel.watch([A])
    for number in range(2 * QUICK.tries):
        await service.until(lambda number=number: len(service.sockets) > number)
        await service.until(lambda number=number: service.sent.count(("session/load", A)) > number)
        service.sockets[-1].ended.set_exception(ChannelLost("the connection was lost"))
    await service.until(lambda: len(service.sockets) > 2 * QUICK.tries)
    assert service.view(A).state != "unavailable"
    await channel.aclose()


@pytest.mark.parametrize(
    ("answer", "message", "consequence"),
    [
        (Refused("x", {"code": -32602, "message": "already answered"}), "already answered", "nothing was changed"),
        (ChannelLost("the connection was lost"), "not known whether this arrived", "it is not sent again"),
        ("never", "not known whether this arrived: the service did not answer", "it is not sent again"),
    ],
)
async def test_an_act_is_sent_once_whatever_comes_of_it(
    service: Service, answer: Any, message: str, consequence: str
) -> None:
    service.answers = {RESPOND: answer}
    channel = service.channel(answer=0.05 if answer == "never" else 60.0)
    channel.watch([A])
    await service.on(A)
    service.sockets[0].says(A, ASKS)
    with pytest.raises(DevinError, match=message) as caught:
        await channel.respond(A, approved=True)
    assert caught.value.consequence == consequence
    assert service.sent.count((RESPOND, A)) == 1
    await channel.aclose()


async def test_an_act_follows_a_session_for_as_long_as_it_takes(service: Service) -> None:
    channel = service.channel()
    await channel.cancel(A)
    assert [method for method, _ in service.sent] == ["initialize", "session/load", CANCEL]
    assert service.view(A).state == "off"
    await channel.aclose()


async def test_an_act_on_a_session_that_cannot_be_followed_is_not_sent(service: Service) -> None:
    channel = service.channel(answer=0.05)
    service.answers = {"session/load": "never"}
    with pytest.raises(LiveUnavailable, match="the service did not answer"):
        await channel.cancel(A)
    assert service.sent.count((CANCEL, A)) == 0
    await channel.aclose()


async def test_an_act_tries_again_what_was_given_up(service: Service) -> None:
    service.refusals = [ChannelLost("503")] * QUICK.tries
    channel = service.channel(again=3600.0)
    channel.watch([A])
    await service.until(lambda: service.view(A).state == "unavailable")
    await channel.cancel(A)
    await service.on(A)
    await channel.open()
    assert service.sent.count((CANCEL, A)) == 1
    await channel.aclose()


async def test_a_forked_child_leaves_the_connection_of_its_parent_alone(service: Service) -> None:
    channel = service.channel()
    channel.watch([A])
    await service.on(A)
    channel._pid -= 1
    await channel.aclose()
    assert not service.sockets[0].ended.done()
    channel._pid += 1

    def elsewhere() -> None:
        async def watch() -> None:
            channel.watch([A, B])
            await service.until(lambda: len(service.sockets) == 2)
            await channel.aclose()

        asyncio.run(watch())

    task, channel._task = channel._task, None
    await asyncio.to_thread(elsewhere)
    assert not service.sockets[0].ended.done()
    assert task is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
