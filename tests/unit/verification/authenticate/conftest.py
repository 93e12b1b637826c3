"""A world whose layouts are known, for the property tests of columns."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.verification.authenticate.rows_and_single import Loop


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with tempfile.TemporaryDirectory() as path:
        started = Loop(Path(path))
        yield started
        started.runner.run(started.world.store.close())
        started.runner.close()
