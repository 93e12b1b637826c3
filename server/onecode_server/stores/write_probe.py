"""Finds out whether a store can be written again: a refused publisher may not come back for hours."""

from contextlib import suppress
from typing import Final

from onecode_server.errors import OnecodeError, StoreUnavailable
from onecode_server.stores.protocol import WritableStore
from onecode_server.telemetry.metrics import Metrics

PROBE_S: Final = 5.0
"""The period of the probe while the store cannot be written. A fault of a disk seldom ends sooner."""


class WriteProbe:
    """Tries a write for as long as the last ones failed."""

    def __init__(self, store: WritableStore, metrics: Metrics) -> None:
        self._store = store
        metrics.store_write_fault.set_function(lambda: store.write_fault is not None)

    async def probe(self) -> None:
        """Try once, where the last writes failed. Raises OnecodeError where the process must end, to open the store
        anew."""
        if self._store.write_fault is None:
            return
        with suppress(StoreUnavailable):  # the store has noted it
            await self._store.probe()
        if self._store.is_lost:
            raise OnecodeError(f"the store must be opened anew: {self._store.write_fault}")
