"""``onecode-partner`` of the Python client, as a process, on a real server: its answers, its status, its one line."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, Ended, Server, eventually, free_port, record
from tests.integration.identities import GATEWAY, SCANNER, Identities

PROGRAM = (sys.executable, "-m", "onecode_client")
CODES = 10_000
LEFT_S = 100
"""Long enough for a busy machine."""


def run(*arguments: object, stdin: bytes = b"") -> Ended:
    """Run the program, without variables of this process's that stand in for options."""
    asked = [*PROGRAM, *map(str, arguments)]
    done = subprocess.run(asked, input=stdin, capture_output=True, env=_environment(), timeout=LEFT_S, check=False)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ONECODE_", "GRPC_"))}


def _file(path: Path, codes: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(code + b"\n" for code in codes))
    return path


@pytest.mark.parametrize("command", ["verify", "scan"])
def test_each_code_has_its_line_in_the_order_of_the_file(
    command: str, server: Server, code: bytes, tmp_path: Path
) -> None:
    file = _file(tmp_path / "codes", [code + b"\r", b"", b"x" * 5120, b"noise"])
    asked = (command, "--server", server.address, "--host", "440000")
    assert run(*asked, file) == Ended(
        0,
        "1\tADMIT\tGREEN\tGREEN\t110000\tNONE\n"
        "2\tREFUSE\tUNSPECIFIED\tCODE_EMPTY\t-\tUNSPECIFIED\n"
        "3\tREFUSE\tUNSPECIFIED\tCODE_TOO_LARGE\t-\tUNSPECIFIED\n"
        "4\tREFUSE\tUNSPECIFIED\tFORMAT_UNKNOWN\t-\tUNSPECIFIED\n",
        "",
    )
    (line,) = run(*asked, "--json", "-", stdin=code).out.splitlines()
    assert line == (
        '{"line":1,"decision":"DECISION_ADMIT","level":"LEVEL_GREEN","reason":"REASON_GREEN","home_region":"110000",'
        '"status":"STATUS_NONE"}'
    )


def test_a_translation_is_the_code_alone_and_a_verdict_where_there_is_none(server: Server, code: bytes) -> None:
    asked = ("translate", "--server", server.address, "--target", "440000")
    made = run(*asked, code.decode())
    assert (made.status, made.err) == (0, "")
    assert run("verify", "--server", server.address, "--host", "440000", "-", stdin=made.out.encode()).out == (
        "1\tADMIT\tGREEN\tGREEN\t110000\tNONE\n"
    )
    assert run(*asked, "noise") == Ended(1, "1\tREFUSE\tUNSPECIFIED\tFORMAT_UNKNOWN\t-\tUNSPECIFIED\n", "")
    answer = json.loads(run(*asked, "--json", "-", stdin=code + b"\n").out)
    assert list(answer) == ["code", "verdict"]
    assert answer["verdict"]["line"] == 1


def test_records_are_published_and_rejections_are_told_by_line(running: Server) -> None:
    lines = [record("420000", "RED", "wang", revision=2), record("420000", "RED", "wang", revision=1)]
    lines += [record("999999", "RED", "li"), record("420000", "GREEN", "wang", revision=2)]
    text = "\n" + "".join(f"{json.dumps(one)}\n" for one in lines)
    told = "3\tREJECTED\tSUPERSEDED\n4\tREJECTED\tUNKNOWN_PUBLISHER\n5\tREJECTED\tREVISION_CONFLICT\n"
    total = "taken 1, superseded 1, conflict 1, rejected 1\n"
    assert run("publish", "--server", running.address, "-", stdin=text.encode()) == Ended(0, told + total, "")


def test_a_mistake_in_a_file_of_records_publishes_nothing(running: Server, tmp_path: Path) -> None:
    file = tmp_path / "records"
    file.write_text(json.dumps(record("420000", "RED", "wang")) + "\n{]\n")
    ended = run("publish", "--server", running.address, file)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(f"onecode-partner: {file}, line 2: not a StatusRecord")
    assert not running.counted("onecode_published_records_total")


