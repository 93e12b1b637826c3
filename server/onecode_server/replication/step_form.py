"""The form of a step of a recognition exception in a message."""

from typing import Final

from onecode_server.errors import Malformed
from onecode_server.model.identity import Identity, Role
from onecode_server.recognition.steps import (
    ID_CHARS_MAX,
    REQUEST_ID_CHARS_MAX,
    Acknowledge,
    Report,
    Step,
    Withdraw,
)
from onecode_server.replication import fields
from onecode_server.replication.fields import FieldReader
from onecode_server.rules.recognition_exceptions import REASON_BYTES_MAX

UTF8_CHAR_BYTES_MAX: Final = 4
_NAME_BYTES_MAX: Final = 256
"""A bound on the names in an identity: twice as long as identities may have them."""
_REGION_BYTES_MAX: Final = 64
"""A region has six digits. A step that names it otherwise is refused by its rule, with the same words as elsewhere."""

_ROLES: Final = {role.value: role for role in Role}
_ID_BYTES_MAX: Final = ID_CHARS_MAX * UTF8_CHAR_BYTES_MAX
_REQUEST_ID_BYTES_MAX: Final = REQUEST_ID_CHARS_MAX * UTF8_CHAR_BYTES_MAX
_REPORT, _ACKNOWLEDGE, _WITHDRAW = 1, 2, 3


def encode(step: Step) -> bytes:
    """Return the bytes of a step that ``recognition.steps.expect_step`` passes. Raises Malformed."""
    match step:
        case Report():
            kind = _REPORT
            places = fields.text(step.host, _REGION_BYTES_MAX) + fields.text(step.home, _REGION_BYTES_MAX)
            # Checked by the rules in bytes, after this: the bound here is that of ``expect_step``, in characters.
            reason = fields.text(step.reason, REASON_BYTES_MAX * UTF8_CHAR_BYTES_MAX)
            asked = places + reason + fields.time(step.begins) + fields.time(step.ends)
        case Acknowledge():
            kind, asked = _ACKNOWLEDGE, b""
        case Withdraw():
            kind, asked = _WITHDRAW, b""
    ids = fields.text(step.identifier, _ID_BYTES_MAX) + fields.text(step.request_id, _REQUEST_ID_BYTES_MAX)
    return bytes((kind,)) + _identity(step.by) + ids + asked


def decode(reader: FieldReader) -> Step:
    """Return the step in the next fields. Raises Malformed."""
    kind, by = reader.number(1), _read_identity(reader)
    identifier, request_id = reader.text(_ID_BYTES_MAX), reader.text(_REQUEST_ID_BYTES_MAX)
    if kind == _ACKNOWLEDGE:
        return Acknowledge(by, identifier, request_id)
    if kind == _WITHDRAW:
        return Withdraw(by, identifier, request_id)
    if kind != _REPORT:
        raise Malformed("a step is no report, acknowledgement or withdrawal")
    host, home = reader.text(_REGION_BYTES_MAX), reader.text(_REGION_BYTES_MAX)
    reason = reader.text(REASON_BYTES_MAX * UTF8_CHAR_BYTES_MAX)
    return Report(by, identifier, host, home, reason, reader.time(), reader.time(), request_id)


def _identity(by: Identity) -> bytes:
    words = by.role.value, by.region, by.name, by.gateway
    return b"".join(fields.text(word, _NAME_BYTES_MAX) for word in words)


def _read_identity(reader: FieldReader) -> Identity:
    word, region, name, gateway = (reader.text(_NAME_BYTES_MAX) for _ in range(4))
    role = _ROLES.get(word)
    if role is None:
        raise Malformed("a step is taken by an unknown role")
    return Identity(role, region, name, gateway)
