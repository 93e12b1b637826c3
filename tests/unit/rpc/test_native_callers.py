"""What the native front is told of callers: who they are, for which hosts, how long, and how much at a time."""

from collections.abc import Collection
from typing import Any

import grpc
import pytest

from onecode_server.errors import NotServing, OnecodeError, Unauthenticated
from onecode_server.identity.known import FOR_EVER, Known
from onecode_server.model.identity import ANONYMOUS, Identity, Role
from onecode_server.rpc.caller_limits import LEASE_S, UNITS_MAX, CallerLimits
from onecode_server.rpc.failures import failure_of
from onecode_server.rpc.native_callers import DENIED_S, GRANTED_S, NativeCallers
from onecode_server.settings.limits import Limit

NOW = 1_800_000_000_000_000
SCANNER = Identity(Role.SCANNER, "420000")
Asking = tuple[int, bytes, bytes, bool, int]


class StandIn:
    """A front that asks what a test gives it, and keeps what it was told."""

    def __init__(self) -> None:
        self.asks: list[Asking] = []
        self.granted: dict[int, tuple[Any, ...]] = {}
        self.denied: dict[int, tuple[Any, ...]] = {}
        self.asked_again = 0
        self.known: dict[int, tuple[bytes, bytes, bool]] = {}

    def shown(self, number: int) -> tuple[bytes, bytes, bool] | None:
        """Return what was shown."""
        return self.known.get(number)

    def take_asking(self) -> list[Asking]:
        """Return what is asked."""
        asks, self.asks = self.asks, []
        return asks

    def grant(self, number: int, *given: Any) -> None:
        """Keep a grant."""
        self.granted[number] = given

    def deny(self, number: int, *given: Any) -> None:
        """Keep a denial."""
        self.denied[number] = given

    def ask_again(self) -> None:
        """Count it."""
        self.asked_again += 1


