"""The Python client: any number of codes, in calls that fit, and errors that say what and why."""

import socket

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OnecodeClient, ServerError
from onecode_client.batches import BATCH_BYTES_MAX, BATCH_CODES_MAX, batches

from tests.integration.deployment import Deployment, Server, free_port

CALLS = ("OK", "BatchVerify", "onecode.v1.RecognitionService", "unary")


@pytest.fixture
def client(server: Server):
    with OnecodeClient(server.address) as connected:
        yield connected


@pytest.mark.parametrize(
    ("codes", "sizes"),
    [
        ([], []),
        ([b""], [1]),
        ([b"x"] * BATCH_CODES_MAX, [4096]),
        ([b"x"] * (2 * BATCH_CODES_MAX + 1), [4096, 4096, 1]),
        ([b"x" * 2048] * 4096, [2048, 2048]),
        ([b"x" * BATCH_BYTES_MAX] * 2, [1, 1]),
        ([b"x", b"x" * BATCH_BYTES_MAX, b"x"], [1, 1, 1]),
        ([b"", b"x" * BATCH_BYTES_MAX, b""], [3]),
    ],
    ids=["none", "one", "full", "more than two", "heavy", "heaviest", "heavy between light", "heavy between empty"],
)
def test_batches_fit_one_call_each_and_keep_the_order(codes: list[bytes], sizes: list[int]):
    made = list(batches(iter(codes)))
    assert [len(batch) for batch in made] == sizes
    assert [code for batch in made for code in batch] == codes


@pytest.mark.parametrize(("size", "number", "calls"), [(1, 5000, 2), (4096, 2500, 3)], ids=["by count", "by bytes"])
def test_verify_all_splits_what_one_call_cannot_carry(
    client: OnecodeClient, server: Server, size: int, number: int, calls: int
):
    before = server.samples("grpc_server_handled_total").get(CALLS, 0)
    verdicts = list(client.verify_all((b"x" * size for _ in range(number)), "110000"))
    assert [verdict.reason for verdict in verdicts] == [pb.REASON_FORMAT_UNKNOWN] * number
    assert server.samples("grpc_server_handled_total")[CALLS] - before == calls


def test_verify_all_asks_for_a_batch_only_when_its_answers_are_read(client: OnecodeClient):
    taken = []

    def codes():
        for number in range(3 * BATCH_CODES_MAX):
            taken.append(number)
            yield b"x"

    next(client.verify_all(codes(), "110000"))
    assert len(taken) == BATCH_CODES_MAX + 1


def test_translate_all_answers_each_code_in_order(client: OnecodeClient, shared: Deployment):
    codes = [shared.issue("420000")[0], b"x"] * 3
    results = list(client.translate_all(codes, "110000"))
    assert [bool(result.translation.code) for result in results] == [True, False] * 3


def test_one_code_is_verified_and_translated(client: OnecodeClient, shared: Deployment):
    code = shared.issue("440000", "YELLOW")[0]
    assert client.verify(code, "110000").verdict.reason == pb.REASON_YELLOW
    made = client.translate(code, "320000")
    assert (made.format, client.verify(made.code, "320000").verdict.home_region) == ("jwt", "440000")


def test_an_error_carries_the_status_and_the_servers_reason(client: OnecodeClient, shared: Deployment):
    with pytest.raises(ServerError, match="INVALID_ARGUMENT: host_region is not six digits") as refused:
        client.verify(b"x", "11")
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "HOST_REGION_INVALID")
    with pytest.raises(ServerError) as refused:
        list(client.verify_all([b"x" * (BATCH_BYTES_MAX + 1)], "110000"))
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "CODES_BYTES")
    with pytest.raises(ServerError) as refused:
        client.translate(shared.issue("420000")[0], "310000")
    assert (refused.value.code, refused.value.reason) == ("FAILED_PRECONDITION", "TARGET_OPAQUE")


def test_a_server_that_is_not_there_is_an_error_without_a_reason():
    with OnecodeClient(f"127.0.0.1:{free_port()}") as nobody, pytest.raises(ServerError) as refused:
        nobody.verify(b"x", "110000")
    assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "")


def test_a_server_that_says_nothing_is_waited_for_until_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with OnecodeClient(address, deadline_s=0.3) as hasty, pytest.raises(ServerError) as refused:
            hasty.verify(b"x", "110000")
    assert refused.value.code == "DEADLINE_EXCEEDED"
