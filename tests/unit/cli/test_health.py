"""``onecode health``, and a command over TLS: what the command line says reaches the server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from onecode_server.cli.development_ca import DevelopmentCa

from tests.integration.deployment import called, expect, free_port
from tests.unit.client.echoing import Echo, Files, caller, credentials, serving

STATUS = {"": "SERVING", "sick": "NOT_SERVING"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentCa:
    return DevelopmentCa.make(tmp_path_factory.mktemp("authority"), "onecode.internal")


@pytest.fixture
def files(authority: DevelopmentCa, tmp_path: Path) -> Files:
    return Files(authority, tmp_path, "ops")


@pytest.fixture(params=["plaintext", "TLS"])
def asked(request: pytest.FixtureRequest, authority: DevelopmentCa, files: Files) -> Iterator[tuple[Any, list[Any]]]:
    """``onecode health`` on a server, and the callers that the server has seen."""
    callers: list[Any] = []

    def check(question: Any, context: Any) -> Any:
        callers.append(caller(context))
        if question.service not in STATUS:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=STATUS[question.service])

    calls = {
        "Check": grpc.unary_unary_rpc_method_handler(
            check, health_pb2.HealthCheckRequest.FromString, health_pb2.HealthCheckResponse.SerializeToString
        )
    }
    handlers = [grpc.method_handlers_generic_handler("grpc.health.v1.Health", calls)]
    server = grpc.server(ThreadPoolExecutor(2), handlers=handlers)
    options: tuple[object, ...] = ("--token-file", files.token)
    if request.param == "TLS":
        port = server.add_secure_port("127.0.0.1:0", credentials(authority))
        options += ("--tls-ca", files.tls.ca, "--tls-cert", files.cert, "--tls-key", files.key)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield lambda *more: called("health", f"127.0.0.1:{port}", *options, *more), callers
    server.stop(None).wait()


def test_a_server_that_serves_is_status_0_and_any_other_is_status_1(asked: tuple[Any, list[Any]]) -> None:
    health, callers = asked
    assert health() == (0, "SERVING\n", "")
    assert callers[0] in {("nobody", "Bearer first"), ("spiffe://onecode.internal/ops", "Bearer first")}
    sick = health("--service", "sick")
    assert (sick.status, sick.out, sick.err.endswith(" is NOT_SERVING\n")) == (1, "", True)
    unknown = health("--service", "no such")
    assert (unknown.status, unknown.err) == (1, "onecode: NOT_FOUND: unknown service\n")


def test_a_server_that_is_not_there_is_status_1() -> None:
    ended = called("health", f"127.0.0.1:{free_port()}")
    assert (ended.status, ended.err.count("\n"), "UNAVAILABLE" in ended.err) == (1, 1, True)


def test_a_server_on_tls_is_named_as_such_to_a_command_in_plaintext(authority: DevelopmentCa) -> None:
    with serving(Echo(), credentials(authority)) as address:
        ended = called("health", address)
    assert (ended.status, "most likely it speaks TLS" in ended.err) == (1, True)


def test_a_server_is_believed_by_another_name_than_its_address_where_that_is_said(
    authority: DevelopmentCa, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = tmp_path / "contexts.toml"
    shown = ("--tls-ca", files.tls.ca, "--tls-cert", files.cert, "--tls-key", files.key)
    with serving(Echo(), credentials(authority, ["gate.example"])) as address:
        asked = ("verify", "--server", address, *shown, "--host", "420000", "x", "--json")
        contexts.write_text('[here]\ntls_server_name = "gate.example"\n')
        assert called(*asked).status == 1
        assert called(*asked, "--tls-server-name", "other.example").status == 1
        assert "ops" in expect(called(*asked, "--tls-server-name", "gate.example"))
        assert "ops" in expect(called("--contexts-file", contexts, "--context", "here", *asked))
        monkeypatch.setenv("ONECODE_TLS_SERVER_NAME", "gate.example")
        assert "ops" in expect(called(*asked))


def test_a_check_goes_to_the_server_of_a_context_with_its_certificate_and_its_token(
    authority: DevelopmentCa, files: Files, tmp_path: Path
) -> None:
    contexts = tmp_path / "contexts.toml"
    with serving(Echo(), credentials(authority)) as address:
        contexts.write_text(
            f'[here]\nserver = "{address}"\ntls_ca = "{files.tls.ca}"\ntls_cert = "{files.cert.name}"\n'
            f'tls_key = "{files.key.name}"\ntoken_file = "{files.token.name}"\n'
        )
        asked = ("--contexts-file", contexts, "--context", "here", "verify", "--host", "420000", "x", "--json")
        answer = expect(called(*asked))
    assert "spiffe://onecode.internal/ops" in answer
    assert "Bearer first" in answer
