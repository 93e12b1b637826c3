"""Shows how much room the store has: a store that is nearly full is to be seen before publishers are refused."""

import math
from typing import Final

from onecode_server.stores.protocol import Store
from onecode_server.system.own_thread import OwnThread, ThreadBusy
from onecode_server.telemetry.metrics import Metrics

LOOK_S: Final = 5.0
"""The period of looks: a store grows by some 200 bytes a record, and ten seconds of publishing write megabytes."""
ANSWER_S: Final = 2.0
"""The time for the disk to answer, which takes it microseconds."""


class SpaceGauges:
    """Asks a store for its room, on a thread of its own: a file system that has gone holds whoever asks it.

    Where there is no answer in time, or an error, the gauges are NaN: the last numbers might be wrong by now.
    """

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._thread = OwnThread("store-space", waiting_max=1)

    async def look(self) -> None:
        """Ask once. Raises nothing that the environment causes."""
        try:
            space = await self._thread.call(self._store.space, ANSWER_S)
        except (OSError, TimeoutError, ThreadBusy, RuntimeError):  # RuntimeError: no thread can be started
            self._show(math.nan, math.nan, math.nan)
        else:
            self._show(*space)

    def close(self) -> None:
        """Ask no more."""
        self._thread.close()

    def _show(self, used: float, disk_free: float, growth_free: float) -> None:
        self._metrics.store_used.set(used)
        self._metrics.disk_free.set(disk_free)
        self._metrics.map_free.set(growth_free)
