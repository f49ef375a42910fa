"""One exchange with the service: what is retried, what its errors become, and where the key may go."""

import asyncio
import contextlib
import gzip
import json
import logging
import re
import socket
import ssl
import threading
from pathlib import Path

import httpx
import pytest
from clients import KEY, some_settings

from devin_jupyter import errors
from devin_jupyter.api.analytics import Account
from devin_jupyter.api.client import OPERATIONS, Service
from devin_jupyter.api.sessions import Sessions, Tags
from devin_jupyter.api.transport import Transport

GET, PUT, DELETE, POST, PATCH = "GET", "PUT", "DELETE", "POST", "PATCH"


def transport_with(handler, slept, **changes):
    return Transport(some_settings(**changes), wire=httpx.MockTransport(handler), sleep=slept)


def answers(*responses):
    """A handler that gives each answer once and the last one for ever, and notes the requests."""
    left = list(responses)

    def handler(request):
        handler.requests.append(request)
        response = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(response, Exception):
            raise response
        return httpx.Response(response.status_code, headers=response.headers, content=response.content)

    handler.requests = []
    return handler


OK = httpx.Response(200, json={"ok": True})


# --- retries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", [GET, PUT, DELETE])
async def test_safe_calls_are_tried_again(method, status, slept):
    handler = answers(httpx.Response(status), httpx.Response(status), OK)

    assert await transport_with(handler, slept).request(method, "/v3/x") == {"ok": True}
    assert len(handler.requests) == 3
    assert all(0 < pause < 5 for pause in slept)


@pytest.mark.parametrize("method", [GET, PUT, DELETE])
async def test_safe_calls_are_tried_again_when_the_connection_breaks(method, slept):
    handler = answers(httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.ReadTimeout("slow"), OK)

    assert await transport_with(handler, slept).request(method, "/v3/x") == {"ok": True}


async def test_safe_calls_are_given_up_after_three_more_tries(slept):
    handler = answers(httpx.Response(503))

    with pytest.raises(errors.ServerError):
        await transport_with(handler, slept).request(GET, "/v3/x")
    assert len(handler.requests) == 4


@pytest.mark.parametrize("fault", [httpx.Response(503), httpx.Response(429), httpx.ReadError("reset")])
@pytest.mark.parametrize("method", [POST, PATCH])
async def test_a_post_is_never_sent_twice(method, fault, slept):
    handler = answers(fault, OK)

    with pytest.raises(errors.DevinError):
        await transport_with(handler, slept).request(method, "/v3/x", json={})
    assert len(handler.requests) == 1
    assert slept == []


@pytest.mark.parametrize("junk", ["1 Jan 99999999999999999999 00:00:00", "soon", "nan", "-5", "Thu, 99 Foo 2026"])
async def test_a_wait_that_makes_no_sense_is_not_waited(junk, slept):
    late = httpx.Response(503, headers={"retry-after": junk})
    await transport_with(answers(late, OK), slept).request(GET, "/v3/x")

    assert len(slept) == 1
    assert slept[0] < 2.0


async def test_an_answer_that_trickles_for_ever_is_given_up():
    async def trickle(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1000), 0.02)
        writer.close()
        gone.set()

    gone = asyncio.Event()
    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport = Transport(some_settings(base_url=f"http://127.0.0.1:{port}", timeout_seconds=0.2))
        with pytest.raises(errors.RequestTimeout, match=r"within 0\.2 s"):
            await transport.request(GET, "/v3/self", retries=False)
        await transport.aclose()
        await gone.wait()


@contextlib.asynccontextmanager
async def serving(*answers):
    """A server that gives these raw answers, one a connection; yields its transport and how often it was asked."""
    asked = []

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.append(1)
        writer.write(answers[min(len(asked), len(answers)) - 1])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async def no_pause(seconds):
        await asyncio.sleep(0)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport = Transport(some_settings(base_url=f"http://127.0.0.1:{port}"), sleep=no_pause)
        yield transport, asked
        await transport.aclose()


CUT = b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"half'
CUT_CHUNKS = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"hal\r\n'
WHOLE = b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}'


