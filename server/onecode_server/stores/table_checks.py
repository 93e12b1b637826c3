"""Checks the items of each table of a store, for the check of a store on an operator's request."""

from collections.abc import Callable
from typing import Final

from onecode_server.errors import StoredDamaged
from onecode_server.model import audit
from onecode_server.model.audit import AuditEntry
from onecode_server.model.partition import ALL
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES, Level
from onecode_server.stores import layout, replica_layout
from onecode_server.stores.lmdb_audit import unpack_block
from onecode_server.stores.lmdb_migration import MOVED_KEY
from onecode_server.stores.lmdb_report_keys import Ends

_REGION_BYTES: Final = 6
_DIGEST_BYTES: Final = 32
_REVISIONS_END: Final = 2**63

Read = Callable[[bytes, bytes], str | None]


def _statuses() -> Read:
    def read(key: bytes, data: bytes) -> str | None:
        if len(key) != SUBJECT_BYTES:
            return "the key is no subject"
        records = layout.unpack_records(data)
        for record in records:
            if not is_region_code(record.publisher):
                return f"the publisher {record.publisher} is no region"
            if record.level is Level.UNSPECIFIED:
                return "a record has no level"
            if not 1 <= record.revision < _REVISIONS_END:
                return f"{record.revision} is no revision"
            if record.expires_at is not None and record.expires_at <= record.effective_at:
                return "a record ends before it takes effect"
        return None if records else "there is no record"

    return read


def _tokens() -> Read:
    def read(key: bytes, data: bytes) -> str | None:
        layout.unpack_token(data)
        region = key[:_REGION_BYTES].decode("ascii", "replace")
        is_key = len(key) == _REGION_BYTES + _DIGEST_BYTES and is_region_code(region)
        return None if is_key else "the key is no region and digest"

    return read


def _changes() -> Read:
    last = None

    def read(key: bytes, data: bytes) -> str | None:
        nonlocal last
        layout.unpack_change(data)
        number, before = layout.read_number(key), last
        last = number
        return None if before is None or number == before + 1 else f"change {number} follows {before}"

    return read


def _reports(key: bytes, data: bytes) -> str | None:
    return None if layout.unpack_exception(data).id.encode() == key else "the report has another id"


def _older_reports(key: bytes, data: bytes) -> str | None:
    return None if key == MOVED_KEY else _reports(key, data)


def _ends(key: bytes, data: bytes) -> str | None:
    identifier, ends = Ends.read(key, data)
    is_pair = is_region_code(ends.host.decode("ascii", "replace")) and is_region_code(
        ends.home.decode("ascii", "replace")
    )
    return None if identifier and is_pair else "the key belongs to no report"


def _filed(key: bytes, data: bytes) -> str | None:
    return None if data and key.endswith(data) else "the key belongs to another report"


def _open_reports(key: bytes, data: bytes) -> str | None:
    return None if is_region_code(data.decode("ascii", "replace")) else "the home is no region"


def _answered(key: bytes, data: bytes) -> str | None:
    layout.unpack_answered(data)
    return None


class _Chain:
    """The audit record, its archive first: each entry is chained to the one before it."""

    def __init__(self) -> None:
        self._last: AuditEntry | None = None

    def block(self, key: bytes, data: bytes) -> str | None:
        entries = unpack_block(data)
        wrong = [fault for one in entries if (fault := self._entry(audit.unpack(one)))]
        if self._last is None or layout.read_number(key) != self._last.number:
            wrong.append("the block ends with another entry")
        return "; ".join(wrong[:1]) or None

    def newest(self, key: bytes, data: bytes) -> str | None:
        entry = audit.unpack(data)
        wrong = self._entry(entry)
        return wrong if layout.read_number(key) == entry.number else f"audit entry {entry.number} has another key"

    def _entry(self, entry: AuditEntry) -> str | None:
        is_next = audit.follows(entry, self._last)
        self._last = entry
        return None if is_next else f"audit entry {entry.number} breaks the hash chain"


def _meta() -> Read:
    def read(key: bytes, data: bytes) -> str | None:
        if key == b"trust-list":
            layout.unpack_list(data)
        elif key == b"log":
            replica_layout.unpack_membership(data)
        elif key == b"log-marks":
            replica_layout.unpack_marks(data)
        elif key == replica_layout.STOP_KEY:
            replica_layout.unpack_stop(data)
        elif key == b"schema" and data not in (layout.SCHEMA, *layout.SCHEMAS_BEFORE):
            raise StoredDamaged(f"this version does not know the layout {data!r}")
        return None

    return read


def _partition_state(key: bytes, data: bytes) -> str | None:
    replica_layout.unpack_state(data)
    return None if len(key) == 1 and key[0] in ALL else "the key is no partition"


def _outcome(key: bytes, data: bytes) -> str | None:
    replica_layout.unpack_outcome(data)
    return None if len(key) == replica_layout.IDENTIFIER_BYTES else "the key is no id of a message"


def _reset_record(key: bytes, data: bytes) -> str | None:
    return None if len(key) == replica_layout.IDENTIFIER_BYTES and data else "the key is no id of a message"


def _checkpoint(key: bytes, data: bytes) -> str | None:
    return None if len(data) % _DIGEST_BYTES == 0 and data else "the digest has another length"


def _accept_all(key: bytes, data: bytes) -> str | None:
    return None


def readers() -> dict[str, Read]:
    """Return for each table a function that returns an item's fault, or None; tables and items come in this order."""
    chain = _Chain()
    return {
        "statuses": _statuses(),
        "tokens": _tokens(),
        "changes": _changes(),
        "reports": _reports,
        "reports_filed": _filed,
        "reports_open": _open_reports,
        "reports_acknowledged": _filed,
        "reports_ends": _ends,
        "report_requests": _answered,
        "exceptions": _older_reports,
        "audit_archive": chain.block,
        "audit": chain.newest,
        "meta": _meta(),
        "copies": _accept_all,
        "log_partitions": _partition_state,
        "log_outcomes": _outcome,
        "log_outcome_times": _accept_all,
        "log_checkpoints": _checkpoint,
        "log_resets": _reset_record,
    }
