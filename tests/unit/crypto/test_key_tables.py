"""Tables of keys: made once, bounded, given to the busiest, and never changed under a reader."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from nacl.signing import SigningKey

key_tables = pytest.importorskip("onecode_server.crypto.key_tables", reason="the kernel was not built")

KEYS = [bytes(SigningKey(bytes([number]) * 32).verify_key) for number in range(12)]
NO_KEY = (2).to_bytes(32, "little")  # no point has this y


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The keys for which tables are made, in order."""
    keys: list[bytes] = []
    make: Callable[..., object] = key_tables.KeyTables._make

    def noted(self: object, key: bytes) -> object:
        keys.append(key)
        return make(self, key)

    monkeypatch.setattr(key_tables.KeyTables, "_make", noted)
    return keys


def test_prepared_keys_have_tables_of_their_own(made):
    tables = key_tables.KeyTables(4)
    tables.prepare(KEYS[:3])
    addresses = tables.current.addresses
    assert set(addresses) == set(KEYS[:3])
    assert len(set(addresses.values())) == 3
    assert all(address % 64 == 0 for address in addresses.values())


def test_a_key_that_stays_keeps_its_table(made):
    tables = key_tables.KeyTables(4)
    tables.prepare(KEYS[:3])
    before = tables.current.addresses
    tables.prepare(KEYS[1:4])
    assert made == KEYS[:4]
    assert [tables.current.addresses[key] for key in KEYS[1:3]] == [before[key] for key in KEYS[1:3]]
    assert KEYS[0] not in tables.current.addresses


def test_what_is_no_key_is_remembered_as_such_and_takes_no_room(made):
    tables = key_tables.KeyTables(2)
    tables.prepare([NO_KEY, b"short", *KEYS[:2]])
    assert (tables.current.addresses[NO_KEY], tables.current.addresses[b"short"]) == (0, 0)
    assert all(tables.current.addresses[key] for key in KEYS[:2])


def test_a_table_is_made_for_a_key_that_comes_back(made):
    tables = key_tables.KeyTables(2)
    for _ in range(key_tables.SIGHTINGS - 1):
        assert KEYS[0] not in tables.learn([KEYS[0]]).addresses
    assert KEYS[0] in tables.learn([KEYS[0]]).addresses


def test_memory_is_bounded_and_the_busiest_keys_have_it(made):
    tables = key_tables.KeyTables(2)
    tables.prepare(KEYS[:2])
    for _ in range(10):
        tables.learn([KEYS[0]] * 8 + [KEYS[1]] * 2 + [KEYS[2]] * 9)
    assert set(tables.current.addresses) == {KEYS[0], KEYS[2]}
    assert len(made) == 3


def test_keys_that_are_equally_busy_do_not_chase_each_other_out(made):
    tables = key_tables.KeyTables(4)
    for _ in range(50):
        tables.learn(KEYS)
    assert len(made) == 4


def test_memory_in_use_by_a_reader_is_not_written_over(made):
    tables = key_tables.KeyTables(1)
    tables.prepare(KEYS[:1])
    reader = tables.current
    tables.prepare(KEYS[1:2])
    assert tables.current.addresses == {}
    del reader
    tables.prepare(KEYS[1:2])
    assert set(tables.current.addresses) == {KEYS[1]}


def test_learning_never_waits_for_tables_that_are_being_made(made):
    tables = key_tables.KeyTables(2)
    with tables._changing:
        learned: list[object] = []
        thread = threading.Thread(target=lambda: learned.append(tables.learn(KEYS[:1] * 9)))
        thread.start()
        thread.join(10)
    assert learned == [tables.current]
    assert made == []


def test_counts_are_bounded_whatever_is_asked_for(made, monkeypatch):
    monkeypatch.setattr(key_tables, "COUNTED_MAX", 64)
    tables = key_tables.KeyTables(1)
    tables.prepare(KEYS[:1])
    for number in range(1000):
        tables.learn([number.to_bytes(32, "big")])
    assert len(tables._counts) <= 64


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="this kernel was built without large pages"
)
def test_tables_lie_where_the_system_gives_large_pages():
    tables = key_tables.KeyTables(4)
    address = int(key_tables.ffi.cast("uintptr_t", tables.base))
    mapped = Path("/proc/self/smaps").read_text()
    regions = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) (?:.*\n)+?VmFlags: (.*)$", mapped, re.MULTILINE)
    (flags,) = (flags.split() for start, end, flags in regions if int(start, 16) <= address < int(end, 16))
    assert "hg" in flags
    assert "sh" not in flags  # shared memory has large pages only where the system was set up for it