@pytest.mark.parametrize("cut", [CUT, CUT_CHUNKS])
async def test_a_body_that_is_cut_off_is_asked_for_again_and_that_of_a_post_is_not(cut):
    async with serving(cut, cut, WHOLE) as (transport, asked):
        assert await transport.request(GET, "/v3/self") == {"a": 1}
        assert len(asked) == 3
    async with serving(cut, WHOLE) as (transport, asked):
        with pytest.raises(errors.ConnectionLost):
            await transport.request(POST, "/v3/x", json={})
        assert len(asked) == 1


def zipped(size):
    body = gzip.compress(b'"' + b"x" * size + b'"')
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body


async def test_an_answer_is_read_up_to_a_size_also_after_decompression(monkeypatch):
    monkeypatch.setattr("devin_jupyter.api.transport.MOST_ANSWER", 1_000_000)
    huge = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_500_000
    for answer in (zipped(50_000_000), huge):
        async with serving(answer) as (transport, asked):
            with pytest.raises(errors.UnreadableAnswer, match="larger than 1 MB"):
                await transport.request(GET, "/v3/self")
            assert len(asked) == 1
    async with serving(zipped(900_000)) as (transport, _):
        assert len(await transport.request(GET, "/v3/self")) == 900_000


@pytest.mark.parametrize(("header", "pause"), [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "250"}, 0.25)])
async def test_the_wait_that_the_service_asks_for_is_honored(header, pause, slept):
    await transport_with(answers(httpx.Response(429, headers=header), OK), slept).request(GET, "/v3/x")

    assert slept == [pause]


@pytest.mark.parametrize(
    ("status", "asks", "kind"),
    [
        (429, "9999", errors.RateLimited),
        (503, "86400", errors.ServerError),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", errors.RateLimited),
    ],
)
async def test_a_wait_of_more_than_a_minute_is_not_waited_and_the_error_says_until_when(status, asks, kind, slept):
    handler = answers(httpx.Response(status, headers={"retry-after": asks}, json={"detail": "later"}), OK)

    with pytest.raises(kind) as problem:
        await transport_with(handler, slept).request(GET, "/v3/x")
    assert (slept, len(handler.requests)) == ([], 1)
    assert problem.value.retry_after > 9000
    assert "several retries" not in problem.value.consequence
    assert re.search(r"the service asks to wait until 20\d\d-\d\d-\d\d \d\d:\d\d UTC", problem.value.consequence)


async def test_a_wait_of_a_minute_is_waited(slept):
    await transport_with(answers(httpx.Response(503, headers={"retry-after": "60"}), OK), slept).request(GET, "/v3/x")

    assert slept == [60.0]


async def test_a_rate_limited_post_tells_how_long_to_wait(slept):
    handler = answers(httpx.Response(429, headers={"retry-after": "3"}, json={"detail": "slow down"}))

    with pytest.raises(errors.RateLimited) as problem:
        await transport_with(handler, slept).request(POST, "/v3/x", json={})
    assert problem.value.retry_after == 3.0


async def test_callers_that_pace_themselves_are_not_made_to_wait(slept):
    handler = answers(httpx.Response(503))

    with pytest.raises(errors.ServerError):
        await transport_with(handler, slept).request(GET, "/v3/x", retries=False)
    assert len(handler.requests) == 1


# --- errors -----------------------------------------------------------------------------------------------------

