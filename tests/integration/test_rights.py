"""Every cell of the table of rights, against a server: by mutual TLS, and again by tokens that a gateway carries."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from onecode.v1 import exceptions_pb2 as ex
from onecode.v1 import (
    exceptions_pb2_grpc,
    recognition_pb2_grpc,
    status_pb2,
    status_pb2_grpc,
    trust_list_pb2,
    trust_list_pb2_grpc,
)
from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import Deployment, Server
from tests.integration.identities import GATEWAY, NATION, OPERATOR, OPS, PARTNER, SCANNER, Identities, code_of

OWN, OTHER, NATIONAL = "420000", "440000", "000000"
ROLES = {"scanner": SCANNER, "operator": OPERATOR, "national": NATION, "partner": PARTNER, "ops": OPS}
EVERYBODY = "scanner operator national partner ops"
# Who may call for the own region, for another one, and for the national authority.
EXPECTED = {
    "Verify": ("scanner partner", "partner", "partner"),
    "BatchVerify": ("scanner partner", "partner", "partner"),
    "StreamVerify": ("scanner partner", "partner", "partner"),
    "Translate": ("scanner partner", "partner", "partner"),
    "BatchTranslate": ("scanner partner", "partner", "partner"),
    "PublishStatuses": ("operator", "", "national"),
    "GetStatus": ("operator national", "national", "national"),
    "ReportException": ("operator", "", ""),
    "AcknowledgeException": ("national", "national", "national"),
    "WithdrawException": ("operator national", "national", "national"),
    "ListExceptions": ("operator national ops", "national ops", "national ops"),
    "GetTrustList": (EVERYBODY,) * 3,
    "Check": (EVERYBODY,) * 3,
    "ServerReflectionInfo": (EVERYBODY,) * 3,
}
_DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return Identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def server(made: Deployment, identities: Identities, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    deployment = made.copy_to(tmp_path_factory.mktemp("rights") / "data")
    running = Server(deployment, *identities.flags("--reflection", "true"))
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def reports(server: Server, identities: Identities) -> dict[str, str]:
    """The ids of reports of the own and of another region."""
    return {
        host: Calls(identities.of(server, f"region/{host}/operator"), {}).report(host).exception.id
        for host in (OWN, OTHER)
    }


@pytest.fixture(scope="module")
def code(made: Deployment) -> bytes:
    return made.issue("110000")[0]


class Calls:
    """Every call of the API, for a region, by one channel."""

    def __init__(self, channel: grpc.Channel, reports: dict[str, str], code: bytes = b"") -> None:
        self._channel = channel
        self._reports = reports
        self._code = code

    def make(self, method: str, region: str) -> bool:
        """Make a call, and return whether it was permitted: whatever else may be wrong with it then."""
        calls: dict[str, Callable[[str], Any]] = {
            "Verify": lambda host: self._scans.Verify(pb.VerifyRequest(code=self._code, host_region=host)),
            "BatchVerify": lambda host: self._scans.BatchVerify(
                pb.BatchVerifyRequest(codes=[self._code], host_region=host)
            ),
            "StreamVerify": lambda host: list(
                self._scans.StreamVerify(iter([pb.StreamVerifyRequest(code=self._code, host_region=host)]))
            ),
            "Translate": lambda host: self._scans.Translate(pb.TranslateRequest(code=self._code, target_region=host)),
            "BatchTranslate": lambda host: self._scans.BatchTranslate(
                pb.BatchTranslateRequest(codes=[self._code], target_region=host)
            ),
            "GetStatus": lambda region: status_pb2_grpc.StatusServiceStub(self._channel).GetStatus(
                status_pb2.GetStatusRequest(
                    subject=status_pb2.SubjectRef(local=status_pb2.LocalSubject(region=region, id="wang"))
                )
            ),
            "ReportException": self.report,
            "AcknowledgeException": lambda region: self._exceptions.AcknowledgeException(
                ex.AcknowledgeExceptionRequest(id="RE-0000000000000000")
            ),
            "WithdrawException": lambda host: self._exceptions.WithdrawException(
                ex.WithdrawExceptionRequest(id=self._reports.get(host, self._reports[OTHER]))
            ),
            "ListExceptions": lambda host: self._exceptions.ListExceptions(ex.ListExceptionsRequest(host_region=host)),
            "GetTrustList": lambda _: trust_list_pb2_grpc.TrustListServiceStub(self._channel).GetTrustList(
                trust_list_pb2.GetTrustListRequest()
            ),
            "Check": lambda _: self._health.Check(health_pb2.HealthCheckRequest()),
            "ServerReflectionInfo": lambda _: list(
                self._reflection.ServerReflectionInfo(
                    iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=30
                )
            ),
        }
        if method == "PublishStatuses":
            return self._publishes(region)
        ended, said = code_of(lambda: calls[method](region))
        assert ended is not grpc.StatusCode.UNAUTHENTICATED, said
        return ended is not _DENIED

    def report(self, host: str) -> Any:
        """File a report."""
        begins = datetime.now(UTC) + timedelta(hours=1)
        times = [Timestamp(seconds=int((begins + timedelta(hours=hours)).timestamp())) for hours in (0, 2)]
        return self._exceptions.ReportException(
            ex.ReportExceptionRequest(
                host_region=host,
                home_region="110000",
                reason="a test",
                effective_from=times[0],
                effective_until=times[1],
            )
        )

    def _publishes(self, publisher: str) -> bool:
        record = status_pb2.StatusRecord(
            publisher=publisher,
            subject=status_pb2.SubjectRef(local=status_pb2.LocalSubject(region=OWN, id="wang")),
            level=status_pb2.LEVEL_GREEN,
            scope=status_pb2.SCOPE_NATIONAL,
            effective_at=Timestamp(seconds=int(datetime.now(UTC).timestamp())),
            revision=1,
        )
        stub = status_pb2_grpc.StatusServiceStub(self._channel)
        answers: list[status_pb2.PublishStatusesResponse] = []
        request = status_pb2.PublishStatusesRequest(sequence=1, record=record)
        ended, said = code_of(lambda: answers.extend(stub.PublishStatuses(iter([request]))))
        assert ended in (grpc.StatusCode.OK, _DENIED), said
        rejected = [one.reason for answer in answers for one in answer.rejections]
        return ended is not _DENIED and rejected != [status_pb2.REJECTION_REASON_NOT_PERMITTED]

    @property
    def _scans(self) -> recognition_pb2_grpc.RecognitionServiceStub:
        return recognition_pb2_grpc.RecognitionServiceStub(self._channel)

    @property
    def _exceptions(self) -> exceptions_pb2_grpc.ExceptionServiceStub:
        return exceptions_pb2_grpc.ExceptionServiceStub(self._channel)

    @property
    def _health(self) -> Any:
        return health_pb2_grpc.HealthStub(self._channel)

    @property
    def _reflection(self) -> Any:
        return reflection_pb2_grpc.ServerReflectionStub(self._channel)


@pytest.mark.parametrize("by", ["certificate", "token"])
@pytest.mark.parametrize("role", ROLES)
def test_every_call_for_every_region(
    server: Server, identities: Identities, reports: dict[str, str], code: bytes, role: str, by: str
) -> None:
    channel = (identities.of if by == "certificate" else identities.carried)(server, ROLES[role])
    calls = Calls(channel, reports, code)
    found = {method: tuple(calls.make(method, region) for region in (OWN, OTHER, NATIONAL)) for method in EXPECTED}
    assert found == {method: tuple(role in who.split() for who in cells) for method, cells in EXPECTED.items()}


def test_a_gateway_without_a_token_may_ask_for_health_alone(
    server: Server, identities: Identities, reports: dict[str, str], code: bytes
) -> None:
    calls = Calls(identities.of(server, GATEWAY), reports, code)
    assert {method for method in EXPECTED if calls.make(method, OWN)} == {"Check"}


def test_the_table_names_every_method_of_the_api() -> None:
    protos = (pb, status_pb2, ex, trust_list_pb2)
    methods = {
        method.name
        for proto in protos
        for service in proto.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert methods == set(EXPECTED) - {"Check", "ServerReflectionInfo"}
