"""Machines of a log whose processes are killed while records are published, and one message that stops them all."""

import asyncio
import os
import secrets
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OperatorClient, ServerError
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.model.partition import DECISIONS
from onecode_server.replication import message_form
from onecode_server.replication.machine import read_machine
from onecode_server.replication.messages import RANDOM_BYTES, RulesCommand, identifier_in
from onecode_server.replication.rule_versions import RULES
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import UNREADABLE
from onecode_server.system.clock import wall_clock

from benchmarks import soak
from tests.integration import machines_of_a_log, several_workers
from tests.integration.deployment import Deployment, Server, eventually, free_port

RECORDS = 6_000
"""Fewer than the change feed keeps: each change that a machine has made can be counted."""
PATIENCE_S = 60
"""What a server needs to start again on a machine that is busy with other things."""
SEEN_S = 1 + 10


def kill_replicator(server: Server) -> None:
    """Kill the process that applies the log."""
    os.kill(machines_of_a_log.state(server)["pid"], signal.SIGKILL)


def kill_all(server: Server) -> None:
    """Kill all processes of a server, as a machine that loses its power does."""
    applying = machines_of_a_log.state(server)["pid"]
    for pid in (server.process.pid, applying, *several_workers.pids(server).values()):
        os.kill(pid, signal.SIGKILL)
    server.end(signal.SIGKILL)


def digests(server: Server) -> list[str]:
    """Return the digest of each partition."""
    return [part["digest"] for part in machines_of_a_log.state(server).get("partitions", {}).values()]


def changed(deployment: Deployment) -> list[bytes]:
    """Return the subject of each change that a machine has made, which has ended. Fails where a subject has no record,
    or several."""

    async def read() -> list[bytes]:
        store = LmdbReplica(DataDirectory(deployment.path).store)
        try:
            changes = await store.changes(0)
            there = (await store.statuses(changes.subjects)).records
        finally:
            await store.close()
        assert changes.is_complete
        assert all(records is not UNREADABLE and len(records) == 1 for records in there)
        return changes.subjects

    return asyncio.run(read())


def test_whatever_process_is_killed_each_record_that_was_acknowledged_is_on_both_machines_once(
    made: Deployment, tmp_path: Path, log: LogAddress, serve: Callable[..., Server]
) -> None:
    members = machines_of_a_log.members(made, tmp_path, 2)
    address, flags = f"127.0.0.1:{free_port()}", machines_of_a_log.flags(log)
    servers = [serve(members[0], *flags, "--listen", address), serve(members[1], *flags)]
    for server in servers:
        machines_of_a_log.await_confirmed(server)

    def kill_server() -> None:
        kill_all(servers[0])
        servers[0] = serve(members[0], *flags, "--listen", address, await_ready=False)

    kills = [lambda: kill_replicator(servers[0]), lambda: kill_replicator(servers[1]), kill_server]
    breaks: list[ServerError] = []
    told = [0]
    with OperatorClient(address) as client:
        for answer in client.publish(soak.red_records(RECORDS), patience_s=PATIENCE_S, interrupted=breaks.append):
            assert not answer.rejections
            told.append(answer.durable_through)
            if kills and told[-1] >= RECORDS * (4 - len(kills)) // 5:
                kills.pop(0)()
    assert (kills, told[-1]) == ([], RECORDS)
    assert {fault.code for fault in breaks} == {"UNAVAILABLE"}
    servers[0].await_ready()
    for server in servers:
        machines_of_a_log.await_confirmed(server)
    eventually(lambda: digests(servers[0]) == digests(servers[1]) != [], SEEN_S)
    assert [machines_of_a_log.state(server)["stopped"] for server in servers] == [None, None]
    assert [server.end() for server in servers] == [0, 0]
    feeds = [changed(deployment) for deployment in members]
    assert [len(feed) for feed in feeds] == [RECORDS, RECORDS]
    assert set(feeds[0]) == set(feeds[1])
    assert len(set(feeds[0])) == RECORDS


def has_stopped(server: Server, why: str) -> bool:
    """Tell whether a server says that it applies no more of the log, and why."""
    return why in (machines_of_a_log.state(server)["stopped"] or "")


def admits_nobody(server: Server, code: bytes) -> bool:
    """Tell whether a server asks for a check of a code that it would admit."""
    return server.verify(code).verdict.decision == pb.DECISION_CHECK


def test_a_message_of_a_later_program_stops_both_machines_which_say_so_and_admit_nobody(
    made: Deployment, tmp_path: Path, log: LogAddress, serve: Callable[..., Server]
) -> None:
    *members, later = machines_of_a_log.members(made, tmp_path, 3)
    servers = [serve(member, *machines_of_a_log.flags(log)) for member in members]
    for server in servers:
        machines_of_a_log.await_confirmed(server)
    (code,) = members[0].issue("420000")
    assert [server.verify(code).verdict.decision for server in servers] == [pb.DECISION_ADMIT] * 2

    async def write() -> None:
        machine, appender = read_machine(later.path), LogAppender(log, "later")
        identifier = identifier_in(DECISIONS, secrets.token_bytes(RANDOM_BYTES))
        command = RulesCommand(machine.identifier, identifier, wall_clock(), RULES + 1, RULES + 1)
        await appender.append(DECISIONS, machine.sealer.seal(message_form.encode(command), DECISIONS))
        await appender.close()

    asyncio.run(write())
    why = f"needs version {RULES + 1} of the rules"
    for server in servers:
        eventually(partial(has_stopped, server, why), SEEN_S)
        eventually(partial(admits_nobody, server, code), 5 + SEEN_S)
        assert server.samples("onecode_log_fault")["stopped",] == 1
        assert any(why in str(line) for line in server.log() if line["level"] == "critical")
    with OperatorClient(servers[0].address) as client, pytest.raises(ServerError) as refused:
        list(client.publish(soak.red_records(1), patience_s=1))
    assert refused.value.code == grpc.StatusCode.UNAVAILABLE.name
    ages = [min(machines_of_a_log.ages_s(server)) for server in servers]
    assert min(ages) > 5
