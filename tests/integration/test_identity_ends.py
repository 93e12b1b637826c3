"""Open calls of callers whose identity ends are ended, and those of others go on.

grpc.aio looks at the callers of open calls every ten seconds, and so does the native front for calls that it passes on.
It ends its own streams as soon as it is told, and the connection of a caller whose certificate it would let in no more:
all calls of that caller are UNAVAILABLE then, and the next handshake is refused.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2

from tests.integration.bad_identities import verify
from tests.integration.deployment import Deployment, Server, eventually, expect
from tests.integration.identities import GATEWAY, OPERATOR, PARTNER, SCANNER, Identities, refusal_of
from tests.integration.open_calls import OpenCall, numbered, record, records, scan, scans, watch

ENDS_S = 60
TOKEN_S = 8
"""The token must last until all calls are open, even on a busy machine."""


def opened(server: Server, identities: Identities, region: str, code: bytes, **claims: Any) -> list[OpenCall[Any]]:
    """Return a stream of scans, one of records, and a watch of a region's callers: by tokens where there are claims."""
    scanner, operator = f"region/{region}/scanner", f"region/{region}/operator"

    def channel(path: str) -> Any:
        if claims:
            return identities.channel(server, identities.leaf(GATEWAY), identities.token(path, **claims))
        return identities.of(server, path)

    scanning, publishing = scans(channel(scanner)), records(channel(operator))
    scanning.ask(scan(code, region))
    publishing.ask(record(region, 1))
    return [scanning, publishing, watch(channel(scanner))]


def remove_region(deployment: Deployment, code: str) -> None:
    """Sign a list without a region."""
    document = json.loads(expect(deployment.trust("show", "--json")))
    document["version"] += 1
    document["regions"] = [region for region in document["regions"] if region["code"] != code]
    (deployment.path / "trust-list.draft.json").write_text(json.dumps(document), "utf-8")
    expect(deployment.trust("sign"))


@pytest.fixture
def serving(made: Deployment, tmp_path: Path, serve: Callable[..., Server]) -> tuple[Deployment, Server, Identities]:
    """A server of the test's own, on a deployment of its own."""
    identities = Identities(tmp_path / "identities")
    deployment = made.copy_to(tmp_path / "data")
    return deployment, serve(deployment, *identities.flags()), identities


def test_open_calls_end_with_the_identities_of_their_callers_and_others_go_on(
    serving: tuple[Deployment, Server, Identities], code: bytes
) -> None:
    deployment, server, identities = serving
    lasting = opened(server, identities, "110000", code)
    carried = opened(server, identities, "120000", code, exp=time.time() + 3600)
    ending = {
        "TOKEN_EXPIRED": opened(server, identities, "130000", code, exp=time.time() + TOKEN_S),
        "CERTIFICATE_REVOKED": opened(server, identities, "420000", code),
        "REGION_UNKNOWN": opened(server, identities, "510000", code),
    }
    assert all(call.is_open for calls in ending.values() for call in calls)
    identities.revoke(SCANNER, OPERATOR)
    remove_region(deployment, "510000")
    eventually(lambda: not any(call.is_open for calls in ending.values() for call in calls), within_s=ENDS_S)
    ends = {reason: [call.end()[:2] for call in calls] for reason, calls in ending.items()}
    expected = {reason: [("UNAUTHENTICATED", reason)] * 3 for reason in ending}
    if identities.ops_reads(server).front() == "native":
        expected["CERTIFICATE_REVOKED"] = [("UNAVAILABLE", "")] * 3
    assert ends == expected
    for region, calls in (("110000", lasting), ("120000", carried)):
        scanning, publishing, watching = calls
        (answer,) = scanning.ask(scan(code, region, 2))
        assert answer.verdict.decision == pb.DECISION_ADMIT
        (acknowledged,) = publishing.ask(record(region, 2))
        assert (acknowledged.durable_through, len(acknowledged.rejections)) == (2, 0)
        assert watching.is_open
        for call in calls:
            call.call.cancel()


@pytest.mark.parametrize("together", [True, False])
def test_a_streams_message_for_another_region_is_refused_after_the_answers_to_those_before_it(
    guarded: Server, identities: Identities, code: bytes, together: bool
) -> None:
    stream = scans(identities.of(guarded, SCANNER))
    hosts = "420000", "420000", "440000", "420000"
    answers: list[Any] = []

    def exchange() -> None:
        if not together:
            for message in numbered(code, *hosts[:2]):
                answers.extend(stream.ask(message))
        for message in [*numbered(code, *hosts)][0 if together else 2 :]:
            stream.send(message)
        for answer in stream.call:
            answers.append(answer)  # noqa: PERF402 - those before a failure count too

    how = refusal_of(exchange)
    assert [answer.request_id for answer in answers] == [1, 2]
    assert how[:2] == ("PERMISSION_DENIED", "NOT_PERMITTED")
    assert how.text == "request 3: region/420000/scanner may check codes for 420000 only"
    assert verify(identities.of(guarded, SCANNER), code).verdict.decision == pb.DECISION_ADMIT


def test_a_foreign_publishers_record_is_rejected_and_the_stream_goes_on(
    guarded: Server, identities: Identities
) -> None:
    stream = records(identities.of(guarded, OPERATOR))
    (foreign,) = stream.ask(record("440000", 1))
    (own,) = stream.ask(record("420000", 2))
    assert [(one.sequence, one.reason) for one in foreign.rejections] == [
        (1, status_pb2.REJECTION_REASON_NOT_PERMITTED)
    ]
    assert (own.durable_through, len(own.rejections)) == (2, 0)
    assert stream.rest() == []


@pytest.mark.parametrize("path", [SCANNER, PARTNER, GATEWAY])
def test_a_stream_that_its_caller_may_not_open_at_all_ends_at_once(
    guarded: Server, identities: Identities, path: str
) -> None:
    how = refusal_of(lambda: records(identities.of(guarded, path)).ask(record("420000", 1)))
    assert how[:2] == ("PERMISSION_DENIED", "NOT_PERMITTED")
