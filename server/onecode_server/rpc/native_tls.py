"""TLS of the native front: it is handed the files in force, and others as soon as they are."""

import logging

from onecode_server.rpc._front import Front, Tls
from onecode_server.rpc.tls_files import FilesOf

_log = logging.getLogger(__name__)


class NativeTls:
    """Follows the files of TLS for a front. With ``demands_certificate`` a caller without one is refused at once."""

    def __init__(self, files_of: FilesOf, *, demands_certificate: bool) -> None:
        self._files_of = files_of
        self._demands_certificate = demands_certificate
        self._generation = 0

    def make(self) -> Tls:
        """Return the TLS of the files in force. Raises ValueError where rustls does not take them."""
        files = self._files_of()
        self._generation = files.generation
        return Tls(
            files.chain,
            files.key,
            client_ca=files.client_ca,
            crl=files.crl,
            demands_certificate=self._demands_certificate,
        )

    def renew(self, front: Front) -> None:
        """Have the front take the files in force, where they are others by now."""
        if self._files_of().generation != self._generation:
            try:
                front.renew_tls(self.make())
            except ValueError as fault:  # another library has checked them, and takes something that this one does not
                _log.error("the native front does not take the files of TLS, and keeps its last ones: %s", fault)
