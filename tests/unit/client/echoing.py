"""A TLS server that answers each call with what it knows of the caller, and certificates to call it with."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from onecode.v1 import recognition_pb2, status_pb2, trust_list_pb2
from onecode_client import Tls
from onecode_server.cli.development_ca import DevelopmentCa

DAYS = 1


class Files:
    """The files of a client, which a test replaces."""

    def __init__(self, authority: DevelopmentCa, directory: Path, path: str) -> None:
        self.authority = authority
        self.cert, self.key, self.token = (directory / name for name in ("tls.crt", "tls.key", "token"))
        self.tls = Tls(authority.directory / "ca.crt", self.cert, self.key)
        self.become(path)
        self.token.write_text("first\n")

    def made(self, path: str) -> tuple[bytes, bytes]:
        """Return a certificate and key of a caller with the path in its SPIFFE id."""
        return self.authority.issue_to_caller(f"spiffe://{self.authority.trust_domain}/{path}", DAYS)

    def become(self, path: str) -> None:
        """Replace certificate and key, one after the other, as the tools that renew them do."""
        for file, content in zip((self.cert, self.key), self.made(path), strict=True):
            file.write_bytes(content)


class Echo:
    """Answers with the caller's SPIFFE id and its ``authorization``. The code ``hold`` waits for ``go_on``."""

    def __init__(self) -> None:
        self.held = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.failures: list[grpc.StatusCode] = []
        self.streams: list[str] = []

    def verify(self, request: Any, context: Any) -> recognition_pb2.VerifyResponse:
        if request.code == b"hold":
            self.held.release()
            assert self.go_on.wait(60)
        return recognition_pb2.VerifyResponse(verdict=self._verdict(context))

    def batch_verify(self, request: Any, context: Any) -> recognition_pb2.BatchVerifyResponse:
        return recognition_pb2.BatchVerifyResponse(verdicts=[self._verdict(context)] * len(request.codes))

    def trust_list(self, request: Any, context: Any) -> trust_list_pb2.GetTrustListResponse:
        return trust_list_pb2.GetTrustListResponse(signed_list=" ".join(caller(context)).encode())

    def publish(self, requests: Any, context: Any) -> Iterator[status_pb2.PublishStatusesResponse]:
        self.streams.append(caller(context)[1])
        for request in requests:
            self._fail(context)
            yield status_pb2.PublishStatusesResponse(durable_through=request.sequence)

    def services(self) -> list[grpc.GenericRpcHandler]:
        """Return the calls that there are."""

        def unary(method: Any, request: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(method, request.FromString, lambda m: m.SerializeToString())

        publish: Any = grpc.stream_stream_rpc_method_handler(
            self.publish, status_pb2.PublishStatusesRequest.FromString, lambda m: m.SerializeToString()
        )
        calls = {
            "RecognitionService": {
                "Verify": unary(self.verify, recognition_pb2.VerifyRequest),
                "BatchVerify": unary(self.batch_verify, recognition_pb2.BatchVerifyRequest),
            },
            "StatusService": {"PublishStatuses": publish},
            "TrustListService": {"GetTrustList": unary(self.trust_list, trust_list_pb2.GetTrustListRequest)},
        }
        return [grpc.method_handlers_generic_handler(f"onecode.v1.{name}", found) for name, found in calls.items()]

    def _verdict(self, context: Any) -> recognition_pb2.Verdict:
        self._fail(context)
        identity, authorization = caller(context)
        return recognition_pb2.Verdict(home_region=identity, exception_id=authorization)

    def _fail(self, context: Any) -> None:
        if self.failures:
            context.abort(self.failures.pop(), "not now")


def caller(context: Any) -> tuple[str, str]:
    """Return who calls by certificate, and the authorization that it sent."""
    names = context.auth_context().get("peer_spiffe_id", [b"nobody"])
    sent = dict(context.invocation_metadata())
    return names[0].decode(), sent.get("authorization", "none")


@contextmanager
def serving(echo: Echo, credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    """Serve on a port of the system's choice, and yield the address; without credentials in plaintext."""
    server = grpc.server(ThreadPoolExecutor(32), handlers=echo.services())
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        echo.go_on.set()
        server.stop(None).wait()


def credentials(
    authority: DevelopmentCa, names: Sequence[str] = ("127.0.0.1", "localhost"), *, wants_certificate: bool = True
) -> grpc.ServerCredentials:
    """Return those of a server, by default on this machine."""
    certificate, key = authority.issue_to_server([*names], DAYS)
    ca = (authority.directory / "ca.crt").read_bytes()
    return grpc.ssl_server_credentials([(key, certificate)], ca if wants_certificate else None, wants_certificate)
