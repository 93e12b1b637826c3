"""TLS of the native front: it is handed the files in force, and others as soon as they are."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from onecode_server.rpc.tls_files import Files, FilesOf

if TYPE_CHECKING:  # tests stand in for it where it was not built
    from onecode_server.rpc._front import Front, Tls

AGAIN_S: Final = 10.0
"""The period at which files that the front has refused are given to it again. To read the longest list takes it some
milliseconds, in which nothing else is done."""

_log = logging.getLogger(__name__)


class NativeTls:
    """Follows the files of TLS for a front. With ``demands_certificate`` a caller without one is refused at once.

    ``note`` is called with the reason why the front does not take the files in force, None once it has taken them.
    """

    def __init__(
        self,
        files_of: FilesOf,
        *,
        demands_certificate: bool,
        note: Callable[[str | None], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files_of = files_of
        self._demands_certificate = demands_certificate
        self._note = note
        self._monotonic = monotonic
        self._taken = 0  # the generation that the front has
        self._refused = 0
        self._again_at_s = 0.0
        self._fault: str | None = None

    def make(self) -> "Tls":
        """Return the TLS of the files in force, for a front that is made. Raises ValueError where rustls does not take
        them."""
        files = self._files_of()
        made = self._make(files)
        self._taken = files.generation
        return made

    def renew(self, front: "Front") -> None:
        """Have the front take the files in force, where they are others by now. It keeps its last ones where it does
        not."""
        files, now_s = self._files_of(), self._monotonic()
        generation = files.generation
        if generation == self._taken or (generation == self._refused and now_s < self._again_at_s):
            return
        try:
            front.renew_tls(self._make(files))
        except ValueError as fault:  # another library has checked them, and takes something that this one does not
            self._refused, self._again_at_s = generation, now_s + AGAIN_S
            self._tell(f"the native front does not take the files of TLS, and keeps its last ones: {fault}")
        else:
            self._taken = generation
            self._tell(None)

    def _make(self, files: Files) -> "Tls":
        from onecode_server.rpc._front import Tls  # noqa: PLC0415 - it may not have been built

        return Tls(
            files.chain,
            files.key,
            client_ca=files.client_ca,
            crl=files.crl,
            demands_certificate=self._demands_certificate,
        )

    def _tell(self, fault: str | None) -> None:
        if fault != self._fault:
            if fault is None:
                _log.info("the native front has taken the files of TLS")
            else:
                _log.error("%s", fault)
            self._fault = fault
            self._note(fault)
