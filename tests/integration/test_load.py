"""The benchmark's load: it is answered by the real server, all of it, and notices where it is not."""

import asyncio
from itertools import cycle
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb

from benchmarks import load
from benchmarks.attacks.way import Way
from benchmarks.call import Unanswered
from benchmarks.closed_loop import Flight, fly
from benchmarks.http2 import Connection, framed
from benchmarks.load import METHOD, Case
from benchmarks.servers import Server as Measured
from benchmarks.shown import Authority, Shown
from tests.integration.deployment import Deployment, Server

CASES = [
    Case("", "", method, codes, 8, 2, ()) for method, codes in (("Verify", 1), ("BatchVerify", 7), ("StreamVerify", 1))
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority") / "certs")


def test_the_largest_batch_goes_through_windows_that_are_smaller(server: Server, shared: Deployment) -> None:
    codes = shared.issue("110000", count=64) * 64
    request = pb.BatchVerifyRequest(codes=codes, host_region="420000")

    async def ask() -> list[bytes]:
        connection = await Connection(f"{METHOD}BatchVerify", server.address).open()
        answers = await asyncio.gather(*(connection.call(framed(request.SerializeToString())) for _ in range(3)))
        connection.close()
        return answers

    for answer in asyncio.run(ask()):
        verdicts = pb.BatchVerifyResponse.FromString(answer[5:]).verdicts
        assert [one.authenticity for one in verdicts] == [pb.AUTHENTICITY_VALID] * 4096


def test_calls_on_one_connection_get_their_own_answers(server: Server, shared: Deployment) -> None:
    good = shared.issue("110000", count=1)[0]
    codes = [good, good[:-6] + b"000000", b"NC1:", good] * 10
    bodies = [framed(pb.VerifyRequest(code=code, host_region="420000").SerializeToString()) for code in codes]

    async def ask() -> list[bytes]:
        connection = await Connection(f"{METHOD}Verify", server.address).open()
        answers = await asyncio.gather(*map(connection.call, bodies))
        connection.close()
        return answers

    decisions = [pb.VerifyResponse.FromString(answer[5:]).verdict.decision for answer in asyncio.run(ask())]
    assert decisions == [pb.DECISION_ADMIT, pb.DECISION_REFUSE, pb.DECISION_REFUSE, pb.DECISION_ADMIT] * 10


@pytest.mark.parametrize("method", ["Verify", "Unheard"])
def test_a_call_that_fails_is_no_answer(server: Server, method: str) -> None:
    async def ask() -> None:
        connection = await Connection(METHOD + method, server.address).open()
        await connection.call(framed(pb.VerifyRequest(code=b"NC1:", host_region="nowhere").SerializeToString()))

    with pytest.raises(Unanswered, match="an error instead of an answer"):
        asyncio.run(ask())


@pytest.mark.parametrize("takes_refusals", [True, False])
def test_a_refused_call_is_counted_where_that_is_asked_and_an_error_elsewhere(
    server: Server, shared: Deployment, takes_refusals: bool
) -> None:
    code = shared.issue("110000", count=1)[0]
    good, bad = (framed(pb.VerifyRequest(code=code, host_region=host).SerializeToString()) for host in ("420000", ""))

    async def ask() -> Flight:
        connection = await Connection(f"{METHOD}Verify", server.address).open()
        try:
            return await fly([connection], 8, cycle([good, bad]), 0.2, takes_refusals=takes_refusals)
        finally:
            connection.close()

    if takes_refusals:
        flight = asyncio.run(ask())
        assert flight.refused >= 4
        assert len(flight.latencies_s) - flight.refused in {0, 1}
    else:
        with pytest.raises(Unanswered, match="an error instead of an answer"):
            asyncio.run(ask())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.method)
def test_a_round_counts_what_the_server_counts(case: Case, server: Server, shared: Deployment) -> None:
    name = "onecode_verdicts_total"
    bodies = load.bodies_of(case, shared.issue("110000", count=140))
    before = sum(server.samples(name).values())
    measured = load.run(case, cycle(bodies), Measured("onecode", server.process.pid, server.address), 0.2)
    counted = sum(server.samples(name).values()) - before
    # The warm-up is no part of what is measured, and the server counts it.
    assert 0 < measured.codes < counted
    assert measured.codes % case.codes_per_call == 0
    assert 0 < measured.p50_ms <= measured.p99_ms
    assert 0 < measured.anonymous_mib < measured.resident_mib


@pytest.mark.parametrize("way", ["certificate", "token"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.method)
def test_a_round_over_tls_is_answered(
    case: Case, way: str, serve: Any, deployment: Deployment, authority: Authority
) -> None:
    shows = Way(way, authority)
    server = serve(deployment, *shows.flags)
    codes = deployment.issue("110000", count=30)
    at = Measured("onecode", server.process.pid, server.address, shown=shows.caller)
    assert load.run(case, cycle(load.bodies_of(case, codes)), at, 0.2).codes > 0


@pytest.mark.parametrize("way", ["certificate", "token"])
def test_who_shows_nothing_over_tls_has_no_answer(
    way: str, serve: Any, deployment: Deployment, authority: Authority
) -> None:
    server = serve(deployment, *Way(way, authority).flags)

    async def ask() -> None:
        shown = Shown(authority.context())
        connection = await Connection(f"{METHOD}Verify", server.address, shown=shown).open()
        await connection.call(framed(pb.VerifyRequest(code=b"NC1:", host_region="420000").SerializeToString()))

    with pytest.raises((Unanswered, OSError)):
        asyncio.run(ask())


def test_a_server_that_goes_away_fails_the_calls_that_wait(serve: Any, deployment: Deployment) -> None:
    server = serve(deployment)

    async def ask() -> None:
        connection = await Connection(f"{METHOD}StreamVerify", server.address).open()
        stream = connection.begin(lambda count: None)
        await asyncio.sleep(0.2)
        server.process.kill()
        await connection.end(stream)

    with pytest.raises(Unanswered):
        asyncio.run(ask())
