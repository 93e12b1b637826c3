"""What the native front is told of callers: who they are, for which hosts, how long, and how much at a time."""

import asyncio
from collections.abc import Collection
from typing import Any

import grpc
import pytest

from onecode_server.errors import NotServing, OnecodeError, Overloaded, Unauthenticated
from onecode_server.identity.known import FOR_EVER, Known
from onecode_server.model.identity import ANONYMOUS, Identity, Role
from onecode_server.rpc.caller_limits import LEASE_S, UNITS_MAX, CallerLimits
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
    partners: dict[str, Collection[str]] = {"airport": ("420000", "440000"), "closed": ()}  # noqa: RUF012 - a table

    def __init__(self) -> None:
        self.known_by: dict[bytes, Known | OnecodeError] = {b"scanner": Known(SCANNER, FOR_EVER)}
        self.seen: list[tuple[bytes | None, str | None, bool]] = []

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

    def __init__(self, units_per_s: int = 1000, callers_max: int = 10) -> None:
        self.front, self.authenticator, self.now_s = StandIn(), Authenticator(), 0.0
        self.limits = CallerLimits({Role.SCANNER: Limit(units_per_s, 7)}, lambda: self.now_s, lambda *_: None)
        self.callers = NativeCallers(self.front, self.authenticator, self.limits, lambda: NOW, callers_max)  # type: ignore[arg-type]

    def ask(self, number: int = 1, certificate: bytes = b"scanner", owed: int = 0) -> None:
        """Have the front ask about a credential."""
        self.front.asks.append((number, certificate, b"", False, owed))
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
    status, seconds, ends = asked.front.denied[1]
    assert (status[0], seconds, ends) == (code.value[0], DENIED_S, ends_streams)


async def test_a_caller_without_the_right_is_denied(asked: Asked) -> None:
    asked.authenticator.known_by[b"scanner"] = Known(Identity(Role.OPS), FOR_EVER)
    asked.ask()
    assert asked.front.denied[1][0][:2] == (7, "ops may not check codes")


async def test_a_caller_that_asks_for_too_much_is_held_back_and_answered_anew_by_itself() -> None:
    asked = Asked(units_per_s=100)
    asked.ask(owed=4000)  # a batch that was larger than its lease
    status, seconds, ends_streams = asked.front.denied[1]
    assert (status[0], ends_streams) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], False)
    assert seconds == pytest.approx(39, abs=1)
    fast = Asked(units_per_s=100_000)
    fast.ask(owed=100_000 + 5_000)
    assert fast.front.denied[1][1] == pytest.approx(0.05)
    fast.now_s = 1.0
    async with asyncio.timeout(10):
        while not fast.front.granted:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
    assert fast.front.granted[1][2] == 100_000 * LEASE_S


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


async def test_credentials_are_forgotten_within_the_bound_of_the_front() -> None:
    asked = Asked(callers_max=10)
    for number in range(1, 100):
        asked.ask(number)
    assert len(asked.callers._credentials) == 10
    with pytest.raises(Overloaded):
        asked.callers.caller(1)
