"""What is printed of answers: a line for each, in the order of the file, as all of ``onecode-partner`` print it."""

import json
import sys
from typing import Any

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client.errors import ServerError


def verdict_line(number: int, verdict: pb.Verdict, *, as_json: bool) -> str:
    """Return the line of a verdict. The code is left out: it speaks of a person."""
    shown = _members(number, verdict)
    if as_json:
        return _json(shown)
    # A dash for no region, so that a line has six fields whatever the verdict.
    names = ("decision", "level", "reason", "home_region", "status")
    fields = (shown[name].removeprefix(f"{name.upper()}_") or "-" for name in names)
    return "\t".join((str(number), *fields))


def translation_line(answer: pb.TranslateResponse, *, as_json: bool) -> str:
    """Return the line of a translation: the code alone, or the verdict that does not allow one."""
    if as_json:
        return _json({"code": _text(answer.code), "verdict": _members(1, answer.verdict)})
    return _text(answer.code) if answer.code else verdict_line(1, answer.verdict, as_json=False)


def print_lines(lines: list[str]) -> None:
    """Print lines, and have them out before anything else happens. Raises OSError."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _members(number: int, verdict: pb.Verdict) -> dict[str, Any]:
    return {
        "line": number,
        "decision": _name(pb.Decision, verdict.decision),
        "level": _name(status_pb2.Level, verdict.level),
        "reason": _name(pb.Reason, verdict.reason),
        "home_region": verdict.home_region,
        "status": _name(pb.Status, verdict.status),
    }


def _name(kind: Any, value: int) -> str:
    try:
        return str(kind.Name(value))
    except ValueError:  # a server that is newer than these stubs
        return str(value)


def _text(code: bytes) -> str:
    try:
        return code.decode("ascii")
    except UnicodeDecodeError:
        raise ServerError("INTERNAL", "the server's translation is no code") from None


def _json(members: dict[str, Any]) -> str:
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)
