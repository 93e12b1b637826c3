"""TLS of the native front: who is let in by a certificate and who is not, and what a hostile handshake does."""

import asyncio
import contextlib
import ssl
from collections import Counter
from datetime import timedelta

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.attacks.connection import (
    PING,
    PREFACE,
    SETTINGS,
    frame,
)
from tests.certificates import Authority
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import Driver, Wire, bytes_call, channel, driven, until
from tests.unit.rpc.front_tls import Pki, refusals

pytestmark = NEEDS_FRONT

PLAIN = pb.VerifyRequest(code=b"code", host_region="420000")
HELLO = PREFACE + frame(SETTINGS, 0, 0)
CLIENT_HELLO_HEAD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


async def _verify(driver: Driver, credentials: grpc.ChannelCredentials | None = None) -> None:
    async with channel(driver, credentials=credentials) as calls:
        answer = await pb_grpc.RecognitionServiceStub(calls).Verify(PLAIN, timeout=10)
        assert answer.trust_list_version == 7


async def _refusals_of(driver: Driver, context: ssl.SSLContext) -> Counter[str]:
    """Connect, and see the connection end. In TLS 1.3 a caller may have sent something before it is told."""
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        wire = await Wire.open(driver, context)
        wire.send(HELLO)
        assert await wire.frames() == []
        wire.close()
    return await refusals(driver)


@pytest.mark.parametrize(
    ("server", "caller"),
    # gRPC's own library takes Ed25519 of no server.
    [("p256", "p256"), ("p384", "ed25519"), ("rsa", "rsa")],
)
async def test_calls_of_all_sizes_are_answered_whatever_the_kinds_of_keys(server, caller):
    pki = Pki(kind=server)
    caller = pki.caller(kind=caller)
    async with driven(tls=pki.tls()) as driver, channel(driver, credentials=pki.credentials(caller)) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        assert (await stub.Verify(PLAIN)).verdict.exception_id == "code"
        codes = [f"{n}".rjust(1000, "-").encode() for n in range(4096)]
        answer = await stub.BatchVerify(pb.BatchVerifyRequest(codes=codes, host_region="420000"))
        assert [verdict.exception_id.encode() for verdict in answer.verdicts] == codes
        requests = (pb.StreamVerifyRequest(request_id=n, code=b"c", host_region="420000") for n in range(1000))
        assert [answer.request_id async for answer in stub.StreamVerify(requests)] == list(range(1000))
        await until(lambda: driver.front.counts().held_bytes == 0)


async def test_the_front_may_have_an_ed25519_key():
    pki = Pki(kind="ed25519")
    async with driven(tls=pki.tls()) as driver:
        wire = await Wire.open(driver, pki.context(pki.caller(kind="ed25519")))
        wire.send(HELLO, frame(PING, 0, 0, b"12345678"))
        assert (await wire.frame(PING))[2] == b"12345678"
        wire.close()


async def test_a_certificate_and_those_between_go_on_to_the_listener_behind():
    pki = Pki()
    between = Authority("between", issuer=pki.authority)
    caller = between.issue("spiffe://onecode.internal/ops")
    async with driven(tls=pki.tls()) as driver, channel(driver, credentials=pki.credentials(caller)) as calls:
        call = bytes_call(calls, "/any.Service/Method")([b"one"], metadata=(("x-onecode-certificate-bin", b"mine"),))
        assert [answer async for answer in call] == [b"one"]
        assert dict(await call.trailing_metadata())["x-onecode-certificate-bin"] == caller.der


async def test_a_caller_need_not_have_a_certificate_where_none_is_demanded(pki):
    async with driven(tls=pki.tls(demands=False)) as driver:
        await _verify(driver, pki.credentials(None))
        await _verify(driver, pki.credentials(pki.caller()))
        async with channel(driver, credentials=pki.credentials(None)) as calls:
            call = bytes_call(calls, "/any.Service/Method")([b"one"])
            assert [answer async for answer in call] == [b"one"]
            assert "x-onecode-certificate-bin" not in dict(await call.trailing_metadata())


