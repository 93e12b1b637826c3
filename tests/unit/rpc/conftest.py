"""What several tests of this directory need."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.rpc.stand_in_front import Turned
from tests.world import World


@pytest.fixture
async def front(world: World) -> AsyncIterator[Turned]:
    turned = Turned(world)
    yield turned
    turned.calls.stop()
    turned.close()
