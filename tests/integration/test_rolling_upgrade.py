"""Machines of a log are replaced one by one by those of a later release, whose rules are then switched on."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle
from pathlib import Path

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.reader import LogReader, Position
from onecode_server.model.partition import ALL, DECISIONS, STATUS_PARTITIONS
from onecode_server.model.status import Level
from onecode_server.replication import message_form, signing
from onecode_server.replication.messages import Chunk, Message, RulesCommand
from onecode_server.replication.rule_versions import RULES
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.system.clock import wall_clock

from tests.integration import later_release, machines_of_a_log
from tests.integration.deployment import Deployment, Ended, Server, called, eventually, expect, free_port, record
from tests.integration.upgrade_traffic import REGION, Publisher, Scanner, collected
from tests.later_rules import LATER, LATER_RULES

SEEN_S = 1 + 10
"""The second that is promised, and room for a machine that is busy with other things."""
SWITCHED_S = 60
"""A machine that has ended is heard for 10 s more, and the command hears the log for 3 s."""
WHY = f"needs version {LATER_RULES} of the rules, and this program knows up to {RULES}"


def digests(server: Server) -> list[str]:
    return [part["digest"] for part in machines_of_a_log.state(server).get("partitions", {}).values()]


def rules_asked(deployment: Deployment, log: LogAddress, *more: object) -> Ended:
    return called("log", "rules", "--data-dir", deployment.path, *machines_of_a_log.flags(log), *more)


def read_log(log: LogAddress) -> list[tuple[int, int, Message]]:
    """Return all messages of a log as the later release reads them, with their partitions and offsets."""
    reader = LogReader(log, "test", {partition: Position(0, -1) for partition in ALL}, topics.topic_ids(log))
    found = []
    try:
        left = {partition: end for partition, (_, end) in reader.ends(SWITCHED_S).items()}
        reached = dict.fromkeys(ALL, 0)
        while any(reached[partition] < end for partition, end in left.items()):
            for one in reader.read(1, 1000):
                _, body = signing.open_sealed(
                    one.value, one.partition, machines_of_a_log.CLUSTER.public_key, wall_clock()
                )
                found.append((one.partition, one.offset, message_form.decode(body, one.partition, one.time, LATER)))
                reached[one.partition] = one.offset + 1
    finally:
        reader.close()
    return found


def stored_levels(deployment: Deployment, subjects: Iterable[bytes]) -> list[tuple[Level, ...]]:
    """Return the levels that a machine, which has ended, has of each subject."""

    async def read() -> list[tuple[Level, ...]]:
        store = LmdbReplica(DataDirectory(deployment.path).store)
        try:
            found = (await store.statuses([*subjects])).records
        finally:
            await store.close()
        return [tuple(one.level for one in records) for records in found]  # type: ignore[union-attr]

    return asyncio.run(read())


def refuses(server: Server, code: bytes) -> bool:
    return server.verify(code).verdict.decision == pb.DECISION_REFUSE


def go_on(publisher: Publisher, acknowledged: int, scanner: Scanner, number: int, since: int) -> bool:
    """Tell whether more records are acknowledged, and the last answers of a machine are verdicts. Only answers after
    the first ``since`` count: a call may still wait that was begun before the machine was away."""
    last = [one.verdict is not None for one in scanner.answers[since:][-12:] if one.at == number]
    return publisher.acknowledged > acknowledged and bool(last) and all(last)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The program of the later release."""
    monkeypatch.setenv("PYTHONPATH", later_release.environment())
    return later_release.PROGRAM


def expect_no_wrong_answer(scanner: Scanner) -> None:
    """Expect that the RED traveller is never let in and the GREEN one never refused, and that a call failed only at a
    machine that was being replaced, so that the caller asks another one."""
    for one in scanner.answers:
        if one.verdict is None:
            assert one.is_away, one
            assert one.failure is grpc.StatusCode.UNAVAILABLE
            continue
        allowed = (pb.DECISION_REFUSE,) if one.code == 0 else (pb.DECISION_ADMIT, pb.DECISION_CHECK)
        assert one.verdict.decision in allowed, one
    for turn in range(0, len(scanner.answers) - 5, 6):
        assert any(one.verdict is not None for one in scanner.answers[turn : turn + 6])


