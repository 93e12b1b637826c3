"""What one server takes, the other on the data directory answers, while both are busy."""

from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from rich.progress import Progress

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OperatorClient, status_record

from benchmarks import spread
from benchmarks.servers import Server
from tests.integration.deployment import Deployment

DECISIONS = {"RED": "DECISION_REFUSE", "YELLOW": "DECISION_CHECK", "GREEN": "DECISION_ADMIT"}
TRIES = 80
"""The whole measurement, a thousand of them, is ``make spread``: it fails where one takes longer than a second."""


def test_what_one_busy_server_acknowledges_the_other_shows_every_time(
    deployment: Deployment, serve: Any, record_property: Any
) -> None:
    started = [serve(deployment), serve(deployment)]
    one, other = (Server(str(number), server.process.pid, server.address) for number, server in enumerate(started))
    with Progress(disable=True) as progress:
        found = spread.measure((one, other), deployment.path, TRIES, progress)
    # A record that never shows fails in there, after a minute. How many were late is told, not judged: how busy the
    # machine is with other things is not the server's doing.
    record_property("over_a_second", len(found.late))
    record_property("longest_s", max(found.delays_s))
    assert len(found.delays_s) == TRIES
    assert min(found.load) > 0


def test_what_one_server_acknowledged_counts_for_the_next_call_of_the_other(deployment: Deployment, serve: Any) -> None:
    one, other = serve(deployment), serve(deployment)
    code, now = deployment.issue("420000", id="wang")[0], datetime.now(UTC)
    batch = pb.BatchVerifyRequest(codes=[*deployment.issue("540000", count=40), code], host_region="440000")
    record = {"publisher": "420000", "subject": {"local": {"region": "420000", "id": "wang"}}, "scope": "NATIONAL"}
    record["effective_at"] = now.isoformat()
    with OperatorClient(one.address) as client:
        for revision, level in zip(range(1, 40), cycle(("RED", "YELLOW", "GREEN")), strict=False):
            answers = list(client.publish([status_record(record | {"level": level, "revision": revision})]))
            assert [answer.durable_through for answer in answers] == [1]
            found = other.verify(code).verdict
            assert pb.Decision.Name(found.decision) == DECISIONS[level], (revision, found, other.verify(code).verdict)
            last = other.stub().BatchVerify(batch, timeout=30).verdicts[-1]
            assert pb.Decision.Name(last.decision) == DECISIONS[level]
