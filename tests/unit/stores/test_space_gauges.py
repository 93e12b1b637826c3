"""How much room a store has: asked off the event loop, and never guessed where the disk does not answer."""

import math
import os
import threading

import pytest

from onecode_server.stores import space_gauges
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_map import MAP_BYTES_MAX
from onecode_server.stores.protocol import Space
from onecode_server.stores.space_gauges import SpaceGauges
from onecode_server.telemetry.metrics import Metrics

NAMES = ("onecode_store_used_bytes", "onecode_store_disk_free_bytes", "onecode_store_map_free_bytes")


class Disk:
    """A store whose disk answers with an error, or once it is let go."""

    def __init__(self):
        self.answers = threading.Event()
        self.fault = None

    def space(self):
        if self.fault:
            raise self.fault
        self.answers.wait(60)
        return Space(1, 2, 3)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def disk():
    made = Disk()
    yield made
    made.answers.set()


def shown(metrics):
    return [metrics.registry.get_sample_value(name) for name in NAMES]


async def test_the_room_is_that_of_the_file_and_of_its_file_system(metrics, tmp_path):
    store = LmdbStore(tmp_path / "store", lambda: 1, 0)
    gauges = SpaceGauges(store, metrics)
    await gauges.look()
    used, disk_free, map_free = shown(metrics)
    file = os.stat(tmp_path / "store" / "data.mdb")
    assert (used, map_free) == (file.st_size, MAP_BYTES_MAX - file.st_size)
    total = os.statvfs(tmp_path)
    assert 0 < disk_free <= total.f_blocks * total.f_frsize
    gauges.close()
    await store.close()


async def test_a_store_that_was_closed_shows_no_number(metrics, tmp_path):
    store = LmdbStore(tmp_path / "store", lambda: 1, 0)
    gauges = SpaceGauges(store, metrics)
    await gauges.look()
    await store.close()
    await gauges.look()
    assert all(math.isnan(value) for value in shown(metrics))
    gauges.close()


async def test_before_the_first_look_and_at_an_error_there_is_no_number(metrics, disk):
    gauges = SpaceGauges(disk, metrics)
    assert all(math.isnan(value) for value in shown(metrics))
    disk.answers.set()
    await gauges.look()
    assert shown(metrics) == [1, 2, 3]
    disk.fault = OSError(5, "Input/output error")
    await gauges.look()
    assert all(math.isnan(value) for value in shown(metrics))
    gauges.close()


async def test_a_disk_that_hangs_holds_one_thread_and_is_asked_again_once_it_answers(metrics, disk, monkeypatch):
    monkeypatch.setattr(space_gauges, "ANSWER_S", 0.05)
    gauges = SpaceGauges(disk, metrics)
    for _ in range(4):
        await gauges.look()
        assert all(math.isnan(value) for value in shown(metrics))
    assert sum(thread.name == "store-space" for thread in threading.enumerate()) == 1
    disk.answers.set()
    monkeypatch.setattr(space_gauges, "ANSWER_S", 60.0)
    while math.isnan(shown(metrics)[0]):  # what was asked meanwhile leaves the queue first
        await gauges.look()
    assert shown(metrics) == [1, 2, 3]
    gauges.close()
