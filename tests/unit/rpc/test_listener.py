"""The listener's limits reach gRPC: it takes any name for an option, and says nothing of those it does not know."""

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # the stubs of gRPC do not have it

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_server import assembly
from onecode_server.identity.tls_files import TlsFiles
from onecode_server.rpc import listener
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import NOTHING, Callers, Credentials

from tests.certificates import Authority
from tests.world import World


def test_every_option_is_one_that_grpc_knows() -> None:
    library = Path(cygrpc.__file__).read_bytes()
    options = (*listener._OPTIONS, *listener._BEHIND_FRONT)
    unknown = [name for name, _ in options if f"{name}\0".encode() not in library]
    assert unknown == []


async def test_a_connection_with_tls_is_renewed_and_its_calls_do_not_fail(world: World) -> None:
    authority = Authority()
    leaf = authority.server()
    files = TlsFiles(leaf.chain_pem, leaf.key_pem, None, None, 1)
    peers: set[str] = set()

    def shown(context: Any) -> Credentials:
        peers.add(context.peer())
        return NOTHING

    served = listener.GrpcListener(
        assembly.services(world.engine),
        world.metrics,
        Callers(OnlyLocal(), shown),
        connections_max=64,
        reflects=False,
        shares_port=False,
        connection_age_s=0.1,
        tls=lambda: files,
    )
    port = await served.start("127.0.0.1", 0)
    request = pb.VerifyRequest(code=b"code", host_region="420000")
    async with grpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(authority.pem)) as channel:
        stub = pb_grpc.RecognitionServiceStub(channel)
        while len(peers) < 3:
            await stub.Verify(request, timeout=30)
    await served.drain(5)
