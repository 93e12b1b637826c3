"""A verifier that has no server, on the list of a test's small country, at its clock."""

from collections.abc import Callable
from pathlib import Path

import pytest

from onecode_client.offline import Offline

from tests.world import SECOND, World

Verifying = Callable[[World], Offline]


@pytest.fixture
def verifying(tmp_path: Path) -> Verifying:
    """Return a function that makes a verifier on the list that the world has signed last."""

    def make(world: World) -> Offline:
        root = world.root.public_key
        return Offline(world.file.read_bytes(), root, tmp_path / "kept", clock=lambda: world.now / SECOND)

    return make
