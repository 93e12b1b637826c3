"""What a caller may do, found out by doing it."""

from typing import Final

import grpc
from grpc_health.v1 import health_pb2

from onecode.v1 import exceptions_pb2 as ex
from onecode.v1 import exceptions_pb2_grpc, recognition_pb2_grpc
from onecode.v1 import recognition_pb2 as pb

from tests.integration.bad_identities import verify
from tests.integration.deployment import Server
from tests.integration.identities import health_stub, refusal_of
from tests.integration.open_calls import record, records

CHECKS: Final = frozenset(("verify", "translate", "health"))
OPERATES: Final = frozenset(("reports", "health"))
ALL: Final = CHECKS | OPERATES | {"publish"}
UNKNOWN: Final = {"UNAUTHENTICATED IDENTITY_MISSING"}
DENIED: Final = {"PERMISSION_DENIED NOT_PERMITTED"}


def held(channel: grpc.Channel, code: bytes) -> tuple[frozenset[str], set[str]]:
    """Return what a caller may do, and how all else is refused."""
    checking = recognition_pb2_grpc.RecognitionServiceStub(channel)
    calls = {
        "verify": lambda: verify(channel, code),
        "translate": lambda: checking.Translate(pb.TranslateRequest(code=code, target_region="420000"), timeout=30),
        "publish": lambda: records(channel).ask(record("420000", 1)),
        "reports": lambda: exceptions_pb2_grpc.ExceptionServiceStub(channel).ListExceptions(
            ex.ListExceptionsRequest(), timeout=30
        ),
        "health": lambda: health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30),
    }
    ended = {name: refusal_of(call) for name, call in calls.items()}
    granted = frozenset(name for name, how in ended.items() if how.status == "OK")
    return granted, {f"{how.status} {how.reason}" for name, how in ended.items() if name not in granted}


def pages(server: Server) -> tuple[int, int]:
    """Return the HTTP statuses of the pages for metrics and for health, for a caller who shows nothing."""
    return server.page_status("/metrics"), server.page_status("/healthz")
