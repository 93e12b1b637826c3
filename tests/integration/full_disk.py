"""A store whose file cannot grow, as on a full disk, and enough to publish that it must."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from onecode.v1 import status_pb2, status_pb2_grpc
from onecode_client import status_record

from tests.integration.deployment import Deployment, Server, record


@contextmanager
def full_disk(server: Server, deployment: Deployment, *workers: int) -> Iterator[None]:
    """Let no file of a running server, or of its workers, grow past what its store has, until the end (setrlimit(2):
    EFBIG)."""
    had = (deployment.path / "store" / "data.mdb").stat().st_size
    with ExitStack() as limits:
        for pid in workers or (server.process.pid,):
            usual = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (had, usual[1]))
            limits.callback(resource.prlimit, pid, resource.RLIMIT_FSIZE, usual)
        yield


def publish_many(server: Server, name: str = "many") -> None:
    """Publish more than there are free pages for, of subjects with a name. Raises grpc.RpcError."""
    records = (status_record(record("420000", "GREEN", f"{name}-{n}")) for n in range(5000))
    requests = [status_pb2.PublishStatusesRequest(sequence=n, record=one) for n, one in enumerate(records, 1)]
    stub = status_pb2_grpc.StatusServiceStub(server.channel())
    assert list(stub.PublishStatuses(iter(requests), timeout=100))[-1].durable_through == 5000
