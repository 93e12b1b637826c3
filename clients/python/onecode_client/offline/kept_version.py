"""The highest version of a trust list that was ever taken, in a file: an older list would bring revoked keys back."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from onecode_client.offline.faults import TrustListUnusable
from onecode_client.offline.model import TrustList

try:
    import fcntl
except ImportError:  # Windows, where two processes must not share the file
    fcntl = None  # type: ignore[assignment]

LOCK_S: Final = 5.0
"""How long another process may hold the file: it writes a hundred bytes. One that was stopped is not waited for."""
LOOK_S: Final = 0.02
_FILE_BYTES_MAX: Final = 256


def keep(path: Path, trust: TrustList) -> None:
    """Raise the version in the file to that of a list, on the disk, before the list is used.

    Raises TrustListUnusable: the list is older than the one that was kept, or another one of the same version, or the
    file cannot be read or written. A file that is there and says nothing is not taken for none.
    """
    try:
        with _locked(path):
            known = _read(path)
            if known is not None:
                expect_no_older(trust, *known)
            if known is None or trust.version > known[0]:
                _write(path, trust)
    except OSError as fault:
        raise TrustListUnusable(f"the version cannot be kept in {path}: {fault.strerror}") from None


def expect_no_older(trust: TrustList, version: int, digest: str) -> None:
    """Raise TrustListUnusable where a list is older than one that was taken, or another one of its version."""
    if trust.version < version:
        raise TrustListUnusable(
            f"version {trust.version} of the trust list is older than {version}, which was taken before"
        )
    if trust.version == version and trust.digest != digest:
        raise TrustListUnusable(f"version {trust.version} of the trust list was taken before with other content")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock beside the file, so that two processes do not lower each other's version."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """Take the lock. Raises BlockingIOError where another process holds it for LOCK_S."""
    until_s = time.monotonic() + LOCK_S
    while fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until_s:
                raise
        time.sleep(LOOK_S)


def _read(path: Path) -> tuple[int, str] | None:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    try:
        kept = json.loads(content)
        version, digest = kept["version"], kept["sha256"]
        if type(version) is int and version > 0 and isinstance(digest, str):  # to Python, true is 1
            return version, digest
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise TrustListUnusable(f"{path} does not hold a version that was kept: remove it only if you know why")


def _write(path: Path, trust: TrustList) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(json.dumps({"version": trust.version, "sha256": trust.digest}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name is on the disk once its directory is
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
