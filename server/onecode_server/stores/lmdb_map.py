"""How large the map of a store is, and how many readers it has: what each opening of its files agrees on."""

from pathlib import Path
from typing import Any, Final

import lmdb

MAP_BYTES_MAX: Final = 1024**4
"""The size of the map, in address space and not on disk: the file grows as it is written. The country's 1.4 billion
subjects take 81 GB, and the file grows beyond that while a backup, or a reader, keeps pages from being used again. A
process can address 128 TiB, and an unused part of the map costs nothing: neither memory, nor tables of pages, nor a
core dump, which has no pages of files."""
MAP_BYTES_MIN: Final = 1024**3
"""The smallest map that is tried where a limit on address space (``ulimit -v``), or a processor with fewer bits for it,
allows no larger one."""
READERS_MAX: Final = 512
"""Reader slots for all processes together: three for each of some hundred workers and commands, and some to spare."""
READERS: Final = 3
"""Read transactions of a process at a time: a check's, another read, and the number of the last commit."""
READ_AHEAD: Final = False
"""Whether the kernel reads what lies around a page (128 KiB by default, and up to megabytes as some systems set it). A
store's next subject lies anywhere, so that what is read pushes out pages that are wanted as much. With memory for a
quarter of a store of 4 million, and 128 KiB: 2,405 and 1,652 look-ups a second with it, 15,010 and 12,133 without;
1,395 and 1,999 records applied, and 5,752 and 6,396 without (``python -m benchmarks.beyond_memory``, in turns,
2026-12-01). In memory it is no faster. Commands that read a whole store, as a backup does, open it for themselves, with
read-ahead."""


def open_map(directory: Path, tables: int) -> tuple[Any, int]:
    """Return the LMDB environment of a directory for so many named tables, and the bytes of its map. Raises lmdb.Error
    and OSError."""
    size = MAP_BYTES_MAX
    while True:
        try:
            env = lmdb.open(
                str(directory),
                map_size=size,
                max_dbs=tables,
                max_readers=READERS_MAX,
                max_spare_txns=READERS,
                mode=0o600,
                readahead=READ_AHEAD,
            )
        except lmdb.MemoryError:
            if size // 2 < MAP_BYTES_MIN:
                raise
            size //= 2
        else:
            return env, size
