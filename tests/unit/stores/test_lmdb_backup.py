"""Copies of a store: what their manifest says, and a restoring that is broken off or finds another file."""

from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.model.partition_state import PartitionState
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores import layout, lmdb_backup, lmdb_check, lmdb_manifest
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import KnownList
from onecode_server.stores.replica_layout import AppliedMarks, Membership, Stop

ANNA = b"\1" * 16
RECORD = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, 200, 1, 1000)
MEMBERSHIP = Membership(b"c" * 32, b"m" * 16, {"onecode.status": "id-1"})


@pytest.fixture
async def copy(tmp_path: Path) -> Path:
    """A copy of a machine's store."""
    store = LmdbReplica(tmp_path / "store")
    store.join(MEMBERSHIP)

    def work(state):
        state.put_records(ANNA, layout.pack_records((RECORD,)), 1000)
        state.put_list(KnownList(1, b"d" * 32, b"file"), 5)
        state.set_partition(4, PartitionState(7, 3, 1000, b"x" * 32))
        state.put_own_marks(AppliedMarks(b"b" * 16, (1,) * 13))
        return state.audit_head()

    head = store.apply(work)
    await store.close()
    lmdb_backup.backup(tmp_path / "store", tmp_path / "copy")
    assert lmdb_manifest.describe(tmp_path / "copy")["audit_head"] == head.hex()
    return tmp_path / "copy"


def test_the_manifest_says_how_far_the_log_is_applied_in_the_copy(copy):
    found = lmdb_manifest.describe(copy)
    assert (found["subjects"], found["bytes"]) == (1, (copy / "data.mdb").stat().st_size)
    assert found["log"] == {
        "cluster": (b"c" * 32).hex(),
        "machine": (b"m" * 16).hex(),
        "topics": {"onecode.status": "id-1"},
        "stopped": None,
        "partitions": {"4": {"offset": 7, "epoch": 3, "digest": (b"x" * 32).hex()}},
    }


async def test_an_embedded_stores_manifest_names_no_log(tmp_path):
    await LmdbStore(tmp_path / "store").close()
    lmdb_backup.backup(tmp_path / "store", tmp_path / "copy")
    assert "log" not in lmdb_manifest.describe(tmp_path / "copy")


async def test_a_restoring_that_was_broken_off_goes_on(copy, tmp_path):
    manifest = lmdb_manifest.describe(copy)
    begun = tmp_path / "new.restoring"
    begun.mkdir()
    (begun / "data.mdb").write_bytes((copy / "data.mdb").read_bytes()[:5000])
    steps: list[int] = []
    lmdb_backup.restore(copy, tmp_path / "new", manifest["sha256"], steps.append)
    assert (steps[0], steps[-1]) == (5000, manifest["bytes"])
    store = LmdbReplica(tmp_path / "new")
    assert store.partitions()[4].offset == 7
    await store.close()


@pytest.mark.parametrize("where", ["in what was copied before", "in the copy"])
def test_what_is_not_the_copy_of_the_manifest_is_not_restored(copy, tmp_path, where):
    manifest = lmdb_manifest.describe(copy)
    begun = tmp_path / "new.restoring"
    begun.mkdir()
    if where == "in the copy":
        data = bytearray((copy / "data.mdb").read_bytes())
        data[-1] ^= 1
        (copy / "data.mdb").write_bytes(data)
    else:
        (begun / "data.mdb").write_bytes(bytes(5000))
    with pytest.raises(Misconfigured, match="not what the manifest"):
        lmdb_backup.restore(copy, tmp_path / "new", manifest["sha256"], lambda _: None)
    assert not (tmp_path / "new").exists()
    assert not begun.exists()


async def test_a_restored_store_becomes_the_one_of_its_new_machine_and_is_confirmed_by_nothing_yet(copy, tmp_path):
    lmdb_backup.restore(copy, tmp_path / "new", None, lambda _: None)
    store = LmdbReplica(tmp_path / "new")
    store.adopt(b"n" * 16)
    assert store.own_marks() is None
    store.join(MEMBERSHIP._replace(machine=b"n" * 16))
    with pytest.raises(StoreUnavailable, match="another machine"):
        store.join(MEMBERSHIP)
    await store.close()


@pytest.mark.parametrize("is_lasting", [True, False])
async def test_a_stop_of_the_machine_is_in_the_manifest_where_its_store_is_at_fault_and_ends_with_the_adoption(
    copy, tmp_path, is_lasting
):
    lmdb_backup.restore(copy, tmp_path / "new", None, lambda _: None)
    store = LmdbReplica(tmp_path / "new")
    stop = Stop("partition 3 differs", 5, is_lasting)
    store.apply(lambda state: state.put_stop(stop))
    assert store.stop() == stop
    await store.close()
    assert lmdb_manifest.describe(tmp_path / "new")["log"]["stopped"] == ("partition 3 differs" if is_lasting else None)
    assert [one for _, _, findings in lmdb_check.check(tmp_path / "new") for one in findings] == []
    again = LmdbReplica(tmp_path / "new")
    again.adopt(b"n" * 16)
    assert again.stop() is None
    await again.close()
