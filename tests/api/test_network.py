"""The first connection: proxies and certificates of the environment, over real sockets, and what is said of them."""

import asyncio
import contextlib
import datetime
import gc
import ipaddress
import os
import socket
import ssl
import sys
import threading
import types
from pathlib import Path

import certifi
import pytest
from clients import some_settings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fuzz.strategies import check_examples, short_and_long
from hypothesis import strategies as st

from devin_jupyter import AsyncDevin, errors, network
from devin_jupyter.api.transport import Transport, post_elsewhere
from devin_jupyter.config import resolve_settings
from devin_jupyter.errors import DevinError
from devin_jupyter.live.socket import ChannelLost, open_socket

HOST = "service.invalid"  # known to our proxies only
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in network.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "truststore", None)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A company's own CA, and certificates of it."""
    return Authority(tmp_path_factory.mktemp("ca"))


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Company CA")])
        unused = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        usage = dict.fromkeys((*unused, "encipher_only", "decipher_only"), False)
        certificate = (
            self._unsigned(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
            )
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "company-ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _unsigned(self, subject, key, days=5):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=9))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def context(self, name=HOST, days=5):
        """A server's side of TLS for a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))][: 2 if name == HOST else 1]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._unsigned(subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = self.folder / f"{name}{days}.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


class Server:
    """Serves each connection in a thread of its own; `seen` are the first bytes of each."""

    def __init__(self, serve):
        self._serve, self.seen = serve, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, connection):
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            self._serve(connection, self.seen)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture
def start():
    """Start a server that serves connections with a function."""
    servers = []

    def make(serve):
        servers.append(Server(serve))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def over_tls(context):
    def serve(connection, seen):
        with context.wrap_socket(connection, server_side=True) as secure:
            received = b""
            while not received.endswith(b"\r\n\r\n{}"):  # closing before that would reset the connection
                if not (more := secure.recv(4000)):
                    return
                received += more
            seen.append(received)
            secure.sendall(ANSWER)

    return serve


def refusing_upgrades(context):
    """A service that refuses every WebSocket."""

    def serve(connection, seen):
        with context.wrap_socket(connection, server_side=True) as secure:
            received = b""
            while not received.endswith(b"\r\n\r\n"):
                if not (more := secure.recv(4000)):
                    return
                received += more
            seen.append(received)
            secure.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    return serve


def http_proxy(context, status=b"200 OK", behind=over_tls):
    """A proxy that answers for every host itself."""

    def serve(connection, seen):
        seen.append(connection.recv(4000))
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
        if status.startswith(b"200"):
            behind(context)(connection, [])

    return serve


def socks_proxy(context, behind=over_tls):
    def serve(connection, seen):
        connection.recv(100)
        connection.sendall(b"\x05\x00")
        seen.append(connection.recv(400))
        connection.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        behind(context)(connection, [])

    return serve


async def ask(base_url=f"https://{HOST}", method="POST"):
    """One request by a new client, which is never tried again."""
    transport = Transport(some_settings(base_url=base_url, timeout_seconds=5))
    try:
        return await transport.request(method, "/v3/x", json={}, retries=False)
    finally:
        await transport.aclose()


async def refusal(*args, kind=DevinError):
    with pytest.raises(kind) as caught:
        await ask(*args)
    assert len(caught.value.lines) == 3
    return caught.value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("written", ["127.0.0.1:{}", "http://127.0.0.1:{}", '"127.0.0.1:{}"', "HTTP://localhost:{}/"])
async def test_a_proxy_is_asked_with_and_without_a_scheme(name, written, authority, start, monkeypatch):
    proxy = start(http_proxy(authority.context()))
    monkeypatch.setenv(name, written.format(proxy.port))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert await ask() == {"ok": True}
    assert proxy.seen[0].startswith(f"CONNECT {HOST}:443".encode())


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
async def test_a_socks_proxy_is_asked_with_the_extra_of_httpx(scheme, authority, start, monkeypatch):
    pytest.importorskip("socksio", reason="pip install 'httpx[socks]'")
    proxy = start(socks_proxy(authority.context()))
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert await ask() == {"ok": True}
    assert HOST.encode() in proxy.seen[0]


@pytest.mark.parametrize("value", ["socks://127.0.0.1:1080", "socks5://ann:hunter2-secret@127.0.0.1:1080"])
async def test_a_socks_proxy_without_the_extra_is_refused_with_what_to_do(value, monkeypatch):
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", value)

    refused = await refusal(kind=errors.SetupError)
    said = "\n".join(refused.lines)
    assert all(word in said for word in ("ALL_PROXY", "devin-jupyter[network]", f"NO_PROXY={HOST}"))
    assert "hunter2" not in said


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_what_answers_in_place_of_a_socks_proxy_is_told_with_the_variable(start, monkeypatch):
    pytest.importorskip("socksio", reason="pip install 'httpx[socks]'")
    proxy = start(lambda connection, seen: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")

    refused = await refusal(kind=errors.ConnectionFailed)
    assert "ALL_PROXY" in refused.message
    await asyncio.sleep(0)
    del refused
    gc.collect()  # httpcore leaves this connection open, as of 1.0.9


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("htp://proxy:3128", "HTTPS_PROXY=htp://proxy:3128 has the scheme 'htp'"),
        ("http//proxy:3128", "HTTPS_PROXY=http//proxy:3128 is not the address of a proxy"),
        ("http:/proxy:3128", "HTTPS_PROXY=http:/proxy:3128 is not the address of a proxy"),
        ("http://proxy:31O8", "HTTPS_PROXY=http://proxy:31O8 is not the address of a proxy"),
        ("proxy:99999", "HTTPS_PROXY=proxy:99999 is not the address of a proxy"),
        ("http://", "HTTPS_PROXY=http:// is not the address of a proxy"),
        ("socks4://proxy:1080", "HTTPS_PROXY=socks4://proxy:1080 is a SOCKS 4 proxy"),
        ("http://ann:hunter#2@proxy:3128", "HTTPS_PROXY=http://•••@proxy:3128 is not the address of a proxy"),
        ("http://ann:hunter/2@proxy:3128", "HTTPS_PROXY=http://•••@proxy:3128 is not the address of a proxy"),
        ("ann:hunter:proxy:3128", "HTTPS_PROXY=••• is not the address of a proxy"),
    ],
)
async def test_a_mistyped_proxy_is_told_with_its_variable_and_without_its_password(value, said, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", value)

    refused = await refusal(kind=errors.SetupError)
    assert refused.message.startswith(said)
    assert "hunter" not in str(refused)
    assert "hunter" not in network.report(f"https://{HOST}")


async def test_a_proxy_that_is_not_there_is_told_with_its_variable(monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:hunter2-secret@127.0.0.1:{port}")

    refused = await refusal(kind=errors.ConnectionFailed)
    assert f"through the proxy http://127.0.0.1:{port} (HTTPS_PROXY)" in refused.message
    assert "correct HTTPS_PROXY" in refused.hint
    assert "hunter2" not in str(refused)


async def test_a_proxy_without_a_port_is_told_to_give_one(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.invalid")
    refused = await refusal(kind=errors.ConnectionFailed)
    assert (
        "HTTPS_PROXY names no port: give that of your proxy, such as HTTPS_PROXY=http://proxy.invalid:" in refused.hint
    )


@pytest.mark.parametrize("host", ["proxy..company", "x" * 70])
async def test_a_proxy_whose_name_no_system_looks_up_is_told_with_its_variable(host, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://{host}:3128")

    refused = await refusal()
    assert "HTTPS_PROXY" in refused.message


@pytest.mark.parametrize(
    ("status", "hint"),
    [(b"407 Proxy Authentication Required", "HTTPS_PROXY=http://USER:PASSWORD@"), (b"403 Forbidden", "NO_PROXY=")],
)
async def test_a_proxy_that_refuses_says_what_to_do(status, hint, authority, start, monkeypatch):
    proxy = start(http_proxy(authority.context(), status))
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")

    refused = await refusal(kind=errors.ConnectionFailed)
    assert status.decode() in refused.message
    assert hint in refused.hint


async def test_a_plain_proxy_written_with_https_is_reported(authority, start, monkeypatch):
    proxy = start(http_proxy(authority.context(), b"400 Bad Request"))
    monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")

    refused = await refusal(kind=errors.ConnectionFailed)
    assert "HTTPS_PROXY=http://" in refused.hint


async def test_no_proxy_exempts_a_host_and_this_machine_never_needs_one(authority, start, monkeypatch):
    server = start(over_tls(authority.context()))
    monkeypatch.setenv("HTTPS_PROXY", "htp://wrong")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert await ask(f"https://127.0.0.1:{server.port}") == {"ok": True}
    monkeypatch.setenv("NO_PROXY", HOST)
    assert isinstance(await refusal(), errors.ConnectionFailed)  # asked for directly, it does not exist


@pytest.mark.parametrize("written", ["10.0.0.0/8", " 192.168.0.0/16 , '10.1.0.0/16'", "x/y,10.1.2.3/32"])
def test_no_proxy_may_hold_networks(written, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.company:3128")
    monkeypatch.setenv("NO_PROXY", written)
    assert network.find_proxy("https://10.1.2.3") is None
    assert network.find_proxy("https://11.1.2.3") is not None
    assert network.find_proxy("https://[fd00::1]") is not None
    assert network.find_proxy(f"https://{HOST}") is not None
    monkeypatch.setenv("NO_PROXY", "fd00::/8")
    assert network.find_proxy("https://[fd00::1]") is None


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "truststore"])
async def test_a_companys_ca_is_trusted_where_it_is_named(variable, authority, start, monkeypatch):
    server = start(over_tls(authority.context()))
    if variable == "truststore":
        system = types.ModuleType("truststore")
        system.SSLContext = lambda protocol: ssl.create_default_context(cafile=authority.file)
        monkeypatch.setitem(sys.modules, "truststore", system)
    else:
        monkeypatch.setenv(variable, str(authority.file))

    assert await ask(f"https://127.0.0.1:{server.port}") == {"ok": True}
    assert f"certificates: {variable}" in network.report(f"https://{HOST}")


async def test_a_companys_ca_that_is_not_trusted_says_what_to_set_and_a_new_setting_counts_at_once(
    authority, start, monkeypatch
):
    server = start(over_tls(authority.context()))
    transport = Transport(some_settings(base_url=f"https://127.0.0.1:{server.port}", timeout_seconds=5))

    with pytest.raises(errors.ConnectionFailed, match="its certificate is not trusted") as problem:
        await transport.request("POST", "/v3/x", json={})
    assert "set SSL_CERT_FILE to a PEM file" in problem.value.hint
    assert server.seen == []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await transport.request("POST", "/v3/x", json={}) == {"ok": True}
    await transport.aclose()


def pages_over_tls(context):
    """A service that answers GETs over one connection after another."""

    def serve(connection, seen):
        with context.wrap_socket(connection, server_side=True) as secure:
            while received := secure.recv(4000):
                seen.append(received)
                secure.sendall(ANSWER)

    return serve


async def no_pause(seconds):
    pass


async def read_pages(port, count=1):
    transport = Transport(some_settings(base_url=f"https://127.0.0.1:{port}", timeout_seconds=5), sleep=no_pause)
    try:
        return [await transport.get_bytes("/v3/x", {"first": n}) for n in range(count)]
    finally:
        await transport.aclose()


async def test_pages_of_long_lists_come_over_tls_by_a_companys_ca(authority, start, monkeypatch):
    server = start(pages_over_tls(authority.context()))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert await read_pages(server.port, 3) == [b'{"ok":true}'] * 3
    assert [part.split(b" ")[1] for part in server.seen] == [f"/v3/x?first={n}".encode() for n in range(3)]
    assert all(b"authorization: bearer cog_" in part.lower() for part in server.seen)
    assert len(server._threads) == 2  # that which accepts, and that of the only connection


@pytest.mark.parametrize(
    ("trusted", "name", "days", "hint"),
    [
        (False, HOST, 5, "set SSL_CERT_FILE to a PEM file"),
        (True, "other.example", 5, "check DEVIN_API_URL"),
        (True, HOST, -1, "the clock"),
    ],
)
async def test_pages_are_not_read_from_a_server_that_cannot_be_trusted(
    trusted, name, days, hint, authority, start, monkeypatch
):
    server = start(pages_over_tls(authority.context(name, days)))
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    with pytest.raises(errors.ConnectionFailed, match="its certificate is not trusted") as refused:
        await read_pages(server.port)
    assert hint in refused.value.hint
    assert server.seen == []  # so the key was not sent


async def test_a_refusal_in_the_words_of_another_operating_system_says_what_to_set_too(authority, start, monkeypatch):
    class Strict(ssl.SSLContext):
        def wrap_bio(self, *args, **options):
            raise ssl.SSLCertVerificationError("“Company CA” is not standards compliant")

    system = types.ModuleType("truststore")
    system.SSLContext = Strict
    monkeypatch.setitem(sys.modules, "truststore", system)
    server = start(over_tls(authority.context()))

    refused = await refusal(f"https://127.0.0.1:{server.port}")
    assert "is not standards compliant" in refused.message
    assert "set SSL_CERT_FILE" in refused.hint


@pytest.mark.parametrize(
    ("name", "days", "hint"), [("other.example", 5, "check DEVIN_API_URL"), (HOST, -1, "the clock")]
)
async def test_another_hosts_and_an_expired_certificate_are_told_apart(name, days, hint, authority, start, monkeypatch):
    server = start(over_tls(authority.context(name, days)))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    assert hint in (await refusal(f"https://127.0.0.1:{server.port}")).hint


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_a_missing_file_of_certificates_is_told_with_its_variable(variable, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, str(tmp_path / "nothing"))

    refused = await refusal(kind=errors.SetupError)
    assert refused.message.startswith(f"{variable} names a ")
    assert refused.message.endswith(f"that does not exist: {tmp_path / 'nothing'}")


@pytest.mark.parametrize(
    "content", [b"", b"\x30\x82junk", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"]
)
async def test_a_file_that_holds_no_certificate_is_told_with_its_variable(content, tmp_path, monkeypatch):
    (tmp_path / "ca.der").write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.der"))

    assert "REQUESTS_CA_BUNDLE: " in (await refusal(kind=errors.SetupError)).message


async def test_a_key_log_that_cannot_be_written_is_told_with_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "no" / "folder"))

    assert "SSLKEYLOGFILE=" in (await refusal(kind=errors.SetupError)).message


async def test_the_report_names_the_proxy_and_never_its_user_or_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:hunter2@proxy.company:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://ann:hunter2@other")

    report = network.report(f"https://{HOST}")
    assert "proxy: http://proxy.company:3128 (HTTPS_PROXY)" in report
    assert "certificates: certifi" in report
    assert "hunter2" not in report
    assert "ann" not in report


VALUES = st.sampled_from(
    [
        "http://",
        "127.0.0.1:1",
        "socks://127.0.0.1:1",
        "socks5://[::1",
        "[::1]:1",
        "ü:1",
        "a..b:1",
        "https://127.0.0.1:1",
        "/",
        "/dev/null",
        "~x",
        ":",
        "://",
        "*",
        "http://u:p@127.0.0.1:1",
        "http://[fe80::1%25eth0]:1",
        "\udcff",
        "%",
        "\ufeff",
    ]
) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NAMES = [*network.VARIABLES, "DEVIN_API_URL", "DEVIN_ORG_ID", "DEVIN_JUPYTER_HOME", "DEVIN_API_KEY"]
NAMES += ["HTTP_PROXY", "PWD", "HOME", "TMPDIR", "XDG_DATA_HOME", "JPY_SESSION_NAME", "DEVIN_PAT", "SERVER_SOFTWARE"]


@short_and_long
def test_whatever_the_environment_holds_every_error_is_ours_in_three_lines(examples, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    # nothing here gets as far as TLS, and certifi's certificates take longer to load than all the rest
    monkeypatch.setattr(certifi, "where", lambda: str(Path(__file__).with_name("self_signed.pem")))
    known = socket.getaddrinfo

    def look_up(host, *args, **options):
        """Names are encoded as always, and none leaves this machine."""
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in ("127.0.0.1", "::1", "localhost"):
            name.encode("idna")
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def one_request():
        settings = resolve_settings()
        transport = Transport(settings)
        try:
            await transport.request("POST", "/v3/x", json={}, retries=False)
        finally:
            await transport.aclose()

    async def one_session():
        async with AsyncDevin() as devin:  # with its journal, the notebook's name, and a look at what is there
            await devin.create("x")

    async def one_notice(url):
        await post_elsewhere(url, {})

    def check(values):
        with monkeypatch.context() as patch:
            patch.setenv("DEVIN_API_KEY", "cog_0123456789abcdefghij")
            for name, value in values.items():
                patch.setenv(name, value)
            for act in (one_request, one_session, lambda: one_notice("https://hooks.invalid/x")):
                with pytest.raises(DevinError) as refused:
                    asyncio.run(act())
                assert 1 <= len(refused.value.lines) <= 3
                assert "infinite" not in str(refused.value)
            assert network.report("https://api.devin.ai")

    before = dict(os.environ)
    check_examples(examples, check, st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3).map(dict))
    assert dict(os.environ) == before


@pytest.mark.parametrize("way", ["HTTP proxy", "SOCKS proxy", "no proxy"])
async def test_the_live_channel_goes_the_same_way_and_trusts_the_same(way, authority, start, monkeypatch):
    behind, base_url = refusing_upgrades, f"https://{HOST}"
    if way == "HTTP proxy":
        server = start(http_proxy(authority.context(), behind=behind))
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{server.port}")
    elif way == "SOCKS proxy":
        server = start(socks_proxy(authority.context(), behind=behind))
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{server.port}")
    else:
        server = start(behind(authority.context()))
        base_url = f"https://127.0.0.1:{server.port}"
    with pytest.raises(ChannelLost, match="certificate is not trusted"):
        await open_socket(base_url, "cog_0123456789abcdefghij", lambda *_: None)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with pytest.raises(ChannelLost, match="403"):
        await open_socket(base_url, "cog_0123456789abcdefghij", lambda *_: None)
    if way != "no proxy":
        assert b"Bearer" not in b"".join(server.seen)
        return
    request = server.seen[-1].decode()
    assert request.startswith("GET /acp/live HTTP/1.1")
    assert "Authorization: Bearer cog_0123456789abcdefghij" in request


async def test_a_proxy_that_refuses_the_live_channel_is_told_with_its_variable(authority, start, monkeypatch):
    server = start(http_proxy(authority.context(), b"407 Proxy Authentication Required"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret-of-proxy@127.0.0.1:{server.port}")
    with pytest.raises(ChannelLost, match=r"through the proxy http://127.0.0.1:\d+ \(HTTPS_PROXY\)") as caught:
        await open_socket(f"https://{HOST}", "cog_0123456789abcdefghij", lambda *_: None)
    assert "secret-of-proxy" not in caught.value.reason
