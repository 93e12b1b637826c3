"""``onecode health``: asks a server whether it serves, for containers and scripts."""

from typing import Any, Final

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from onecode_client import CredentialsUnusable
from onecode_client.access import Access
from onecode_server.cli.target import Target, calls_server_argument
from onecode_server.errors import Misconfigured, OnecodeError

_TIMEOUT_S_MAX: Final = 300.0


@click.command()
@calls_server_argument
@click.option("--service", default="", help="Of one service, such as onecode.v1.StatusService. Default: of the server.")
@click.option(
    "--timeout",
    "timeout_s",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.1, _TIMEOUT_S_MAX),
    help="Seconds.",
)
def health(target: Target, service: str, timeout_s: float) -> None:
    """Ask a server whether it serves (gRPC's health check). Ends with status 0 if it does, else 1.

    The server is asked once: whoever starts this command asks again.
    """
    try:
        access = Access(target.server, target.tls, target.token_file)
    except CredentialsUnusable as fault:
        raise Misconfigured(str(fault)) from None
    request = health_pb2.HealthCheckRequest(service=service)
    with access.channel() as channel:
        try:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # the type that it comes with has no calls
            answer = stub.Check(request, timeout=timeout_s, metadata=access.metadata())
        except grpc.RpcError as fault:
            raise OnecodeError(str(access.error(fault))) from None
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise OnecodeError(f"{target.server} is {status}")
    click.echo(status)
