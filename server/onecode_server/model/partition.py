"""Partitions: by which a log that several machines share orders its messages.

All records of a subject are in one partition, chosen by its pseudonym. Exceptions, the trust list and everything else
that is decided once for the whole country are in a partition of their own, so that they have one order.
"""

from typing import Final

STATUS_PARTITIONS: Final = 12
"""The partitions of status records. Each is applied by one process at a time, and 12 divides evenly among 2, 3, 4, 6 or
12. The number cannot change later: a subject's messages would then be in two partitions, without an order."""
DECISIONS: Final = STATUS_PARTITIONS
"""The number of the partition of decisions: exceptions, the trust list and the audit record."""
ALL: Final = range(STATUS_PARTITIONS + 1)
"""The numbers of all partitions, that of decisions last."""


def partition_of(subject: bytes) -> int:
    """Return the partition of a subject's records, from 0 to STATUS_PARTITIONS - 1.

    ``subject`` is a pseudonym (16 bytes). Pseudonyms are uniformly distributed, so its first byte divides them nearly
    evenly: 21 or 22 of its 256 values belong to each partition.
    """
    return subject[0] * STATUS_PARTITIONS >> 8
