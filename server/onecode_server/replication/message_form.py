"""The bytes of messages: a head that all have, then the fields of each kind. ``signing`` puts its envelope around them.

The form is strict: each message has one form, every field its bound, and nothing may follow the last field.
"""

from enum import IntEnum
from typing import Final, assert_never

from onecode_server.errors import Malformed
from onecode_server.model.partition import DECISIONS
from onecode_server.model.partition_state import DIGEST_BYTES
from onecode_server.model.status import SUBJECT_BYTES, UNPUBLISHED, Scope
from onecode_server.replication import fields, genesis_form, record_form, step_form
from onecode_server.replication.fields import IDENTIFIER_BYTES, FieldReader
from onecode_server.replication.messages import (
    CHUNK_BYTES_MAX,
    DECISION_BYTES_MAX,
    NO_OFFSET,
    Chunk,
    Command,
    Genesis,
    ListCommand,
    Mark,
    Message,
    Origin,
    Reset,
    ResetRecord,
    RulesCommand,
    StepCommand,
)
from onecode_server.replication.rule_versions import KNOWN, RuleVersions, UnknownRules
from onecode_server.replication.signing import ENVELOPE_BYTES
from onecode_server.rules.publication import REVISIONS_END, RevisionReset
from onecode_server.stores.protocol import KnownList

FORM: Final = 1
"""The version of this form, in the first byte of a body."""

_NO_RULES: Final = 0
_INCARNATION_BYTES: Final = 8
_BOOT_BYTES: Final = 16
_LIST_DIGEST_BYTES: Final = 32
_BY_BYTES_MAX: Final = 256
"""Three times the longest text of an identity."""
_REGION_BYTES: Final = 6
_SCOPES: Final = {int(scope): scope for scope in Scope}


class _Kind(IntEnum):
    """The kind of a message, in the second byte of a body."""

    CHUNK = 1
    RESET = 2
    MARK = 3
    STEP = 4
    LIST = 5
    RESET_RECORD = 6
    RULES = 7
    ORIGIN = 8
    GENESIS = 9


_KINDS: Final = frozenset(_Kind)
_WITHOUT_RULES: Final = (_Kind.MARK, _Kind.ORIGIN, _Kind.GENESIS)
"""Marks change nothing, and name the version that their sender knows in its place. The beginning of a log has what
rules have made already."""


def encode(message: Message) -> bytes:
    """Return the body of a message. Raises Malformed where a field is over its bound."""
    match message:
        case Mark():
            return _head(_Kind.MARK, message.knows, message.machine) + _mark(message)
        case Origin():
            return _head(_Kind.ORIGIN, _NO_RULES, message.machine) + genesis_form.encode_origin(message)
        case Genesis():
            body = _head(_Kind.GENESIS, _NO_RULES, message.machine) + genesis_form.encode_part(message)
            _expect_bounded(_Kind.GENESIS, body)
            return body
        case Chunk():
            kind, rest = _Kind.CHUNK, fields.number(message.trust_version) + record_form.encode(message.publications)
        case Reset():
            kind, rest = _Kind.RESET, _reset(message.reset) + fields.text(message.by, _BY_BYTES_MAX)
        case StepCommand():
            kind, rest = _Kind.STEP, step_form.encode(message.step)
        case ListCommand():
            version, digest, file = message.known
            digest = fields.exact(digest, _LIST_DIGEST_BYTES)
            kind, rest = _Kind.LIST, fields.number(version) + digest + fields.content(file, DECISION_BYTES_MAX)
        case ResetRecord():
            asked = _reset(message.reset) + fields.text(message.by, _BY_BYTES_MAX)
            kind, rest = _Kind.RESET_RECORD, asked + fields.number(message.was)
        case RulesCommand():
            kind, rest = _Kind.RULES, fields.number(message.to, 2)
        case _:
            assert_never(message)
    command = fields.exact(message.identifier, IDENTIFIER_BYTES) + fields.time(message.made_at)
    body = _head(kind, message.rules, message.machine) + command + rest
    _expect_bounded(kind, body)
    return body


