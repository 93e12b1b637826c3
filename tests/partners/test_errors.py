"""Every program says in one line what went wrong, ends with the status for it, and loses no answer that it had."""

import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.certificates import spiffe_id
from tests.integration.deployment import free_port
from tests.integration.identities import PARTNER, SCANNER
from tests.partners.cases import Country
from tests.partners.conftest import Guarded
from tests.partners.programs import Ended, Program

pytestmark = pytest.mark.slow
Store = Callable[[bytes], Path]
ASKS = ("verify", "scan")
PATIENCE_S, ANSWERED_S = 5, 60
"""How long a program tries where nobody answers, and where somebody does: a busy machine starts a JVM in seconds."""
RECORD = b'{"publisher": "420000", "subject": {"local": {"region": "420000", "id": "x"}}, "level": "RED", '
RECORD += b'"scope": "NATIONAL", "effective_at": "2026-01-01T00:00:00Z", "revision": 1}\n'
NONE_TAKEN = b"taken 0, superseded 0, conflict 0, rejected 0\n"
COMMANDS = {
    "verify": (("--host", "440000", "-"), b"x\n"),
    "scan": (("--host", "440000", "-"), b"x\n"),
    "translate": (("--target", "440000", "-"), b"x\n"),
    "publish": (("-",), RECORD),
}


def expect_failure(ended: Ended, code: str, reason: str = "") -> None:
    """Fail unless a program ended with status 1 and one line that names the code and the reason."""
    why = rf" \({reason}\)" if reason else ""
    assert re.fullmatch(rf"onecode-partner: {code}: [^\n]+{why}(, retry in [0-9.]+ s)?\n", ended.err), ended.err
    assert (ended.status, ended.out) == (1, b"")


def expect_failed_commands(program: Program, server: str, timeout_s: int, code: str) -> None:
    """Fail unless each command, given one line, ends with status 1 and one line of its own that names the code."""
    for command, (operands, line) in COMMANDS.items():
        ended = program.run(command, "--server", server, "--timeout", timeout_s, *operands, stdin=line)
        if command == "publish":  # it says too that the server acknowledged nothing
            assert ended.out == NONE_TAKEN
            ended = ended._replace(out=b"")
        expect_failure(ended, code)


def expect_usage(ended: Ended, *words: str) -> None:
    """Fail unless a program ended with status 2 and one line that has the words."""
    assert re.fullmatch(r"onecode-partner: [^\n]+\n", ended.err), ended.err
    assert all(word in ended.err for word in words), ended.err
    assert (ended.status, ended.out) == (2, b"")


@pytest.mark.parametrize("ask", ASKS)
def test_a_caller_without_an_identity_is_unauthenticated(program: Program, guarded: Guarded, ask: str) -> None:
    shown = ("--server", guarded.server.address, *guarded.authority())
    expect_failure(program.run(ask, *shown, "--host", "440000", "-", stdin=b"x"), "UNAUTHENTICATED", "IDENTITY_MISSING")


@pytest.mark.parametrize("ask", ASKS)
def test_an_expired_token_is_unauthenticated(program: Program, guarded: Guarded, ask: str) -> None:
    shown = guarded.token(PARTNER, exp=1)
    expect_failure(program.run(ask, *shown, "--host", "440000", "-", stdin=b"x"), "UNAUTHENTICATED", "TOKEN_EXPIRED")


@pytest.mark.parametrize("ask", ASKS)
def test_a_scanner_at_another_host_is_not_permitted(program: Program, guarded: Guarded, ask: str) -> None:
    shown = guarded.certificate(SCANNER)
    expect_failure(program.run(ask, *shown, "--host", "440000", "-", stdin=b"x"), "PERMISSION_DENIED", "NOT_PERMITTED")


def test_a_partner_who_publishes_is_not_permitted(program: Program, guarded: Guarded, stored: Store) -> None:
    ended = program.run("publish", *guarded.certificate(PARTNER), stored(RECORD))
    assert ended.out == NONE_TAKEN
    expect_failure(ended._replace(out=b""), "PERMISSION_DENIED", "NOT_PERMITTED")


@pytest.mark.parametrize("ask", ASKS)
def test_a_host_that_is_not_six_digits_is_invalid(program: Program, country: Country, ask: str) -> None:
    plain = ("--server", country.server.address)
    ended = program.run(ask, *plain, "--host", "42", "-", stdin=b"x")
    expect_failure(ended, "INVALID_ARGUMENT", "HOST_REGION_INVALID")


@pytest.mark.parametrize("ask", ASKS)
def test_a_server_by_another_name_is_not_believed(program: Program, guarded: Guarded, ask: str) -> None:
    shown = (*guarded.certificate(PARTNER), "--tls-server-name", "gate.example", "--timeout", PATIENCE_S)
    expect_failure(program.run(ask, *shown, "--host", "440000", "-", stdin=b"x"), "UNAVAILABLE")


@pytest.mark.parametrize("ask", ASKS)
def test_a_server_of_another_authority_is_not_believed(
    program: Program, guarded: Guarded, tmp_path: Path, ask: str
) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(type(guarded.identities.authority)("another").pem)
    shown = ("--server", guarded.server.address, "--tls-ca", other, "--timeout", PATIENCE_S)
    expect_failure(program.run(ask, *shown, "--host", "440000", "-", stdin=b"x"), "UNAVAILABLE")


