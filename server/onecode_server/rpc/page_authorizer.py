"""Who may see the pages for operations, and the TLS by which they are asked for."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

from onecode_server.rpc.authenticator import Identifier, is_local_host
from onecode_server.rpc.http_listener import Request
from onecode_server.rpc.tls_files import Files, FilesOf
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right

_DESCRIPTORS: Final = Path("/proc/self/fd")


class PageAuthorizer:
    """Asks an authenticator who requests a page. ``files`` returns the files of TLS in force; without it the pages are
    in plaintext. With ``answers_health`` anybody is told whether the server serves.

    It is used on the thread of the pages alone, so that its authenticator must be another one than that of calls.
    """

    def __init__(
        self, authenticator: Identifier, files: FilesOf | None = None, *, answers_health: bool = False
    ) -> None:
        self.answers_health: Final = answers_health
        self._authenticator = authenticator
        self._files = files
        self._context: tuple[int, ssl.SSLContext] | None = None

    def expect(self, request: Request, right: Right) -> None:
        """Raise Unauthenticated or NotPermitted where the caller does not have ``right``, and NotServing where no trust
        list tells it yet."""
        identity = self._authenticator.identify(
            request.certificate, request.headers.get("authorization"), is_local=is_local_host(request.host)
        )
        authorisation.expect(identity, right)

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS of the next connection, None for plaintext."""
        if self._files is None:
            return None
        files = self._files()
        if self._context is None or self._context[0] != files.generation:
            self._context = files.generation, _context(files)
        return self._context[1]


def _context(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # a resumed session would show the certificate of an earlier handshake
    # OpenSSL reads both from a file alone. Those of the settings may be others by now than the ones that were checked.
    with _file_of(files.key + b"\n" + files.chain) as path:
        context.load_cert_chain(path)
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL  # a token does as well; who shows neither is told so by the answer
        context.load_verify_locations(cadata=files.client_ca.decode("ascii"))
    return context


@contextmanager
def _file_of(content: bytes) -> Iterator[str]:
    """Yield the path of a file that has ``content`` meanwhile, in memory where that can be: a key that was on a disk
    can be found there later. Its owner alone may read it."""
    with _open_in_memory() or NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        descriptors = _DESCRIPTORS / str(file.fileno())
        yield str(descriptors) if descriptors.exists() else str(file.name)


def _open_in_memory() -> IO[bytes] | None:
    if not _DESCRIPTORS.exists() or not hasattr(os, "memfd_create"):
        return None
    try:
        return os.fdopen(os.memfd_create("onecode"), "w+b")
    except OSError:  # a sandbox forbids it
        return None
