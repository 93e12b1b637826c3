"""Programs that are not ours, or not in Python, on the same contract."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2

from onecode.v1 import recognition_pb2
from onecode_server.cli.development_ca import DevelopmentCa

from tests.integration.deployment import Deployment, Server
from tests.unit.client.echoing import Echo, Files, credentials, serving

ROOT = Path(__file__).parents[2]
GO_CLIENT = ROOT / "clients" / "go" / "bin" / "onecode-verify"
GRPCURL = shutil.which("grpcurl")


@pytest.mark.skipif(not GO_CLIENT.exists(), reason="the Go client is not built: run 'make go-client' (needs Go)")
def test_a_go_program_on_generated_stubs_verifies_a_code(server: Server, shared: Deployment) -> None:
    code = shared.issue("440000")[0].decode()
    asked = [str(GO_CLIENT), "--server", server.address, "--host", "420000", code, "no code"]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    good, bad = (line.split() for line in ended.stdout.splitlines())
    assert good[:4] == ["ADMIT", "GREEN", "GREEN", "440000"]
    assert bad[0] == "REFUSE"


@pytest.mark.skipif(not GO_CLIENT.exists(), reason="the Go client is not built: run 'make go-client' (needs Go)")
def test_a_go_program_on_tls_takes_the_certificates_and_the_token_that_are_made_for_development(tmp_path: Path) -> None:
    authority = DevelopmentCa.make(tmp_path, "onecode.internal")
    files = Files(authority, tmp_path, "gateway/g1")
    with serving(Echo(), credentials(authority)) as address:
        asked = [str(GO_CLIENT), "--server", address, "--host", "420000", "--json", "x"]
        asked += ["--tls-ca", str(files.tls.ca), "--tls-cert", str(files.cert), "--tls-key", str(files.key)]
        asked += ["--token-file", str(files.token)]
        ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    verdict = json.loads(ended.stdout)
    assert (verdict["home_region"], verdict["exception_id"]) == (
        "spiffe://onecode.internal/gateway/g1",
        "Bearer first",
    )


@pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not installed")
def test_grpcurl_calls_what_the_protos_say(server: Server) -> None:
    asked = [str(GRPCURL), "-plaintext", "-import-path", str(ROOT / "protos"), "-proto", "onecode/v1/recognition.proto"]
    asked += ["-d", '{"code": "bm8=", "host_region": "420000"}', server.address, "onecode.v1.RecognitionService/Verify"]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    assert "REASON_FORMAT_UNKNOWN" in ended.stdout


Question = reflection_pb2.ServerReflectionRequest
REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


@pytest.fixture(scope="module")
def reflecting(shared: Deployment) -> Iterator[Server]:
    running = Server(shared, "--reflection", "true")
    yield running
    running.end()


def asked(server: Server, package: str, question: Question) -> reflection_pb2.ServerReflectionResponse:
    """Return the answer to one question, by the messages of the earlier protocol: both have the same bytes."""
    ask = server.channel().stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        Question.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    (answer,) = ask(iter([question]), timeout=60)
    return answer


@pytest.mark.parametrize("package", REFLECTION)
def test_reflection_tells_what_can_be_called_by_either_version(reflecting: Server, package: str) -> None:
    found = asked(reflecting, package, Question(list_services="")).list_services_response.service
    listed = [one.name for one in found]
    services = ("RecognitionService", "StatusService", "ExceptionService", "TrustListService")
    reflections = [f"{version}.ServerReflection" for version in REFLECTION]
    assert sorted(listed) == sorted(
        [*(f"onecode.v1.{name}" for name in services), "grpc.health.v1.Health", *reflections]
    )
    for name in listed:
        answer = asked(reflecting, package, Question(file_containing_symbol=name))
        assert answer.WhichOneof("message_response") == "file_descriptor_response"


@pytest.mark.parametrize("package", REFLECTION)
def test_what_reflection_describes_is_what_a_stub_made_of_it_calls(reflecting: Server, package: str) -> None:
    """As a client does that knows nothing else: messages from the answer, and a call with them."""
    method = recognition_pb2.DESCRIPTOR.services_by_name["RecognitionService"].full_name
    symbols = (method, f"{package}.ServerReflection")
    answers = [asked(reflecting, package, Question(file_containing_symbol=symbol)) for symbol in symbols]
    messages = _messages([file for one in answers for file in one.file_descriptor_response.file_descriptor_proto])
    question = messages[f"{package}.ServerReflectionRequest"](list_services="")
    ask = reflecting.channel().stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        type(question).SerializeToString,
        messages[f"{package}.ServerReflectionResponse"].FromString,
    )
    (answer,) = ask(iter([question]), timeout=60)
    assert method in [one.name for one in answer.list_services_response.service]
    request = messages["onecode.v1.VerifyRequest"](code=b"no code", host_region="420000")
    call = reflecting.channel().unary_unary(
        f"/{method}/Verify", type(request).SerializeToString, messages["onecode.v1.VerifyResponse"].FromString
    )
    assert call(request, timeout=60).verdict.reason == recognition_pb2.REASON_FORMAT_UNKNOWN


def test_without_the_setting_neither_version_answers(server: Server) -> None:
    for package in REFLECTION:
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            asked(server, package, Question(list_services=""))


@pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not installed")
def test_grpcurl_needs_no_protos_where_there_is_reflection(reflecting: Server) -> None:
    def ask(*arguments: str) -> str:
        command = [str(GRPCURL), "-plaintext", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    assert "grpc.reflection.v1.ServerReflection" in ask(reflecting.address, "list").split()
    assert "rpc StreamVerify" in ask(reflecting.address, "describe")
    data = '{"code": "bm8=", "host_region": "420000"}'
    output = ask("-d", data, reflecting.address, "onecode.v1.RecognitionService/Verify")
    assert "REASON_FORMAT_UNKNOWN" in output


def _messages(files: list[bytes]) -> dict[str, Any]:
    """Return the messages that files describe; they are classes that only this process knows."""
    pool = DescriptorPool()
    protos: dict[str, FileDescriptorProto] = {}
    for file in files:
        proto = FileDescriptorProto.FromString(file)
        protos.setdefault(proto.name, proto)

    def add(name: str) -> None:
        if proto := protos.pop(name, None):
            for imported in proto.dependency:
                add(imported)
            pool.Add(proto)
            names.append(name)

    names: list[str] = []
    for name in list(protos):
        add(name)
    described = [message for name in names for message in pool.FindFileByName(name).message_types_by_name.values()]
    return {message.full_name: GetMessageClass(message) for message in described}
