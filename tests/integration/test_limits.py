"""Connections that say nothing, too little, nonsense, or come by the thousand: the others are answered all the same."""

import asyncio
import random
import resource
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc
from onecode_server.rpc.health import WATCHES_MAX

from tests.integration.deployment import Deployment, Server, eventually

HANDSHAKE_S, PAGE_S = 10, 5
LATE_S = 15
"""How much later than its bound a busy machine may hang up."""
CONNECTIONS = 1000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def connect(address: str, words: bytes = b"") -> socket.socket:
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(words)
    return connection


def hung_up_after_s(connections: list[socket.socket], dripping: socket.socket, within_s: float) -> list[float]:
    """Return after how many seconds the server hung up on each; ``dripping`` gets a byte now and then."""
    started_s, hung_up = time.monotonic(), []
    with selectors.DefaultSelector() as open_ones:
        for connection in connections:
            open_ones.register(connection, selectors.EVENT_READ)
        while open_ones.get_map() and time.monotonic() - started_s < within_s:
            for key, _ in open_ones.select(0.5):
                assert isinstance(key.fileobj, socket.socket)
                if not received(key.fileobj):
                    hung_up.append(time.monotonic() - started_s)
                    open_ones.unregister(key.fileobj)
            if dripping in open_ones.get_map():
                dripping.send(b"G")
    return hung_up


def received(connection: socket.socket) -> bytes:
    """Return what the server said; nothing once it has hung up."""
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def test_whoever_connects_and_says_nothing_is_cut_off(server: Server):
    bound_s = max(HANDSHAKE_S, 2 * PAGE_S) + LATE_S
    with ExitStack() as closed:
        silent = [connect(server.address), connect(server.address, PREFACE[:10]), connect(server.page)]
        dripping = connect(server.page)
        for connection in (*silent, dripping):
            closed.enter_context(connection)
        hung_up = hung_up_after_s([*silent, dripping], dripping, bound_s)
    assert len(hung_up) == 4
    assert (server.health(), server.healthz()[0]) == ("SERVING", 200)
    server.log()  # every line is still JSON


@pytest.mark.parametrize(
    "words",
    [
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        random.Random(1).randbytes(2000),
        PREFACE + random.Random(2).randbytes(2000),
        PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff\xff\xff\x01\x04\x00\x00\x00\x01",
    ],
    ids=["HTTP/1.1", "TLS", "noise", "preface and noise", "a frame too large"],
)
def test_whoever_speaks_no_grpc_is_cut_off(server: Server, words: bytes):
    with connect(server.address, words) as connection:
        while received(connection):
            pass
    assert server.health() == "SERVING"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"GET " + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n", b"414"),
        (b"GET /metrics HTTP/1.0\r\n" + b"x: y\r\n" * 5000 + b"\r\n", b"431"),
        (b"GET /metrics HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /\xff HTTP/1.0\r\n\r\n", b"404"),
        (b"DELETE /metrics HTTP/1.0\r\n\r\n", b"405"),
        (PREFACE, b"505"),
    ],
)
def test_nonsense_on_the_metrics_port_is_answered_with_a_status(server: Server, words: bytes, answer: bytes):
    with connect(server.page, words) as connection:
        answered = b""
        while more := received(connection):
            answered += more
    assert answer in answered or not answered  # what was not read yet when the server hung up can cost the answer
    assert server.healthz()[0] == 200
    server.log()  # every line is still JSON


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for thousands of open connections, here and in the processes that are started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CONNECTIONS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files a process, and the test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_connections_do_not_keep_one_from_being_answered(many_files, deployment: Deployment, serve):
    code, server = deployment.issue("420000")[0], serve(deployment)
    with ExitStack() as closed:
        for number in range(CONNECTIONS):
            closed.enter_context(connect(server.address, PREFACE if number % 2 else b""))
        assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
        request = pb.VerifyRequest(code=code, host_region="110000")
        calls = [server.stub().Verify.future(request, timeout=60) for _ in range(100)]
        assert {call.result().verdict.decision for call in calls} == {pb.DECISION_ADMIT}
    assert server.health() == "SERVING"


def test_a_caller_with_more_calls_than_fit_a_connection_gets_each_of_them_answered(server: Server, shared: Deployment):
    request, stub = pb.VerifyRequest(code=shared.issue("420000")[0], host_region="110000"), server.stub()
    calls = [stub.Verify.future(request, timeout=60) for _ in range(1000)]
    assert {call.result().verdict.decision for call in calls} == {pb.DECISION_ADMIT}


async def test_a_storm_of_cancelled_calls_leaves_nothing_behind(server: Server, shared: Deployment):
    request = pb.VerifyRequest(code=shared.issue("420000")[0], host_region="110000")
    async with grpc.aio.insecure_channel(server.address) as channel:
        verify = recognition_pb2_grpc.RecognitionServiceStub(channel).Verify
        calls = [verify(request, timeout=60 if number % 3 else 0.001) for number in range(1000)]
        await asyncio.sleep(0.05)
        for call in calls[::2]:
            call.cancel()
        ended = {await call.code() for call in calls}
    assert ended <= {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}
    eventually(lambda: server.samples("onecode_queue_codes")[()] == 0, 30)


def test_calls_that_never_say_what_they_want_hold_nobody_up(deployment: Deployment, serve):
    code, server, asked = deployment.issue("420000")[0], serve(deployment, "--drain-s", 1), threading.Event()

    def nothing(left_open: bool) -> Iterator[bytes]:
        if left_open:
            asked.wait(60)
        yield from ()

    verify = server.channel().stream_stream("/onecode.v1.RecognitionService/Verify")
    calls = [verify(nothing(number % 2 == 0), timeout=60) for number in range(50)]
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    server.process.send_signal(signal.SIGTERM)
    for call in calls:
        with pytest.raises(grpc.RpcError):
            list(call)
    asked.set()
    assert server.end() == 0


def test_watches_of_health_have_a_bound_of_their_own_and_leave_room_for_calls(deployment: Deployment, serve):
    code, server = deployment.issue("420000")[0], serve(deployment)
    request = health_pb2.HealthCheckRequest(service="")
    stubs = [server.health_stub() for _ in range(3)]
    watches = [stubs[number % 3].Watch(request, timeout=60) for number in range(WATCHES_MAX)]
    assert {next(watch).status for watch in watches} == {health_pb2.HealthCheckResponse.SERVING}
    with pytest.raises(grpc.RpcError) as refused:
        next(stubs[0].Watch(request, timeout=60))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    for watch in watches[:2]:
        watch.cancel()
    eventually(lambda: is_watched(stubs[0].Watch(request, timeout=60)), 30)


def is_watched(watch: Iterator[health_pb2.HealthCheckResponse]) -> bool:
    try:
        return next(watch).status == health_pb2.HealthCheckResponse.SERVING
    except grpc.RpcError:
        return False
