"""Both fronts give the same bytes, trailers and status. Both have one clock, which stands still: nothing may differ."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2, trust_list_pb2
from onecode_server.codes.encodings import base45
from onecode_server.codes.national import codec as national
from onecode_server.model.status import Level

from tests.conformance.made_cases import FAMILIES, family
from tests.fronts import NEEDS_FRONT, SERVICE, Caller, Ended, both
from tests.world import World

pytestmark = NEEDS_FRONT

MIB = 1024 * 1024
RACE = "Internal error from Core"
"""gRPC's client in Python says this by either front where a call ends while the client is still sending."""
HOMES = ("110000", "420000", "440000", "540000")
HOSTS = ("420000", "440000", "540000", "999999")


class Fronts:
    """Both fronts on an event loop of their own, since hypothesis calls plain functions."""

    def __init__(self, path: Path) -> None:
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.runner.run(self._open(path))

    async def _open(self, path: Path) -> None:
        self.world = World(path)
        await self.world.start()
        self.native, self.grpc = await self._stack.enter_async_context(both(self.world))
        token = await self.world.token()
        self.codes = [
            *(self.world.code(home, level) for home in HOMES for level in (Level.GREEN, Level.YELLOW, Level.RED)),
            self.world.code("420000", expires_at=self.world.now - 1),
            self.world.code("420000", "紫"),
            token,
        ]

    def close(self) -> None:
        self.runner.run(self._stack.aclose())
        self.runner.run(self.world.store.close())
        self.runner.close()

    def unary(self, method: str, request: bytes, **how: Any) -> Ended:
        """Make a call by both fronts, and return how both ended."""
        return self.runner.run(self._same(*(caller.unary(method, request, **how) for caller in self._callers)))

    def stream(self, method: str, requests: list[bytes], **how: Any) -> Ended:
        """Make a call with many messages by both fronts. Answers on a stream may come in any order."""

        async def sent() -> AsyncIterator[bytes]:
            for request in requests:
                yield request

        async def in_order(caller: Caller) -> Ended:
            ended = await caller.stream(method, sent(), **how)
            while ended.said == RACE:
                ended = await caller.stream(method, sent(), **how)
            return ended._replace(messages=tuple(sorted(ended.messages)))

        return self.runner.run(self._same(*map(in_order, self._callers)))

    @property
    def _callers(self) -> tuple[Caller, Caller]:
        return self.native, self.grpc

    async def _same(self, native: Any, by_grpc: Any) -> Ended:
        found, expected = await asyncio.gather(native, by_grpc)
        assert found == expected
        return expected  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def fronts() -> Iterator[Fronts]:
    with tempfile.TemporaryDirectory() as path:
        opened = Fronts(Path(path))
        yield opened
        opened.close()


def verify(fronts: Fronts, code: bytes, host: str) -> Ended:
    return fronts.unary(f"/{SERVICE}/Verify", pb.VerifyRequest(code=code, host_region=host).SerializeToString())


def batch(fronts: Fronts, codes: list[bytes], host: str = "440000") -> Ended:
    asked = pb.BatchVerifyRequest(codes=codes, host_region=host)
    return fronts.unary(f"/{SERVICE}/BatchVerify", asked.SerializeToString())


def stream(fronts: Fronts, scans: list[tuple[bytes, str]]) -> Ended:
    asked = [
        pb.StreamVerifyRequest(request_id=number, code=code, host_region=host).SerializeToString()
        for number, (code, host) in enumerate(scans)
    ]
    return fronts.stream(f"/{SERVICE}/StreamVerify", asked)


@pytest.mark.parametrize("host", HOSTS)
def test_good_and_bad_codes_of_every_home(fronts: Fronts, host: str) -> None:
    codes = [*fronts.codes, b"", b"x" * 4096, b"x" * 5000, b"NC1:", b"\xff\x00", b" " + fronts.codes[0] + b"\r\n"]
    for code in codes:
        assert verify(fronts, code, host).code == "OK"
    assert batch(fronts, codes, host).code == "OK"
    assert len(stream(fronts, [(code, host) for code in codes]).messages) == len(codes)


