"""Converts status records: messages of publishers to model values, or to the rule that they break, and back."""

from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import status_pb2 as pb
from onecode_server.codes.times import MICROSECONDS, TIME_MAX
from onecode_server.model.code import Scan
from onecode_server.model.status import UNPUBLISHED, Level, Scope, StatusRecord
from onecode_server.publication.publisher import LocalSubject, SubjectName
from onecode_server.rpc.convert import timestamp
from onecode_server.rules.publication import Rejection

# Looked up by the wire's number: calling an enum for each of a million records costs more than the rest of this module.
_LEVELS: Final = {int(level): level for level in (Level.GREEN, Level.YELLOW, Level.RED)}
_SCOPES: Final = {int(scope): scope for scope in Scope}


def read_record(message: pb.StatusRecord) -> tuple[SubjectName, StatusRecord] | Rejection:
    """Return a record and the name of its subject, or the rule that it breaks by its form alone.

    The publisher does not set the time of publication: ``published_at`` is not read.
    """
    name = read_subject(message.subject)
    if name is None:
        return Rejection.INVALID_SUBJECT
    scope, level = _SCOPES.get(message.scope), _LEVELS.get(message.level)
    if scope is None:
        return Rejection.INVALID_SCOPE
    if level is None:
        return Rejection.INVALID_LEVEL
    ends = message.HasField("expires_at")
    effective_at = read_time(message.effective_at) if message.HasField("effective_at") else None
    expires_at = read_time(message.expires_at) if ends else None
    if effective_at is None or (expires_at is None and ends):
        return Rejection.INVALID_TIME
    return name, StatusRecord(message.publisher, scope, level, effective_at, expires_at, message.revision)


def read_subject(message: pb.SubjectRef) -> SubjectName | None:
    """Return the subject that a reference names, or None where it names none."""
    match message.WhichOneof("subject"):
        case "pseudonym":
            return message.pseudonym
        case "local":
            return LocalSubject(message.local.region, message.local.id)
        case "code":
            return Scan(message.code, "")
    return None


def read_time(message: Timestamp) -> int | None:
    """Return a time in Unix microseconds; None where it is before 1970, after 9999, or invalid."""
    if not 0 <= message.seconds < TIME_MAX // MICROSECONDS or not 0 <= message.nanos < 1_000_000_000:
        return None
    return message.seconds * MICROSECONDS + message.nanos // 1000


def write_record(name: SubjectName, record: StatusRecord) -> pb.StatusRecord:
    """Return a record as its message: the fields that ``read_record`` reads, and the time of publication."""
    # The stubs declare the wire's enums as types of their own, and accept the model's IntEnums as plain numbers only.
    enums: dict[str, Any] = {"level": record.level, "scope": record.scope}
    return pb.StatusRecord(
        **enums,
        publisher=record.publisher,
        subject=write_subject(name),
        effective_at=timestamp(record.effective_at),
        expires_at=None if record.expires_at is None else timestamp(record.expires_at),
        revision=record.revision,
        published_at=None if record.published_at == UNPUBLISHED else timestamp(record.published_at),
    )


def write_subject(name: SubjectName) -> pb.SubjectRef:
    """Return a reference to the subject that a name means."""
    if isinstance(name, LocalSubject):
        return pb.SubjectRef(local=pb.LocalSubject(region=name.region, id=name.id))
    return pb.SubjectRef(code=name.code) if isinstance(name, Scan) else pb.SubjectRef(pseudonym=name)
