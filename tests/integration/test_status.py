"""Status, published on the data directory while servers run: the next scans show it, everywhere it counts."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import Deployment, Server, called, command, eventually, expect, record

SEEN_S = 5 + 10
"""A status is CURRENT for 5 s, and so may an older one be; the rest is for a machine that is busy."""


def stored(deployment: Deployment, *subject: object) -> list[dict[str, Any]]:
    shown = expect(called("status", "get", "--data-dir", deployment.path, "--json", *subject))
    return [json.loads(line) for line in shown.splitlines()]


def test_servers_on_one_data_directory_see_what_is_published_and_signed(deployment: Deployment, serve, tmp_path):
    servers = [serve(deployment), serve(deployment)]
    ill, resident = deployment.issue("420000", id="ill")[0], deployment.issue("630000", id="resident")[0]
    well = deployment.issue("420000", "RED", id="well")[0]
    for server in servers:
        assert server.verify(ill).verdict.status == pb.STATUS_NONE
        assert server.verify(resident, "630000").verdict.decision == pb.DECISION_ADMIT
        assert server.verify(well).verdict.decision == pb.DECISION_REFUSE
    file = tmp_path / "records.ndjson"
    records = [
        record("420000", "LEVEL_RED", "ill"),
        record("420000", "GREEN", "well"),
        record("630000", "RED", "resident", scope="SCOPE_LOCAL"),
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    output = expect(command("status", "publish", "--data-dir", deployment.path, "--file", file))
    assert output == "3 of 3 records published\n"
    expect(deployment.trust("sign"))

    def follows(server: Server) -> None:
        eventually(lambda: server.verify(ill).verdict.reason == pb.REASON_RED, SEEN_S)
        assert server.verify(ill).verdict.status == pb.STATUS_CURRENT
        # Both clocks may be wrong by a minute: so soon after the code, nothing is lifted.
        eventually(lambda: server.verify(well).verdict.status == pb.STATUS_CURRENT, SEEN_S)
        assert server.verify(well).verdict.reason == pb.REASON_RED
        eventually(lambda: server.verify(resident, "630000").verdict.reason == pb.REASON_RED_BY_HOST, SEEN_S)
        assert server.verify(resident, "110000").verdict.decision == pb.DECISION_ADMIT
        eventually(lambda: server.verify(resident, "110000").trust_list_version == 2, SEEN_S)

    for server in servers:
        follows(server)


def test_a_published_record_is_found_by_identifier_and_by_code(deployment: Deployment):
    expect(deployment.publish(record("420000", "YELLOW", "x", revision=7, effective_at="2026-02-03T04:05:06+08:00")))
    found: dict[str, Any] = {
        "publisher": "420000",
        "scope": "NATIONAL",
        "level": "YELLOW",
        "effective_at": "2026-02-02T20:05:06Z",
        "revision": "7",
    }
    for one in (by_id := stored(deployment, "--region", "420000", "--id", "x")):
        found |= {"subject": one["subject"], "published_at": one["published_at"]}
    assert len(base64.b64decode(found["subject"]["pseudonym"])) == 16
    assert abs(datetime.fromisoformat(found["published_at"]) - datetime.now(UTC)) < timedelta(minutes=2)
    assert by_id == [found]
    assert stored(deployment, "--region", "420000", "--id", "x") == [found]
    assert stored(deployment, "--code", deployment.issue("420000", id="x")[0].decode()) == [found]
    assert stored(deployment, "--region", "420000", "--id", "y") == []


def test_a_revision_that_was_published_before_changes_nothing_and_other_content_under_it_is_a_failure(
    deployment: Deployment,
):
    first = record("420000", "RED", "x", revision=5)
    expect(deployment.publish(first))
    (kept,) = stored(deployment, "--region", "420000", "--id", "x")
    replayed = deployment.publish(first, kept, record("420000", "GREEN", "x", revision=4))
    newer = "1 superseded: a higher revision was published before"
    assert (replayed.status, replayed.out, replayed.err) == (0, f"2 of 3 records published; {newer}\n", "")
    conflict = deployment.publish(record("420000", "GREEN", "x", revision=5))
    assert (conflict.status, conflict.out) == (1, "0 of 1 records published\n")
    assert conflict.err.startswith("rejected line 1: REVISION_CONFLICT: ")
    assert stored(deployment, "--region", "420000", "--id", "x") == [kept]


def test_an_announcement_of_more_than_ninety_days_is_no_announcement(deployment: Deployment):
    soon, late = (datetime.now(UTC) + timedelta(days=days) for days in (89, 91))
    expect(deployment.publish(record("420000", "RED", "x", effective_at=soon.isoformat())))
    ended = deployment.publish(record("420000", "RED", "x", effective_at=late.isoformat(), revision=2))
    assert "rejected line 1: INVALID_TIME" in ended.err


def test_a_record_that_breaks_a_rule_is_named_by_its_line_and_the_rest_is_published(deployment: Deployment):
    own = {"subject": {"local": {"region": "420000", "id": "x"}}}
    ended = deployment.publish(
        record("420000", "RED", "x"),
        record("430000", "RED", "x", **own),
        record("999999", "RED", "x"),
        record("420000", "RED", "x", scope="LOCAL"),
        record("420000", "RED", "x", revision=0),
        record("420000", "RED", "x", expires_at="2020-01-01T00:00:00Z"),
        record("420000", "RED", "x", subject={"pseudonym": "AAAA"}),
        record("000000", "RED", "x", **own),
    )
    assert (ended.status, ended.out) == (1, "2 of 8 records published\n")
    assert re.findall(r"^rejected line (\d: \w+): .+$", ended.err, re.MULTILINE) == [
        "2: NOT_THE_HOME",
        "3: UNKNOWN_PUBLISHER",
        "4: NOT_AN_ADOPTER",
        "5: INVALID_REVISION",
        "6: INVALID_TIME",
        "7: INVALID_SUBJECT",
    ]
    assert len(stored(deployment, "--region", "420000", "--id", "x")) == 2


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '"publisher"',
        "{}",
        "\ufeff{}",
        "[" * 60_000,
        "x" * 70_000,
        json.dumps(record("420000", "RED", "x", surprise=1)),
        json.dumps(record("420000", "BLUE", "x")),
        json.dumps(record("420000", "RED", "x") | {"level": 3}),
        json.dumps(record("420000", "RED", "x", scope="EVERYWHERE")),
        json.dumps(record("420000", "RED", "x", revision=1.5)),
        json.dumps(record("420000", "RED", "x", revision=True)),
        json.dumps(record("420000", "RED", "x", revision=2**64)),
        json.dumps(record("420000", "RED", "x", revision="1_000")),
        json.dumps(record("420000", "RED", "x", revision=" 1")),
        json.dumps(record("420000", "RED", "x", revision="１")),
        json.dumps(record("420000", "RED", "x", revision=-1)),
        json.dumps(record("420000", "RED", "x", revision=float("inf"))),
        json.dumps(record("420000", "RED", "x", effective_at="yesterday")),
        json.dumps(record("420000", "RED", "x", effective_at="2026-01-01T00:00:00")),
        json.dumps(record("420000", "RED", "x", expires_at=1e400)),
        json.dumps(record("420000", "RED", "x", subject={})),
        json.dumps(record("420000", "RED", "x", subject="x")),
        json.dumps(record("420000", "RED", "x", subject={"pseudonym": "?"})),
        json.dumps(record("420000", "RED", "x", subject={"pseudonym": "", "code": ""})),
    ],
)
def test_a_line_that_is_no_record_ends_with_status_2_and_nothing_is_published(deployment: Deployment, line: str):
    ended = deployment.publish(record("420000", "RED", "first"), line, record("420000", "RED", "third"))
    assert (ended.status, ended.out) == (2, "")
    assert "records.ndjson, line 2: " in ended.err
    assert ended.err.count("\n") == 1
    assert not (deployment.path / "store").exists()


def test_a_rule_broken_ten_thousand_times_is_named_ten_times(deployment: Deployment):
    ended = deployment.publish(*(record("999999", "RED", str(number)) for number in range(10_000)))
    assert (ended.status, ended.out) == (1, "0 of 10,000 records published\n")
    assert len(ended.err.splitlines()) == 10


def test_a_revision_is_set_back_beside_a_running_server_and_no_level_with_it(deployment: Deployment, serve):
    server = serve(deployment)
    code = deployment.issue("420000", id="wang")[0]
    named = ("--region", "420000", "--id", "wang")
    asked = ("status", "reset-revision", "--data-dir", deployment.path, *named, "--publisher", "420000", "--to")
    assert (called(*asked, 4).status, called(*asked, -1).status, called(*asked, 2**63).status) == (2, 2, 2)
    expect(deployment.publish(record("420000", "YELLOW", "wang", revision=2**61)))
    eventually(lambda: server.verify(code).verdict.reason == pb.REASON_YELLOW, SEEN_S)
    (before,) = stored(deployment, *named)
    late = record("420000", "RED", "wang", revision=5)
    assert "1 superseded" in expect(deployment.publish(late))
    assert expect(command(*asked, 4)) == f"the last revision of 420000 was {2**61}, and is 4 now\n"
    assert stored(deployment, *named) == [before | {"revision": "4"}]
    assert server.verify(code).verdict.reason == pb.REASON_YELLOW
    refused = called(*asked, 4)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "the last revision is 4" in refused.err
    file = deployment.path / "late.ndjson"
    file.write_text(json.dumps(late), "utf-8")
    expect(command("status", "publish", "--server", server.address, "--file", file))
    assert server.verify(code).verdict.reason == pb.REASON_RED
    shown = expect(called("audit", "show", "--data-dir", deployment.path, "--json"))
    entries = [json.loads(line) for line in shown.splitlines()]
    (entry,) = [entry for entry in entries if entry["event"] == "revision reset"]
    assert entry["details"] == {"publisher": "420000", "scope": "NATIONAL", "from": 2**61, "to": 4}
    assert entry["subject"] == base64.b64decode(before["subject"]["pseudonym"]).hex()
    assert called("audit", "verify", "--data-dir", deployment.path).status == 0
