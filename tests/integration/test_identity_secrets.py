"""After calls by certificates and tokens, good and bad ones: no code, bearer, credential or place of a bearer is in
anything that a server writes or shows, and the audit record says who has reported and acknowledged."""

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import exceptions_pb2 as ex
from onecode.v1 import exceptions_pb2_grpc, recognition_pb2_grpc, status_pb2, status_pb2_grpc
from onecode.v1 import recognition_pb2 as pb

from tests.certificates import Authority, Leaf, spiffe_id
from tests.integration.deployment import Deployment, Server, called, expect
from tests.integration.identities import GATEWAY, NATION, OPERATOR, OPS, PARTNER, Identities, refusal_of
from tests.integration.open_calls import record, records, scan, scans, watch

PLACE: Final = "630000"
"""Where bearers are scanned, and which nothing else here names."""
BEARERS: Final = ("Zhang-San-110101199003078515", "Li-Si-440524188001010014")


class Shown:
    """Everything that callers send in this test, and that must be found nowhere."""

    def __init__(self, codes: list[bytes]) -> None:
        self.codes = codes
        self.secrets: set[bytes] = {name.encode() for name in BEARERS}
        for code in codes:
            self._add(code, *code.split(b"."))

    def token(self, token: str) -> str:
        """Note a token, and return it."""
        self._add(token.encode(), *token.encode().split(b"."))
        return token

    def leaf(self, leaf: Leaf) -> Leaf:
        """Note a certificate, and return it."""
        self._add(leaf.der, base64.b64encode(leaf.der), *leaf.pem.splitlines()[1:-1])
        self._add(leaf.certificate.serial_number.to_bytes(20, "big"), str(leaf.certificate.serial_number).encode())
        return leaf

    def found_in(self, content: bytes) -> set[bytes]:
        """Return what stands there and must not."""
        return {secret for secret in self.secrets if secret in content}

    def _add(self, *parts: bytes) -> None:
        self.secrets |= {part for part in parts if len(part) >= 16}


@pytest.fixture
def watched(deployment: Deployment, serve: Callable[..., Server], identities: Identities) -> Server:
    """A server that logs all it ever logs."""
    return identities.ops_reads(serve(deployment, *identities.flags("--log-level", "debug")))


def use(channel: grpc.Channel, shown: Shown) -> None:
    """Make calls of every kind with what is secret; whether they are permitted is another matter."""
    checking = recognition_pb2_grpc.RecognitionServiceStub(channel)
    status = status_pb2_grpc.StatusServiceStub(channel)
    bearer = status_pb2.SubjectRef(local=status_pb2.LocalSubject(region="420000", id=BEARERS[0]))
    for code in shown.codes:
        for sent in (code, code[:-3], code * 2):
            refusal_of(partial(checking.Verify, pb.VerifyRequest(code=sent, host_region=PLACE), timeout=30))
        refusal_of(partial(scans(channel).ask, scan(code, PLACE)))
        refusal_of(partial(checking.Translate, pb.TranslateRequest(code=code, target_region=PLACE), timeout=30))
    many = pb.BatchVerifyRequest(codes=shown.codes, host_region=PLACE)
    refusal_of(lambda: checking.BatchVerify(many, timeout=30))
    refusal_of(lambda: records(channel).ask(record("420000", 1, BEARERS[0]), record("110000", 2, BEARERS[1])))
    refusal_of(lambda: status.GetStatus(status_pb2.GetStatusRequest(subject=bearer), timeout=30))
    refusal_of(lambda: watch(channel, shown.codes[0].decode()))


