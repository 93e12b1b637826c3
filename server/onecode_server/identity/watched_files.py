"""One value made of files that others replace: looked at together, taken whole, and the last good one stays.

Files that belong together are replaced one after the other, and some are written in place: in between they do not fit,
or are half. So a fault is reported (log, metric, ``fault``) only once it has lasted PATIENCE_S. The files are opened by
their names at each look, so that links to another directory (Kubernetes' ``..data``) are followed anew.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

from onecode_server.errors import Malformed, Misconfigured, OnecodeError
from onecode_server.system.watched_file import Reading, WatchedFile
from onecode_server.telemetry.metrics import Metrics

POLL_S: Final = 0.5
"""The interval of looks at the files: the trust list's, for the same reasons."""
PATIENCE_S: Final = 10.0
"""Twenty looks. Tools replace a certificate and its key within milliseconds, people by two commands in a row."""

_Value = TypeVar("_Value")
_log = logging.getLogger(__name__)


class NotNow(Malformed):
    """A file is not good at this time and may be at another: it is read again at each look, although it does not
    change."""


class File(NamedTuple):
    """The content of a file, its permission bits, and whether it is as ``private_files`` demands of secrets."""

    path: Path
    content: bytes
    mode: int
    is_private: bool


class _Look(NamedTuple, Generic[_Value]):
    """The files as they are now. ``value`` is None where their content is that of the kept ones."""

    readings: list[Reading | None]
    files: list[File]
    value: _Value | Malformed | None


class WatchedFiles(Generic[_Value]):
    """Holds the last good value, which stays the same object while the content stays.

    ``read`` makes it of the files in the order of ``paths``, on a thread, and raises Malformed; ``bytes_max`` bounds
    each file. ``name`` is the files' label in metrics and logs. Raises Misconfigured where they are bad at the start.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        bytes_max: int,
        read: Callable[[list[File]], _Value],
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._paths = paths
        self._bytes_max = bytes_max
        self._read = read
        self._metrics = metrics
        self._monotonic = monotonic
        self._watched = [WatchedFile(path, bytes_max, monotonic) for path in paths]
        self._files: list[File | None] = [None] * len(paths)
        self._refused: str | None = None  # why the kept files are
        self._faulty_since_s: float | None = None
        self._reported: str | None = None
        self._looked_at_s = monotonic()
        self.value = self._open()
        metrics.identity_files_fault.labels(name).set_function(lambda: self.fault is not None)

    @property
    def fault(self) -> str | None:
        """Why the files are not as they should be, once that has lasted: for health and its page."""
        unseen_s = self._monotonic() - self._looked_at_s
        if unseen_s > PATIENCE_S:  # a thread hangs in the file system, or the event loop does not run
            return f"the files were not looked at for {unseen_s:.0f} s"
        return self._reported

    async def refresh(self) -> bool:
        """Look at the files, and return whether there is a new value. Raises nothing: a failure is retried.

        Not to be called again before it has returned.
        """
        try:
            look = await asyncio.to_thread(self._look)
        except Exception as fault:  # a file, memory, a thread, or a bug: the watcher must go on
            self._note(_describe(fault))
            return False
        if look is not None:
            self._keep(look)
        self._note(self._refused)
        return look is not None and look.value is not None and not isinstance(look.value, Malformed)

    def close(self) -> None:
        """Release the file descriptors that are reserved for reading the files."""
        for watched in self._watched:
            watched.close()

    def _open(self) -> _Value:
        try:
            look = self._look()
        except (OSError, Malformed) as fault:
            raise Misconfigured(f"{self._name}: {_describe(fault)}") from None
        assert look is not None and look.value is not None  # noqa: S101, PT018 - nothing was kept, so all is new
        if isinstance(look.value, Malformed):
            raise Misconfigured(f"{self._name}: {look.value}")
        self._keep(look)
        return look.value

    def _look(self) -> _Look[_Value] | None:
        """Return what the files are now, or None where they have not changed. It changes no state.

        Raises OSError, and NotNow.
        """
        readings, files = [], []
        for watched, path, kept in zip(self._watched, self._paths, self._files, strict=True):
            reading = _check(watched, path)
            file = kept if reading is None else File(path, reading.content, reading.mode, reading.is_private)
            assert file is not None  # noqa: S101 - the watched file is not kept before its content
            readings.append(reading)
            files.append(file)
        if not any(readings):
            return None
        if files == self._files:
            return _Look(readings, files, None)
        try:
            for file in files:
                if len(file.content) > self._bytes_max:
                    raise Malformed(f"{file.path} is larger than {self._bytes_max:,} bytes")
            return _Look(readings, files, self._read(files))
        except NotNow:
            raise
        except Malformed as refused:
            return _Look(readings, files, refused)

    def _keep(self, look: _Look[_Value]) -> None:
        for watched, reading in zip(self._watched, look.readings, strict=True):
            if reading is not None:
                watched.keep(reading)
        self._files = list(look.files)
        if isinstance(look.value, Malformed):
            self._refused = str(look.value)
        elif look.value is not None:
            self._refused, self.value = None, look.value

    def _note(self, fault: str | None) -> None:
        """Report a fault once it has lasted, and its end."""
        now_s = self._looked_at_s = self._monotonic()
        if fault is None:
            if self._reported is not None:
                _log.info("%s: read and accepted again", self._name)
            self._faulty_since_s = self._reported = None
            return
        if self._faulty_since_s is None:
            self._faulty_since_s = now_s
        if now_s - self._faulty_since_s < PATIENCE_S:
            return
        if fault != self._reported:
            _log.error("%s: refused, the last good one stays in force: %s", self._name, fault)
            self._metrics.identity_files_refused.labels(self._name).inc()
        self._reported = fault


def _check(watched: WatchedFile, path: Path) -> Reading | None:
    try:
        return watched.check()
    except OSError as fault:
        raise OSError(fault.errno, f"{path}: {fault.strerror or type(fault).__name__}") from None


def _describe(fault: Exception) -> str:
    """Describe a failure. The text of an unexpected exception is left out, since it may quote content."""
    if isinstance(fault, OSError):
        return fault.strerror or type(fault).__name__
    return str(fault) if isinstance(fault, OnecodeError | RuntimeError) else type(fault).__name__
