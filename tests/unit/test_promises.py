"""docs/partners.md says what the code does: its reasons, limits, versions and policy of repetition are the same."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import onecode_client.channels
import onecode_client.offline.verifier
from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2, trust_list_pb2
from onecode_server import errors
from onecode_server.identity import tokens
from onecode_server.identity.refusals import Refusal
from onecode_server.model import code, scanned
from onecode_server.model.identity import Role
from onecode_server.rpc import listener, recognition, silent_calls
from onecode_server.rpc.failures import failure_of
from onecode_server.rules import recognition_exceptions
from onecode_server.settings.config import Settings
from onecode_server.settings.limits import DEFAULTS
from onecode_server.translation import translator
from onecode_server.verification import batcher

from tests.partners.page import PAGE, blocks, rows
from tests.partners.programs import CLIENTS, ROOT

SERVER = ROOT / "server" / "onecode_server"
OF_A_COMMAND = {"NO_RECORD", "NOT_BACK", "NO_ROOM", "NOT_LATER"}
"""What commands say: no call can set a revision back, or put rules in force."""
NAMED: Mapping[str, set[str]] = {
    "why.name": {one.name for one in Refusal},
    "made.obstacle.name": {one.name for one in translator.Obstacle} - {"NONE"},
    "obstacle.name": {one.name for one in recognition_exceptions.Obstacle},
    "f'{field.upper()}_INVALID'": {"HOST_REGION_INVALID", "HOME_REGION_INVALID", "TARGET_REGION_INVALID"},
}
"""The reasons that are no literals, by how the code writes them."""
STATUSES: Mapping[str, errors.OnecodeError] = {
    "InvalidRequest": errors.InvalidRequest("", ""),
    "PreconditionFailed": errors.PreconditionFailed("", ""),
    "NotFound": errors.NotFound("", ""),
    "AlreadyExists": errors.AlreadyExists("", ""),
    "Unauthenticated": errors.Unauthenticated("", ""),
}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for file in SERVER.rglob("*.py"):
        yield file, ast.parse(file.read_text("utf-8"))


def raised() -> Iterator[tuple[str, str]]:
    """Yield each reason with which a failure is made anywhere in the server, and the status that it has."""
    for file, tree in trees():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            kind = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if kind in STATUSES and file.name != "errors.py":
                given = call.args[0]
                reasons = {given.value} if isinstance(given, ast.Constant) else NAMED.get(ast.unparse(given))
                assert reasons, f"{file.name}:{call.lineno}: a reason that this test cannot read"
                yield from ((str(reason), failure_of(STATUSES[kind]).code.name) for reason in reasons)


def of_failures() -> Iterator[tuple[str, str]]:
    """Yield the reasons that the table of failures itself gives."""
    tree = ast.parse((SERVER / "rpc" / "failures.py").read_text("utf-8"))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if getattr(call.func, "id", "") == "_failure" and isinstance(call.args[2], ast.Constant):
            yield str(call.args[2].value), ast.unparse(call.args[0]).rpartition(".")[2]


def told() -> Iterator[tuple[str, str, str]]:
    """Yield each reason on the page, the status with it, and whether to repeat."""
    for reason, status, repeat, _, _ in (row for row in rows("Errors say why, and whether to repeat") if len(row) == 5):
        yield reason.strip("`"), status, repeat
    for reason, _, _ in rows("A caller without an identity is UNAUTHENTICATED"):
        yield reason.strip("`"), "UNAUTHENTICATED", "no"
    others = [
        name for cells in rows("Operators of regions meet a few more") for name in re.findall(r"`(\w+)`", cells[0])
    ]
    named = {"EXCEPTION_UNKNOWN": "NOT_FOUND"} | dict.fromkeys(
        ("REQUEST_ID_USED", "EXCEPTION_ID_USED"), "ALREADY_EXISTS"
    )
    named |= dict.fromkeys(others[:7], "INVALID_ARGUMENT")
    yield from ((reason, named.get(reason, "FAILED_PRECONDITION"), "no") for reason in others)


def test_every_reason_that_the_server_can_give_is_on_the_page_with_its_status() -> None:
    given = {(reason, status) for reason, status in (*raised(), *of_failures()) if reason not in OF_A_COMMAND}
    page = [(reason, status) for reason, status, _ in told()]
    assert len(page) == len(set(page))
    assert set(page) == given


def test_a_region_field_is_named_as_the_reasons_of_the_page_have_it() -> None:
    fields = {
        node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else ""
        for name in ("recognition.py", "recognition_exceptions.py")
        for node in ast.walk(ast.parse((SERVER / "rpc" / name).read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_expect_region"
    }
    text = (SERVER / "rpc" / "recognition_exceptions.py").read_text("utf-8")
    fields |= set(re.findall(r'"(\w+_region)"', text))
    assert {f"{str(field).upper()}_INVALID" for field in fields if field} == NAMED["f'{field.upper()}_INVALID'"]


def test_only_a_busy_or_ending_server_is_asked_again() -> None:
    repeated = {"UNAVAILABLE": "yes", "RESOURCE_EXHAUSTED": "after RetryInfo", "DEADLINE_EXCEEDED": "yes"}
    assert [row for row in told() if row[2] != repeated.get(row[1], "no")] == []


def test_no_caller_can_set_a_revision_back_or_put_rules_in_force() -> None:
    of_commands = re.compile(r"reset_revision|RulesCommand")
    users = {file.relative_to(SERVER).parts[0] for file, _ in trees() if of_commands.search(file.read_text("utf-8"))}
    assert "rpc" not in users
    assert "cli" in users


def grpc_option(name: str) -> int:
    """Return one of the listener's options for gRPC."""
    return int(dict(listener._OPTIONS)[name])