async def test_without_authorities_no_certificate_is_asked_for(pki):
    tls = pki.tls(client_ca=None, demands=False)
    async with driven(tls=tls) as driver:
        await _verify(driver, pki.credentials(pki.caller()))


@pytest.mark.parametrize("demands", [True, False])
async def test_certificates_that_do_not_count_are_refused(pki, demands):
    hour, now = timedelta(hours=1), pki.authority.now
    revoked = pki.caller()
    bad = {
        "of a stranger": Authority().issue("spiffe://onecode.internal/ops"),
        "of a stranger with the same name": Authority("test root").issue("spiffe://onecode.internal/ops"),
        "expired": pki.caller(not_after=now - hour / 2),
        "not yet valid": pki.caller(not_before=now + hour),
        "a server's": pki.caller(usages=("server",)),
        "revoked": revoked,
    }
    async with driven(tls=pki.tls(revoked, demands=demands)) as driver:
        for name, caller in bad.items():
            assert (name, await _refusals_of(driver, pki.context(caller))) == (name, {"certificate_refused": 1})
        if demands:
            assert await _refusals_of(driver, pki.context()) == {"certificate_refused": 1}
        await _verify(driver, pki.credentials(pki.caller()))


async def test_only_http_2_in_tls_1_3_is_spoken(pki):
    caller = pki.caller()
    old, other, none = pki.context(caller), pki.context(caller, alpn=("http/1.1",)), pki.context(caller, alpn=())
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with driven(tls=pki.tls()) as driver:
        for context in (old, other, none):
            assert await _refusals_of(driver, context) == {"handshake_failed": 1}
        wire = await Wire.open(driver)
        wire.send(HELLO)
        await wire.frames()
        assert await refusals(driver) == {"handshake_failed": 1}
        await _verify(driver, pki.credentials(caller))


async def test_a_caller_in_tls_is_closed_where_there_is_none(pki):
    async with driven() as driver:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await Wire.open(driver, pki.context())
        assert await refusals(driver) == {}
        await _verify(driver)


async def test_no_session_is_resumed(pki):
    context = pki.context(pki.caller())
    async with driven(tls=pki.tls()) as driver:
        wire = await Wire.open(driver, context)
        wire.send(HELLO, frame(PING, 0, 0, b"12345678"))
        await wire.frame(PING)
        session = wire.writer.get_extra_info("ssl_object")
        assert session.version() == "TLSv1.3"
        assert session.session is None or not session.session.has_ticket
        wire.close()


async def test_a_slow_handshake_is_ended_and_others_notice_nothing(pki):
    async with driven(tls=pki.tls(), handshake_s=0.3) as driver:
        slow = await Wire.open(driver)
        silent = await Wire.open(driver)
        half = await Wire.open(driver, pki.context(pki.caller()))  # TLS in time, and no HTTP/2
        for byte in CLIENT_HELLO_HEAD:
            slow.writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        await _verify(driver, pki.credentials(pki.caller()))
        for wire in (slow, silent, half):
            await wire.frames()
        assert await refusals(driver) == {"handshake_overdue": 2}


async def test_a_handshake_that_is_too_long_fails(pki):
    async with driven(tls=pki.tls()) as driver:
        wire = await Wire.open(driver)
        record = b"\x16\x03\x03\x40\x00"
        wire.send(record, b"\x01\x00\xff\xff" + bytes(0x4000 - 4), record, bytes(0x4000))
        await wire.frames()
        assert await refusals(driver) == {"handshake_failed": 1}


async def test_a_hundred_handshakes_at_once_leave_connected_callers_their_turns(pki):
    async with (
        driven(tls=pki.tls(demands=False), connections_max=300) as driver,
        channel(driver, credentials=pki.credentials(None)) as calls,
    ):
        stub = pb_grpc.RecognitionServiceStub(calls)
        await stub.Verify(PLAIN)
        context = pki.context()
        opening = [asyncio.create_task(Wire.open(driver, context)) for _ in range(100)]
        answered = 0
        while not all(task.done() for task in opening):
            await stub.Verify(PLAIN, timeout=10)
            answered += 1
        assert answered
        for wire in await asyncio.gather(*opening):
            wire.close()
        assert driver.front.counts().refused == {}
