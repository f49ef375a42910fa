"""The proxy and the certificates that the environment prescribes for connections, and why a connection failed.

Proxies come from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (in either case) or the system's settings; certificates from
`SSL_CERT_FILE` and `SSL_CERT_DIR`, else `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`, else the operating system through
`truststore` where that is installed, else certifi. Nothing here shows the user or the password of a proxy.
"""

from __future__ import annotations

import importlib
import ipaddress
import os
import re
import socket
import ssl
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from devin_jupyter.config import is_loopback, unquoted
from devin_jupyter.errors import ConnectionFailed, SetupError
from devin_jupyter.redaction import keep_secret, redact

_PROXIES = ("https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
VARIABLES = (*_PROXIES, *(name.upper() for name in _PROXIES), *_CERTIFICATES, "SSLKEYLOGFILE")
_SCHEMES = {"http": "http", "https": "https", "socks": "socks5", "socks5": "socks5", "socks5h": "socks5h"}
_HARMLESS = re.compile(r"(?:\w*:?/{0,2})?(?:[\w.-]*|\[[\da-fA-F:]+\])(?::\w{0,6})?/?")
"""A value without a place for a password: at most a scheme, a host and a port."""
_WORD_LENGTH = 8
"""A password shorter than this may be a word, which would be masked everywhere."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is in use."""

    url: str = field(repr=False)
    """With its real scheme; it may contain a password."""
    variable: str
    """The environment variable that names it, or the words for the system's settings."""
    shown: str
    """Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Whose certificates are trusted."""

    source: str
    """The environment variable or the package."""
    file: str | None = None
    folder: str | None = None


def find_proxy(base_url: str) -> Proxy | None:
    """Return the proxy for an address; none on the way to this machine and to what `NO_PROXY` lists.

    Raises:
        SetupError: what is set cannot be a proxy.
    """
    host = urlsplit(base_url).hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host) or _is_in_exempt_network(host):
        return None
    proxies = urllib.request.getproxies()
    for kind in ("https", "all"):
        if value := unquoted(proxies.get(kind, "")):
            names = [name for name in os.environ if name.lower() == f"{kind}_proxy" and unquoted(os.environ[name])]
            variable = min((name for name in names if unquoted(os.environ[name]) == value), default="")
            return _read(value, variable or "the proxy in the system's settings", host)
    return None