def test_the_limits_are_those_of_the_code() -> None:
    partner = DEFAULTS[Role.PARTNER]
    skews = {tokens.SKEW_S, Settings(Path()).skew_s, onecode_client.offline.verifier.SKEW_S}
    assert len(skews) == 1
    expected = {
        "a code": f"{code.CODE_BYTES_MAX:,} bytes",
        "what a scanner adds on each side of a code": f"{scanned.AROUND_BYTES_MAX} bytes",
        "codes of a batch": f"{recognition.BATCH_CODES_MAX:,}",
        "bytes of a batch's codes": f"{recognition.BATCH_BYTES_MAX >> 20} MiB",
        "a message to the server": f"{grpc_option('grpc.max_receive_message_length') >> 10:,} KiB",
        "an answer (let your client receive as much)": f"{received_bytes() >> 20} MiB",
        "codes of a partner a second, in each worker; the operator sets it": f"{partner.units_per_s:,}",
        "a partner's calls in flight, in each worker; the operator sets it": f"{partner.calls:,}",
        "calls in flight on a connection": f"{listener.CALLS_MAX}",
        "codes that wait in a worker, of all callers": f"{batcher.CODES_MAX:,}",
        "the time that a code waits": f"{batcher.WAIT_MAX_S:g} s",
        "the time for a request to arrive": f"{silent_calls.REQUEST_S:g} s",
        "streams of a worker, of all callers": f"{silent_calls.STREAMS_MAX}",
        "the silence of a stream": f"{silent_calls.STREAM_IDLE_S:g} s",
        "the age of a connection": f"{listener.CONNECTION_AGE_S:,.0f} s, a tenth more or less",
        "a connection without calls": f"{listener.CONNECTION_IDLE_S:g} s",
        "pings": f"one in {grpc_option('grpc.http2.min_ping_interval_without_data_ms') // 1000} s",
        "the metadata of a call": f"{listener.METADATA_BYTES_MAX >> 10} KiB",
        "a token": f"{tokens.TOKEN_BYTES_MAX:,} bytes",
        "the life of a token": f"{tokens.LIFETIME_MAX_S // 3600} hours",
        "the difference of clocks": f"{skews.pop():g} s",
        "the life of a translation": f"{translator.LIFETIME_US // 60_000_000} minutes",
    }
    assert {name: value for name, value, _ in rows("Limits")} == expected


def received_bytes() -> int:
    """Return what the Python client receives at the most."""
    return int(dict(onecode_client.channels.OPTIONS)["grpc.max_receive_message_length"])


def test_the_policy_of_repetition_is_the_clients() -> None:
    (given,) = blocks("Repeat within a bound", "json")
    page: dict[str, Any] = json.loads(given)
    ours = json.loads(dict(onecode_client.channels.OPTIONS)["grpc.service_config"])
    policy = ours["methodConfig"][0]["retryPolicy"]
    policy["retryableStatusCodes"].remove("RESOURCE_EXHAUSTED")  # of which the page says: by RetryInfo
    assert page["methodConfig"][0]["retryPolicy"] == policy
    assert page["retryThrottling"] == ours["retryThrottling"]


@pytest.mark.parametrize("heading", ["Go", "Java", "TypeScript"])
def test_the_versions_are_those_of_our_programs(heading: str) -> None:
    pins = {"Go": ["go.mod"], "Java": ["pom.xml"], "TypeScript": ["package.json"]}[heading]
    ours = "".join((CLIENTS / heading.lower() / name).read_text("utf-8") for name in pins)
    named = {
        "Go": r"([\w./-]+)@v([\d.]+)",
        "Java": r"<(?:artifactId>([\w-]+)</artifactId>\s*<version|[\w.]+\.version)>([\d.]+)<",
        "TypeScript": r"(@?[\w/-]+)@([\d.]+)",
    }[heading]
    found = re.findall(named, "\n".join(blocks(heading) + blocks(heading, "xml")))
    assert len(found) >= 3
    assert [(name, version) for name, version in found if version not in ours] == []


def test_unknown_values_of_every_enum_of_answers_have_a_rule() -> None:
    protos = (recognition_pb2, status_pb2, exceptions_pb2, trust_list_pb2)
    enums = {name for proto in protos for name in proto.DESCRIPTOR.enum_types_by_name}
    told_of = set(re.findall(r"`(\w+)`", "".join(row[0] for row in rows("v1 only grows"))))
    assert enums - told_of == {"Scope", "ExceptionState"}, "what operators send, and what they are shown"
    assert told_of <= enums
    assert "onecode.v1" in PAGE
