"""Several pieces of work in one LMDB transaction, each with an outcome of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import lmdb

from onecode_server.stores.lane import Outcome, Work


def read_together(env: Any, works: Sequence[Work]) -> list[Outcome]:
    """Do all works on one snapshot. Raises LMDB's error where the transaction cannot begin."""
    with env.begin() as txn:
        return [_outcome(work, txn) for work in works]


def write_together(env: Any, works: Sequence[Work], failed: Callable[[BaseException], None]) -> list[Outcome]:
    """Do all works in one commit, which is on disk then. Raises LMDB's error where the commit failed for all.

    Each of several works has a nested transaction: its exception undoes that alone, and is passed to ``failed`` where
    it is a fault of the store. The exception of a single work is raised.
    """
    with env.begin(write=True) as txn:
        return [_nested(env, work, txn, failed) for work in works] if works[1:] else [Outcome(works[0](txn))]


def _nested(env: Any, work: Work, txn: Any, failed: Callable[[BaseException], None]) -> Outcome:
    try:
        with env.begin(write=True, parent=txn) as own:
            return Outcome(work(own))
    except BaseException as fault:
        if isinstance(fault, lmdb.Error | OSError | MemoryError):
            failed(fault)
        return Outcome(fault=fault)


def _outcome(work: Work, txn: Any) -> Outcome:
    try:
        return Outcome(work(txn))
    except BaseException as fault:
        return Outcome(fault=fault)
