"""How a server is reached: connections are opened where they are needed, and what is safe to ask again is."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # the stubs of gRPC do not have it

from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2, trust_list_pb2
from onecode_client import AsyncOnecodeClient, OnecodeClient, ServerError
from onecode_client.channels import KEEPALIVE_S, OPTIONS, TRANSIENT, ChannelPool
from onecode_server.rpc import listener

REPEATED = {"Verify", "BatchVerify", "Translate", "BatchTranslate", "GetStatus", "ListExceptions", "GetTrustList"}
REPEATED |= {"ReportException", "AcknowledgeException", "WithdrawException"}
ONCE = {"StreamVerify", "PublishStatuses"}


class Files:
    """The number that rises when certificates change, and the channels that were closed for it."""

    def __init__(self) -> None:
        self.generation = 0
        self.closed: list[int] = []


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def pool(files: Files) -> ChannelPool[int, str]:
    numbers = count(1)
    connect = lambda: (number := next(numbers), f"stub {number}")  # noqa: E731
    return ChannelPool(connect, 2, files.closed.append, lambda: files.generation)


def test_one_thing_after_the_other_needs_one_connection(pool: ChannelPool[int, str]) -> None:
    for _ in range(3):
        with pool.lease() as stub:
            assert stub == "stub 1"
    assert pool.close() == [1]


def test_a_connection_is_opened_where_all_others_are_busy_until_there_are_as_many_as_may_be(
    pool: ChannelPool[int, str],
) -> None:
    lines = [pool.take() for _ in range(4)]
    assert [line.channel for line in lines] == [1, 2, 1, 2]
    pool.give_back(lines[1])
    pool.give_back(lines[3])
    assert pool.take().channel == 2
    assert pool.close() == [1, 2]


def test_new_certificates_bring_new_connections_and_close_the_others_when_their_calls_have_ended(
    pool: ChannelPool[int, str], files: Files
) -> None:
    busy, idle = pool.take(), pool.take()
    pool.give_back(idle)
    files.generation += 1
    assert pool.take().channel == 3
    assert files.closed == [idle.channel]
    pool.give_back(busy)
    assert files.closed == [idle.channel, busy.channel]
    assert pool.close() == [3]


def test_a_connection_that_waits_for_its_last_call_is_closed_with_the_pool_and_once(
    pool: ChannelPool[int, str], files: Files
) -> None:
    busy = pool.take()
    files.generation += 1
    pool.take()
    assert pool.close() == [1, 2]
    pool.give_back(busy)
    assert files.closed == []


def test_a_closed_pool_opens_nothing(pool: ChannelPool[int, str]) -> None:
    assert pool.close() == []
    with pytest.raises(ServerError, match="CANCELLED: the client is closed"), pool.lease():
        pass


@pytest.mark.parametrize("client", [OnecodeClient, AsyncOnecodeClient])
@pytest.mark.parametrize("connections", [0, 65])
def test_a_client_has_as_many_connections_as_help(client: Any, connections: int) -> None:
    with pytest.raises(ValueError, match=f"a client has 1 to 64 connections, not {connections}"):
        client("127.0.0.1:1", connections=connections)


def test_a_client_is_not_for_a_process_that_was_forked_off() -> None:
    program = """
import os
from onecode_client import OnecodeClient
client = OnecodeClient("127.0.0.1:1")
if not os.fork():
    try:
        client.verify(b"x", "110000")
    except RuntimeError as fault:
        os.write(1, str(fault).encode())
    os._exit(0)
os.wait()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert ended.stdout == b"the client was made before this process was forked: make one after the fork"


def test_every_option_is_one_that_grpc_knows() -> None:
    library = Path(cygrpc.__file__).read_bytes()
    assert [name for name, _ in OPTIONS if f"{name}\0".encode() not in library] == []


def test_pings_are_no_more_frequent_than_the_server_allows() -> None:
    allowed = dict(listener._OPTIONS)
    assert 2 * allowed["grpc.http2.min_ping_interval_without_data_ms"] <= KEEPALIVE_S * 1000
    assert allowed["grpc.keepalive_permit_without_calls"] == 1


@pytest.fixture(params=TRANSIENT)
def refusing(request: pytest.FixtureRequest) -> Iterator[tuple[str, Counter[str]]]:
    """A server that answers every call with a failure that passes, and counts."""
    calls: Counter[str] = Counter()

    class Refusing(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            name = details.method.rpartition("/")[2]

            def refuse(_: Any, context: Any) -> None:
                calls[name] += 1
                context.abort(grpc.StatusCode[request.param], "not now")

            return grpc.stream_stream_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", calls
    server.stop(None).wait()


def test_what_changes_nothing_or_has_a_request_id_is_asked_again_and_nothing_else_is(
    refusing: tuple[str, Counter[str]],
) -> None:
    address, calls = refusing
    protos = (recognition_pb2, status_pb2, exceptions_pb2, trust_list_pb2)
    services = [service for proto in protos for service in proto.DESCRIPTOR.services_by_name.values()]
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        methods: list[grpc.StreamStreamMultiCallable[bytes, bytes]] = [
            channel.stream_stream(f"/{service.full_name}/{method.name}")
            for service in services
            for method in service.methods
        ]
        asked = [method(iter([b""]), timeout=60) for method in methods]
        assert {call.code().name for call in asked} <= set(TRANSIENT)
    assert calls == Counter(dict.fromkeys(REPEATED, 4) | dict.fromkeys(ONCE, 1))


def test_a_batch_is_asked_again_however_large_it_is(refusing: tuple[str, Counter[str]]) -> None:
    address, calls = refusing
    with OnecodeClient(address) as client, pytest.raises(ServerError, match=": not now"):
        list(client.verify_all([os.urandom(1024)] * 4096, "110000"))
    assert calls == {"BatchVerify": 4}


def test_a_server_that_only_fails_is_soon_asked_once_for_each_call(refusing: tuple[str, Counter[str]]) -> None:
    address, calls = refusing
    with OnecodeClient(address) as client, ThreadPoolExecutor(64) as askers:
        wait([askers.submit(client.translate, b"x", "110000") for _ in range(64)])
        before = calls.total()
        wait([askers.submit(client.translate, b"x", "110000") for _ in range(64)])
    assert calls.total() - before == 64
