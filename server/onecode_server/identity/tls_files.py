"""The files of TLS in force: the server's certificate, and the client authorities with their revocation lists.

They are two values that are watched apart: a certificate that was not renewed well keeps no revocation out.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.identity import client_trust, server_certificate
from onecode_server.identity.client_trust import ClientTrust
from onecode_server.identity.server_certificate import ServerCertificate
from onecode_server.identity.watched_files import WatchedFiles
from onecode_server.system.clock import Clock
from onecode_server.telemetry.metrics import Metrics

SERVER_CERTIFICATE: Final = "server_certificate"
CLIENT_AUTHORITIES: Final = "client_authorities"
IN_FRONT: Final = "tls_of_front"

_log = logging.getLogger(__name__)


class TlsFiles(NamedTuple):
    """What a listener is given, in PEM. ``client_ca`` is None where the settings name none, ``crl`` also where no list
    is fit for a listener. ``generation`` rises with each change."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    crl: bytes | None
    generation: int

    def __repr__(self) -> str:
        """Leave the key out: this may be logged."""
        return f"TlsFiles(generation={self.generation})"


class TlsSource:
    """Holds the files in force; ``clients`` is None where no client certificates are accepted.

    ``clock`` returns Unix microseconds, ``monotonic`` seconds that never run backwards. Raises Misconfigured where a
    file is bad at the start.
    """

    def __init__(
        self,
        chain: Path,
        key: Path,
        client_ca: Path | None,
        crl: Path | None,
        metrics: Metrics,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._subscribers: list[Callable[[TlsFiles], None]] = []
        self._is_overdue = False
        self._server = WatchedFiles(
            SERVER_CERTIFICATE,
            [chain, key],
            server_certificate.FILE_BYTES_MAX,
            lambda files: server_certificate.read(files[0], files[1], clock()),
            metrics,
            monotonic,
        )
        self.clients: ClientTrust | None = None
        self._client_files: WatchedFiles[ClientTrust] | None = None
        if client_ca is not None:
            paths = [client_ca] if crl is None else [client_ca, crl]
            self._client_files = WatchedFiles(
                CLIENT_AUTHORITIES,
                paths,
                client_trust.FILE_BYTES_MAX,
                lambda files: client_trust.read(files, self.clients),
                metrics,
                monotonic,
            )
            self.clients = self._client_files.value
        self.current = self._together(1)
        self._front_fault: str | None = None
        metrics.identity_files_fault.labels(IN_FRONT).set_function(lambda: self._front_fault is not None)
        metrics.tls_expiry.set_function(lambda: (self.certificate.not_after - clock()) / 1e6)
        metrics.tls_lifetime.set_function(lambda: (self.certificate.not_after - self.certificate.not_before) / 1e6)

    @property
    def certificate(self) -> ServerCertificate:
        """The server's certificate in force."""
        return self._server.value

    @property
    def faults(self) -> dict[str, str]:
        """The faults of the files and of what is in force, by the files' names: for health and its page."""
        now, faults = self._clock(), {}
        if self.certificate.not_after < now:
            faults[SERVER_CERTIFICATE] = "the certificate in force has expired"
        if self._server.fault is not None:
            faults[SERVER_CERTIFICATE] = self._server.fault
        if self._overdue(now):
            faults[CLIENT_AUTHORITIES] = "a revocation list is past its next update"
        if self._client_files is not None and self._client_files.fault is not None:
            faults[CLIENT_AUTHORITIES] = self._client_files.fault
        if self._front_fault is not None:
            faults[IN_FRONT] = self._front_fault
        return faults

    def note(self, fault: str | None) -> None:
        """Note why the listener goes on with other files than ``current``, None where it does not."""
        self._front_fault = fault

    def subscribe(self, callback: Callable[[TlsFiles], None]) -> None:
        """Call ``callback`` with the files after each change, on the event loop. It must not raise."""
        self._subscribers.append(callback)

    async def refresh(self) -> None:
        """Look at the files, and take what has changed. Raises nothing."""
        has_changed = await self._server.refresh()
        if self._client_files is not None and await self._client_files.refresh():
            self.clients = self._client_files.value
            has_changed = True
        self._report_overdue()
        if has_changed:
            self.current = self._together(self.current.generation + 1)
            _log.info("files of TLS taken", extra={"generation": self.current.generation})
            for callback in self._subscribers:
                callback(self.current)

    def close(self) -> None:
        """Release the file descriptors that are reserved for reading the files."""
        self._server.close()
        if self._client_files is not None:
            self._client_files.close()

    def _together(self, generation: int) -> TlsFiles:
        ca, crl = (None, None) if self.clients is None else (self.clients.ca, self.clients.crl)
        return TlsFiles(self.certificate.chain, self.certificate.key, ca, crl, generation)

    def _overdue(self, now: int) -> bool:
        next_update = None if self.clients is None else self.clients.revocations.next_update
        return next_update is not None and next_update < now

    def _report_overdue(self) -> None:
        is_overdue = self._overdue(self._clock())
        if is_overdue and not self._is_overdue:
            _log.error("a revocation list is past its next update: it still counts, and newer revocations are missing")
        self._is_overdue = is_overdue