def _is_in_exempt_network(host: str) -> bool:
    """Whether `NO_PROXY` holds a network, such as `10.0.0.0/8`, of this address; names are not looked up for it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for one in urllib.request.getproxies_environment().get("no", "").split(","):
        try:
            if "/" in one and address in ipaddress.ip_network(unquoted(one), strict=False):
                return True
        except ValueError:  # no network: it may be the address of a host, which is compared as it is
            continue
    return False


def _read(value: str, variable: str, host: str) -> Proxy:
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    known = _SCHEMES.get(scheme.lower())
    try:
        parts = urlsplit(f"http://{rest}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        name, port = "", None
    is_scheme = not separator and name in (*_SCHEMES, "ftp")
    trailing = parts.path.strip("/") or parts.query or parts.fragment if name else ""
    if not known or not name or is_scheme or trailing or not re.fullmatch(r"[^\s\x00-\x1f\x7f\"'<>\\^`{|}%]+", name):
        why = "is not the address of a proxy"
        if scheme.lower() in ("socks4", "socks4a"):
            why = "is a SOCKS 4 proxy, which is not supported"
        elif separator and not known:
            why = f"has the scheme {scheme!r}, which no proxy has" if scheme.isalnum() else why
        raise SetupError(
            f"{variable}={_shown(value)} {why}",
            "nothing was sent",
            f"give http://host:port, https://host:port or socks5://host:port (in a user or password write @ as %40, "
            f"/ as %2F, # as %23), or exempt {host}: NO_PROXY={host}",
        )
    if parts.password:
        words = {parts.password, unquote(parts.password)}
        keep_secret(
            [f"{parts.username or ''}:{parts.password}", *(word for word in words if len(word) >= _WORD_LENGTH)]
        )
    where = f"[{name}]" if ":" in name else name
    address = f"{known}://{where}" + (f":{port}" if port is not None else "")
    return Proxy(f"{known}://{parts.netloc}", variable, address)


def _shown(value: str) -> str:
    """Return the value of a proxy variable without all that may be a user or a password."""
    if _HARMLESS.fullmatch(value):
        return value
    scheme, separator, rest = value.partition("://")
    start = f"{scheme}://" if separator and scheme.isalnum() else ""
    end = rest.rpartition("@")[2] if separator else value.rpartition("@")[2]
    return f"{start}•••" + (f"@{end}" if "@" in value and _HARMLESS.fullmatch(end) else "")


def socks_missing(proxy: Proxy, host: str) -> SetupError:
    """Return the error for a SOCKS proxy without the package that speaks its protocol."""
    return SetupError(
        f"{proxy.variable}={proxy.shown} is a SOCKS proxy, which needs one more package",
        "nothing was sent",
        f"run %pip install 'devin-jupyter[network]' and restart the kernel, or exempt {host}: NO_PROXY={host}",
    )


def invalid_proxy(proxy: Proxy, host: str) -> SetupError:
    """Return the error for a proxy with an unusable address."""
    return SetupError(
        f"{proxy.variable}={proxy.shown} is not the address of a proxy",
        "nothing was sent",
        f"give http://host:port, or exempt {host}: NO_PROXY={host}",
    )


def find_certificates() -> Certificates:
    """Return whose certificates are trusted.

    Raises:
        SetupError: a variable names a file or a folder that does not exist.
    """
    values = {name: value for name in _CERTIFICATES if (value := unquoted(os.environ.get(name, "")))}
    file, folder = values.get("SSL_CERT_FILE"), values.get("SSL_CERT_DIR")
    if file or folder:
        source = " and ".join(name for name in _CERTIFICATES[:2] if name in values)
    elif source := next((name for name in _CERTIFICATES[2:] if name in values), ""):
        bundle = values[source]
        if Path(bundle).is_dir():
            return Certificates(source, folder=bundle)
        file = bundle
    else:
        return Certificates("truststore" if _truststore() else "certifi")
    folders = folder.split(os.pathsep) if folder else []  # OpenSSL takes several
    for name, kind, path, is_there in (
        (source.partition(" ")[0], "file", file, bool(file) and Path(file or "").is_file()),
        ("SSL_CERT_DIR", "folder", folder, any(Path(one).is_dir() for one in folders)),
    ):
        if path and not is_there:
            raise SetupError(
                f"{name} names a {kind} that does not exist: {path}",
                "nothing was sent",
                f"correct {name}, or unset it to trust the usual certificates",
            )
    return Certificates(source, file, folder)


def trusting(certificates: Certificates) -> ssl.SSLContext:
    """Return what checks certificates.

    Raises:
        SetupError: the file holds no certificates, or cannot be read.
    """
    if certificates.source == "certifi":
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    if certificates.source == "truststore":
        context: ssl.SSLContext = _truststore().SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return context
    try:
        return ssl.create_default_context(cafile=certificates.file, capath=certificates.folder)
    except (OSError, ValueError) as problem:  # ssl.SSLError is an OSError
        if (key_log := unusable_key_log(problem)) is not None:
            raise key_log from None
        why = "holds no certificate in PEM format" if isinstance(problem, ssl.SSLError) else "cannot be read"
        raise SetupError(
            f"{certificates.source}: {certificates.file or certificates.folder} {why}",
            "nothing was sent",
            f"correct {certificates.source}, or unset it to trust the usual certificates",
        ) from None


def unusable_key_log(problem: OSError | ValueError) -> SetupError | None:
    """Return the error for a `SSLKEYLOGFILE`, which Python's ssl opens too; None if it is not to blame."""
    path = os.environ.get("SSLKEYLOGFILE")
    if not path or getattr(problem, "filename", path) not in (path, None) or isinstance(problem, ssl.SSLError):
        return None
    why = getattr(problem, "strerror", None) or str(problem)
    return SetupError(f"SSLKEYLOGFILE={path} cannot be written: {why}", "nothing was sent", "unset SSLKEYLOGFILE")


def _truststore() -> Any:
    try:
        return importlib.import_module("truststore")
    except ImportError:
        return None


