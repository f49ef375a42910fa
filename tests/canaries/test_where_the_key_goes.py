"""The key goes to the API host only: over TLS that is checked, or to this machine, and along no redirect."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from canaries.leaks import V3_KEY

import devin_jupyter as dj
from devin_jupyter.journal import Journal

PACKAGE = Path(dj.__file__).parent
FORBIDDEN = {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "_create_stdlib_context", "disable_warnings"}


@dataclass
class Host:
    """A plain server that notes what reaches it."""

    url: str = ""
    redirect_to: str | None = None
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)


@contextmanager
def host() -> Iterator[Host]:
    noted = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            noted.seen.append((self.command, self.path, self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(307 if noted.redirect_to else 200)
            if noted.redirect_to:
                self.send_header("Location", noted.redirect_to + self.path)
            body = b'{"items": [], "has_next_page": false}'
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    noted.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield noted
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """The API's host, which redirects everything, and the host that it redirects to."""
    with host() as api, host() as elsewhere:
        api.redirect_to = elsewhere.url
        yield api, elsewhere


@pytest.fixture
def devin(hosts: tuple[Host, Host]) -> Iterator[dj.Devin]:
    with dj.Devin(V3_KEY, org_id="org-x", base_url=hosts[0].url, journal=Journal()) as client:
        yield client


def test_no_call_follows_a_redirect(devin: dj.Devin, hosts: tuple[Host, Host]) -> None:
    api, elsewhere = hosts
    for call in (
        lambda: list(devin.sessions.list()),
        lambda: devin.sessions.get("devin-1"),
        lambda: devin.sessions.terminate("devin-1"),
        lambda: devin.messages.send("devin-1", "hello"),
        lambda: devin.secrets.create("NAME", "a value"),
        lambda: devin.attachments.upload("a.txt", b"content"),
    ):
        with pytest.raises(dj.UnreadableAnswer, match="redirects"):
            call()
    assert elsewhere.seen == []
    assert {key for _, _, key in api.seen} == {f"Bearer {V3_KEY}"}


def test_a_download_follows_one_without_the_key(devin: dj.Devin, hosts: tuple[Host, Host]) -> None:
    api, elsewhere = hosts
    assert json.loads(devin.attachments.fetch({"attachment_id": "a1", "name": "a.txt"}))["items"] == []
    assert [key for _, _, key in api.seen] == [f"Bearer {V3_KEY}"]
    assert [key for _, _, key in elsewhere.seen] == [None]


@pytest.mark.parametrize(
    "address",
    ["http://api.devin.ai", "http://10.0.0.7:8080", "http://localhost.evil.example", "http://127.0.0.1.evil.example"],
)
def test_plain_http_is_for_this_machine_only(address: str) -> None:
    with pytest.raises(dj.OptionError, match="plain http would expose the key"):
        dj.Devin(V3_KEY, org_id="org-x", base_url=address, journal=Journal())


def test_nothing_in_the_package_weakens_tls() -> None:
    found = []
    names = {*FORBIDDEN, "verify", "check_hostname", "verify_mode"}
    texts = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    for path in [path for path, text in texts.items() if any(name in text for name in names)]:
        for node in ast.walk(ast.parse(texts[path])):
            name = getattr(node, "attr", getattr(node, "id", None))
            if name in FORBIDDEN:
                found.append(f"{path.name}: {name}")
            if isinstance(node, ast.keyword) and node.arg in ("verify", "check_hostname"):
                weak = isinstance(node.value, ast.Constant) and not node.value.value
                found += [f"{path.name}: {node.arg}"] if weak else []
            if isinstance(node, ast.Attribute) and node.attr in ("check_hostname", "verify_mode"):
                found.append(f"{path.name}: {node.attr}")
    assert found == []