BODIES = {
    "legacy": ({"detail": "no such thing"}, "no such thing"),
    "fields": (
        {"detail": [{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}]},
        "prompt: Field required",
    ),
    "problem": ({"type": "about:blank", "title": "Nope", "status": 400, "detail": "try another"}, "try another"),
    "problem without detail": ({"title": "Nope", "status": 400}, "Nope"),
    "problem with fields": (
        {"title": "Invalid", "status": 422, "errors": [{"pointer": "/prompt", "detail": "is too long"}]},
        "/prompt: is too long",
    ),
    "string": ("just words", "just words"),
}


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
async def test_the_services_words_are_read_from_every_shape_of_error(body, words, slept):
    with pytest.raises(errors.BadRequest) as problem:
        await transport_with(answers(httpx.Response(400, json=body)), slept).request(GET, "/v3/x")
    assert words in problem.value.message
    assert words in problem.value.detail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no explanation given"),
        (b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway"),
        (b"upstream connect error", "upstream connect error"),
        (b"\xff\xfe\x00", "502"),
        (b"[1, 2]", "[1, 2]"),
        (b"null", "null"),
        (b'{"detail": null}', "detail"),
        (b'{"detail": [1, "x", {"loc": 5}]}', "5"),
    ],
)
async def test_bodies_that_are_no_error_answers_are_survived(content, words, slept):
    with pytest.raises(errors.ServerError) as problem:
        await transport_with(answers(httpx.Response(502, content=content)), slept).request(POST, "/v3/x", json={})
    assert words in problem.value.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (418, errors.BadRequest),
        (422, errors.Unprocessable),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (599, errors.ServerError),
    ],
)
async def test_every_status_has_its_exception_in_at_most_three_lines_without_the_key(status, kind, slept):
    handler = answers(httpx.Response(status, json={"detail": f"the key {KEY} is bad"}))

    with pytest.raises(kind) as problem:
        await transport_with(handler, slept).request(POST, "/v3/x", json={})
    assert problem.value.status_code == status
    assert (problem.value.method, problem.value.path) == (POST, "/v3/x")
    assert 2 <= len(problem.value.lines) <= 3
    assert KEY not in "\n".join([*problem.value.lines, problem.value.detail, repr(problem.value)])


async def test_field_errors_are_kept_without_what_was_sent(slept):
    fields = [{"loc": ["body", "session_secrets", 0], "msg": "too long", "type": "x", "input": "hunter2", "ctx": {}}]
    handler = answers(httpx.Response(422, json={"detail": fields}))

    with pytest.raises(errors.Unprocessable) as problem:
        await transport_with(handler, slept).request(POST, "/v3/x", json={})
    assert problem.value.errors == [{"loc": ["body", "session_secrets", 0], "msg": "too long", "type": "x"}]


async def test_a_403_for_a_session_in_anothers_name_names_the_permission_for_that_too(answering):
    service = answering(lambda request: httpx.Response(403, json={"detail": "Missing permission"}))
    with pytest.raises(errors.Forbidden) as problem:
        await service.call("sessions.create", json={"prompt": "x", "create_as_user_id": "user-1"})
    assert "ManageOrgSessions and ImpersonateOrgSessions" in problem.value.consequence
    assert "nothing was started" in problem.value.consequence


async def test_a_404_for_a_new_session_says_which_ids_to_check(answering):
    service = answering(lambda request: httpx.Response(404, json={"detail": "Not found"}))
    with pytest.raises(errors.NotFound) as problem:
        await service.call("sessions.create", json={"prompt": "x"})
    assert "nothing was started" in problem.value.consequence
    assert "--playbook" in problem.value.hint


async def test_a_403_names_the_permission_of_its_operation(answering):
    service = answering(lambda request: httpx.Response(403, json={"detail": "Missing permission"}))
    lines = {}
    for operation in OPERATIONS:
        ids = dict.fromkeys(re.findall(r"{(\w+)}", operation.v3), "a")
        with pytest.raises(errors.Forbidden) as problem:
            await service.call(operation.name, **ids)
        lines[operation] = "\n".join(problem.value.lines)
    assert [operation.name for operation, text in lines.items() if (operation.permission or "") not in text] == []
    assert [operation.name for operation, text in lines.items() if f"{operation.level} level" not in text] == []


@pytest.mark.parametrize(
    ("code", "means", "do"),
    [
        ("user_frozen", "the account that this key acts for is frozen", "administrator"),
        ("migrated_session", "the session was moved by the service", "web app"),
        ("storage_migration_freeze", "holds changes back while its storage is migrated", "try again later"),
        ("moon_phase", "the code moon_phase, which this version of the package does not know", "look moon_phase up"),
    ],
)
@pytest.mark.parametrize("operation", ["sessions.create", "messages.send", "sessions.get"])
async def test_a_code_of_the_service_explains_a_403_before_permissions_do(answering, code, means, do, operation):
    body = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "No", "error_code": code}
    service = answering(lambda request: httpx.Response(403, json=body))
    with pytest.raises(errors.Forbidden) as problem:
        await service.call(operation, session_id="a", json={"prompt": "x"})

    said = problem.value
    assert (said.error_code, said.detail) == (code, "No")
    assert said.message.endswith(f"No ({code})")
    assert means in said.consequence
    assert do in said.hint
    assert "give the key a role" not in said.hint
    not_done = {"sessions.create": "nothing was started", "messages.send": "not delivered"}.get(operation, "")
    assert not_done in said.consequence
    assert len(said.lines) == 3