@pytest.mark.parametrize("command", ["verify", "scan"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_restart_in_the_middle_of_ten_thousand_codes_loses_and_doubles_no_answer(
    command: str, number: signal.Signals, deployment: Deployment, serve: Callable[..., Server], tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    running = serve(deployment, "--listen", address)
    green = deployment.issue("420000", count=20)
    codes = [green[at % 20] if at % 3 else b"noise-%d" % at for at in range(CODES)]
    asked = [*PROGRAM, command, "--server", address, "--host", "440000", "--timeout", "60", "-"]
    shown = tmp_path / "shown"  # a pipe that nobody reads meanwhile would hold the program up
    with (
        shown.open("wb") as out,
        subprocess.Popen(
            asked, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, env=_environment()
        ) as program,
    ):
        assert program.stdin is not None
        program.stdin.write(b"".join(code + b"\n" for code in codes[:6000]))
        program.stdin.flush()
        eventually(lambda: shown.stat().st_size, LEFT_S)
        running.end(number)
        serve(deployment, "--listen", address, await_ready=False)
        _, err = program.communicate(b"".join(code + b"\n" for code in codes[6000:]), timeout=LEFT_S)
    words = ("REFUSE\tUNSPECIFIED\tFORMAT_UNKNOWN\t-\tUNSPECIFIED", "ADMIT\tGREEN\tGREEN\t420000\tNONE")
    expected = [f"{at + 1}\t{words[at % 3 > 0]}" for at in range(CODES)]
    assert (err, program.returncode, shown.read_text().splitlines()) == (b"", 0, expected)


@pytest.mark.parametrize("command", ["verify", "scan", "publish"])
def test_a_server_that_is_away_is_one_line_after_the_time_that_was_set(command: str) -> None:
    more = () if command == "publish" else ("--host", "440000")
    line = json.dumps(record("420000", "RED", "wang")).encode()
    ended = run(command, "--server", f"127.0.0.1:{free_port()}", "--timeout", "8", *more, "-", stdin=line)
    assert ended.status == 1
    assert ended.err.startswith("onecode-partner: UNAVAILABLE: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("command", ["verify", "scan"])
def test_a_server_that_says_nothing_is_one_line_after_the_time_that_was_set(
    command: str, running: Server, code: bytes
) -> None:
    with running.stopped():
        ended = run(command, "--server", running.address, "--host", "440000", "--timeout", "1", "-", stdin=code)
    assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith(("onecode-partner: DEADLINE_EXCEEDED: ", "onecode-partner: UNAVAILABLE: "))


def test_answers_before_a_fault_of_the_file_are_printed(server: Server, tmp_path: Path) -> None:
    file = _file(tmp_path / "codes", [b"noise", b"x" * (4 << 20) + b"x"])
    for command in ("verify", "scan"):
        ended = run(command, "--server", server.address, "--host", "440000", file)
        assert (ended.status, ended.out) == (2, "1\tREFUSE\tUNSPECIFIED\tFORMAT_UNKNOWN\t-\tUNSPECIFIED\n")
        assert ended.err == f"onecode-partner: {file}, line 2: more than 4194304 bytes\n"


def test_a_request_that_is_wrong_is_the_servers_word(server: Server) -> None:
    for command in ("verify", "scan"):
        ended = run(command, "--server", server.address, "--host", "44", "-", stdin=b"x")
        assert ended.status == 1
        assert ended.err.startswith("onecode-partner: INVALID_ARGUMENT: ")
        assert ended.err.endswith("(HOST_REGION_INVALID)\n")


def test_a_reader_that_goes_away_ends_the_program_without_a_word(server: Server, tmp_path: Path) -> None:
    file = _file(tmp_path / "codes", [b"noise"] * 20_000)
    asked = [*PROGRAM, "verify", "--server", server.address, "--host", "440000", str(file)]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        assert (program.wait(LEFT_S), program.stderr.read()) == (1, b"")


def test_a_disk_that_is_full_is_one_line(server: Server) -> None:
    with Path("/dev/full").open("wb") as full:
        asked = [*PROGRAM, "verify", "--server", server.address, "--host", "440000", "-"]
        done = subprocess.run(
            asked, input=b"x", stdout=full, stderr=subprocess.PIPE, env=_environment(), timeout=LEFT_S, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        b"onecode-partner: cannot write the answers: No space left on device\n",
    )


def test_certificates_and_tokens_say_who_calls(
    guarded: Server, identities: Identities, code: bytes, tmp_path: Path
) -> None:
    cert, key = identities.leaf(SCANNER).write(tmp_path, "gate")
    token = tmp_path / "token"
    token.write_text(identities.token(SCANNER))
    own = ("--tls-ca", identities.client_ca, "--tls-cert", cert, "--tls-key", key)
    asked = ("scan", "--server", guarded.address, "--host", "420000")
    answer = Ended(0, "1\tADMIT\tGREEN\tGREEN\t110000\tNONE\n", "")
    assert run(*asked, *own, "-", stdin=code) == answer
    gate = identities.leaf(GATEWAY).write(tmp_path, "gateway")
    carried = (*own[:2], "--tls-cert", gate[0], "--tls-key", gate[1], "--token-file", token)
    assert run(*asked, *carried, "-", stdin=code) == answer
    elsewhere = run(*asked[:-1], "440000", *own, "-", stdin=code)
    assert elsewhere.status == 1
    assert elsewhere.err.startswith("onecode-partner: PERMISSION_DENIED: ")
    unknown = run(*asked, *own[:2], "--timeout", "2", "-", stdin=code)
    assert (unknown.status, unknown.err.count("\n")) == (1, 1)
    assert run(*asked, *own[:4], "-", stdin=code).status == 2
