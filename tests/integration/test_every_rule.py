"""Every rule of publication and of exceptions, broken over gRPC. A rule that is added without a case here fails."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from onecode.v1 import exceptions_pb2, exceptions_pb2_grpc, status_pb2
from onecode_client import OperatorClient, ServerError, status_record
from onecode_client.errors import server_error
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.region import PROVINCES
from onecode_server.rules.publication import PENDING_MAX, Rejection
from onecode_server.rules.recognition_exceptions import HOST_OPEN_MAX, PAIR_ACKNOWLEDGED_MAX, PAIR_OPEN_MAX, Obstacle

from tests.integration.deployment import Deployment, Server
from tests.integration.stored_reports import store_report

ENDED = "RE-ended"
NOW = "2026-01-01T00:00:00Z"
LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()


def record_of(**more: Any) -> status_pb2.StatusRecord:
    subject = {"local": {"region": "420000", "id": "every rule"}}
    members = {"publisher": "420000", "subject": subject, "level": "RED", "scope": "NATIONAL", "effective_at": NOW}
    return status_record({**members, "revision": 1, **more})


OTHER = {"subject": {"local": {"region": "420000", "id": "every other rule"}}}
REJECTED: dict[Rejection, list[status_pb2.StatusRecord]] = {
    Rejection.UNKNOWN_PUBLISHER: [record_of(publisher="999999")],
    Rejection.INVALID_SUBJECT: [record_of(subject={"pseudonym": "AAAA"})],
    Rejection.INVALID_SCOPE: [record_of(scope="UNSPECIFIED")],
    Rejection.INVALID_LEVEL: [record_of(level="UNSPECIFIED")],
    Rejection.INVALID_TIME: [record_of(expires_at=NOW)],
    Rejection.INVALID_REVISION: [record_of(revision=2**64 - 1)],
    Rejection.NOT_THE_HOME: [record_of(publisher="440000")],
    Rejection.NOT_AN_ADOPTER: [record_of(scope="LOCAL")],
    Rejection.REVISION_CONFLICT: [record_of(**OTHER), record_of(**OTHER, level="GREEN")],
    Rejection.SUPERSEDED: [record_of(**OTHER, revision=3), record_of(**OTHER, revision=2)],
    Rejection.TOO_MANY_PENDING: [record_of(effective_at=LATER, revision=100 + n) for n in range(PENDING_MAX + 1)],
}
"""What is published; the last one is rejected."""


@pytest.fixture(scope="module")
def running(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    deployment = made.copy_to(tmp_path_factory.mktemp("rules") / "data")
    store_report(deployment.path, RecognitionException(ENDED, "110000", "150000", "why", 1, 2, 1))
    started = Server(deployment)
    yield started
    assert started.end() == 0


@pytest.fixture
def client(running: Server) -> Iterator[OperatorClient]:
    with OperatorClient(running.address) as made:
        yield made


def test_every_rule_that_needs_no_identity_is_broken_here() -> None:
    assert set(REJECTED) == set(Rejection) - {Rejection.NOT_PERMITTED}  # which test_rights breaks


@pytest.mark.parametrize("rule", REJECTED, ids=lambda rule: rule.name)
def test_a_record_that_breaks_a_rule_is_rejected_by_its_name(client: OperatorClient, rule: Rejection) -> None:
    records = REJECTED[rule]
    rejections = [one for answer in client.publish(records) for one in answer.rejections]
    names = [(one.sequence, status_pb2.RejectionReason.Name(one.reason), one.message) for one in rejections]
    assert names == [(len(records), f"REJECTION_REASON_{rule.name}", rule.value)]


def report(client: OperatorClient, host: str = "440000", home: str = "420000", **more: Any) -> str:
    now = datetime.now(UTC)
    begins, lasts = now + more.get("after", timedelta()), more.get("lasts", timedelta(hours=1))
    times = {"effective_from": begins, "effective_until": begins + lasts}
    return client.report_exception(host_region=host, home_region=home, reason=more.get("why", "why"), **times).id


def reported(**more: Any) -> Callable[[OperatorClient], object]:
    return lambda client: report(client, **more)


def overlapping(client: OperatorClient) -> None:
    client.acknowledge_exception(report(client, "110000", "120000"))
    report(client, "110000", "120000")


def too_many_of_a_pair(client: OperatorClient) -> None:
    for _ in range(PAIR_OPEN_MAX + 1):
        report(client, "120000", "130000")


def too_many_of_a_host(client: OperatorClient) -> None:
    homes = [code for code in PROVINCES if code != "210000"]
    for number in range(HOST_OPEN_MAX + 1):
        report(client, "210000", homes[number % len(homes)])


def too_many_acknowledged(client: OperatorClient) -> None:
    for number in range(PAIR_ACKNOWLEDGED_MAX + 1):
        client.acknowledge_exception(report(client, "120000", "140000", after=timedelta(hours=2 * number)))


def acknowledged_again(client: OperatorClient) -> None:
    identifier = report(client, "110000", "130000")
    client.acknowledge_exception(identifier)
    client.acknowledge_exception(identifier)


def withdrawn_again(client: OperatorClient) -> None:
    identifier = report(client, "110000", "140000")
    client.withdraw_exception(identifier)
    client.withdraw_exception(identifier)


def acknowledged_too_late(client: OperatorClient) -> None:
    client.acknowledge_exception(ENDED)


REFUSED: dict[Obstacle, Callable[[OperatorClient], object]] = {
    Obstacle.HOST_UNKNOWN: reported(host="999999"),
    Obstacle.HOME_UNKNOWN: reported(home="999999"),
    Obstacle.HOME_IS_HOST: reported(home="440000"),
    Obstacle.HOME_IS_NATIONAL: reported(home="000000"),
    Obstacle.HOST_IS_NATIONAL: reported(host="000000"),
    Obstacle.REASON_MISSING: reported(why=""),
    Obstacle.BACKWARDS: reported(after=timedelta(minutes=-5)),
    Obstacle.TOO_FAR_AHEAD: reported(after=timedelta(days=30, hours=1)),
    Obstacle.ENDS_BEFORE_IT_BEGINS: reported(after=timedelta(hours=1), lasts=timedelta()),
    Obstacle.TOO_SHORT: reported(after=timedelta(hours=1), lasts=timedelta(hours=1, microseconds=-1)),
    Obstacle.TOO_LONG: reported(after=timedelta(hours=1), lasts=timedelta(days=30, microseconds=1)),
    Obstacle.OVERLAPS: overlapping,
    Obstacle.TOO_MANY_OPEN_OF_PAIR: too_many_of_a_pair,
    Obstacle.TOO_MANY_OPEN_OF_HOST: too_many_of_a_host,
    Obstacle.TOO_MANY_ACKNOWLEDGED: too_many_acknowledged,
    Obstacle.ALREADY_ACKNOWLEDGED: acknowledged_again,
    Obstacle.ALREADY_WITHDRAWN: withdrawn_again,
    Obstacle.ALREADY_ENDED: acknowledged_too_late,
}


@pytest.mark.parametrize("rule", Obstacle, ids=lambda rule: rule.name)
def test_a_step_that_a_rule_forbids_is_refused_by_its_name(client: OperatorClient, rule: Obstacle) -> None:
    with pytest.raises(ServerError) as refused:
        REFUSED[rule](client)
    assert (refused.value.code, refused.value.reason) == ("FAILED_PRECONDITION", rule.name)
    assert rule.value in str(refused.value)


@pytest.mark.parametrize("time", [(-1, 0), (2**63 - 1, 0), (253_402_300_800, 0), (1, -1), (1, 1_000_000_000)])
def test_a_time_that_is_none_is_an_invalid_request_and_an_invalid_record(
    running: Server, client: OperatorClient, time: tuple[int, int]
) -> None:
    request = exceptions_pb2.ReportExceptionRequest(host_region="440000", home_region="420000", reason="why")
    request.effective_until.seconds, request.effective_until.nanos = time
    request.effective_from.GetCurrentTime()
    with pytest.raises(grpc.RpcError) as refused:
        exceptions_pb2_grpc.ExceptionServiceStub(running.channel()).ReportException(request, timeout=30)
    assert (server_error(refused.value).code, server_error(refused.value).reason) == (
        "INVALID_ARGUMENT",
        "TIME_INVALID",
    )
    for field in ("effective_at", "expires_at"):
        record = record_of()
        getattr(record, field).seconds, getattr(record, field).nanos = time
        (answer,) = client.publish([record])
        assert [one.reason for one in answer.rejections] == [status_pb2.REJECTION_REASON_INVALID_TIME]
