"""Open calls of callers whose identity ends are ended, and those of others go on.

grpc.aio looks at the callers of open calls every ten seconds, and so does the native front for calls that it passes on.
It ends its own streams as soon as it is told, and the connection of a caller whose certificate it would let in no more:
all calls of that caller are UNAVAILABLE then, and the next handshake is refused.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2

from tests.certificates import spiffe_id
from tests.integration.bad_identities import verify
from tests.integration.deployment import TAKEN_S, Deployment, Server, eventually, expect
from tests.integration.identities import GATEWAY, OK, OPERATOR, PARTNER, SCANNER, Identities, Refused, refusal_of
from tests.integration.open_calls import OpenCall, numbered, record, records, scan, scans, watch
from tests.tokens import TokenIssuer, jwks

ENDS_S = 60
LASTS_S = 8
"""What ends by itself must last until all calls are open, even on a busy machine."""


def opened(server: Server, region: str, code: bytes, channel_of: Callable[[str], grpc.Channel]) -> list[OpenCall[Any]]:
    """Return a stream of scans, one of records, and a watch of a region's callers."""
    scanner, operator = f"region/{region}/scanner", f"region/{region}/operator"
    scanning, publishing = scans(channel_of(scanner)), records(channel_of(operator))
    scanning.ask(scan(code, region))
    publishing.ask(record(region, 1))
    return [scanning, publishing, watch(channel_of(scanner))]


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
    removed = TokenIssuer("to be removed")
    identities.token_keys.write_bytes(jwks(identities.tokens, removed))
    ends_s = time.time() + LASTS_S

    def by_certificate(path: str) -> grpc.Channel:
        return identities.of(server, path)

    def by_token(path: str) -> grpc.Channel:
        return identities.carried(server, path)

    def by_short_certificate(path: str) -> grpc.Channel:
        not_after = datetime.fromtimestamp(ends_s, UTC)
        return identities.channel(server, identities.authority.issue(spiffe_id(path), not_after=not_after))

    def by_short_token(path: str) -> grpc.Channel:
        return identities.channel(server, identities.leaf(GATEWAY), identities.token(path, exp=ends_s))

    def by_removed_key(path: str) -> grpc.Channel:
        return identities.channel(server, identities.leaf(GATEWAY), removed.token(path, time.time()))

    eventually(lambda: refusal_of(lambda: verify(by_removed_key(SCANNER), code)) == OK, within_s=TAKEN_S)
    lasting = opened(server, "110000", code, by_certificate)
    carried = opened(server, "120000", code, by_token)
    ending = {
        "TOKEN_EXPIRED": opened(server, "130000", code, by_short_token),
        "TOKEN_KEY_UNKNOWN": opened(server, "140000", code, by_removed_key),
        "CERTIFICATE_EXPIRED": opened(server, "150000", code, by_short_certificate),
        "CERTIFICATE_REVOKED": opened(server, "420000", code, by_certificate),
        "REGION_UNKNOWN": opened(server, "510000", code, by_certificate),
    }
    assert all(call.is_open for calls in ending.values() for call in calls)
    identities.token_keys.write_bytes(jwks(identities.tokens))
    identities.revoke(SCANNER, OPERATOR)
    remove_region(deployment, "510000")
    eventually(lambda: not any(call.is_open for calls in ending.values() for call in calls), within_s=ENDS_S)
    ends = {reason: [call.end()[:2] for call in calls] for reason, calls in ending.items()}
    if identities.ops_reads(server).front() == "native":
        # It closes the connections of revoked certificates, mostly before the server has ended their streams.
        revoked = ends["CERTIFICATE_REVOKED"]
        ends["CERTIFICATE_REVOKED"] = [
            ("UNAUTHENTICATED", "CERTIFICATE_REVOKED") if end == ("UNAVAILABLE", "") else end for end in revoked
        ]
    assert ends == {reason: [("UNAUTHENTICATED", reason)] * 3 for reason in ending}
    for region, calls in (("110000", lasting), ("120000", carried)):
        scanning, publishing, watching = calls
        (answer,) = scanning.ask(scan(code, region, 2))
        assert answer.verdict.decision == pb.DECISION_ADMIT
        (acknowledged,) = publishing.ask(record(region, 2))
        assert (acknowledged.durable_through, len(acknowledged.rejections)) == (2, 0)
        assert watching.is_open
        for call in calls:
            call.call.cancel()


def test_a_stream_may_do_what_its_partner_may_do_by_the_trust_list_in_force(
    serving: tuple[Deployment, Server, Identities], code: bytes
) -> None:
    deployment, server, identities = serving
    stream = scans(identities.of(server, PARTNER))
    for number, host in enumerate(("420000", "440000"), 1):
        stream.ask(scan(code, host, number))
    expect(deployment.trust("set-partner", "--name", "railway", "--host", "420000"))

    def is_refused() -> bool:
        stream.ask(scan(code, "420000", 3))
        return refusal_of(lambda: verify(identities.of(server, PARTNER), code, host="440000")) != OK

    eventually(is_refused, within_s=TAKEN_S)
    stream.ask(scan(code, "420000", 4))
    how = refusal_of(lambda: stream.ask(scan(code, "440000", 5)))
    assert how == Refused(
        "PERMISSION_DENIED", "NOT_PERMITTED", "request 5: partner/railway may check codes for 420000 only"
    )


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
