"""Every attack of the catalogue, for a moment: whoever calls politely meanwhile is answered, and nothing piles up.

How long they wait is measured by ``make attack``, on cores of their own.
"""

import asyncio
import contextlib
from collections.abc import Iterator

import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc

from benchmarks.attacks.catalogue import ATTACKS, excused
from benchmarks.attacks.target import Target
from tests.integration.deployment import Deployment, Server

ATTACK_S, POLITE_EVERY_S = 1.5, 0.1
PATIENCE_S = 60
"""Only a machine that is busy with other things takes as long."""
GROWTH_BYTES_MAX = 96 * 2**20
"""A server that holds what an attack sends would grow by some hundred MiB a second."""


@pytest.fixture(scope="module")
def attacked(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[bytes]]]:
    deployment = made.copy_to(tmp_path_factory.mktemp("attacked") / "data")
    running = Server(deployment)
    yield running, deployment.issue("420000", count=50)
    assert running.end() == 0


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_polite_caller_is_answered_beside_an_attack(attacked: tuple[Server, list[bytes]], name: str):
    server, codes = attacked
    if "errors" in excused(name, server.front()):
        pytest.skip("grpcio gives no means to bound this attack")
    before = server.anonymous_bytes()
    attack = asyncio.ensure_future(ATTACKS[name](Target(server.address, server.page, codes)))
    decisions = await polite(server, codes)
    assert not attack.done(), attack.exception()
    attack.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attack
    assert set(decisions) == {pb.DECISION_ADMIT}
    assert server.anonymous_bytes() - before < GROWTH_BYTES_MAX


async def polite(server: Server, codes: list[bytes]) -> list[int]:
    """Check codes for as long as an attack lasts, each on a connection of its own, and once more after a while."""
    ends_s = asyncio.get_running_loop().time() + ATTACK_S
    decisions: list[int] = []
    while asyncio.get_running_loop().time() < ends_s or len(decisions) < 3:
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        async with grpc.aio.insecure_channel(server.address, options=options) as channel:
            request = pb.VerifyRequest(code=codes[len(decisions) % len(codes)], host_region="110000")
            answer = await recognition_pb2_grpc.RecognitionServiceStub(channel).Verify(request, timeout=PATIENCE_S)
        decisions.append(answer.verdict.decision)
        await asyncio.sleep(POLITE_EVERY_S)
    return decisions
