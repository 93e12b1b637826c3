"""A store on a directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from onecode_server.stores.lmdb import LmdbStore


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest_asyncio.fixture
async def store(directory: Path) -> AsyncIterator[LmdbStore]:
    store = LmdbStore(directory, lambda: 1000)
    yield store
    await store.close()