@pytest.mark.parametrize("ask", ASKS)
def test_plaintext_to_a_server_by_tls_is_unavailable(program: Program, guarded: Guarded, ask: str) -> None:
    shown = ("--server", guarded.server.address, "--timeout", PATIENCE_S)
    expect_failure(program.run(ask, *shown, "--host", "440000", "-", stdin=b"x"), "UNAVAILABLE")


@pytest.mark.parametrize("ask", ASKS)
def test_a_certificate_of_another_authority_is_refused(
    program: Program, guarded: Guarded, tmp_path: Path, ask: str
) -> None:
    cert, key = type(guarded.identities.authority)("another").issue(spiffe_id(PARTNER)).write(tmp_path, "partner")
    shown = ("--server", guarded.server.address, *guarded.authority(), "--tls-cert", cert, "--tls-key", key)
    ended = program.run(ask, *shown, "--timeout", PATIENCE_S, "--host", "440000", "-", stdin=b"x")
    expect_failure(ended, "UNAVAILABLE")


def test_a_server_that_is_away_is_unavailable(program: Program) -> None:
    expect_failed_commands(program, f"127.0.0.1:{free_port()}", PATIENCE_S, "UNAVAILABLE")


def test_a_server_without_the_services_of_this_version_is_unimplemented(program: Program) -> None:
    with ThreadPoolExecutor(1) as pool:
        other = grpc.server(pool)  # it answers every call as a server does that has no such method
        address = f"127.0.0.1:{other.add_insecure_port('127.0.0.1:0')}"
        other.start()
        try:
            expect_failed_commands(program, address, ANSWERED_S, "UNIMPLEMENTED")
        finally:
            other.stop(None).wait()


@pytest.mark.parametrize("ask", ASKS)
def test_a_server_that_says_nothing_exceeds_the_time(program: Program, country: Country, ask: str) -> None:
    with country.server.stopped():
        shown = ("--server", country.server.address, "--timeout", PATIENCE_S)
        ended = program.run(ask, *shown, "--host", "440000", "-", stdin=b"x")
    # A connection that is made and not answered may be either: TCP accepts in the place of a process that is stopped.
    expect_failure(ended, "(DEADLINE_EXCEEDED|UNAVAILABLE)")


def test_a_line_that_no_call_can_carry_takes_no_answer_away(program: Program, country: Country) -> None:
    plain = ("--server", country.server.address, "--timeout", ANSWERED_S)
    for ask in ASKS:
        ended = program.run(ask, *plain, "--host", "440000", "-", stdin=b"a\nb\n" + b"x" * (4 * 1024 * 1024 + 1))
        assert [line.split(b"\t")[0] for line in ended.out.splitlines()] == [b"1", b"2"]
        expect_usage(ended._replace(out=b""), "line 3")


def test_what_no_server_can_mend_is_usage(program: Program, stored: Store, tmp_path: Path) -> None:
    server, host, missing = ("--server", "127.0.0.1:1"), ("--host", "440000"), tmp_path / "missing"
    file = stored(b"x\n")
    for arguments, words in (
        ((), ()),
        (("check", file), ("check",)),
        (("verify", *host, file), ("--server",)),
        (("verify", *server, *host), ()),
        (("verify", *server, *host, *host, file), ("host", "twice")),
        (("scan", *server, *host, "--json", "--json", file), ("json", "twice")),
        (("verify", *server, *host, "--timeout", "0", file), ("timeout",)),
        (("verify", *server, *host, "--timeout", "soon", file), ("timeout",)),
        (("verify", *server, *host, "--no-such-option", file), ("no-such-option",)),
        (("verify", *server, *host, missing), (str(missing),)),
        (("scan", *server, *host, tmp_path), (str(tmp_path),)),
        (("publish", *server, missing), (str(missing),)),
        (("verify", "--server", "192.0.2.1:1", *host, file), ("loopback",)),
        (("verify", "--server", "192.0.2.1:1", *host, "--token-file", file, file), ("loopback",)),
        (("verify", *server, *host, "--tls-cert", file, file), ("--tls-key",)),
        (("verify", *server, *host, "--tls-ca", file, file), (str(file),)),
        (("verify", *server, *host, "--tls-ca", missing, file), (str(missing),)),
        (("verify", *server, *host, "--token-file", missing, file), (str(missing),)),
    ):
        expect_usage(program.run(*arguments), *words)


def test_variables_stand_in_for_options_and_an_option_counts_before_its_variable(
    program: Program, country: Country
) -> None:
    asked = ("verify", "--host", "440000", "-")
    ended = program.run(*asked, stdin=b"", ONECODE_SERVER=country.server.address)
    assert ended == Ended(0, b"", "")
    ended = program.run(*asked, "--server", country.server.address, stdin=b"x", ONECODE_SERVER="127.0.0.1:1")
    assert ended.status == 0


def test_a_program_that_is_told_to_end_does_so_without_a_trace(program: Program, country: Country) -> None:
    shown = ("--server", country.server.address, "--timeout", ANSWERED_S)
    process = program.start("scan", *shown, "--host", "440000", "-")
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x\n")
        process.stdin.flush()
        # A scan is answered at once: its bearer waits.
        assert os.read(process.stdout.fileno(), 1000).startswith(b"1\tREFUSE\t")
        process.send_signal(signal.SIGTERM)
        process.wait(60)  # its input stays open, for at the end of that it ends in any case
        _, err = process.communicate()
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    assert err.count(b"\n") <= 1
