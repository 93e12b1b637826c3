"""Certificates and revocation lists are exchanged while the native front serves."""

import asyncio
import ssl

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.attacks.connection import END_HEADERS, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, call_headers, frame
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Driver, Wire, channel, driven, until
from tests.unit.rpc.front_tls import Pki, Records

pytestmark = NEEDS_FRONT

PLAIN = pb.VerifyRequest(code=b"code", host_region="420000")
HELLO = PREFACE + frame(SETTINGS, 0, 0)
INADEQUATE_SECURITY = 12


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


async def _connect(driver: Driver, context: ssl.SSLContext, *more: bytes) -> Wire:
    wire = await Wire.open(driver, context)
    wire.send(HELLO, *more, frame(PING, 0, 0, b"12345678"))
    await wire.frame(PING)
    return wire


async def _reason(wire: Wire) -> int:
    frames = await wire.frames()
    kind, _, _, payload = frames[-1]
    assert kind == GOAWAY
    return int.from_bytes(payload[4:8])


async def test_new_connections_get_the_new_certificate_and_no_call_fails(pki):
    caller = pki.caller()
    first, second = pki.authority.server(), pki.authority.server()
    async with driven(tls=pki.tls(server=first)) as driver:
        is_over = False

        async def call_without_end() -> int:
            count = 0
            while not is_over:
                async with channel(driver, credentials=pki.credentials(caller)) as calls:
                    stub = pb_grpc.RecognitionServiceStub(calls)
                    for _ in range(5):
                        await stub.Verify(PLAIN, timeout=10)
                        count += 1
            return count

        calling = [asyncio.create_task(call_without_end()) for _ in range(4)]
        for turn in range(10):
            driver.front.renew_tls(pki.tls(server=(second, first)[turn % 2]))
            await asyncio.sleep(0.05)
        driver.front.renew_tls(pki.tls(server=second))
        is_over = True
        assert min(await asyncio.gather(*calling)) >= 5
        wire = await _connect(driver, pki.context(caller))
        assert wire.writer.get_extra_info("ssl_object").getpeercert(binary_form=True) == second.der
        wire.close()
        assert driver.front.counts().refused == {}


async def test_a_bad_pair_is_refused_and_the_old_one_stays(pki):
    other = pki.authority.server()
    async with driven(tls=pki.tls()) as driver:
        from onecode_server.rpc._front import Tls

        for chain, key, reason in (
            (b"", other.key_pem, "the certificate chain: the file has no certificate"),
            (other.chain_pem, b"", "the private key: the file has no private key"),
            (other.chain_pem, pki.server.key_pem, "does not belong"),
            (other.chain_pem[:300], other.key_pem, "the certificate chain: the file is no valid PEM"),
        ):
            with pytest.raises(ValueError, match=reason):
                driver.front.renew_tls(Tls(chain, key, client_ca=None, crl=None, demands_certificate=False))
        wire = await _connect(driver, pki.context(pki.caller()))
        assert wire.writer.get_extra_info("ssl_object").getpeercert(binary_form=True) == pki.server.der
        wire.close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"client_ca": b"none"}, "the authorities of callers: the file has no certificate"),
        ({"client_ca": None}, "to demand certificates, the authorities"),
        ({"client_ca": None, "crl": b"some", "demands_certificate": False}, "a revocation list needs the authorities"),
        ({"crl": b"none"}, "the revocation list: the file has no list"),
        ({"crl": b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"}, "the revocation list cannot be read"),
    ],
)
def test_bad_files_are_refused_with_a_reason(pki, changed, reason):
    with pytest.raises(ValueError, match=reason):
        pki.tls(**changed)


async def test_a_front_without_tls_cannot_be_given_one(pki):
    async with driven() as driver:
        with pytest.raises(ValueError, match="made without TLS"):
            driver.front.renew_tls(pki.tls())


async def test_the_connections_of_a_revoked_certificate_end_and_the_others_stay(pki):
    polite, revoked = pki.caller(), pki.caller()
    async with driven(tls=pki.tls()) as driver:
        kept = await _connect(driver, pki.context(polite))
        call = frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "StreamVerify"))
        ended = [await _connect(driver, pki.context(revoked), *calls) for calls in ((), (call,))]
        driver.front.renew_tls(pki.tls(revoked))
        driver.turn()
        for wire in ended:
            assert await _reason(wire) == INADEQUATE_SECURITY
            wire.close()
        kept.send(frame(PING, 0, 0, b"87654321"))
        assert (await kept.frame(PING))[2] == b"87654321"
        counts = driver.front.counts()
        assert (counts.refused, counts.connections) == ({"certificate_refused": 2}, 1)
        assert driver.front.is_idle
        kept.close()


async def test_where_certificates_are_demanded_from_now_on_connections_without_one_end(pki):
    async with driven(tls=pki.tls(demands=False)) as driver:
        wire = await _connect(driver, pki.context())
        driver.front.renew_tls(pki.tls())
        driver.turn()
        assert await _reason(wire) == INADEQUATE_SECURITY
        wire.close()


async def test_a_renewal_follows_another_before_all_connections_were_looked_at(pki):
    caller = pki.caller()
    context = pki.context(caller)
    async with driven(tls=pki.tls(), connections_max=64) as driver:
        wires = [await _connect(driver, context) for _ in range(20)]
        for _ in range(3):
            driver.front.renew_tls(pki.tls())
        driver.front.renew_tls(pki.tls(caller))
        driver.turn()
        for wire in wires:
            assert await _reason(wire) == INADEQUATE_SECURITY
            wire.close()
        await until(lambda: driver.front.counts().connections == 0)


async def test_a_handshake_that_began_before_a_revocation_does_not_end_after_it(pki):
    revoked = pki.caller()
    async with driven(tls=pki.tls()) as driver:
        caller = await Records.open(driver.front.port, pki.context(revoked))
        caller.writer.write(caller.say_hello())
        rest = await caller.finish()
        driver.front.renew_tls(pki.tls(revoked))
        caller.writer.write(rest + caller.records(HELLO))
        with pytest.raises(ConnectionError):
            await caller.read()
        assert driver.front.counts().refused == {"certificate_refused": 1}
        caller.writer.close()