@pytest.mark.parametrize("code", [None, 7, "", " ", ["x"]])
async def test_without_a_readable_code_a_403_is_about_permissions(answering, code):
    service = answering(lambda request: httpx.Response(403, json={"detail": "No", "error_code": code}))
    with pytest.raises(errors.Forbidden) as problem:
        await service.call("sessions.list")
    assert problem.value.error_code is None
    assert problem.value.message.endswith(": No")
    assert "ViewOrgSessions" in problem.value.hint


async def test_a_frozen_account_is_no_missing_permission(answering):
    held = answering(lambda request: httpx.Response(403, json={"detail": "No", "error_code": "user_frozen"}))
    assert set((await Account(held).permissions()).values()) == {None}


async def test_a_bare_unauthorized_hints_at_the_wrong_family(answering):
    service = answering(lambda request: httpx.Response(403, json={"detail": "Unauthorized"}))

    with pytest.raises(errors.Forbidden, match="cog_… keys on v3"):
        await service.call("sessions.list")


@pytest.mark.parametrize("content", [b"{ broken", b"<html>a login page</html>", b"\xff"])
async def test_a_success_that_does_not_parse_is_told_as_such(content, slept):
    with pytest.raises(errors.UnreadableAnswer, match="DEVIN_API_URL"):
        await transport_with(answers(httpx.Response(200, content=content)), slept).request(GET, "/v3/x")


@pytest.mark.parametrize(("status", "kind"), [(200, errors.UnreadableAnswer), (503, errors.ServerError)])
async def test_an_answer_nested_without_end_is_told_as_any_other(status, kind, slept):
    with pytest.raises(kind):
        await transport_with(answers(httpx.Response(status, content=b"[" * 100_000)), slept).request(GET, "/v3/x")


async def test_half_a_character_is_refused_before_anything_is_sent(slept):
    handler = answers(OK)

    with pytest.raises(errors.OptionError, match="half a character"):
        await transport_with(handler, slept).request(POST, "/v3/x", json={"prompt": "\ud800"})
    assert not handler.requests


@pytest.mark.parametrize("status", [200, 204])
async def test_an_empty_success_is_none(status, slept):
    assert await transport_with(answers(httpx.Response(status)), slept).request(DELETE, "/v1/x") is None


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (httpx.ConnectError("refused"), errors.ConnectionFailed),
        (httpx.ConnectTimeout("slow"), errors.ConnectionFailed),
        (httpx.PoolTimeout("full"), errors.ConnectionFailed),
        (httpx.ProxyError("403"), errors.ConnectionFailed),
        (httpx.ReadTimeout("slow"), errors.RequestTimeout),
        (httpx.WriteTimeout("slow"), errors.RequestTimeout),
        (httpx.ReadError("reset"), errors.ConnectionLost),
        (httpx.WriteError("reset"), errors.ConnectionLost),
        (httpx.RemoteProtocolError("closed"), errors.ConnectionLost),
        (httpx.DecodingError("bad gzip"), errors.UnreadableAnswer),
    ],
)
async def test_trouble_is_told_by_whether_the_request_may_have_been_applied(fault, kind, slept):
    with pytest.raises(kind) as problem:
        await transport_with(answers(fault), slept).request(POST, "/v3/x", json={})
    assert KEY not in str(problem.value)
    assert len(problem.value.lines) == 3


# --- the wire ---------------------------------------------------------------------------------------------------


async def test_lists_repeat_their_key_and_none_is_left_out(answering):
    handler = answers(httpx.Response(200, json={"items": []}))
    found = Sessions(answering(handler)).list(tags=["a", "b,c"], playbook_id=None, is_archived=False, limit=3)

    assert [item async for item in found] == []
    query = handler.requests[0].url.query.decode()
    assert query == "tags=a&tags=b%2Cc&is_archived=false&first=200"


async def test_ids_are_quoted_in_paths(answering):
    handler = answers(OK)
    await answering(handler).call("consumption.user", user_id="email|a/b@c")

    assert handler.requests[0].url.raw_path == b"/v3/organizations/org-x/consumption/daily/users/email%7Ca%2Fb%40c"