class Authenticator:
    """Knows callers by their certificates."""

    identifies = True
    generation = 1

    def __init__(self) -> None:
        self.partners_fault: Exception | None = None
        self.known_by: dict[bytes, Known | OnecodeError] = {b"scanner": Known(SCANNER, FOR_EVER)}
        self.seen: list[tuple[bytes | None, str | None, bool]] = []

    @property
    def partners(self) -> dict[str, Collection[str]]:
        """Two partners with hosts of their own."""
        if self.partners_fault is not None:
            raise self.partners_fault
        return {"airport": ("420000", "440000"), "closed": ()}

    def known(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Known:
        """Return who shows a certificate."""
        self.seen.append((certificate, authorization, is_local))
        found = self.known_by[certificate or b""]
        if isinstance(found, OnecodeError):
            raise found
        return found

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return who shows a certificate."""
        return self.known(certificate, authorization, is_local=is_local).identity


class Asked:
    """Callers behind a stand-in."""

    def __init__(self, units_per_s: int = 1000) -> None:
        self.front, self.authenticator, self.now_s = StandIn(), Authenticator(), 0.0
        self.limits = CallerLimits({Role.SCANNER: Limit(units_per_s, 7)}, lambda: self.now_s, lambda *_: None)
        self.callers = NativeCallers(self.front, self.authenticator, self.limits, lambda: NOW)  # type: ignore[arg-type]

    def ask(self, number: int = 1, certificate: bytes = b"scanner", wanted: int = 1) -> None:
        """Have the front ask about a credential."""
        self.front.known[number] = (certificate, b"", False)
        self.front.asks.append((number, certificate, b"", False, wanted))
        self.callers.turn()


@pytest.fixture
async def asked() -> Asked:
    return Asked()


async def test_a_scanner_is_granted_its_region_a_lease_and_its_calls_in_flight(asked: Asked) -> None:
    asked.ask()
    ((hosts, seconds, units, calls, group),) = asked.front.granted.values()
    assert (hosts, seconds, units, calls) == (["420000"], GRANTED_S, 1000 * LEASE_S, 7)
    asked.ask(2)
    assert asked.front.granted[2][-1] == group


async def test_what_a_caller_has_shown_is_what_it_is_known_by(asked: Asked) -> None:
    asked.authenticator.known_by[b""] = Known(ANONYMOUS, FOR_EVER)
    asked.front.asks += [(1, b"", b"Bearer x", True, 0), (2, b"", b"", False, 0)]
    asked.callers.turn()
    assert asked.authenticator.seen == [(None, "Bearer x", True), (None, None, False)]


@pytest.mark.parametrize(
    ("identity", "hosts"),
    [
        (Identity(Role.PARTNER, name="railway"), None),
        (Identity(Role.PARTNER, name="airport"), ["420000", "440000"]),
        (Identity(Role.PARTNER, name="closed"), []),
        (ANONYMOUS, None),
    ],
)
async def test_callers_are_granted_the_hosts_that_they_have(
    asked: Asked, identity: Identity, hosts: list[str] | None
) -> None:
    asked.authenticator.known_by[b"scanner"] = Known(identity, FOR_EVER)
    asked.ask()
    assert asked.front.granted[1][:3] == (hosts, GRANTED_S, UNITS_MAX)


@pytest.mark.parametrize(("left_us", "seconds"), [(5_000_000, 5.0), (0, 0.0), (-1, 0.0), (10**12, GRANTED_S)])
async def test_a_grant_ends_with_the_identity(asked: Asked, left_us: int, seconds: float) -> None:
    asked.authenticator.known_by[b"scanner"] = Known(SCANNER, NOW + left_us)
    asked.ask()
    assert asked.front.granted[1][1] == seconds


@pytest.mark.parametrize(
    ("fault", "code", "ends_streams"),
    [
        (Unauthenticated("CERTIFICATE_REVOKED", "revoked"), grpc.StatusCode.UNAUTHENTICATED, True),
        (NotServing("no trust list"), grpc.StatusCode.UNAVAILABLE, False),
    ],
)
async def test_a_caller_without_an_identity_is_denied(
    asked: Asked, fault: OnecodeError, code: grpc.StatusCode, ends_streams: bool
) -> None:
    asked.authenticator.known_by[b"scanner"] = fault
    asked.ask()
    status, kind, seconds, ends = asked.front.denied[1]
    assert (status[0], kind, seconds, ends) == (code.value[0], failure_of(fault).reason, DENIED_S, ends_streams)


async def test_a_caller_without_the_right_is_denied(asked: Asked) -> None:
    asked.authenticator.known_by[b"scanner"] = Known(Identity(Role.OPS), FOR_EVER)
    asked.ask()
    status, kind, *_ = asked.front.denied[1]
    assert (*status[:2], kind) == (7, "ops may not check codes", "NOT_PERMITTED")


async def test_a_caller_that_is_new_takes_no_units_until_it_wants_some(asked: Asked) -> None:
    for number in range(1, 1000):
        asked.ask(number, wanted=0)
        assert asked.front.granted[number][2] == 0
    asked.ask(1, wanted=1)
    assert asked.front.granted[1][2] == 1000 * LEASE_S


async def test_a_batch_is_leased_whole_and_what_comes_after_it_waits() -> None:
    asked = Asked(units_per_s=100)
    asked.ask(wanted=4000)
    assert asked.front.granted[1][2] == 4000
    asked.ask(2, wanted=1)  # whatever it has shown: it is the same caller
    status, kind, seconds, ends_streams = asked.front.denied[2]
    assert (status[0], kind) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "OVERLOADED")
    assert (seconds, ends_streams) == (DENIED_S, False)
    asked.now_s = 40.0
    asked.ask(2, wanted=1)
    assert asked.front.granted[2][2] == 100 * LEASE_S


@pytest.mark.parametrize("spellings", [1, 100])
async def test_no_caller_is_leased_more_than_its_rate_however_many_credentials_it_shows(spellings: int) -> None:
    asked = Asked(units_per_s=100)
    leased = 0
    for step in range(1000):
        asked.front.granted.clear()
        asked.ask(1 + step % spellings, wanted=4096 if step % 7 == 0 else 1)
        leased += sum(given[2] for given in asked.front.granted.values())
        asked.now_s += 0.1
    assert leased <= 100 * (100 + 1) + 4096


async def test_a_trust_list_that_is_missing_ends_no_front(asked: Asked) -> None:
    asked.authenticator.known_by[b"scanner"] = Known(Identity(Role.PARTNER, name="railway"), FOR_EVER)
    asked.authenticator.partners_fault = NotServing("no trust list")
    asked.ask()
    assert asked.front.denied[1][0][0] == grpc.StatusCode.UNAVAILABLE.value[0]


async def test_a_bug_denies_one_caller_and_is_logged(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    asked.authenticator.partners_fault = ZeroDivisionError("a secret")
    asked.ask()
    assert asked.front.denied[1][0][0] == grpc.StatusCode.INTERNAL.value[0]
    assert [record.message for record in caplog.records] == ["unexpected failure: ZeroDivisionError"]


async def test_all_are_asked_about_again_where_others_may_be_known(asked: Asked) -> None:
    asked.callers.sweep()
    assert asked.front.asked_again == 0
    asked.authenticator.generation = 2
    asked.callers.sweep()
    asked.callers.sweep()
    assert asked.front.asked_again == 1


async def test_a_message_that_python_is_to_judge_has_the_caller_of_its_stream(asked: Asked) -> None:
    asked.ask(3)
    assert asked.callers.caller(3).identity == SCANNER
    asked.authenticator.known_by[b"scanner"] = Unauthenticated("CERTIFICATE_REVOKED", "revoked")
    with pytest.raises(Unauthenticated):
        asked.callers.caller(3)
