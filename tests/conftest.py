"""Fixtures that more than one folder of tests needs."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

# Its plugin imports it at a run's end at the latest, where CPython 3.11.7 has failed to compile it after asynchronous
# tests: a SystemError about the depth of its recursion.
import hypothesis  # noqa: F401
import pytest_asyncio

from tests.world import World

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]  # tests reach this machine alone; those about proxies set their own

if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Whoever starts the tests under nohup(1) has it ignored in all that they start: those about SIGHUP ask for that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A small country, its trust list taken."""
    made = World(tmp_path)
    await made.start()
    yield made
    await made.store.close()
