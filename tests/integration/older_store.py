"""A store as versions before wrote it: layout 2, whose records have no time of publication, or 3; in both all reports
of exceptions lie in one table."""

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import lmdb

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import StatusRecord

TABLES = (b"statuses", b"tokens", b"changes", b"exceptions", b"audit", b"meta")
_YEAR_1_US = -62_135_596_800_000_000


def write_older_store(
    directory: Path,
    statuses: Mapping[bytes, tuple[StatusRecord, ...]],
    time: int,
    reports: Iterable[RecognitionException] = (),
    layout: bytes = b"2",
) -> None:
    """Write a store with these records by subject, the last one changed at ``time`` (Unix microseconds), and these
    reports. Records are written in layout 2 only."""
    directory.mkdir(mode=0o700)
    with lmdb.open(str(directory), max_dbs=len(TABLES), map_size=2**26) as env:
        tables = {name: env.open_db(name) for name in TABLES}
        with env.begin(write=True) as txn:
            txn.put(b"schema", layout, db=tables[b"meta"])
            for report in reports:
                txn.put(report.id.encode(), json.dumps(report._asdict()).encode(), db=tables[b"exceptions"])
            for number, (subject, records) in enumerate(statuses.items(), 1):
                txn.put(subject, b"".join(map(_packed, records)), db=tables[b"statuses"])
                txn.put(struct.pack(">Q", number), struct.pack(">16sq", subject, time), db=tables[b"changes"])


def _packed(record: StatusRecord) -> bytes:
    """effective_at and level in 8 bytes, publisher and scope in 3, the revision in 1, 4 or 8, and the expiry."""
    kind = next(n for n, size in enumerate((1, 4, 8)) if record.revision < 256**size)
    ends = b"" if record.expires_at is None else struct.pack(">Q", record.expires_at - _YEAR_1_US)
    first = (record.effective_at - _YEAR_1_US) << 5 | record.level << 3 | (kind + 3 if ends else kind)
    source = (int(record.publisher) << 4 | record.scope).to_bytes(3, "big")
    return struct.pack(">Q", first) + source + record.revision.to_bytes((1, 4, 8)[kind], "big") + ends
