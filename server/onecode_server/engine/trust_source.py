"""The trust list in force: read from a signed file, watched, and swapped as a whole.

A list that is older, other under the same version, badly signed or unreadable is refused; the last good one stays, and
log, metric and health say so. What was once taken is kept in the store, so that it also outlives a restart.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.signing import public_key_fault
from onecode_server.engine.clock import Clock
from onecode_server.errors import NotServing, StoreUnavailable, TrustListRefused
from onecode_server.formats import trust_list as trust_list_file
from onecode_server.metrics import Metrics
from onecode_server.model.trust_list import TrustList
from onecode_server.stores.protocol import KnownList, Store

POLL_S: Final = 0.5
"""A look at the file's time and size costs microseconds, works on every file system, and leaves 1.5 s of the 2 s
within which a new list is taken."""

_log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int] | None


class TrustSource:
    """Holds the trust list in force. ``root_public_key`` is 32 bytes; the root's secret key is never here."""

    def __init__(
        self,
        file: Path,
        root_public_key: bytes,
        backend: SignatureBackend,
        store: Store,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._file = file
        self._root = root_public_key
        self._backend = backend
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._stamp: _Stamp = (0, 0, 0)
        self._list: TrustList | None = None
        self.file: bytes = b""
        self.fault: str | None = None
        metrics.list_age.set_function(lambda: 0 if self._list is None else (clock() - self._list.issued_at) / 1e6)

    @property
    def current(self) -> TrustList:
        """The list in force. Raises NotServing where there is none yet."""
        if self._list is None:
            raise NotServing("no trust list was taken yet")
        return self._list

    @property
    def is_open(self) -> bool:
        """Whether there is a list in force."""
        return self._list is not None

    async def refresh(self) -> None:
        """Take the file if it changed since it was last looked at, and the last good list if there is none yet."""
        stamp = _stamp(self._file)
        if stamp != self._stamp:
            try:
                await self._take(await asyncio.to_thread(self._read))
                self.fault = None
            except TrustListRefused as refused:
                self._refuse(str(refused))
            except StoreUnavailable as fault:
                self._refuse(f"its version cannot be made durable: {fault}")
                stamp = None  # nothing is wrong with the file: it is tried again
            self._stamp = stamp
            self._metrics.list_fault.set(self.fault is not None)
        if self._list is None:
            await self._take_known()

    def _read(self) -> bytes:
        try:
            with self._file.open("rb") as file:
                return file.read(trust_list_file.FILE_BYTES_MAX + 1)
        except OSError as fault:
            raise TrustListRefused(f"the trust list cannot be read: {fault.strerror}") from None

    async def _take(self, file: bytes) -> None:
        found = await asyncio.to_thread(self._believe, file)
        known = await self._store.remember_list(KnownList(found.version, found.digest, file), self._clock())
        if found.version < known.version:
            raise TrustListRefused(f"version {found.version} is older than {known.version}, which was taken before")
        if found.digest != known.digest:
            raise TrustListRefused(f"version {found.version} was taken before with other content")
        await self._swap(found, file)

    async def _take_known(self) -> None:
        try:
            known = await self._store.known_list()
            if known is not None:
                await self._swap(await asyncio.to_thread(self._believe, known.file), known.file)
                _log.warning("the last good trust list was taken from the store", extra={"version": known.version})
        except (StoreUnavailable, TrustListRefused) as fault:
            _log.error("no trust list: %s", fault)

    def _believe(self, file: bytes) -> TrustList:
        """Check the root's signature, and only then read what it signed."""
        signed = trust_list_file.take_apart(file)
        if self._backend.verify_batch([self._root], [signed.signature], [signed.message]) != [True]:
            raise TrustListRefused("the trust list is not signed by the root key")
        return trust_list_file.parse(signed.payload, public_key_fault)

    async def _swap(self, found: TrustList, file: bytes) -> None:
        # Before the list is in force, so that its first codes find their keys ready; on a thread, since it takes time.
        await asyncio.to_thread(self._backend.prepare, found.public_keys)
        changed = self._list is None or self._list.version != found.version
        self._list, self.file = found, file.strip()
        self._metrics.list_version.set(found.version)
        self._metrics.list_issued.set(found.issued_at / 1e6)
        self._metrics.list_next_update.set(found.next_update / 1e6)
        self._metrics.list_skipped.set(len(found.skipped))
        if changed:
            _log.info("trust list taken", extra={"version": found.version, "regions": len(found.regions)})
            for where, why in found.skipped:
                _log.error("trust-list entry skipped", extra={"entry": where, "why": why})

    def _refuse(self, why: str) -> None:
        self.fault = why
        self._metrics.list_refused.inc()
        _log.error("trust list refused, the last good one stays: %s", why)


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