@given(data=st.data())
@settings(max_examples=300)
def test_mutants_of_good_codes(fronts: Fronts, data: st.DataObject) -> None:
    code = bytearray(data.draw(st.sampled_from(fronts.codes)))
    for _ in range(data.draw(st.integers(1, 3))):
        if code:
            code[data.draw(st.integers(0, len(code) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(code[: data.draw(st.integers(0, len(code)))]) if data.draw(st.booleans()) else bytes(code)
    host = data.draw(st.sampled_from(HOSTS))
    assert verify(fronts, cut, host).code == "OK"
    batch(fronts, [cut, fronts.codes[0]], host)
    stream(fronts, [(cut, host), (fronts.codes[0], host)])


@given(
    method=st.sampled_from(["Verify", "BatchVerify", "StreamVerify", "Translate", "BatchTranslate"]),
    request=st.binary(max_size=200)
    | st.builds(
        lambda code, host, rest: pb.VerifyRequest(code=code, host_region=host).SerializeToString() + rest,
        st.binary(max_size=30),
        st.sampled_from(["420000", "", "42", "１１００００", "42000x"]),
        st.sampled_from([b"", b"\x0a\x01y", b"\x12\x06440000", b"\x78\x01", b"\xfa\x3f\x03abc", b"\x0a\x05x", b"\xff"]),
    )
    | st.builds(
        lambda number, code, host, rest: (
            pb.StreamVerifyRequest(request_id=number, code=code, host_region=host).SerializeToString() + rest
        ),
        st.integers(0, 2**64 - 1),
        st.binary(max_size=30),
        st.sampled_from(["420000", "", "42"]),
        st.sampled_from([b"", b"\x08\x05", b"\x12\x01y", b"\x78\x01"]),
    ),
)
@settings(max_examples=300)
def test_requests_of_any_bytes(fronts: Fronts, method: str, request: bytes) -> None:
    name = f"/{SERVICE}/{method}"
    if method == "StreamVerify":
        fronts.stream(name, [request])
    else:
        fronts.unary(name, request)


def test_codes_with_signatures_from_the_corners_of_the_curve(fronts: Fronts) -> None:
    prefix, text = national.PREFIX, fronts.codes[0][len(national.PREFIX) :]
    row = base45.decode(text)
    signatures = {case.signature for name in FAMILIES for case in family(name) if len(case.signature) == 64}
    assert len(signatures) > 100
    codes = [prefix + base45.encode(row[:-64] + signature) for signature in sorted(signatures)]
    answers = [verify(fronts, code, "440000") for code in codes]
    assert batch(fronts, codes).code == stream(fronts, [(code, "440000") for code in codes]).code == "OK"
    verdicts = [pb.VerifyResponse.FromString(answer.messages[0]).verdict for answer in answers]
    assert {verdict.authenticity for verdict in verdicts} == {pb.AUTHENTICITY_BAD_SIGNATURE}


@pytest.mark.parametrize("region", ["", "1", "1100000", "11000x", " 110000", "110000\n", "1" * MIB])
def test_a_region_that_is_not_six_digits(fronts: Fronts, region: str) -> None:
    assert verify(fronts, b"x", region).code == "INVALID_ARGUMENT"
    assert batch(fronts, [b"x"], region).code == "INVALID_ARGUMENT"
    first = fronts.codes[0]
    assert stream(fronts, [(first, "440000"), (b"x", region), (first, "440000")]).code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "codes",
    [[], [b""], [b""] * 4096, [b""] * 4097, [b"x" * 1024] * 4096, [b"x" * MIB] * 4 + [b"x"], [b"x" * 5 * MIB]],
    ids=["none", "an empty one", "4096", "4097", "4 MiB", "4 MiB and a byte", "5 MiB"],
)
def test_batches_of_every_size(fronts: Fronts, codes: list[bytes]) -> None:
    batch(fronts, codes)


def test_a_large_batch_of_good_codes_and_a_long_stream(fronts: Fronts) -> None:
    codes = (fronts.codes * 300)[:4096]
    assert batch(fronts, codes).code == "OK"
    assert len(stream(fronts, [(code, HOSTS[n % 4]) for n, code in enumerate(codes)]).messages) == len(codes)


@pytest.mark.parametrize("size", [4097, 5000, 4 * MIB, 5 * MIB])
def test_a_code_that_is_too_large(fronts: Fronts, size: int) -> None:
    verify(fronts, b"x" * size, "440000")
    stream(fronts, [(b"x" * size, "440000")])


def test_streams_without_messages_and_with_odd_numbers(fronts: Fronts) -> None:
    name = f"/{SERVICE}/StreamVerify"
    assert fronts.stream(name, []).code == "OK"
    numbers = (0, 1, 127, 128, 2**32, 2**64 - 1)
    asked = [pb.StreamVerifyRequest(request_id=one, code=b"x", host_region="440000") for one in numbers]
    assert len(fronts.stream(name, [one.SerializeToString() for one in asked]).messages) == len(numbers)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests(fronts: Fronts, compression: grpc.Compression) -> None:
    request = pb.VerifyRequest(code=b"x" * 900, host_region="440000").SerializeToString()
    assert fronts.unary(f"/{SERVICE}/Verify", request, compression=compression).code == "OK"


OTHERS = {
    "translate": (f"/{SERVICE}/Translate", pb.TranslateRequest(target_region="440000")),
    "translate for an opaque target": (f"/{SERVICE}/Translate", pb.TranslateRequest(target_region="310000")),
    "batch translate": (f"/{SERVICE}/BatchTranslate", pb.BatchTranslateRequest(target_region="440000")),
    "status of nobody": ("/onecode.v1.StatusService/GetStatus", status_pb2.GetStatusRequest()),
    "trust list": ("/onecode.v1.TrustListService/GetTrustList", trust_list_pb2.GetTrustListRequest()),
    "health": ("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest()),
    "health of nothing": ("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest(service="nothing")),
    "no such method": (f"/{SERVICE}/NoSuchMethod", pb.VerifyRequest()),
    "no such service": ("/no.Service/Verify", pb.VerifyRequest()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_calls_that_are_passed_on(fronts: Fronts, name: str) -> None:
    method, request = OTHERS[name]
    fronts.unary(method, request.SerializeToString())


def test_streams_that_are_passed_on(fronts: Fronts) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    listed = fronts.stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", [asked, asked])
    assert (listed.code, len(listed.messages)) == ("OK", 2)
    assert fronts.stream("/onecode.v1.StatusService/PublishStatuses", []).code == "OK"
    assert fronts.stream("/onecode.v1.StatusService/PublishStatuses", [b"\xff"]).code == "INVALID_ARGUMENT"


def test_a_call_before_there_is_a_trust_list(fronts: Fronts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fronts.world.trust, "_list", None)
    assert verify(fronts, b"x", "440000").code == "UNAVAILABLE"
    assert batch(fronts, [b"x"]).code == "UNAVAILABLE"
    assert stream(fronts, [(b"x", "440000")]).code == "UNAVAILABLE"


def test_what_a_caller_says_of_itself_changes_nothing(fronts: Fronts) -> None:
    request = pb.VerifyRequest(code=b"x", host_region="nowhere").SerializeToString()
    reserved = (("x-onecode-token", "0" * 64), ("x-onecode-peer", "ipv4:192.0.2.1:1"), ("x-onecode-new", "1"))
    for caller in (fronts.native, fronts.grpc):
        caller._metadata = reserved
    try:
        assert fronts.unary(f"/{SERVICE}/Verify", request).code == "INVALID_ARGUMENT"
    finally:
        for caller in (fronts.native, fronts.grpc):
            caller._metadata = ()
