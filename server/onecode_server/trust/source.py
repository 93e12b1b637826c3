"""The trust list in force: read from a signed file, which is watched, and replaced as a whole.

A file can be unread, or its list can be refused:

* *Unread*: there is no file, it cannot be read, or it is not a list signed by the root (half a list, noise, another
  key). Or the list is good, but this process cannot accept it now: no memory, no thread, a store that does not answer.
  Then the process does not know which list the root signed last; it may have revoked a key. A fault of the environment
  is retried at each check, a fault of the content when the file changes. After ``unread_max_s`` no code is admitted.
* *Refused*: the root signed the list, but it must not be accepted: it is older, has other content under a version that
  was accepted before, or lacks a required member. The last good list is then the newest valid list of the root.

In both cases the last good list stays in force, and log, metric and health report it. Accepted lists are kept in the
store: the last good list survives a restart, and is the same for all processes on a data directory.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import NotServing, OnecodeError, StoreUnavailable, TrustListRefused
from onecode_server.model.trust_list import TrustList
from onecode_server.stores.protocol import KnownList, Store
from onecode_server.system.clock import Clock
from onecode_server.system.watched_file import WatchedFile
from onecode_server.telemetry.metrics import Metrics
from onecode_server.trust import document as trust_list_file

POLL_S: Final = 0.5
"""The interval of checks of the file. Opening a file and reading its times costs microseconds and works on every file
system; a new list must be accepted within 2 s, which leaves 1.5 s."""
LATE_S: Final = 5.0
"""A check that is this late makes the file count as unread. Ten checks are due by then, so a thread hangs in the file
system, or the event loop does not run."""

_log = logging.getLogger(__name__)


class _Found(NamedTuple):
    """The result of reading the file. ``fault`` is None for an accepted list."""

    fault: str | None
    is_unread: bool


_TAKEN: Final = _Found(None, is_unread=False)


class _NotRoots(TrustListRefused):
    """The root did not sign the content: the file counts as unread."""


class TrustSource:
    """Holds the trust list in force. ``root_public_key`` is 32 bytes; the root's secret key is not needed.

    ``monotonic`` returns seconds that never run backwards; after ``unread_max_s`` unread seconds ``is_read`` is false.
    ``prepare`` is called with a list on a thread, before the list is in force, to derive data that takes time.
    ``follows_store`` is whether other machines put lists in the store: then a newer one there is in force, and an older
    file is no fault.
    """

    def __init__(
        self,
        file: Path,
        root_public_key: bytes,
        backend: SignatureBackend,
        store: Store,
        metrics: Metrics,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        unread_max_s: float = 30.0,
        prepare: Callable[[TrustList], None] = lambda _: None,
        *,
        follows_store: bool = False,
    ) -> None:
        self._watched = WatchedFile(file, trust_list_file.FILE_BYTES_MAX, monotonic)
        self._root = root_public_key
        self._backend = backend
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._unread_max_s = unread_max_s
        self._prepare, self._follows_store = prepare, follows_store
        self._refreshing = asyncio.Lock()
        self._found = _TAKEN  # the result for the content that the watched file has kept
        self._read_at_s = monotonic()
        self._is_unread = True
        self._has_logged_unread = False
        self._list: TrustList | None = None
        self.file: bytes = b""
        self.fault: str | None = None
        metrics.list_age.set_function(lambda: 0 if self._list is None else (clock() - self._list.issued_at) / 1e6)
        metrics.list_unread.set_function(lambda: self.unread_s)

    @property
    def current(self) -> TrustList:
        """The list in force. Raises NotServing if there is none yet."""
        if self._list is None:
            raise NotServing("no trust list has been accepted yet")
        return self._list

    @property
    def is_open(self) -> bool:
        """Whether there is a list in force."""
        return self._list is not None

    @property
    def unread_s(self) -> float:
        """The seconds for which the file has been unread; 0 if the last check read it and is at most LATE_S ago."""
        age_s = self._monotonic() - self._read_at_s
        return age_s if self._is_unread or age_s > LATE_S else 0.0

    @property
    def is_read(self) -> bool:
        """Whether the file was read within ``unread_max_s``: otherwise no code is admitted under the list in force."""
        return self.unread_s <= self._unread_max_s

    async def refresh(self) -> None:
        """Check the file, and take its list if it changed. If there is a fault, take a newer list of the store.

        Raises nothing: a failure is retried at the next check.
        """
        async with self._refreshing:
            began_s = self._monotonic()
            try:
                found = await self._check_file()
            except StoreUnavailable as fault:
                found = self._failed(f"its version cannot be made durable: {fault}")
            except Exception as fault:  # no memory, no thread, or a bug: the watcher must go on
                found = self._failed(f"the trust list cannot be read: {_describe(fault)}")
            self._note(found, began_s)
            if self._list is None or self.fault is not None or self._follows_store:
                await self._take_known()

    def close(self) -> None:
        """Release the file descriptor that is reserved for reading the file."""
        self._watched.close()

    async def _check_file(self) -> _Found:
        """Return the result for the file's present content. Exceptions are faults of the environment, to be retried."""
        reading = await asyncio.to_thread(self._watched.check)
        if reading is not None:
            found = _TAKEN
            try:
                await self._take(reading.content)
            except TrustListRefused as refused:
                self._metrics.list_refused.inc()
                _log.error("trust list refused, the last good one stays in force: %s", refused)
                found = _Found(str(refused), isinstance(refused, _NotRoots))
            self._watched.keep(reading)
            self._found = found
        return self._found

    def _failed(self, why: str) -> _Found:
        if why != self.fault:  # once, not at every check
            self._metrics.list_refused.inc()
            _log.error("trust list refused, the last good one stays in force: %s", why)
        return _Found(why, is_unread=True)

    def _note(self, found: _Found, began_s: float) -> None:
        if self.fault is not None and found.fault is None:
            _log.info("the trust list is read and accepted again")
        self.fault, self._is_unread = found
        self._metrics.list_fault.set(self.fault is not None)
        if not self._is_unread:
            self._read_at_s = began_s
        if not self.is_read and not self._has_logged_unread:
            _log.error("no code is admitted any more: the trust list was not read for %g s", self._unread_max_s)
        self._has_logged_unread = not self.is_read

    async def _take(self, file: bytes) -> None:
        found = await asyncio.to_thread(self._verify, file)
        known = await self._store.remember_list(KnownList(found.version, found.digest, file), self._clock())
        if found.version < known.version and self._follows_store:
            return  # another machine has brought a newer list, which ``_take_known`` takes
        if found.version < known.version:
            raise TrustListRefused(f"version {found.version} is older than {known.version}, which was accepted before")
        if found.digest != known.digest:
            raise TrustListRefused(f"version {found.version} was accepted before with other content")
        await self._swap(found, file)

    async def _take_known(self) -> None:
        """Take the store's list if it is newer than the one in force: another process has accepted it."""
        try:
            known = await self._store.known_list()
            if known is not None and (self._list is None or self._list.version < known.version):
                await self._swap(await asyncio.to_thread(self._verify, known.file), known.file)
                if not self._follows_store:
                    _log.warning("the last good trust list was taken from the store", extra={"version": known.version})
        except Exception as fault:
            if self._list is None:
                _log.error("no trust list: %s", _describe(fault))

    def _verify(self, file: bytes) -> TrustList:
        """Check the root's signature, then parse the signed list. Raises TrustListRefused."""
        try:
            signed = trust_list_file.take_apart(file)
        except TrustListRefused as refused:
            raise _NotRoots(str(refused)) from None
        if self._backend.verify_batch([self._root], [signed.signature], [signed.message]) != [True]:
            raise _NotRoots("the trust list is not signed by the root key")
        return trust_list_file.parse(signed.payload, public_key_fault)

    async def _swap(self, found: TrustList, file: bytes) -> None:
        if self._list is not None and self._list.digest == found.digest:
            return  # the list in force keeps its derived data
        # Done before the list is in force, so that its first codes do not wait; on a thread, since it takes time.
        await asyncio.to_thread(self._backend.prepare, found.public_keys)
        await asyncio.to_thread(self._prepare, found)
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


def _describe(fault: Exception) -> str:
    """Describe a failure. The text of an unexpected exception is left out, since it may quote content."""
    if isinstance(fault, OSError):
        return fault.strerror or type(fault).__name__
    return str(fault) if isinstance(fault, OnecodeError | RuntimeError) else type(fault).__name__