async def test_requests_carry_the_key_and_our_name(slept):
    handler = answers(OK)
    await transport_with(handler, slept).request(GET, "/v3/x")

    headers = handler.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"].startswith("devin-jupyter/")


async def test_redirects_are_not_followed(slept):
    handler = answers(httpx.Response(302, headers={"location": "https://login.example/?next=x"}))

    with pytest.raises(errors.UnreadableAnswer, match=r"login\.example"):
        await transport_with(handler, slept).request(GET, "/v3/x")
    assert len(handler.requests) == 1


def elsewhere(location, content=b"a,b\n1,2\n"):
    """The API redirects a download; the other place answers with the file."""

    def handler(request):
        handler.requests.append(request)
        if request.url.path.startswith("/v3"):
            return httpx.Response(307, headers={"location": location})
        return httpx.Response(200, content=content)

    handler.requests = []
    return handler


async def test_a_download_follows_redirects_and_leaves_the_key_behind(slept):
    handler = elsewhere("https://files.example/signed?x=1")

    assert await transport_with(handler, slept).fetch("/v3/file") == b"a,b\n1,2\n"
    assert "authorization" in handler.requests[0].headers
    assert "authorization" not in handler.requests[1].headers


@pytest.mark.parametrize("location", ["https://api.devin.ai.evil.example/x", "https://api.devin.ai:8443/x", "/second"])
async def test_the_key_goes_along_no_redirect_wherever_it_leads(location, slept):
    handler = elsewhere(location)
    await transport_with(handler, slept).fetch("/v3/file")

    assert "authorization" not in handler.requests[1].headers


@pytest.mark.parametrize(
    "location", ["http://files.example/x", "http://127.0.0.1:1/x", "file:///etc/passwd", "http://["]
)
async def test_a_download_follows_no_redirect_that_is_not_https(location, slept):
    with pytest.raises(errors.UnreadableAnswer):
        await transport_with(elsewhere(location), slept).fetch("/v3/file")


async def test_a_download_that_goes_round_in_circles_ends(slept):
    handler = answers(httpx.Response(307, headers={"location": "/v3/file"}))

    with pytest.raises(errors.UnreadableAnswer, match="in a loop"):
        await transport_with(handler, slept).fetch("/v3/file")
    assert len(handler.requests) == 5


async def test_a_redirect_without_a_location_ends_the_download(slept):
    handler = answers(httpx.Response(307))

    with pytest.raises(errors.UnreadableAnswer, match="invalid address"):
        await transport_with(handler, slept).fetch("/v3/file")
    assert len(handler.requests) == 1


async def test_an_address_that_cannot_be_called_is_told_before_anything_is_sent(slept):
    handler = answers(OK)

    with pytest.raises(errors.OptionError, match="not a valid address"):
        await transport_with(handler, slept, base_url="https://☃.example").request(GET, "/v3/x")
    assert handler.requests == []


@pytest.mark.parametrize(
    ("act", "means"),
    [
        (lambda service: Sessions(service).create({"prompt": "x"}), "a paid request may have been applied"),
        (lambda service: Tags(service).append("f" * 32, ["x"]), "it may have been applied anyway"),
        (lambda service: Sessions(service).get("f" * 32), "nothing was changed"),
    ],
)
async def test_an_answer_that_cannot_be_read_leaves_open_what_was_asked_for(act, means, answering):
    with pytest.raises(errors.UnreadableAnswer) as caught:
        await act(answering(lambda request: httpx.Response(200, text="<html>")))
    assert caught.value.consequence == means


async def test_acts_are_logged_at_info_reads_at_debug_and_httpx_does_not_repeat_them(slept, caplog):
    caplog.set_level(logging.DEBUG)
    transport = transport_with(answers(OK, OK, OK), slept)
    for method in (GET, POST, "DELETE"):
        await transport.request(method, "/v3/x")
    lines = [(record.name, record.levelname) for record in caplog.records if record.name.startswith(("devin", "httpx"))]

    assert [level for name, level in lines if name == "devin_jupyter.http"] == ["DEBUG", "INFO", "INFO"]
    assert [name for name, _ in lines if name == "httpx"] == []
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as other:
        await other.get("https://example.org")  # the notebook's own use of httpx
    assert [record.name for record in caplog.records][-1] == "httpx"


