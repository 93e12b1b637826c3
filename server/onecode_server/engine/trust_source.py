"""The trust list in force: read from a signed file, watched, and swapped as a whole.

A file that is not read, and a list that is refused, are two things:

* *Unread*: there is no file, it cannot be read, or what it holds is no list of the root's (half of one, noise, another
  key's). Or the list is good, and this process cannot take it now: no memory, no thread, a store that does not answer.
  Then nobody here knows what the root signed last; it may have revoked a key. A fault of the environment is tried again
  at each look, and what is wrong with the content when the file changes. After ``unread_max_s`` nothing is admitted.
* *Refused*: the root signed it, and it must not be taken: older, other content under a version that was taken before,
  or a document that lacks what it must have. What the root said is known, and the last good list is the newest of it.

In both cases the last good list stays, and log, metric and health say so. What was once taken is kept in the store, so
that it also outlives a restart, and that the last good list is that of all processes on a data directory.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.signing import public_key_fault
from onecode_server.engine.clock import Clock
from onecode_server.engine.watched_file import WatchedFile
from onecode_server.errors import NotServing, OnecodeError, StoreUnavailable, TrustListRefused
from onecode_server.formats import trust_list as trust_list_file
from onecode_server.metrics import Metrics
from onecode_server.model.trust_list import TrustList
from onecode_server.stores.protocol import KnownList, Store

POLL_S: Final = 0.5
"""Opening a file and asking for its times costs microseconds, works on every file system, and leaves 1.5 s of the 2 s
within which a new list is taken."""
LATE_S: Final = 5.0
"""How late a look may be before the file counts as unread: ten are due by then, so that a thread hangs in the file
system, or the loop does not run."""

_log = logging.getLogger(__name__)


class _Found(NamedTuple):
    """What came of a file's content. ``fault`` is None for a list that was taken."""

    fault: str | None
    is_unread: bool


_TAKEN: Final = _Found(None, is_unread=False)


class _NotRoots(TrustListRefused):
    """Content that the root did not sign, so that it says nothing of what the root did sign."""


class TrustSource:
    """Holds the trust list in force. ``root_public_key`` is 32 bytes; the root's secret key is never here.

    ``monotonic`` returns seconds that never run backwards; after ``unread_max_s`` of them ``is_read`` no longer holds.
    ``prepare`` is called with a list before it is in force, on a thread, and makes what takes time of it.
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
    ) -> None:
        self._watched = WatchedFile(file, trust_list_file.FILE_BYTES_MAX, monotonic)
        self._root = root_public_key
        self._backend = backend
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._unread_max_s = unread_max_s
        self._prepare = prepare
        self._looking = asyncio.Lock()
        self._found = _TAKEN  # of the content that the watched file keeps, once it does
        self._read_at_s = monotonic()
        self._is_unread = True
        self._said_unread = False
        self._list: TrustList | None = None
        self.file: bytes = b""
        self.fault: str | None = None
        metrics.list_age.set_function(lambda: 0 if self._list is None else (clock() - self._list.issued_at) / 1e6)
        metrics.list_unread.set_function(lambda: self.unread_s)

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

    @property
    def unread_s(self) -> float:
        """For how many seconds the file has been unread; 0 where the last look, not long ago, found it read."""
        age_s = self._monotonic() - self._read_at_s
        return age_s if self._is_unread or age_s > LATE_S else 0.0

    @property
    def is_read(self) -> bool:
        """Whether the file was read lately enough that the list in force may admit anybody."""
        return self.unread_s <= self._unread_max_s

    async def refresh(self) -> None:
        """Look at the file, take it where it changed, and where it is not to be had, what the store has.

        Raises nothing: whatever goes wrong is tried again at the next look.
        """
        async with self._looking:
            began_s = self._monotonic()
            try:
                found = await self._look()
            except StoreUnavailable as fault:
                found = self._failed(f"its version cannot be made durable: {fault}")
            except Exception as fault:  # no memory, no thread: no watcher ends of it, nor of a bug
                found = self._failed(f"the trust list cannot be read: {_why(fault)}")
            self._note(found, began_s)
            if self._list is None or self.fault is not None:
                await self._take_known()

    def close(self) -> None:
        """Let go of what is held for reading the file."""
        self._watched.close()

    async def _look(self) -> _Found:
        """Return what came of the content that the file has now. What is raised is the environment's: try again."""
        reading = await asyncio.to_thread(self._watched.look)
        if reading is not None:
            found = _TAKEN
            try:
                await self._take(reading.content)
            except TrustListRefused as refused:
                self._metrics.list_refused.inc()
                _log.error("trust list refused, the last good one stays: %s", refused)
                found = _Found(str(refused), isinstance(refused, _NotRoots))
            self._watched.keep(reading)
            self._found = found
        return self._found

    def _failed(self, why: str) -> _Found:
        if why != self.fault:  # once, not at every look
            self._metrics.list_refused.inc()
            _log.error("trust list refused, the last good one stays: %s", why)
        return _Found(why, is_unread=True)

    def _note(self, found: _Found, began_s: float) -> None:
        if self.fault is not None and found.fault is None:
            _log.info("nothing is wrong with the trust list any more")
        self.fault, self._is_unread = found
        self._metrics.list_fault.set(self.fault is not None)
        if not self._is_unread:
            self._read_at_s = began_s
        if not self.is_read and not self._said_unread:
            _log.error("nobody is admitted any more: the trust list was not read for %g s", self._unread_max_s)
        self._said_unread = not self.is_read

    async def _take(self, file: bytes) -> None:
        found = await asyncio.to_thread(self._believe, file)
        known = await self._store.remember_list(KnownList(found.version, found.digest, file), self._clock())
        if found.version < known.version:
            raise TrustListRefused(f"version {found.version} is older than {known.version}, which was taken before")
        if found.digest != known.digest:
            raise TrustListRefused(f"version {found.version} was taken before with other content")
        await self._swap(found, file)

    async def _take_known(self) -> None:
        """Take the list of the store where it is newer than the one in force: another process could read it."""
        try:
            known = await self._store.known_list()
            if known is not None and (self._list is None or self._list.version < known.version):
                await self._swap(await asyncio.to_thread(self._believe, known.file), known.file)
                _log.warning("the last good trust list was taken from the store", extra={"version": known.version})
        except Exception as fault:
            if self._list is None:
                _log.error("no trust list: %s", _why(fault))

    def _believe(self, file: bytes) -> TrustList:
        """Check the root's signature, and only then read what it signed."""
        try:
            signed = trust_list_file.take_apart(file)
        except TrustListRefused as refused:
            raise _NotRoots(str(refused)) from None
        if self._backend.verify_batch([self._root], [signed.signature], [signed.message]) != [True]:
            raise _NotRoots("the trust list is not signed by the root key")
        return trust_list_file.parse(signed.payload, public_key_fault)

    async def _swap(self, found: TrustList, file: bytes) -> None:
        if self._list is not None and self._list.digest == found.digest:
            return  # what was made ready for it stays with it
        # Before the list is in force, so that its first codes find their keys ready; on a thread, since it takes time.
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


def _why(fault: Exception) -> str:
    """Say what went wrong, without what the text of a bug's exception might quote."""
    if isinstance(fault, OSError):
        return fault.strerror or type(fault).__name__
    return str(fault) if isinstance(fault, OnecodeError | RuntimeError) else type(fault).__name__
