"""Fixtures that more than one folder of tests needs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.world import World


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A small country, its trust list taken."""
    made = World(tmp_path)
    await made.start()
    yield made
    await made.store.close()
