"""The listener with the native front, as it was built: it starts, counts, lets nobody past, and drains."""

import asyncio
import gc
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.errors import Misconfigured

from benchmarks.attacks.connection import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    call_headers,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT, SERVICE, Caller, open_listener
from tests.unit.rpc.ipv6 import has_ipv6
from tests.world import World

pytestmark = NEEDS_FRONT

VERIFY = f"/{SERVICE}/Verify"
REQUEST = pb.VerifyRequest(code=b"x", host_region="440000").SerializeToString()
ODD = pb.VerifyRequest(code=b"x", host_region="nowhere").SerializeToString()


def value(world: World, name: str, **labels: str) -> float:
    return world.metrics.registry.get_sample_value(name, labels) or 0


async def test_the_self_test_passes() -> None:
    from onecode_server.rpc import front_self_test

    assert await front_self_test.failure() == ""


async def test_a_front_that_was_closed_is_not_left_to_a_garbage_collection_on_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from onecode_server.rpc import front_self_test

    gc.collect()
    gc.disable()
    try:
        assert await front_self_test.failure() == ""
        unraisable: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
        await asyncio.to_thread(gc.collect)
    finally:
        gc.enable()
    assert unraisable == []


async def test_calls_are_counted_under_the_same_names_and_those_passed_on_once(world: World) -> None:
    listener = open_listener(world, is_native=True)
    caller = Caller(f"127.0.0.1:{await listener.start('127.0.0.1', 0)}")
    answers = await asyncio.gather(*(caller.unary(VERIFY, REQUEST) for _ in range(10)), caller.unary(VERIFY, ODD))
    assert [one.code for one in answers] == ["OK"] * 10 + ["INVALID_ARGUMENT"]
    await listener.sweep()
    labels = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": "Verify"}
    for name in ("grpc_server_started_total", "grpc_server_msg_received_total", "grpc_server_handling_seconds_count"):
        assert value(world, name, **labels) == 11
    assert value(world, "grpc_server_msg_sent_total", **labels) == 10
    assert value(world, "grpc_server_handled_total", **labels, grpc_code="OK") == 10
    assert value(world, "grpc_server_handled_total", **labels, grpc_code="INVALID_ARGUMENT") == 1
    assert value(world, "onecode_passed_on_calls_total") == 1
    assert value(world, "onecode_queue_codes") == 0
    await caller.channel.close()
    await listener.drain(1)


async def test_a_page_of_metrics_has_the_calls_before_it(world: World) -> None:
    listener = open_listener(world, is_native=True)
    caller = Caller(f"127.0.0.1:{await listener.start('127.0.0.1', 0)}")
    for count in (1, 2, 3):
        assert (await caller.unary(VERIFY, REQUEST)).code == "OK"
        page = (await asyncio.to_thread(world.metrics.page, False)).decode()
        handled = f'grpc_code="OK",grpc_method="Verify",grpc_service="{SERVICE}",grpc_type="unary"'
        assert f"grpc_server_handled_total{{{handled}}} {count}.0\n" in page
    await caller.channel.close()
    await listener.drain(1)


async def test_a_stranger_who_reaches_the_listener_behind_is_refused(world: World) -> None:
    listener: Any = open_listener(world, is_native=True)
    await listener.start("127.0.0.1", 0)
    for metadata in ((), (("x-onecode-token", "0" * 64),)):
        stranger = Caller(f"unix:{listener.path_behind}", metadata)
        assert (await stranger.unary(VERIFY, REQUEST)).code == "PERMISSION_DENIED"
        assert (await stranger.unary("/grpc.health.v1.Health/Check", b"")).code == "PERMISSION_DENIED"
        await stranger.channel.close()
    await listener.drain(1)


async def test_nothing_of_it_is_in_the_file_system(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    listener = open_listener(world, is_native=True)
    await listener.start("127.0.0.1", 0)
    assert list(directory.iterdir()) == []
    await listener.drain(0)
    assert list(directory.iterdir()) == []


async def test_an_address_that_is_taken_is_a_mistake(world: World) -> None:
    first, second = (open_listener(world, is_native=True) for _ in range(2))
    port = await first.start("127.0.0.1", 0)
    with pytest.raises(Misconfigured, match=f"127.0.0.1:{port}"):
        await second.start("127.0.0.1", port)
    for listener in (first, second):
        await listener.drain(0)


async def test_localhost_is_listened_on_by_all_its_addresses(world: World) -> None:
    listener = open_listener(world, is_native=True)
    port = await listener.start("localhost", 0)
    hosts = {address[0] for *_, address in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}
    for host in hosts if has_ipv6() else {"127.0.0.1"}:
        caller = Caller(f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}")
        assert (await caller.unary(VERIFY, REQUEST)).code == "OK"
        await caller.channel.close()
    await listener.drain(1)


async def test_a_drain_loses_no_call_that_was_begun(world: World) -> None:
    listener = open_listener(world, is_native=True)
    caller = Caller(f"127.0.0.1:{await listener.start('127.0.0.1', 0)}")
    assert (await caller.unary(VERIFY, REQUEST)).code == "OK"
    first, go_on = asyncio.Event(), asyncio.Event()

    async def scans() -> Any:
        yield pb.StreamVerifyRequest(request_id=1, code=b"x", host_region="440000").SerializeToString()
        first.set()
        await go_on.wait()

    streaming = asyncio.create_task(caller.stream(f"/{SERVICE}/StreamVerify", scans()))
    calls = [asyncio.create_task(caller.unary(VERIFY, REQUEST)) for _ in range(50)]
    await first.wait()
    await asyncio.gather(*calls)
    await listener.drain(5)
    assert {call.result().code for call in calls} == {"OK"}
    ended = await streaming
    assert len(ended.messages) == 1
    go_on.set()
    await caller.channel.close()


async def test_a_batch_that_has_come_as_the_drain_begins_is_answered(world: World) -> None:
    listener = open_listener(world, is_native=True)
    port = await listener.start("127.0.0.1", 0)
    # A caller who acknowledges no PING: nothing else of it would turn the front again.
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0))
    await reader.readexactly(int.from_bytes((await reader.readexactly(9))[:3]))  # its SETTINGS
    batch = pb.BatchVerifyRequest(codes=[b"x"], host_region="440000").SerializeToString()
    headers = frame(HEADERS, END_HEADERS, 1, call_headers(f"/{SERVICE}/BatchVerify"))
    writer.write(headers + frame(DATA, END_STREAM, 1, message(batch)))
    await listener.drain(30)
    writer.close()
    said, kinds = await reader.read(), []
    while said:
        kinds.append(said[3])
        said = said[9 + int.from_bytes(said[:3]) :]
    assert kinds[-3:] == [HEADERS, DATA, HEADERS]


async def test_a_worker_is_told_what_has_ended_the_front(world: World) -> None:
    listener: Any = open_listener(world, is_native=True)
    await listener.start("127.0.0.1", 0)
    listener._calls._fault = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        await listener.sweep()
    listener._calls._fault = None
    await listener.drain(0)
