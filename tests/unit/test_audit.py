"""The audit record: whoever changes, drops or moves an entry breaks the chain."""

import json
from typing import Any

import pytest

from onecode_server.errors import Malformed
from onecode_server.model.audit import GENESIS, AuditEntry, chain, follows, pack, unpack


def record(count: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for number in range(count):
        entries.append(chain(entries[-1] if entries else None, number, "event", "subject", {"n": number, "词": "绿"}))
    return entries


def is_whole(entries: list[AuditEntry]) -> bool:
    return all(follows(entry, last) for last, entry in zip([None, *entries], entries, strict=False))


def test_a_record_as_it_was_written_is_whole_and_comes_back_from_its_bytes() -> None:
    entries = record(5)
    assert is_whole(entries)
    assert [unpack(pack(entry)) for entry in entries] == entries
    assert (entries[0].previous, [entry.number for entry in entries]) == (GENESIS, [1, 2, 3, 4, 5])


@pytest.mark.parametrize("field", ["time", "event", "subject", "details", "previous", "hash", "number"])
def test_a_changed_field_breaks_the_chain(field: str) -> None:
    entries = record(3)
    other: Any = {"time": 9, "event": "x", "subject": "x", "details": {}, "number": 9}.get(field, bytes(31) + b"x")
    entries[1] = entries[1]._replace(**{field: other})
    assert not is_whole(entries)


def test_a_dropped_or_moved_entry_breaks_the_chain() -> None:
    entries = record(4)
    assert not is_whole(entries[:1] + entries[2:])
    assert not is_whole([entries[0], entries[2], entries[1], entries[3]])
    assert not is_whole(entries[1:])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", json.dumps({"number": 1}).encode()])
def test_what_is_no_entry_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(data)
