"""Status records as messages: what a publisher sent, as the engine's nouns, or the rule that it broke."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import status_pb2 as pb
from onecode_server.engine.publisher import LocalSubject, SubjectName
from onecode_server.formats.claims import MICROSECONDS, TIME_MAX
from onecode_server.model.code import Scan
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.rpc.convert import timestamp
from onecode_server.rules.publication import Rejection


def read_record(message: pb.StatusRecord) -> tuple[SubjectName, StatusRecord] | Rejection:
    """Return whom a record names and what it says, or the rule that it breaks by its form alone."""
    name = read_subject(message.subject)
    if name is None:
        return Rejection.INVALID_SUBJECT
    if int(message.scope) not in tuple(Scope):
        return Rejection.INVALID_SCOPE
    if int(message.level) not in (Level.GREEN, Level.YELLOW, Level.RED):
        return Rejection.INVALID_LEVEL
    effective_at = read_time(message.effective_at) if message.HasField("effective_at") else None
    expires_at = read_time(message.expires_at) if message.HasField("expires_at") else None
    if effective_at is None or (expires_at is None and message.HasField("expires_at")):
        return Rejection.INVALID_TIME
    record = StatusRecord(
        message.publisher, Scope(message.scope), Level(message.level), effective_at, expires_at, message.revision
    )
    return name, record


def read_subject(message: pb.SubjectRef) -> SubjectName | None:
    """Return whom a reference names, or None where it names nobody."""
    match message.WhichOneof("subject"):
        case "pseudonym":
            return message.pseudonym
        case "local":
            return LocalSubject(message.local.region, message.local.id)
        case "code":
            return Scan(message.code, "")
    return None


def read_time(message: Timestamp) -> int | None:
    """Return a time in Unix microseconds; None where it is before 1970 or after 9999, or is no time."""
    if not 0 <= message.seconds < TIME_MAX // MICROSECONDS or not 0 <= message.nanos < 1_000_000_000:
        return None
    return message.seconds * MICROSECONDS + message.nanos // 1000


def write_record(subject: bytes, record: StatusRecord) -> pb.StatusRecord:
    """Return a record as its message, its subject named by pseudonym."""
    # The stubs know the wire's enums as types of their own, to which the model's IntEnums are numbers like any other.
    enums: dict[str, Any] = {"level": record.level, "scope": record.scope}
    return pb.StatusRecord(
        **enums,
        publisher=record.publisher,
        subject=pb.SubjectRef(pseudonym=subject),
        effective_at=timestamp(record.effective_at),
        expires_at=None if record.expires_at is None else timestamp(record.expires_at),
        revision=record.revision,
    )