def decode(body: bytes, partition: int, published_at: int = UNPUBLISHED, versions: RuleVersions = KNOWN) -> Message:
    """Return the message of a body that was read from ``partition``; records have ``published_at`` (Unix microseconds).

    Raises Malformed, and UnknownRules where a later program wrote it, such as under rules that are not among
    ``versions``. A body is decoded only after its signature was found good: otherwise any writer of the log could stop
    all machines.
    """
    reader = FieldReader(body)
    form, kind, rules, machine = reader.number(1), reader.number(1), reader.number(2), reader.take(IDENTIFIER_BYTES)
    if form != FORM or kind not in _KINDS:
        raise UnknownRules(
            f"a message of the log has form {form} and kind {kind}, which this program does not know: install the "
            "version of onecode that the other machines run"
        )
    if kind in _WITHOUT_RULES:
        if rules != _NO_RULES and kind != _Kind.MARK:
            raise Malformed("the beginning of a log is under no rules")
        _expect_bounded(kind, body)
        message = _read_without_rules(kind, reader, machine, partition, rules)
    else:
        versions.of(rules)  # before the fields, which a later version may have in another form
        identifier, made_at = reader.take(IDENTIFIER_BYTES), reader.time()
        if identifier[0] != partition:
            raise Malformed("a message's identifier is of another partition")
        _expect_bounded(kind, body)
        if kind == _Kind.CHUNK:
            trust_version, records = reader.number(), record_form.decode(reader.rest(), partition, published_at)
            message = Chunk(machine, identifier, made_at, rules, trust_version, records)
        else:
            message = _read_command(kind, reader, (machine, identifier, made_at, rules))
    reader.end()
    return message


def _read_without_rules(kind: int, reader: FieldReader, machine: bytes, partition: int, knows: int) -> Message:
    if kind == _Kind.MARK:
        return _read_mark(reader, machine, partition, knows)
    if kind == _Kind.ORIGIN:
        return genesis_form.decode_origin(reader, machine)
    return genesis_form.decode_part(reader, machine)


def _read_command(kind: int, reader: FieldReader, head: tuple[bytes, bytes, int, int]) -> Command:
    match kind:
        case _Kind.RESET:
            return Reset(*head, _read_reset(reader), reader.text(_BY_BYTES_MAX))
        case _Kind.STEP:
            return StepCommand(*head, step_form.decode(reader))
        case _Kind.LIST:
            version, digest = reader.number(), reader.take(_LIST_DIGEST_BYTES)
            return ListCommand(*head, KnownList(version, digest, reader.content(DECISION_BYTES_MAX)))
        case _Kind.RESET_RECORD:
            return ResetRecord(*head, _read_reset(reader), reader.text(_BY_BYTES_MAX), reader.number())
        case _:
            return RulesCommand(*head, reader.number(2))


def _expect_bounded(kind: int, body: bytes) -> None:
    if ENVELOPE_BYTES + len(body) > (CHUNK_BYTES_MAX if kind == _Kind.CHUNK else DECISION_BYTES_MAX):
        raise Malformed("a message is too long")


def _head(kind: int, rules: int, machine: bytes) -> bytes:
    return bytes((FORM, kind)) + fields.number(rules, 2) + fields.exact(machine, IDENTIFIER_BYTES)


def _mark(mark: Mark) -> bytes:
    sender = fields.exact(mark.incarnation, _INCARNATION_BYTES) + fields.exact(mark.boot, _BOOT_BYTES)
    times = fields.number(mark.sent_monotonic_us) + fields.time(mark.sent_at)
    digests = fields.exact(mark.digest, DIGEST_BYTES) + fields.exact(mark.audit_head, DIGEST_BYTES)
    return sender + times + fields.number(mark.offset - NO_OFFSET) + digests


def _read_mark(reader: FieldReader, machine: bytes, partition: int, knows: int) -> Mark:
    sender = reader.take(_INCARNATION_BYTES), reader.take(_BOOT_BYTES)
    times, offset = (reader.number(), reader.time()), reader.number() + NO_OFFSET
    mark = Mark(machine, *sender, *times, offset, reader.take(DIGEST_BYTES), reader.take(DIGEST_BYTES), knows)
    if partition != DECISIONS and any(mark.audit_head):
        raise Malformed("only marks in the partition of decisions have an audit head")
    return mark


def _reset(reset: RevisionReset) -> bytes:
    subject = fields.exact(reset.subject, SUBJECT_BYTES)
    publisher = fields.exact(reset.publisher.encode(), _REGION_BYTES)
    return subject + publisher + bytes((reset.scope,)) + fields.number(reset.to)


def _read_reset(reader: FieldReader) -> RevisionReset:
    subject, publisher = reader.take(SUBJECT_BYTES), reader.take(_REGION_BYTES)
    scope, to = _SCOPES.get(reader.number(1)), reader.number()
    if not publisher.isdigit() or scope is None or to >= REVISIONS_END:
        raise Malformed("a revision to be set back is not named by publisher, scope and revision")
    return RevisionReset(subject, publisher.decode(), scope, to)
