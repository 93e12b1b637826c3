"""Finds out that the store can be written again: a publisher that was refused may not come back for hours."""

from contextlib import suppress
from typing import Final

from onecode_server.errors import OnecodeError, StoreUnavailable
from onecode_server.metrics import Metrics
from onecode_server.stores.protocol import Store

PROBE_S: Final = 5.0
"""How often a store that cannot be written is tried. A fault of the disk is over as seldom as it comes."""


class WriteProbe:
    """Tries a write for as long as the last ones failed."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        metrics.store_write_fault.set_function(lambda: store.write_fault is not None)

    async def look(self) -> None:
        """Try once, where there is need. Raises OnecodeError where the process must end, to open the store anew."""
        if self._store.write_fault is None:
            return
        with suppress(StoreUnavailable):  # which the store has noted
            await self._store.probe()
        if self._store.is_lost:
            raise OnecodeError(f"the store must be opened anew: {self._store.write_fault}")
