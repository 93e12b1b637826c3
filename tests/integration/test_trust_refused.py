"""A trust list that must not be taken is refused, said so everywhere, and the last good one stays in force."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.codes.encodings import base64url
from onecode_server.crypto.signing import Signer, read_secret
from onecode_server.trust import document as trust_list

from tests.integration.deployment import TAKEN_S, Deployment, Server, eventually, expect

FAULT, REFUSED = "onecode_trust_list_fault", "onecode_trust_list_refused_total"


@pytest.fixture(scope="module")
def ruled(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment whose list in force is version 2; version 1 lies beside it."""
    copy = made.copy_to(tmp_path_factory.mktemp("ruled") / "data")
    copy.list_file.with_name("version-1").write_bytes(copy.list_file.read_bytes())
    expect(copy.trust("sign"))
    return copy


@pytest.fixture(scope="module")
def ruling(ruled: Deployment) -> Iterator[Server]:
    running = Server(ruled)
    yield running
    running.end(signal.SIGKILL)


def put(deployment: Deployment, content: bytes) -> None:
    """Replace the list at once, as an operator's tools do."""
    beside = deployment.path / "beside"
    beside.write_bytes(content)
    beside.replace(deployment.list_file)


def document(deployment: Deployment) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(trust_list.take_apart(deployment.list_file.read_bytes()).payload)
    return members


def older(deployment: Deployment) -> None:
    put(deployment, deployment.list_file.with_name("version-1").read_bytes())


def other_content_under_the_same_version(deployment: Deployment) -> None:
    root = Signer(read_secret(deployment.path / "root.key"))
    put(deployment, trust_list.put_together(document(deployment) | {"regions": []}, root.sign))


def signed_by_another_key(deployment: Deployment) -> None:
    put(deployment, trust_list.put_together(document(deployment) | {"version": 9}, Signer(bytes(32)).sign))


def changed_after_it_was_signed(deployment: Deployment) -> None:
    header, _, signature = deployment.list_file.read_bytes().strip().split(b".")
    payload = json.dumps(document(deployment) | {"version": 9}).encode()
    put(deployment, b".".join((header, base64url.encode(payload), signature)))


def truncated(deployment: Deployment) -> None:
    put(deployment, deployment.list_file.read_bytes()[:-100])


def empty(deployment: Deployment) -> None:
    put(deployment, b"")


def garbage(deployment: Deployment) -> None:
    put(deployment, bytes(range(256)) * 64)


def gone(deployment: Deployment) -> None:
    deployment.list_file.unlink()


def a_directory(deployment: Deployment) -> None:
    deployment.list_file.unlink()
    deployment.list_file.mkdir()


BAD: dict[Callable[[Deployment], None], str] = {
    older: "version 1 is older than 2",
    other_content_under_the_same_version: "version 2 was accepted before with other content",
    signed_by_another_key: "not signed by the root key",
    changed_after_it_was_signed: "not signed by the root key",
    truncated: "",
    empty: "not a compact JWS",
    garbage: "not a compact JWS",
    gone: "cannot be read",
    a_directory: "cannot be read",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_list_is_refused_and_the_last_good_one_stays(
    ruled: Deployment, ruling: Server, spoil: Callable[[Deployment], None]
):
    code, good = ruled.issue("420000")[0], ruled.list_file.read_bytes()
    refused, logged = ruling.samples(REFUSED)[()], len(ruling.log())
    spoil(ruled)
    eventually(lambda: ruling.samples(FAULT)[()] == 1, TAKEN_S)
    assert ruling.samples(REFUSED)[()] > refused
    assert ruling.health("onecode.trust_list") == "NOT_SERVING"
    assert ruling.health() == ruling.health("onecode.v1.RecognitionService") == "SERVING"
    status, report = ruling.healthz()
    assert (status, report["serving"], report["trust_list"]["version"]) == (200, True, 2)
    assert BAD[spoil] in report["trust_list"]["fault"]
    assert {line["level"] for line in ruling.log()[logged:]} == {"error"}
    answer = ruling.verify(code)
    assert (answer.verdict.decision, answer.trust_list_version) == (pb.DECISION_ADMIT, 2)
    if ruled.list_file.is_dir():
        ruled.list_file.rmdir()
    put(ruled, good)
    eventually(lambda: ruling.samples(FAULT)[()] == 0, TAKEN_S)
    assert ruling.health("onecode.trust_list") == "SERVING"
    assert ruling.healthz()[1]["trust_list"]["fault"] is None


def test_an_older_list_is_refused_after_a_restart_and_the_last_good_one_serves(deployment: Deployment, serve):
    code, first = deployment.issue("420000")[0], deployment.list_file.read_bytes()
    expect(deployment.trust("sign"))
    assert serve(deployment).end() == 0
    put(deployment, first)
    server = serve(deployment)
    assert server.verify(code).trust_list_version == 2
    assert server.samples(FAULT)[()] == 1
    assert server.health() == "SERVING"
    assert server.health("onecode.trust_list") == "NOT_SERVING"
    assert "older than 2" in server.healthz()[1]["trust_list"]["fault"]


def test_one_bad_entry_is_skipped_and_named_and_the_rest_serves(deployment: Deployment, serve):
    root, edited = Signer(read_secret(deployment.path / "root.key")), document(deployment)
    edited["regions"] = [{"code": "12", "name": "x"}, "nonsense", *edited["regions"]]
    put(deployment, trust_list.put_together(edited | {"version": 2}, root.sign))
    server = serve(deployment)
    assert server.samples("onecode_trust_list_skipped_entries")[()] == 2
    assert len(server.healthz()[1]["trust_list"]["skipped"]) == 2
    assert server.health("onecode.trust_list") == "SERVING"
    assert server.verify(deployment.issue("420000")[0]).verdict.decision == pb.DECISION_ADMIT