async def test_logging_tells_the_request_and_no_body_query_or_key(slept, caplog):
    caplog.set_level(logging.DEBUG, "devin_jupyter.http")
    handler = answers(httpx.Response(503), OK)
    await transport_with(handler, slept).request(GET, "/v3/x", params={"search": "private words"})

    record = next(record for record in caplog.records if record.name == "devin_jupyter.http")
    assert (record.http["method"], record.http["path"], record.http["status"]) == (GET, "/v3/x", 200)
    assert record.http["retries"] == 1
    assert record.http["seconds"] >= 0
    assert "private" not in record.getMessage()
    assert KEY not in record.getMessage()


async def test_failures_are_logged_too(slept, caplog):
    caplog.set_level(logging.INFO, "devin_jupyter.http")
    with pytest.raises(errors.ConnectionFailed):
        await transport_with(answers(httpx.ConnectError("refused")), slept).request(POST, "/v3/x", json={"a": "secret"})

    assert [record.http["status"] for record in caplog.records if record.name == "devin_jupyter.http"] == [
        "ConnectError"
    ]


# --- real sockets -----------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_certainly_not_applied(slept):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    transport = Transport(some_settings(base_url=f"http://127.0.0.1:{port}", simulated=True), sleep=slept)

    with pytest.raises(errors.ConnectionFailed, match=str(port)):
        await transport.request(POST, "/v3/x", json={})
    await transport.aclose()


async def test_a_time_out_may_have_been_applied(slept):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = Transport(some_settings(base_url=url, simulated=True, timeout_seconds=0.2), sleep=slept)

        with pytest.raises(errors.RequestTimeout, match="may have been applied"):
            await transport.request(POST, "/v3/x", json={})
        await transport.aclose()


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_connection_closed_without_an_answer_is_lost(kind, core_client, simulator):
    route = "/v3/organizations/{org_id}/sessions"
    simulator.faults({"method": POST, "route": route, "kind": kind, "times": 1})

    with pytest.raises(errors.ConnectionLost):
        await core_client.sessions.create({"prompt": "x"})
    assert simulator.stats()["sessions"] == (1 if kind == "drop_after" else 0)


async def test_tls_is_verified(slept, tmp_path):
    """A server with a certificate that nobody vouches for is refused before anything is sent."""
    certificate = Path(__file__).with_name("self_signed.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve_once, args=(context, listener, received))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        transport = Transport(some_settings(base_url=url), sleep=slept)
        with pytest.raises(errors.ConnectionFailed, match=r"(?i)certificate"):
            await transport.request(POST, "/v3/x", json={})
        await transport.aclose()
        await asyncio.to_thread(thread.join)
    assert received == []


def _serve_once(context, listener, received):
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(1000))
    except OSError:
        connection.close()


async def test_answers_are_what_the_service_sent_byte_for_byte(core_client, simulator):
    await core_client.sessions.create({"prompt": "x"})
    path = f"/v3/organizations/{simulator.org_id}/sessions"

    raw = await core_client.core.transport.get_bytes(path, {"first": 1})

    assert json.loads(raw)["items"][0]["status"]


async def test_a_closed_transport_opens_again(core_client):
    await core_client.core.transport.aclose()

    assert await core_client.self()


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
async def test_a_number_that_json_has_no_word_for_is_refused_before_it_is_sent(value, slept):
    handler = answers(OK)

    with pytest.raises(errors.OptionError, match="cannot be written as JSON"):
        await transport_with(handler, slept).request(PUT, "/v3/x", json={"folder_id": value})
    assert handler.requests == []


# --- the service's clock -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "seconds"), [("Sat, 21 Nov 2026 18:04:00 GMT", 1_795_284_240), ("yesterday", None), ("", None)]
)
async def test_the_time_of_the_service_is_that_of_its_last_answer(date, seconds, slept):
    service = Service(
        transport_with(answers(httpx.Response(200, json={}, headers={"Date": date})), slept), some_settings()
    )
    assert service.service_time() is None
    await service.call("self")
    now = service.service_time()
    assert now is None if seconds is None else seconds <= now < seconds + 60
