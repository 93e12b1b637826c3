"""Fixtures that more than one folder of tests needs."""

from collections.abc import AsyncIterator
from pathlib import Path

# Its plugin imports it at a run's end at the latest. After asynchronous tests alone that has failed in CPython 3.11.7: a
# SystemError of the compiler, about the depth of its recursion.
import hypothesis  # noqa: F401
import pytest_asyncio

from tests.world import World


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A small country, its trust list taken."""
    made = World(tmp_path)
    await made.start()
    yield made
    await made.store.close()
