"""Every attack of the catalogue, for a moment: whoever calls politely meanwhile is answered, and nothing piles up.

How long they wait is measured by ``make attack``, on cores of their own.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc

from benchmarks.attacks.catalogue import ATTACKS, SECURED, excused
from benchmarks.attacks.polite import credentials
from benchmarks.attacks.secured import make_authority
from benchmarks.attacks.target import Target
from benchmarks.attacks.way import Way
from benchmarks.shown import Authority
from tests.integration.deployment import Deployment, Server

ATTACK_S, POLITE_EVERY_S = 1.0, 0.1
PATIENCE_S = 60
"""Only a machine that is busy with other things takes as long."""
GROWTH_BYTES_MAX = 96 * 2**20
"""A server that holds what an attack sends would grow by some hundred MiB a second."""


class Attacked(NamedTuple):
    """A server, codes that it admits, and what its callers show."""

    server: Server
    codes: list[bytes]
    authority: Authority
    channel_credentials: grpc.ChannelCredentials | None


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "certs")


@pytest.fixture(scope="module")
def attacked(
    made: Deployment, authority: Authority, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Attacked]:
    deployment, shown = made.copy_to(tmp_path_factory.mktemp("attacked") / "data"), request.param
    running = Server(deployment, *Way(shown, authority).flags)
    shows = credentials(shown, authority.directory) if shown else None
    yield Attacked(running, deployment.issue("420000", count=50), authority, shows)
    assert running.end() == 0


@pytest.mark.parametrize(
    ("attacked", "name"), [(SECURED.get(name, ""), name) for name in ATTACKS], indirect=["attacked"]
)
async def test_a_polite_caller_is_answered_beside_an_attack(attacked: Attacked, name: str):
    server, codes, authority, shown = attacked
    if "errors" in excused(name, server.front()):
        pytest.skip("grpcio gives no means to bound this attack")
    before = server.anonymous_bytes()
    attack = asyncio.ensure_future(ATTACKS[name](Target(server.address, server.page, codes, authority=authority)))
    decisions = await polite(server, codes, shown)
    assert not attack.done(), attack.exception()
    attack.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attack
    assert set(decisions) == {pb.DECISION_ADMIT}
    assert server.anonymous_bytes() - before < GROWTH_BYTES_MAX


async def polite(server: Server, codes: list[bytes], shown: grpc.ChannelCredentials | None) -> list[int]:
    """Check codes for as long as an attack lasts, each on a connection of its own, and once more after a while."""
    ends_s = asyncio.get_running_loop().time() + ATTACK_S
    decisions: list[int] = []
    while asyncio.get_running_loop().time() < ends_s or len(decisions) < 3:
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        secure, plain = grpc.aio.secure_channel, grpc.aio.insecure_channel
        async with secure(server.address, shown, options) if shown else plain(server.address, options) as channel:
            request = pb.VerifyRequest(code=codes[len(decisions) % len(codes)], host_region="420000")
            answer = await recognition_pb2_grpc.RecognitionServiceStub(channel).Verify(request, timeout=PATIENCE_S)
        decisions.append(answer.verdict.decision)
        await asyncio.sleep(POLITE_EVERY_S)
    return decisions
