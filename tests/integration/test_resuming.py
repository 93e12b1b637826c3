"""One publication over many streams: a server that is killed or drained on the way costs time, and no record."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import status_pb2
from onecode_client import OperatorClient, ServerError
from onecode_server.cli import record_file

from benchmarks import soak
from tests.integration.deployment import ONECODE, Deployment, Server, eventually, free_port, record

TAKEN = "onecode_published_records_total"


@pytest.fixture
def restart(deployment: Deployment, serve: Any) -> Callable[..., Server]:
    """Start a server on the deployment's one address."""
    address = f"127.0.0.1:{free_port()}"
    return lambda **more: serve(deployment, "--listen", address, **more)


def test_nothing_that_was_acknowledged_is_lost_to_kills_at_random_moments(deployment: Deployment) -> None:
    soaked = soak.run(deployment.path, records=30_000, kills=4, seed=20261123, show=lambda _: None)
    assert (soaked.kills, soaked.lost) == (4, [])
    assert soaked.resumed >= 4


def test_the_soak_finds_what_is_missing_and_what_is_other_than_it_was_published(
    deployment: Deployment, restart: Callable[..., Server]
) -> None:
    messages = list(soak.red_records(2500))
    red, green = status_pb2.LEVEL_RED, status_pb2.LEVEL_GREEN
    messages[1233].level = green if messages[1233].level == red else red
    del messages[2222]
    with OperatorClient(restart().address) as client:
        assert list(client.publish(messages))[-1].durable_through == 2499
    assert asyncio.run(soak.missing(deployment.path, 2500)) == [1234, 2223]
    assert asyncio.run(soak.missing(deployment.path, 1000)) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_each_rejection_is_told_once_whatever_ends_the_server(
    restart: Callable[..., Server], number: signal.Signals
) -> None:
    messages = list(soak.red_records(20_000))
    for sequence in range(10, 20_001, 10):
        messages[sequence - 1].publisher = "440000"
    breaks: list[ServerError] = []
    rejected: list[int] = []
    through = [0]
    server = restart()
    with OperatorClient(server.address) as client:
        for answer in client.publish(messages, interrupted=breaks.append):
            rejected += [one.sequence for one in answer.rejections]
            through.append(answer.durable_through)
            if len(breaks) < 1 and through[-1] > 3000 and server.process.poll() is None:
                server.end(number)
                restart(await_ready=False)
    assert [fault.code for fault in breaks] == ["UNAVAILABLE"]
    assert rejected == list(range(10, 20_001, 10))
    assert (through, through[-1]) == (sorted(set(through)), 20_000)


def test_what_asking_again_does_not_mend_is_raised_at_once(restart: Callable[..., Server]) -> None:
    breaks: list[ServerError] = []
    with OperatorClient(restart().address) as client, pytest.raises(ServerError, match="not higher") as failed:
        list(client.publish(soak.red_records(3), first_sequence=0, interrupted=breaks.append))
    assert (failed.value.code, failed.value.reason, breaks) == ("INVALID_ARGUMENT", "SEQUENCE_NOT_RISING", [])


def test_a_server_that_stays_away_is_given_up_after_the_time_that_was_set() -> None:
    breaks: list[ServerError] = []
    with OperatorClient(f"127.0.0.1:{free_port()}") as client, pytest.raises(ServerError, match="UNAVAILABLE"):
        list(client.publish(soak.red_records(3), patience_s=0.5, interrupted=breaks.append))
    assert len(breaks) == 1


def test_the_command_goes_on_after_a_restart_and_says_so_in_one_line(
    deployment: Deployment, restart: Callable[..., Server], tmp_path: Path
) -> None:
    file, server = tmp_path / "records.ndjson", restart()
    lines = (json.dumps(record("420000", "RED", f"id-{number}")) for number in range(30_000))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    asked = [ONECODE, "status", "publish", "--server", server.address, "--file", str(file)]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as publishing:
        eventually(lambda: server.samples(TAKEN).get(("taken", "", "local"), 0) > 2000, 60)
        server.end(signal.SIGKILL)
        again = restart()
        out, err = publishing.communicate(timeout=100)
    assert (publishing.returncode, out) == (0, "30,000 of 30,000 records published\n")
    assert err.startswith(f"{server.address} is unreachable after line ")
    assert err.count("\n") == 1
    with OperatorClient(again.address) as client:
        for number in (0, 15_000, 29_999):
            assert len(client.get_status(region="420000", local_id=f"id-{number}")) == 1


def test_a_pipe_is_refused_because_it_cannot_be_read_twice(restart: Callable[..., Server]) -> None:
    asked = [ONECODE, "status", "publish", "--server", restart().address, "--file", "/dev/stdin"]
    ended = subprocess.run(asked, input=b"{}", capture_output=True, timeout=100, check=False)
    assert (ended.returncode, ended.stderr.count(b"\n")) == (2, 1)
    assert b"/dev/stdin is a pipe or a directory" in ended.stderr


@pytest.mark.parametrize("where", ["--server", "--data-dir"])
def test_standard_input_is_refused_and_never_told_of_as_published(
    deployment: Deployment, restart: Callable[..., Server], where: str
) -> None:
    target = deployment.path if where == "--data-dir" else restart().address
    asked = [ONECODE, "status", "publish", where, str(target), "--file", "-"]
    red = json.dumps(record("420000", "RED", "wang")).encode()
    ended = subprocess.run(asked, input=red, capture_output=True, timeout=100, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1)
    assert b"- is standard input" in ended.stderr


def test_a_file_that_is_cut_while_it_is_published_is_not_told_of_as_published(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = record_file.check

    def cut(file: Path) -> int:
        total = check(file)
        file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
        return total

    monkeypatch.setattr(record_file, "check", cut)
    ended = deployment.publish(record("420000", "RED", "wang"), record("420000", "RED", "li"))
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "was changed while it was published: it had 2 records, then 1" in ended.err
