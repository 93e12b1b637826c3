"""The gateway keys that this process signs with, as files, which are watched while it serves.

A new file's key is there within a second, and a removed one's is not used any more. A file that cannot be read, is half
written or is open to others leaves the key that it held before; log, metric and health report it.
"""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from onecode_server.crypto.signing import MessageSigner, Signer, read_secret
from onecode_server.errors import Misconfigured
from onecode_server.telemetry.metrics import Metrics

POLL_S: Final = 0.5
"""The interval of looks at the keys, as of those at the trust list, with which they change."""
FILES_MAX: Final = 256
"""Gateway keys in a directory. A look asks for the state of each, some microseconds; a rotation adds three."""
LATE_S: Final = 5.0
"""A look that takes this long has hung: ten are due by then."""
SETTLING_S: Final = 3.0
"""The time after a change for which a file is read at every look: file systems record times in steps of up to 2 s."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Sign = Callable[[bytes], bytes]


class GatewayKeys(Protocol):
    """The gateway keys that this process can sign with."""

    @property
    def public_keys(self) -> Collection[bytes]:
        """The public keys (32 bytes each)."""
        ...

    @property
    def fault(self) -> str | None:
        """Why not all keys can be used, or are as they are stored; None where they are."""
        ...

    async def refresh(self) -> None:
        """Look whether the keys have changed. Raises nothing: a failure is retried at the next look."""
        ...

    def expect_answer(self) -> None:
        """Raise SigningUnavailable where no key can be used because what holds them does not answer."""
        ...

    async def sign(self, public_key: bytes, work: Callable[[Sign], _T]) -> _T:
        """Return what ``work`` makes with the function that signs with one of the keys.

        Raises SigningUnavailable, and Overloaded where too many calls wait for a signature.
        """
        ...

    def report(self) -> dict[str, Any]:
        """Return the state for operations."""
        ...

    def close(self) -> None:
        """Release the keys."""
        ...


class _Kept(NamedTuple):
    """A key file as it was last read well: its state, when that was (monotonic seconds), and its key."""

    state: tuple[int, ...]
    read_at_s: float
    signer: Signer


class FileGatewayKeys:
    """The gateway keys in a directory: each file whose name fits ``pattern``. They sign at once, on the caller's
    thread."""

    def __init__(
        self, directory: Path, pattern: str, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the keys. Raises Misconfigured for a file that holds none: a start is when somebody looks."""
        self._directory = directory
        self._pattern = pattern
        self._monotonic = monotonic
        self._kept: dict[str, _Kept] = {}
        self._signers: dict[bytes, MessageSigner] = {}
        self._fault: str | None = None
        self._looks_since_s: float | None = None
        metrics.gateway_keys_fault.set_function(lambda: self.fault is not None)
        found, faults = self._look()
        if faults:
            raise Misconfigured(faults[0])
        self._take(found)

    @property
    def public_keys(self) -> Collection[bytes]:
        """The public keys (32 bytes each)."""
        return self._signers.keys()

    @property
    def fault(self) -> str | None:
        """Why not all keys are as they are stored. A look that takes longer than LATE_S hangs in the file system."""
        if self._looks_since_s is not None and self._monotonic() > self._looks_since_s + LATE_S:
            return f"{self._directory}: a look has not ended for {LATE_S:g} s"
        return self._fault

    async def refresh(self) -> None:
        """Look at the files, on a thread: a file system may hang. Raises nothing."""
        self._looks_since_s = self._monotonic()
        try:
            found, faults = await asyncio.to_thread(self._look)
        except Exception as raised:  # no thread, no memory, or a directory that cannot be listed
            why = getattr(raised, "strerror", None) or type(raised).__name__
            found, faults = self._kept, [f"{self._directory}: {why}"]
        finally:
            self._looks_since_s = None
        before = set(self._signers)
        self._take(found)
        if before != set(self._signers):
            _log.info("gateway keys taken", extra={"keys": len(self._signers)})
        fault = "; ".join(faults) or None
        if fault is not None and fault != self._fault:  # once, not at every look
            _log.error("a gateway key cannot be taken, the last good one stays in use: %s", fault)
        if fault is None and self._fault is not None:
            _log.info("the gateway keys are read again")
        self._fault = fault

    def expect_answer(self) -> None:
        """Do nothing: a file's key is in memory."""

    async def sign(self, public_key: bytes, work: Callable[[Sign], _T]) -> _T:
        """Return what ``work`` makes with the function that signs."""
        return work(self._signers[public_key].sign)

    def report(self) -> dict[str, Any]:
        """Return the state for operations."""
        return {"from": "files", "count": len(self._signers), "fault": self.fault}

    def close(self) -> None:
        """Do nothing."""

    def _take(self, found: dict[str, _Kept]) -> None:
        self._kept = found
        self._signers = {kept.signer.public_key: kept.signer for kept in found.values()}

    def _look(self) -> tuple[dict[str, _Kept], list[str]]:
        """Return the keys as they are now, and what is wrong. It changes no state, and may be abandoned.

        Raises OSError where the directory cannot be listed: then nothing is known of any key.
        """
        # Those that are in use come first: one file too many takes none of them away.
        files = sorted(self._directory.glob(self._pattern), key=lambda file: (file.name not in self._kept, file.name))
        if not files and self._kept:
            os.listdir(self._directory)  # glob takes a directory that is gone or closed for one that is empty
        faults = []
        if len(files) > FILES_MAX:
            faults.append(f"{self._directory} has more than {FILES_MAX} gateway keys: the others are not used")
        found = {}
        for file in files[:FILES_MAX]:
            before = self._kept.get(file.name)
            try:
                found[file.name] = self._read(file, before)
            except FileNotFoundError:  # removed since the directory was listed
                continue
            except (Misconfigured, OSError) as fault:
                faults.append(str(fault) if isinstance(fault, Misconfigured) else f"{file}: {fault.strerror}")
                if before is not None:
                    found[file.name] = before
        return found, faults

    def _read(self, file: Path, before: _Kept | None) -> _Kept:
        now_s, info = self._monotonic(), file.stat()
        if not stat.S_ISREG(info.st_mode):
            raise Misconfigured(f"the key file {file} is no regular file")
        state = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_mode)
        if before is not None and before.state == state and now_s >= before.read_at_s + SETTLING_S:
            return before
        signer = Signer(read_secret(file))
        if before is not None and before.state == state:
            return before._replace(signer=signer)
        return _Kept(state, now_s, signer)
