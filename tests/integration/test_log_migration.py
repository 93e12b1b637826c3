"""A deployment on one embedded store goes on as machines of a log, and answers as before."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from onecode.v1 import recognition_pb2 as pb
from onecode_server.log.address import LogAddress

from tests.integration import machines_of_a_log
from tests.integration.deployment import Deployment, Server, called, command, eventually, expect, record

SEEN_S = 1 + 10
"""The second that is promised, and room for a machine that is busy with other things."""


def audit_head(deployment: Deployment) -> str:
    found = re.search(
        r"hash chain intact; head (\w+)", expect(called("audit", "verify", "--data-dir", deployment.path))
    )
    assert found
    return found[1]


def file_exception(server: Server) -> str:
    """Report an exception of 440000 for 420000, acknowledge it, and return its id."""
    begins = datetime.now(UTC)
    asked = ("--host", "440000", "--home", "420000", "--reason", "the register is being rebuilt")
    times = ("--from", begins.isoformat(), "--until", (begins + timedelta(hours=2)).isoformat())
    filed = json.loads(expect(called("exception", "report", "--server", server.address, *asked, *times, "--json")))
    expect(called("exception", "acknowledge", filed["id"], "--server", server.address))
    return str(filed["id"])


def test_an_embedded_deployment_goes_on_as_two_machines_that_answer_as_before(
    made: Deployment, log: LogAddress, serve: Callable[..., Server], tmp_path: Path
) -> None:
    deployment, backup = made.copy_to(tmp_path / "first"), tmp_path / "backup"
    (sick,) = deployment.issue("420000", id="sick traveller")
    (token,) = deployment.issue("310000")  # which publishes it
    embedded = serve(deployment)
    expect(deployment.publish(record("420000", "RED", "sick traveller")))
    exception = file_exception(embedded)

    def answers(server: Server) -> list[object]:
        found = server.verify(sick, "110000"), server.verify(token, "110000"), server.verify(sick, "440000")
        return [(one.verdict.decision, one.verdict.reason, one.verdict.exception_id) for one in found]

    before, head = answers(embedded), audit_head(deployment)
    assert (before[0][:2], before[2][2]) == ((pb.DECISION_REFUSE, pb.REASON_RED), exception)  # type: ignore[index]
    asked = ("log", "migrate", "--data-dir", deployment.path, *machines_of_a_log.flags(log))
    machines_of_a_log.join(deployment)
    refused = command(*asked)
    assert (refused.status, len(refused.err.splitlines())) == (2, 1)
    assert "stop the servers on it first" in refused.err
    assert embedded.end() == 0
    assert head in expect(command(*asked))
    assert "nothing was changed" in expect(command(*asked))
    assert audit_head(deployment) == head
    one = serve(deployment, *machines_of_a_log.flags(log))
    expect(called("store", "backup", backup, "--data-dir", deployment.path))
    second = made.copy_to(tmp_path / "second")
    machines_of_a_log.join(second)
    expect(called("store", "restore", backup, "--data-dir", second.path))
    other = serve(second, *machines_of_a_log.flags(log))
    for server in (one, other):
        machines_of_a_log.await_confirmed(server)
        assert answers(server) == before
    file = tmp_path / "records.ndjson"
    file.write_text(json.dumps(record("420000", "GREEN", "sick traveller", revision=2)), "utf-8")
    expect(called("status", "publish", "--server", one.address, "--file", file))
    eventually(lambda: other.verify(sick, "110000").verdict.reason != pb.REASON_RED, SEEN_S)
    expect(called("exception", "withdraw", exception, "--server", other.address))
    eventually(lambda: not one.verify(sick, "440000").verdict.exception_id, SEEN_S)
    assert audit_head(deployment) == audit_head(second) != head
    for machine in (deployment, second):
        expect(called("audit", "verify", "--data-dir", machine.path, "--expect", head))
