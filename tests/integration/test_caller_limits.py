"""A caller that asks for more than its role may is refused or held back, and nobody else notices."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc

from tests.integration.bad_identities import verify
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.identities import GATEWAY, OPERATOR, PARTNER, SCANNER, Identities, Refused, refusal_of
from tests.integration.open_calls import record, records, scan, scans

PER_S: Final = 100
CALLS: Final = 3
HELD: Final = 3 * PER_S
HELD_S: Final = HELD / PER_S - 1 - 0.1
"""What comes within a second of its time is taken at once, and the native front has leases of a twentieth of it: the
rest cannot pass sooner, however fast the machine is."""
ANOTHER_PARTNER: Final = "partner/airport"


@pytest.fixture
def limited(deployment: Deployment, identities: Identities, serve: Callable[..., Server]) -> Server:
    """A server with low limits for partners and for operators of regions."""
    limits = f"partner={PER_S}/{CALLS},regional_operator={PER_S}/{CALLS}"
    return identities.ops_reads(serve(deployment, *identities.flags("--limits", limits)))


class Others:
    """Callers whose calls must all be answered."""

    def __init__(self, channels: list[grpc.Channel], code: bytes) -> None:
        self._channels = channels
        self._code = code
        self._ends = threading.Event()
        self._ended: list[Refused] = []
        self._thread = threading.Thread(target=self._call)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        assert {how.status for how in self._ended} == {"OK"}, self._ended

    def _call(self) -> None:
        while True:
            self._ended += [refusal_of(partial(verify, channel, self._code)) for channel in self._channels]
            if self._ends.wait(len(self._channels) * 2 / PER_S):
                return


@pytest.fixture
def others(limited: Server, identities: Identities, code: bytes) -> Iterator[None]:
    """A scanner and another partner, each within its limit, during a test."""
    channels = [identities.of(limited, path) for path in (SCANNER, ANOTHER_PARTNER)]
    with Others(channels, code):
        yield


def verify_all(channel: grpc.Channel, codes: list[bytes]) -> Refused:
    """Return how a batch ended."""
    stub = recognition_pb2_grpc.RecognitionServiceStub(channel)
    request = pb.BatchVerifyRequest(codes=codes, host_region="420000")
    return refusal_of(lambda: stub.BatchVerify(request, timeout=30))


def translate(channel: grpc.Channel, code: bytes) -> Refused:
    """Return how a translation ended."""
    stub = recognition_pb2_grpc.RecognitionServiceStub(channel)
    return refusal_of(lambda: stub.Translate(pb.TranslateRequest(code=code, target_region="420000"), timeout=30))


def expect_told_to_wait(how: Refused) -> None:
    assert how[:2] == ("RESOURCE_EXHAUSTED", "OVERLOADED")
    assert how.retry_s is not None
    assert how.retry_s > 0


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("kind", ["Verify", "BatchVerify", "Translate"])
def test_a_partner_over_its_rate_is_told_to_wait(
    limited: Server, identities: Identities, code: bytes, kind: str
) -> None:
    channel = identities.of(limited, PARTNER)
    calls: dict[str, Callable[[], Refused]] = {
        "Verify": lambda: refusal_of(lambda: verify(channel, code)),
        "BatchVerify": lambda: verify_all(channel, [code] * PER_S),
        "Translate": lambda: translate(channel, code),
    }
    asked = [verify_all(channel, [code] * (5 * PER_S)), *(calls[kind]() for _ in range(5))]
    assert asked[0].status == "OK", "where nothing is owed, a larger request is taken whole"
    for how in asked[1:]:
        expect_told_to_wait(how)
    # However it comes, and by whichever method, it is the same caller.
    by_token = identities.carried(limited, PARTNER)
    expect_told_to_wait(refusal_of(lambda: verify(by_token, code)))
    expect_told_to_wait(translate(by_token, code))
    assert limited.samples("onecode_limited_calls_total")["rate", "partner"] >= 3
    eventually(lambda: refusal_of(lambda: verify(channel, code)).status == "OK", within_s=30)


def test_batches_by_many_tokens_of_a_partner_count_together(
    limited: Server, identities: Identities, code: bytes
) -> None:
    """Each token is another credential to the native front, which asks about it anew."""
    channels = [
        identities.channel(limited, identities.leaf(GATEWAY), identities.token(PARTNER, jti=str(number)))
        for number in range(5)
    ]
    first, *rest = (verify_all(channel, [code] * (5 * PER_S)) for channel in channels)
    assert first.status == "OK"
    for how in rest:
        expect_told_to_wait(how)


@pytest.mark.usefixtures("others")
def test_a_partner_with_too_many_calls_in_flight_is_told_to_wait(
    limited: Server, identities: Identities, code: bytes
) -> None:
    channel = identities.of(limited, PARTNER)
    streams = [scans(identities.of(limited, PARTNER)) for _ in range(CALLS)]
    for stream in streams:
        stream.ask(scan(code, "420000"))
    for how in (
        refusal_of(lambda: scans(channel).ask(scan(code, "420000"))),
        refusal_of(lambda: verify(channel, code)),
        verify_all(channel, [code]),
    ):
        expect_told_to_wait(how)
    for stream in streams:
        stream.ask(scan(code, "420000", 2))
    assert streams.pop().rest() == []
    eventually(lambda: refusal_of(lambda: verify(channel, code)).status == "OK", within_s=30)


@pytest.mark.usefixtures("others")
def test_a_stream_over_its_callers_rate_is_held_back_and_not_refused(
    limited: Server, identities: Identities, code: bytes
) -> None:
    stream = scans(identities.of(limited, PARTNER))
    begins_s = time.monotonic()
    for number in range(HELD):
        stream.ask(scan(code, "420000", number + 1))
    assert time.monotonic() - begins_s > HELD_S
    assert stream.rest() == []


@pytest.mark.usefixtures("others")
def test_a_stream_of_records_over_its_publishers_rate_is_held_back_and_not_refused(
    limited: Server, identities: Identities
) -> None:
    stream = records(identities.of(limited, OPERATOR))
    begins_s = time.monotonic()
    for number in range(HELD):
        (answer,) = stream.ask(record("420000", number + 1))
        assert (answer.durable_through, len(answer.rejections)) == (number + 1, 0)
    assert time.monotonic() - begins_s > HELD_S
    assert stream.rest() == []


def test_a_stream_that_is_held_back_ends_with_its_callers_identity(
    limited: Server, identities: Identities, code: bytes
) -> None:
    """A stream that owes a minute is not kept open for as long as that."""
    token = identities.token(PARTNER, exp=time.time() + 3)
    stream: Any = scans(identities.channel(limited, identities.leaf(GATEWAY), token))
    for number in range(60 * PER_S):
        stream.send(scan(code, "420000", number + 1))
    how = refusal_of(lambda: [*stream.call])
    assert how[:2] == ("UNAUTHENTICATED", "TOKEN_EXPIRED")
