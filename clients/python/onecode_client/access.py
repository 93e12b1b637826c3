"""The way to one server: plaintext or TLS, with a token or without. Files that change are read again."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from onecode_client.channels import options_for
from onecode_client.errors import CredentialsUnusable, ServerError, server_error
from onecode_client.loopback import is_local
from onecode_client.tls import Tls, TlsFiles, read_tls, read_token, tls_contents

LOOK_S: Final = 1.0
"""The files are looked at once in so many seconds, by the call that comes then: a fifth of a millisecond for three
files of TLS and a token, on a local file system."""
REPLACING_S: Final = 10.0
"""A pair that is being replaced does not fit for a moment. One that does not for this long is logged, once."""

Metadata = tuple[tuple[str, str | bytes], ...]

_log = logging.getLogger(__name__)


class Access:
    """How the channels and calls of a client to one server, ``HOST:PORT``, are made. Safe for threads.

    ``generation`` rises whenever channels have to be made anew. A file that cannot be used, as a pair of which one half
    has been replaced so far, leaves in place what was read before.
    """

    def __init__(
        self,
        server: str,
        tls: Tls | None = None,
        token_file: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        server_name: str = "",
    ) -> None:
        """Read the files. Raises CredentialsUnusable where they cannot be used, and for a token that would be sent in
        plaintext to another machine. ``monotonic`` returns seconds; ``server_name`` is the name in the server's
        certificate, where it is not that of the address."""
        if token_file is not None and tls is None and not is_local(server):
            raise CredentialsUnusable(f"a token is sent to {server} over TLS only: anyone on the way could use it")
        self.server = server
        self._tls = tls
        self._server_name = server_name
        self._token_file = token_file
        self._monotonic = monotonic
        self._looking = threading.Lock()
        self._looked_at_s = monotonic()
        self._faulty_since_s: float | None = None
        self._is_logged = False
        # Each is replaced as a whole, so that readers need no lock.
        self._files: TlsFiles | None = read_tls(tls) if tls else None
        self._metadata = _bearer(token_file) if token_file else None
        self._generation = 0

    def generation(self) -> int:
        """Look at the files, at most once a second, and return the number of the channels that are to be used."""
        self._look()
        return self._generation

    def metadata(self) -> Metadata | None:
        """Return the metadata of a call that begins now: its token."""
        if self._token_file is not None:
            self._look()
        return self._metadata

    def channel(self) -> grpc.Channel:
        """Return a new channel, to be closed by the caller."""
        if self._files is None:
            return grpc.insecure_channel(self.server, options=self._options())
        return grpc.secure_channel(self.server, _credentials(self._files), options=self._options())

    def aio_channel(self) -> grpc.aio.Channel:
        """Return a new channel for the running event loop, to be closed by the caller."""
        if self._files is None:
            return grpc.aio.insecure_channel(self.server, options=self._options())
        return grpc.aio.secure_channel(self.server, _credentials(self._files), options=self._options())

    def error(self, fault: grpc.RpcError) -> ServerError:
        """Return the error of a failed call, in words where the connection itself was not made."""
        return server_error(
            fault, speaks_tls=self._tls is not None, has_certificate=bool(self._files and self._files.cert)
        )

    def _options(self) -> Sequence[tuple[str, Any]]:
        options = options_for(self.server)
        return (*options, ("grpc.ssl_target_name_override", self._server_name)) if self._server_name else options

    def _look(self) -> None:
        if self._tls is None and self._token_file is None:
            return
        now_s = self._monotonic()
        if now_s - self._looked_at_s < LOOK_S:
            return
        if not self._looking.acquire(blocking=False):
            return  # another thread is at it
        try:
            self._looked_at_s = now_s
            self._note(self._read_again(), now_s)
        finally:
            self._looking.release()

    def _read_again(self) -> CredentialsUnusable | None:
        """Take what has changed; return the fault of a file that was left as it was read before."""
        fault = None
        try:
            if self._token_file is not None:
                self._metadata = _bearer(self._token_file)
        except CredentialsUnusable as unusable:
            fault = unusable
        try:
            if self._tls is not None and tls_contents(self._tls) != self._files:
                self._files = read_tls(self._tls)
                self._generation += 1
        except CredentialsUnusable as unusable:
            fault = unusable
        return fault

    def _note(self, fault: CredentialsUnusable | None, now_s: float) -> None:
        if fault is None:
            self._faulty_since_s, self._is_logged = None, False
            return
        if self._faulty_since_s is None:
            self._faulty_since_s = now_s
        if now_s - self._faulty_since_s >= REPLACING_S and not self._is_logged:
            self._is_logged = True
            _log.warning("%s; what was read before stays in use", fault)


def _bearer(token_file: Path) -> Metadata:
    return (("authorization", f"Bearer {read_token(token_file)}"),)


def _credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(files.ca, files.key, files.cert)
