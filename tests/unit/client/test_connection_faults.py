"""Where the two sides do not agree about TLS, or about who calls, the error says so in words.

The servers are gRPC's own TLS (BoringSSL) and Python's (OpenSSL), which end connections in different ways.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from onecode_client import (
    AsyncOnecodeClient,
    OnecodeClient,
    OperatorClient,
    PermissionDenied,
    ServerError,
    Tls,
    Unauthenticated,
)
from onecode_client.connection_faults import explain
from onecode_server.cli.development_ca import DevelopmentCa

from tests.unit.client.echoing import DAYS, Echo, Files, credentials, serving


@contextmanager
def openssl(authority: DevelopmentCa, directory: Path, *, wants_certificate: bool = True) -> Iterator[str]:
    """A server that is through with each connection after its handshake, of which it makes what OpenSSL does."""
    certificate, key = authority.issue_to_server(["127.0.0.1"], DAYS)
    (directory / "s.crt").write_bytes(certificate)
    (directory / "s.key").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "s.crt", directory / "s.key")
    context.load_verify_locations(authority.directory / "ca.crt")
    context.set_alpn_protocols(["h2"])
    context.verify_mode = ssl.CERT_REQUIRED if wants_certificate else ssl.CERT_NONE

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(60)
            with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as spoken:
                spoken.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(params=["BoringSSL", "OpenSSL"])
def server(request: pytest.FixtureRequest, authority: DevelopmentCa, tmp_path: Path) -> Iterator[str]:
    """A server that wants a certificate."""
    with ExitStack() as stack:
        if request.param == "OpenSSL":
            yield stack.enter_context(openssl(authority, tmp_path))
        else:
            yield stack.enter_context(serving(Echo(), credentials(authority)))


def refusal(address: str, tls: Tls | None) -> tuple[str, str, str]:
    with OnecodeClient(address, tls=tls) as client, pytest.raises(ServerError) as refused:
        client.verify(b"x", "110000")
    return refused.value.code, refused.value.reason, str(refused.value)


def test_a_plaintext_client_is_told_that_the_server_speaks_tls(server: str) -> None:
    code, reason, text = refusal(server, None)
    assert (code, reason) == ("UNAVAILABLE", "SERVER_SPEAKS_TLS")
    assert "most likely it speaks TLS" in text


def test_a_client_without_a_certificate_is_told_that_the_server_wants_one(
    server: str, authority: DevelopmentCa
) -> None:
    code, reason, text = refusal(server, Tls(authority.directory / "ca.crt"))
    assert (code, reason) == ("UNAVAILABLE", "CERTIFICATE_WANTED")
    assert "wants a client certificate" in text


def test_a_client_with_a_certificate_of_another_authority_is_told_that_it_is_refused(
    server: str, authority: DevelopmentCa, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Files(DevelopmentCa.make(tmp_path / "other", "onecode.internal"), tmp_path, "ops")
    code, reason, _ = refusal(server, Tls(authority.directory / "ca.crt", other.cert, other.key))
    assert (code, reason) == ("UNAVAILABLE", "CERTIFICATE_REFUSED")


def test_a_client_that_believes_other_authorities_is_told_that_the_server_is_not_trusted(
    server: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = DevelopmentCa.make(tmp_path / "other", "onecode.internal")
    assert refusal(server, Tls(other.directory / "ca.crt"))[:2] == ("UNAVAILABLE", "SERVER_NOT_TRUSTED")
    assert refusal(server, Tls())[:2] == ("UNAVAILABLE", "SERVER_NOT_TRUSTED")


def test_a_server_under_another_name_is_not_the_one_of_the_certificate(authority: DevelopmentCa) -> None:
    certificate, key = authority.issue_to_server(["gate.example"], DAYS)
    with serving(Echo(), grpc.ssl_server_credentials([(key, certificate)])) as address:
        assert refusal(address, Tls(authority.directory / "ca.crt"))[1] == "SERVER_NAME_DIFFERS"


def test_a_tls_client_is_told_that_the_server_does_not_speak_it(authority: DevelopmentCa) -> None:
    with serving(Echo()) as address:
        assert refusal(address, Tls(authority.directory / "ca.crt"))[1] == "SERVER_SPEAKS_PLAINTEXT"


@pytest.mark.parametrize("tls", [None, Tls()])
def test_a_server_that_is_not_there_has_nothing_to_do_with_tls(tls: Tls | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    assert refusal(address, tls)[:2] == ("UNAVAILABLE", "")


def test_a_connection_that_breaks_later_has_nothing_to_do_with_tls() -> None:
    assert explain("Socket closed", speaks_tls=False, has_certificate=False) is None


@pytest.fixture(params=[grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
def refusing(request: pytest.FixtureRequest) -> Iterator[tuple[str, type[ServerError]]]:
    """A server that refuses each caller, and says why to programs too; and the error that it is."""
    info = AnyMessage()
    info.Pack(error_details_pb2.ErrorInfo(reason="BECAUSE"))
    details = status_pb2.Status(code=request.param.value[0], details=[info]).SerializeToString()

    class Refusing(grpc.GenericRpcHandler):
        def service(self, _: Any) -> Any:
            def refuse(_: Any, context: Any) -> None:
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
                context.abort(request.param, "not you")

            return grpc.stream_stream_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(4), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    is_unknown = request.param is grpc.StatusCode.UNAUTHENTICATED
    yield f"127.0.0.1:{port}", Unauthenticated if is_unknown else PermissionDenied
    server.stop(None).wait()


async def test_a_caller_without_the_right_gets_an_error_of_its_own_kind(
    refusing: tuple[str, type[ServerError]],
) -> None:
    address, kind = refusing
    with OnecodeClient(address) as client, pytest.raises(kind) as refused:
        client.verify(b"x", "110000")
    assert (refused.value.reason, refused.value.args[1]) == ("BECAUSE", "not you")
    with OperatorClient(address) as operator, pytest.raises(kind, match="not you"):
        list(operator.publish([]))
    async with AsyncOnecodeClient(address) as client_async:
        with pytest.raises(kind, match="not you"):
            await client_async.translate(b"x", "110000")