def callers(server: Server, identities: Identities, shown: Shown) -> list[grpc.Channel]:
    """Return connections of good callers and of bad ones."""
    scanner, gateway = f"region/{PLACE}/scanner", shown.leaf(identities.leaf(GATEWAY))
    now_s = time.time()
    certificates = [
        *(identities.leaf(path) for path in (scanner, OPERATOR, NATION, PARTNER, OPS)),
        identities.authority.issue(f"spiffe://elsewhere.internal/{BEARERS[0]}"),
        identities.authority.issue(spiffe_id("ops"), spiffe_id(PARTNER)),
        Authority("another").issue(spiffe_id("ops")),
    ]
    tokens = [
        *(identities.token(path) for path in (scanner, OPERATOR, PARTNER)),
        identities.token(scanner, exp=now_s - 1),
        identities.token(scanner, aud=BEARERS[1]),
        identities.token(BEARERS[0]),
        identities.tokens.token(scanner, now_s, {"kid": BEARERS[0]}),
        f"{BEARERS[0]}.{BEARERS[1]}.{BEARERS[0]}",
    ]
    return [
        *(identities.channel(server, shown.leaf(leaf)) for leaf in certificates),
        *(identities.channel(server, gateway, shown.token(token)) for token in tokens),
    ]


def test_nothing_that_is_written_or_shown_has_a_code_a_bearer_a_credential_or_a_place(
    watched: Server, deployment: Deployment, identities: Identities
) -> None:
    codes = [deployment.issue(region, id=name)[0] for name in BEARERS for region in ("110000", "420000", "440000")]
    shown = Shown(codes)
    for channel in callers(watched, identities, shown):
        use(channel, shown)
    answered = watched.samples("onecode_scans_total")
    assert sum(count for (_, host), count in answered.items() if host == PLACE) > 50
    pages = (watched.metrics_text() + json.dumps(watched.healthz()[1])).encode()
    assert watched.end() == 0
    log = watched.log_file.read_bytes()
    assert shown.found_in(pages) == set()
    assert shown.found_in(log) == set()
    # How often a region scans is counted; that it does is in no line of the log.
    assert PLACE.encode() not in log
    files = [file for file in deployment.path.rglob("*") if file.is_file()]
    assert {file.name: shown.found_in(file.read_bytes()) for file in files} == {file.name: set() for file in files}
    assert len(shown.secrets) > 100


def test_the_audit_record_names_who_has_reported_and_acknowledged(
    watched: Server, deployment: Deployment, identities: Identities
) -> None:
    begins = datetime.now(UTC) + timedelta(hours=1)
    times = [Timestamp(seconds=int((begins + timedelta(hours=hours)).timestamp())) for hours in (0, 2)]
    reported = exceptions(identities.of(watched, OPERATOR)).ReportException(
        ex.ReportExceptionRequest(
            host_region="420000",
            home_region="110000",
            reason="a test",
            effective_from=times[0],
            effective_until=times[1],
        )
    )
    identifier = reported.exception.id
    exceptions(identities.carried(watched, NATION)).AcknowledgeException(ex.AcknowledgeExceptionRequest(id=identifier))
    exceptions(identities.carried(watched, OPERATOR)).WithdrawException(ex.WithdrawExceptionRequest(id=identifier))
    for path in (PARTNER, "region/440000/operator"):  # who may not withdraw it is nowhere in the record
        stub = exceptions(identities.of(watched, path))
        how = refusal_of(partial(stub.WithdrawException, ex.WithdrawExceptionRequest(id=identifier)))
        assert how.status == "PERMISSION_DENIED"
    assert watched.end() == 0
    lines = expect(called("audit", "show", "--data-dir", deployment.path, "--json")).splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry["subject"] == identifier]
    events = {entry["event"].removeprefix("exception "): entry["details"] for entry in entries}
    assert {event: details[f"{event}_by"] for event, details in events.items()} == {
        "reported": OPERATOR,
        "acknowledged": f"{NATION} via {GATEWAY}",
        "withdrawn": f"{OPERATOR} via {GATEWAY}",
    }
    assert expect(called("audit", "verify", "--data-dir", deployment.path)).endswith("\n")


def exceptions(channel: grpc.Channel) -> Any:
    """Return a stub of the exception service."""
    return exceptions_pb2_grpc.ExceptionServiceStub(channel)
