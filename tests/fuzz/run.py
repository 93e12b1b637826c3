"""One fuzzing process as its parent sees it: started, awaited, and read."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.fuzz.build import OUTPUT, runtime
from tests.fuzz.driver import COUNTERS

LIBFUZZER: Final = [
    "-max_len=624",  # a header, a key and 48 items
    "-len_control=0",  # long inputs from the start: what is compared is in the batch
    "-timeout=60",
    "-rss_limit_mb=4096",
    f"-artifact_prefix={OUTPUT}/crashes/",
]


class Run:
    """A process of ``driver``. Its log is a file in ``folder``, and so are its counters."""

    def __init__(self, folder: Path, library: Path, number: int, arguments: list[str], *, sanitized: bool) -> None:
        self._counters = folder / f"counters-{number}"
        self._counters.write_bytes(bytes(8 * len(COUNTERS)))
        self._log = folder / f"log-{number}"
        environment = dict(os.environ)
        if sanitized:  # Python itself is not compiled for it, so that it has to come first
            environment["LD_PRELOAD"] = str(runtime("libclang_rt.asan.so"))
            environment["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1"
            environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
        command = [sys.executable, "-m", "tests.fuzz.driver", str(library), str(self._counters), *arguments, *LIBFUZZER]
        self._stopped = False
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log, env=environment)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def status(self) -> int:
        """Return what the process ended with by itself: 0 while it runs, or where it was stopped."""
        return 0 if self._stopped else self._process.poll() or 0

    def stop(self) -> None:
        """End the process, if it still runs."""
        if self.is_running():
            self._stopped = True
            self._process.kill()
            self._process.wait()

    def counted(self) -> dict[str, int]:
        return dict(zip(COUNTERS, struct.unpack(f"={len(COUNTERS)}Q", self._counters.read_bytes()), strict=True))

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def coverage(self) -> tuple[int, int]:
        """Return how many of the target's edges were reached, and how many there are; zeros before the first line."""
        log = self.log()
        reached, there = re.findall(r"\bcov: (\d+)", log), re.findall(r"\((\d+) inline 8-bit counters\)", log)
        return int(reached[-1]) if reached else 0, int(there[0]) if there else 0
