"""Reports that no server would file: written into its store, as one that was filed long ago."""

import asyncio
from pathlib import Path

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores.lmdb import LmdbStore

from tests.world import filed


def store_report(data_dir: Path, report: RecognitionException) -> None:
    """Write a report as it is, also beside a running server."""

    async def write() -> None:
        store = LmdbStore(data_dir / "store")
        try:
            await store.change_exceptions(filed(report))
        finally:
            await store.close()

    asyncio.run(write())
