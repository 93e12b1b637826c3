"""Groups codes into calls: at most 4,096 codes and 4 MiB of them in each."""

from collections.abc import Iterable, Iterator
from typing import Final

BATCH_CODES_MAX: Final = 4096
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024


def batches(codes: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Group codes so that each group fits one call: at most 4,096 codes and 4 MiB."""
    batch: list[bytes] = []
    size = 0
    for code in codes:
        if batch and (len(batch) == BATCH_CODES_MAX or size + len(code) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(code)
        size += len(code)
    if batch:
        yield batch
