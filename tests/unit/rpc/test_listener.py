"""The listener's limits reach gRPC: it takes any name for an option, and says nothing of those it does not know."""

from pathlib import Path

from grpc._cython import cygrpc  # type: ignore[attr-defined]  # the stubs of gRPC do not have it

from onecode_server.rpc import listener


def test_every_option_is_one_that_grpc_knows() -> None:
    library = Path(cygrpc.__file__).read_bytes()
    unknown = [name for name, _ in listener._OPTIONS if f"{name}\0".encode() not in library]
    assert unknown == []
