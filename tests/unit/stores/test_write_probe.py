"""A store that cannot be written is tried until it can, and one that is lost ends the process."""

import errno

import pytest

from onecode_server.errors import OnecodeError, StoreUnavailable
from onecode_server.stores.write_probe import WriteProbe
from onecode_server.stores.write_state import WriteState
from onecode_server.telemetry.metrics import Metrics

FULL = OSError(errno.ENOSPC, "No space left on device")


class Failing:
    """A store whose next tries fail."""

    def __init__(self, fails: int, fault: Exception = FULL) -> None:
        self.fault = fault
        self.state = WriteState()
        self.fails = fails
        self.tries = 0

    @property
    def write_fault(self) -> str | None:
        return self.state.fault

    @property
    def is_lost(self) -> bool:
        return self.state.is_lost

    async def probe(self) -> None:
        self.tries += 1
        if self.tries <= self.fails:
            self.state.failed(self.fault)
            raise StoreUnavailable("a test")
        self.state.succeeded()


async def test_a_store_that_is_well_is_not_tried() -> None:
    store = Failing(0)
    await WriteProbe(store, Metrics()).probe()  # type: ignore[arg-type]
    assert store.tries == 0


async def test_a_store_that_failed_is_tried_until_it_can_be_written() -> None:
    store, metrics = Failing(2), Metrics()
    probe = WriteProbe(store, metrics)  # type: ignore[arg-type]
    store.state.failed(FULL)
    shown = []
    for _ in range(4):
        await probe.probe()
        shown.append(metrics.registry.get_sample_value("onecode_store_write_fault"))
    assert (store.tries, shown) == (3, [1, 1, 0, 0])


async def test_a_store_that_lmdb_gave_up_is_opened_anew_by_a_new_process() -> None:
    store = Failing(9, RuntimeError("mdb_txn_begin: MDB_PANIC: Update of meta page failed"))
    store.state.failed(OSError(errno.EIO, "Input/output error"))
    with pytest.raises(OnecodeError, match="opened anew: MDB_PANIC"):
        await WriteProbe(store, Metrics()).probe()  # type: ignore[arg-type]
