"""Reads metrics pages over HTTP or HTTPS, each within bounds in bytes and in seconds."""

import asyncio
import io
import os
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

from onecode_client import CredentialsUnusable, Tls
from onecode_client.loopback import is_local
from onecode_client.tls import TlsFiles, read_tls, read_token, tls_contents
from onecode_server.cli.printable import printable
from onecode_server.cli.target import PagesTarget
from onecode_server.cli.top.pages import Page, PageFault, read_page
from onecode_server.cli.top.state import NAMES
from onecode_server.errors import Misconfigured

TIMEOUT_S: Final = 5.0
"""The time for a page, from the connection to the last byte: the server itself ends a connection of its pages after
so long."""
PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Fifty times the page of a server that has seen all pairs of 35 regions. Reading so much takes two seconds."""
_TEXT_MAX: Final = 200
"""Characters of a refusal that are shown."""


class Url(NamedTuple):
    """Where a page is. ``shown`` is what the person wrote."""

    shown: str
    is_https: bool
    host: str
    port: int
    path: str


def read_url(text: str, *, speaks_tls: bool) -> Url:
    """Return the place of ``HOST:PORT``, which speaks HTTPS where ``speaks_tls``, or of a URL, whose path is
    ``/metrics`` where it has none. Raises Misconfigured."""
    wrong = Misconfigured(f"{text!r}: expected HOST:PORT, http://HOST:PORT or https://HOST:PORT")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise wrong
    given = text if "://" in text else f"{'https' if speaks_tls else 'http'}://{text}"
    try:
        parts: SplitResult = urlsplit(given)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or port == 0:
        raise wrong
    if port is None and ("://" not in text or parts.netloc.endswith(":")):
        raise wrong
    is_https = parts.scheme == "https"
    path = parts.path if parts.path not in ("", "/") else "/metrics"
    path = f"{path}?{parts.query}" if parts.query else path
    return Url(text, is_https, parts.hostname, port or (443 if is_https else 80), path)


class PageCredentials:
    """What is shown to the servers of pages. Files are read again at each round, and stay in use as they were while
    they cannot be used."""

    def __init__(self, target: PagesTarget, *, speaks_https: bool) -> None:
        """Read the files. Raises Misconfigured where they cannot be used."""
        self._tls = target.tls or (Tls() if speaks_https else None)
        self._token_file = target.token_file
        self._files: TlsFiles | None = None
        self.context: ssl.SSLContext | None = None
        self.authorization = ""
        try:
            self._read()
        except CredentialsUnusable as fault:
            raise Misconfigured(str(fault)) from None

    def renew(self) -> None:
        """Take files that have changed and can be used."""
        with suppress(CredentialsUnusable):
            self._read()

    def _read(self) -> None:
        if self._token_file is not None:
            self.authorization = f"Bearer {read_token(self._token_file)}"
        if self._tls is not None and tls_contents(self._tls) != self._files:
            files = read_tls(self._tls)
            context = ssl.create_default_context(cadata=files.ca.decode("ascii") if files.ca else None)
            if self._tls.cert is not None:
                try:
                    context.load_cert_chain(self._tls.cert, self._tls.key, password=lambda: b"")
                except (ssl.SSLError, OSError):
                    raise CredentialsUnusable("the files of TLS were replaced while they were read") from None
            self._files, self.context = files, context


def open_pages(target: PagesTarget) -> tuple[list[Url], PageCredentials]:
    """Return the places of the pages of a target, and what is shown to their servers. Raises Misconfigured, also for a
    token that would be sent in plaintext to another machine."""
    speaks_tls = target.tls is not None
    urls = [read_url(page, speaks_tls=speaks_tls) for page in target.pages]
    for url in urls:
        if target.token_file is not None and not url.is_https and not is_local(f"[{url.host}]:{url.port}"):
            raise Misconfigured(f"a token is sent to {url.shown} over HTTPS only: anyone on the way could use it")
    return urls, PageCredentials(target, speaks_https=any(url.is_https for url in urls))


async def fetch(
    url: Url,
    credentials: PageCredentials,
    monotonic: Callable[[], float] = time.monotonic,
    timeout_s: float = TIMEOUT_S,
) -> Page:
    """Return the page at a place. Raises PageFault."""
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _exchange(url, credentials)
    except TimeoutError:
        raise PageFault(f"no page within {timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as fault:
        raise PageFault(f"its certificate is not trusted: {fault.verify_message}") from None
    except ssl.SSLError as fault:
        raise PageFault(f"TLS failed: {(fault.reason or 'no reason given').lower().replace('_', ' ')}") from None
    except OSError as fault:
        # Texts of asyncio name the address, which is shown before them.
        number = fault.errno or 0
        raise PageFault(os.strerror(number) if number > 0 else str(fault.strerror or fault)) from None
    return read_page(_content(answer), monotonic(), NAMES)


async def _exchange(url: Url, credentials: PageCredentials) -> bytes:
    """Send the request, and return all that comes back."""
    context = credentials.context if url.is_https else None
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    try:
        host = f"[{url.host}]" if ":" in url.host else url.host
        lines = [f"GET {url.path} HTTP/1.1", f"Host: {host}:{url.port}", "Accept: text/plain", "Connection: close"]
        if credentials.authorization:
            lines.append(f"Authorization: {credentials.authorization}")
        writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii"))
        answer = bytearray()
        while part := await reader.read(64 * 1024):
            answer += part
            if len(answer) > PAGE_BYTES_MAX:
                raise PageFault(f"its page has more than {PAGE_BYTES_MAX:,} bytes")
        return bytes(answer)
    finally:
        writer.transport.abort()  # a server that takes no close must not keep anybody


class _Received:
    """An answer that has come, in the place of a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._content)


def _content(answer: bytes) -> bytes:
    """Return the body of an answer with status 200. Raises PageFault."""
    response = HTTPResponse(cast("Any", _Received(answer)))
    try:
        response.begin()
        body = response.read()
    except (HTTPException, OSError, ValueError):
        raise PageFault("the answer is not HTTP, or was cut off") from None
    if response.status == 200:
        return body
    text = printable(body[: 4 * _TEXT_MAX].decode(errors="replace").partition("\n")[0])[:_TEXT_MAX]
    raise PageFault(f"HTTP status {response.status}{f': {text}' if text else ''}")