@pytest.mark.timeout(600)
def test_machines_are_replaced_one_by_one_and_the_later_rules_begin_at_one_place_for_all(
    made: Deployment, tmp_path: Path, log: LogAddress, serve: Callable[..., Server], later: tuple[str, ...]
) -> None:
    *members, left_behind = machines_of_a_log.members(made, tmp_path, 4)
    flags = machines_of_a_log.flags(log)
    addresses = [f"127.0.0.1:{free_port()}" for _ in members]

    def start(number: int, **how: object) -> Server:
        server = serve(members[number], *flags, "--listen", addresses[number], **how)
        machines_of_a_log.await_confirmed(server)
        return server

    servers = [start(number) for number in range(3)]
    forgotten = serve(left_behind, *flags)
    machines_of_a_log.await_confirmed(forgotten)
    codes = [members[0].issue(REGION, id=f"{colour} traveller")[0] for colour in ("red", "green")]
    file = tmp_path / "records.ndjson"
    lines = [json.dumps(record(REGION, colour.upper(), f"{colour} traveller")) for colour in ("red", "green")]
    file.write_text("\n".join(lines), "utf-8")
    expect(called("status", "publish", "--server", addresses[0], "--file", file))
    for server in servers:
        eventually(partial(refuses, server, codes[0]), SEEN_S)
    publisher, scanner = Publisher(addresses[0]), Scanner(addresses, codes)
    try:
        for number in range(3):
            scanner.away.add(number)
            assert servers[number].end() == 0
            servers[number] = start(number, program=later)
            # Its callers are let back once it answers one of them, whose connection may wait before it tries again.
            told = publisher.acknowledged, scanner, number, len(scanner.answers)
            eventually(partial(go_on, publisher, *told), SEEN_S)
            scanner.away.discard(number)
        refused = rules_asked(members[0], log, "--set", LATER_RULES)
        assert (refused.status, refused.err.count("\n")) == (1, 1)
        assert f"would stop: {machines_of_a_log.state(forgotten)['machine']}. " in refused.err
        assert {machines_of_a_log.state(server)["rules"]["in_force"] for server in servers} == {RULES}
        assert forgotten.end() == 0
        done = f"version {LATER_RULES} of the rules is in force, and was {RULES}\n"
        eventually(lambda: rules_asked(members[0], log, "--set", LATER_RULES).out == done, SWITCHED_S)
        enough = publisher.acknowledged + 300
        eventually(lambda: publisher.acknowledged > enough, SWITCHED_S)
    finally:
        scanner.end()
        publisher.end()
    expect_no_wrong_answer(scanner)
    assert set(publisher.breaks) <= {"UNAVAILABLE"}
    eventually(lambda: digests(servers[0]) == digests(servers[1]) == digests(servers[2]) != [], SEEN_S)
    for server in servers:
        state = machines_of_a_log.state(server)
        assert (state["stopped"], state["rules"]) == (None, {"in_force": LATER_RULES, "known": LATER_RULES})
        assert server.verify(codes[1]).verdict.decision == pb.DECISION_ADMIT
    expect_that_a_machine_that_was_left_behind_stops(left_behind, members[0], flags, serve)
    heads = {expect(called("audit", "verify", "--data-dir", one.path)).split()[-1] for one in members}
    assert len(heads) == 1
    assert [server.end() for server in servers] == [0, 0, 0]
    expect_each_record_under_the_rules_of_its_message(log, members, publisher.acknowledged)


def expect_that_a_machine_that_was_left_behind_stops(
    left_behind: Deployment, other: Deployment, flags: tuple[object, ...], serve: Callable[..., Server]
) -> None:
    """Start a machine of the earlier release behind the switch, and scan there from its start on, until its statuses
    would be too old to be CURRENT if they ever were."""
    names = ["green traveller", *(f"bearer {number}" for number in range(1, 24))]
    codes = cycle([other.issue(REGION, id=name)[0] for name in names])
    server = serve(left_behind, *flags)
    stub = server.stub()

    def ask() -> pb.Verdict:
        return stub.Verify(pb.VerifyRequest(code=next(codes), host_region="110000"), timeout=30).verdict

    def has_stopped() -> bool:
        return WHY in (machines_of_a_log.state(server)["stopped"] or "")

    verdicts = collected(ask, 6, has_stopped)
    assert pb.STATUS_CURRENT not in {verdict.status for verdict in verdicts}
    assert pb.DECISION_ADMIT not in {verdict.decision for verdict in verdicts}
    assert [WHY in str(line) for line in server.log() if line["level"] == "critical"] == [True]
    assert server.samples("onecode_log_fault")["stopped",] == 1
    assert server.end() == 0


def expect_each_record_under_the_rules_of_its_message(log: LogAddress, members: list[Deployment], count: int) -> None:
    """Expect that all machines have applied each message under the version that it names, wherever it lies, and that
    the later one was named behind the switch alone."""
    named: dict[int, set[int]] = defaultdict(set)
    expected: dict[bytes, tuple[Level, ...]] = {}
    switches = []
    for partition, offset, message in read_log(log):
        if isinstance(message, Chunk):
            named[partition].add(message.rules)
            merged = Level.YELLOW if message.rules == RULES else Level.RED
            for subject, one, _ in message.publications:
                if one.level is Level.YELLOW:
                    expected.setdefault(subject, (merged,))  # sent again it was known
        elif isinstance(message, RulesCommand):
            switches.append((partition, offset, message.to))
    assert [(partition, to) for partition, _, to in switches] == [(DECISIONS, LATER_RULES)]
    assert len(expected) == count
    assert {*expected.values()} == {(Level.YELLOW,), (Level.RED,)}
    assert [sorted(named[partition]) for partition in range(STATUS_PARTITIONS)] == [[RULES, LATER_RULES]] * 12
    for member in members:
        assert stored_levels(member, expected) == [*expected.values()]
