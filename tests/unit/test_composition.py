"""An engine writes its store, or has its records and steps written by others where the store can only be read."""

from typing import Any

import pytest

from onecode_server.engine import Engine
from onecode_server.model.identity import LOCAL
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.publication.publisher import LocalSubject
from onecode_server.publication.store_records import StoreRecords
from onecode_server.recognition.store_steps import StoreSteps
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.telemetry.metrics import Metrics

from tests.world import HOUR, NOON, World

WRITES = ("publish", "amend", "change_exceptions", "probe")


class ReadStore:
    """A store that only another process writes."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            raise AttributeError(name)
        return getattr(self._store, name)


def engine_of(world: World, **writers: Any) -> Engine:
    return Engine(
        world.settings,
        store=ReadStore(world.store),
        backend=world.backend,
        metrics=Metrics(),
        clock=lambda: world.now,
        monotonic=lambda: world.monotonic_s,
        **writers,
    )


async def test_records_and_steps_go_to_the_writers_and_are_read_in_the_store(world: World) -> None:
    engine = engine_of(
        world,
        records=StoreRecords(world.store, lambda: world.now),
        steps=StoreSteps(world.store, world.trust, lambda: world.now, 0),
    )
    assert engine.write_probe is None
    await engine.trust.refresh()
    name = LocalSubject("420000", "id-1")
    record = StatusRecord("420000", Scope.NATIONAL, Level.RED, NOON, None, 1)
    assert await engine.publisher.publish([(name, record)]) == [None]
    resolved = await engine.publisher.resolve(name)
    assert resolved is not None
    assert await engine.publisher.known(resolved.subject) == (record._replace(published_at=NOON),)
    assert await engine.publisher.reset_revision(resolved.subject, "420000", Scope.NATIONAL, 0) == 1
    report = (await engine.exception_service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR)).report
    await engine.exception_service.acknowledge(LOCAL, report.id)
    assert engine.exceptions.suspension("440000", "420000", NOON) is not None


@pytest.mark.parametrize("given", ["records", "steps"])
async def test_a_store_that_can_only_be_read_needs_both_writers(world: World, given: str) -> None:
    writers = {
        "records": StoreRecords(world.store, lambda: world.now),
        "steps": StoreSteps(world.store, world.trust, lambda: world.now, 0),
    }
    with pytest.raises(TypeError, match="needs writers"):
        engine_of(world, **{given: writers[given]})


async def test_a_store_that_can_be_written_needs_no_writer_and_is_probed(world: World) -> None:
    assert world.engine.write_probe is not None
    await world.engine.write_probe.probe()
