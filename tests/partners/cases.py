"""The table of canonical cases, and how their codes are made on a demo deployment and a server on it."""

import base64
import time
from datetime import UTC, datetime
from typing import Any, Final
from unittest import mock

import yaml

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_server.cli import trust_document

from tests.integration.deployment import Deployment, Server, expect, record
from tests.partners.programs import CLIENTS

TABLE: Final[dict[str, list[dict[str, Any]]]] = yaml.safe_load((CLIENTS / "cases" / "cases.yaml").read_text("utf-8"))
VERDICTS: Final = TABLE["verdicts"]
HOSTS: Final = sorted({str(case["host"]) for case in VERDICTS})
_DAY_US: Final = 86_400 * 10**6
_SIGNATURE_BYTES: Final = 64


class Country:
    """A demo deployment with a server on it, another deployment whose keys nobody trusts, and the cases' codes."""

    def __init__(self, deployment: Deployment, another: Deployment, server: Server) -> None:
        self.deployment = deployment
        self.another = another
        self.server = server
        self.verdict_codes = [self.code(case["code"]) for case in VERDICTS]
        records = [(case, changes) for case in VERDICTS for changes in case.get("records", ())]
        made = [self._record(case, changes) for case, changes in records]
        _await_the_next_second()
        expect(deployment.publish(*made))

    def code(self, how: dict[str, Any]) -> bytes:
        """Return a code that is made as a case says."""
        if "text" in how:
            return str(how["text"]).encode()
        if "hex" in how:
            return bytes.fromhex(how["hex"])
        if "repeat" in how:
            text, times = how["repeat"]
            return str(text).encode() * int(times)
        deployment = self.another if how.get("by") == "another" else self.deployment
        then = trust_document.now() + how.get("days", 0) * _DAY_US
        with mock.patch.object(trust_document, "now", return_value=then):
            (code,) = deployment.issue(**how["issue"])
        if "translate" in how:
            request = pb.TranslateRequest(code=code, target_region=how["translate"])
            code = self.server.stub().Translate(request, timeout=30).code
        return _changed(code, how.get("change"))

    def at(self, host: str) -> tuple[bytes, list[bytes]]:
        """Return a file of the codes of a host's cases, and the lines that a program prints of them."""
        chosen = [(code, case) for code, case in zip(self.verdict_codes, VERDICTS, strict=True) if case["host"] == host]
        lines = [verdict_line(number, case["want"]) for number, (_, case) in enumerate(chosen, 1)]
        return b"".join(code + b"\n" for code, _ in chosen), lines

    @staticmethod
    def _record(case: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        how = case["code"]["issue"]
        subject = {"local": {"region": how["region"], "id": how["id"]}}
        made = record(changes["publisher"], changes["level"], how["id"], subject=subject)
        return made | {"effective_at": datetime.now(UTC).isoformat()}


def verdict_line(number: int, columns: list[str]) -> bytes:
    """Return the line of a verdict as programs print it."""
    return ("\t".join([str(number), *columns]) + "\n").encode()


def verdict_columns(verdict: pb.Verdict) -> list[str]:
    """Return what programs print of a verdict."""
    return [
        pb.Decision.Name(verdict.decision).removeprefix("DECISION_"),
        status_pb2.Level.Name(verdict.level).removeprefix("LEVEL_"),
        pb.Reason.Name(verdict.reason).removeprefix("REASON_"),
        verdict.home_region or "-",
        pb.Status.Name(verdict.status).removeprefix("STATUS_"),
    ]


def verdict_object(number: int, columns: list[str]) -> dict[str, Any]:
    """Return what the line of a verdict is with ``--json``."""
    decision, level, reason, home, status = columns
    return {
        "line": number,
        "decision": f"DECISION_{decision}",
        "level": f"LEVEL_{level}",
        "reason": f"REASON_{reason}",
        "home_region": home.removeprefix("-"),
        "status": f"STATUS_{status}",
    }


def _changed(code: bytes, change: str | None) -> bytes:
    match change:
        case None:
            return code
        case "truncated":
            return code[:-10]
        case "surrounded":
            return b"\xef\xbb\xbf \t" + code + b" "
        case "signature":  # the end of the third part, of a JWT and of PASETO
            parts = code.split(b".")
            content = bytearray(base64.urlsafe_b64decode(parts[2] + b"=" * (-len(parts[2]) % 4)))
            content[-_SIGNATURE_BYTES] ^= 1
            parts[2] = base64.urlsafe_b64encode(content).rstrip(b"=")
            return b".".join(parts)
    raise AssertionError(f"no change is called {change}")


def _await_the_next_second() -> None:
    """Codes have whole seconds: a record counts that is published after the second in which the code was issued."""
    time.sleep(1 - time.time() % 1)