def failed(
    base_url: str, problem: Exception, proxy: Proxy | None, certificates: Certificates | None
) -> ConnectionFailed:
    """Return the error for a connection that could not be made.

    Args:
        base_url: the address of the service.
        problem: what the HTTP library raised.
        proxy: the proxy in use.
        certificates: those in use; None on a connection without TLS.
    """
    words = _in_words(problem)
    parts = urlsplit(base_url)
    host, name = parts.netloc, parts.hostname or ""
    message = f"no connection to {host}: {words}"
    hint = "check the network and DEVIN_API_URL, then run it again"
    through = ""
    if proxy is not None:
        through = f" through the proxy {proxy.shown} ({proxy.variable})"
        message = f"no connection to {host}{through}: {words}"
        hint = f"correct {proxy.variable}, or exempt {name}: NO_PROXY={name}; then run it again"
        if not re.search(r":\d+/?$", proxy.shown):
            usual = f"{proxy.variable}={proxy.shown}:8080"
            hint = f"{proxy.variable} names no port: give that of your proxy, such as {usual}; or exempt {name}: "
            hint += f"NO_PROXY={name}"
    if certificates is not None and _is_about_certificates(problem):
        why = words.partition("verify failed: ")[2].rpartition(" (_ssl")[0] or words
        message = f"no connection to {host}{through}: its certificate is not trusted ({why})"
        trusted = f"trusted now: {certificates.source}"
        if "match" in why:  # of the host name or the address
            hint = "check DEVIN_API_URL: the certificate is for another host"
        elif "expired" in why or "not yet valid" in why:
            hint = "check the clock of this machine; if it is right, tell whoever runs the server"
        else:
            hint = f"if your company has its own CA, set SSL_CERT_FILE to a PEM file that contains it ({trusted})"
    elif "[SSL" in words or "TLS" in words:
        message = f"no connection to {host}{through}: the answer is not TLS ({words})"
        if proxy is not None and proxy.shown.startswith("https:"):
            hint = (
                f"if the proxy itself speaks plain HTTP, as most do, set {proxy.variable}=http://…; then run it again"
            )
    elif proxy is not None and words.startswith("407"):
        hint = f"give the proxy a user and a password: {proxy.variable}=http://USER:PASSWORD@{proxy.shown.partition('//')[2]}"
    elif proxy is not None and re.match(r"[345]\d\d\b", words):
        hint = f"ask for {name} to be allowed by the proxy, or exempt it: NO_PROXY={name}"
    return ConnectionFailed(message, "nothing was sent", hint)


def _in_words(problem: Exception) -> str:
    if is_refused(problem):
        return "nothing listens there (connection refused)"
    return redact(str(problem)) or type(problem).__name__


def is_refused(problem: BaseException) -> bool:
    """Whether nothing listens at an address, or at any of a host's."""
    return all(isinstance(root, ConnectionRefusedError) for root in _roots(problem))


def is_unknown_host(problem: BaseException) -> bool:
    """Whether no host has that name."""
    return all(isinstance(root, socket.gaierror) for root in _roots(problem))


def _roots(problem: BaseException) -> list[BaseException]:
    """Return what an error goes back to: one error, or one for each address of a host."""
    if isinstance(problem, BaseExceptionGroup):
        return [root for one in problem.exceptions for root in _roots(one)]
    before = problem.__cause__ or problem.__context__
    return [problem] if before is None else _roots(before)


def _is_about_certificates(problem: BaseException | None) -> bool:
    """Whether a certificate was refused: by the kind of error, as each operating system has words of its own."""
    while problem is not None and not isinstance(problem, ssl.SSLCertVerificationError):
        problem = problem.__cause__ or problem.__context__
    return problem is not None


def report(base_url: str) -> str:
    """Return the proxies and certificates in use, a line each, without credentials."""
    lines = []
    try:
        proxy = find_proxy(base_url)
        lines.append(f"proxy: {proxy.shown} ({proxy.variable})" if proxy else "proxy: none")
    except SetupError as problem:
        lines.append(f"proxy: {problem.message}")
    try:
        found = find_certificates()
        places = " ".join(filter(None, (found.file, found.folder)))
        lines.append(f"certificates: {found.source} {places}".rstrip())
    except SetupError as problem:
        lines.append(f"certificates: {problem.message}")
    for variable in VARIABLES:
        if value := os.environ.get(variable):
            is_proxy = variable.lower() in _PROXIES[:2]
            lines.append(f"{variable}={_shown(unquoted(value)) if is_proxy else value}")
    return redact("\n".join(lines))
