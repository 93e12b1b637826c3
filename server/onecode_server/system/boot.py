"""The system's boot, in which its monotonic clock counts: after another boot its times mean something else."""

import hashlib
from pathlib import Path
from typing import Final

BOOT_BYTES: Final = 16
_FILE: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> bytes:
    """Return an id of this boot (16 bytes). Raises OSError where the system names none: then no process may rely on
    another one's monotonic times."""
    return hashlib.blake2b(_FILE.read_bytes().strip(), digest_size=BOOT_BYTES).digest()
