"""The trust list in force: what is taken, what is refused, and what stays."""

import asyncio
import secrets
from pathlib import Path

import pytest

from onecode_server.crypto.signing import Signer, public_key_fault
from onecode_server.stores.protocol import KnownList
from onecode_server.system.clock import every
from onecode_server.trust import document as trust_list
from onecode_server.trust.source import POLL_S, TrustSource

from tests.world import SECOND, World


def again(world: World) -> TrustSource:
    """Return a source as a restarted process would have it."""
    return TrustSource(world.file, world.root.public_key, world.backend, world.store, world.metrics, lambda: world.now)


async def test_a_newer_list_is_taken_as_a_whole(world: World) -> None:
    before = world.trust.current
    await world.publish_list()
    assert (before.version, world.trust.current.version, world.trust.fault) == (1, 2, None)


async def test_an_older_list_is_refused_even_after_a_restart(world: World) -> None:
    old = world.file.read_bytes()
    await world.publish_list()
    world.file.write_bytes(old)
    await world.trust.refresh()
    assert world.trust.current.version == 2
    assert world.trust.fault is not None
    assert "older" in world.trust.fault
    restarted = again(world)
    await restarted.refresh()
    assert restarted.current.version == 2  # the last good list, from the store
    assert restarted.fault is not None


async def test_other_content_under_the_same_version_is_refused(world: World) -> None:
    world.document["version"] -= 1
    world.document["regions"] = world.document["regions"][:1]
    await world.publish_list()
    assert (len(world.trust.current.regions), world.trust.current.version) == (8, 1)
    assert "other content" in str(world.trust.fault)


@pytest.mark.parametrize("spoil", ["signature", "truncated", "gone", "empty", "other root", "garbage"])
async def test_what_the_root_did_not_sign_is_refused_and_the_last_good_list_stays(world: World, spoil: str) -> None:
    good = world.file.read_bytes()
    world.sign_list()
    file = world.file.read_bytes()
    other = Signer(secrets.token_bytes(32))
    spoilt = {
        "signature": file[:-5] + bytes([file[-5] ^ 1]) + file[-4:],
        "truncated": file[: len(file) // 2],
        "empty": b"",
        "garbage": secrets.token_bytes(1000),
        "other root": trust_list.put_together(
            {"version": 9, "regions": [], "issued_at": 1, "next_update": 2}, other.sign
        ),
    }
    if spoil == "gone":
        world.file.unlink()
    else:
        world.file.write_bytes(spoilt[spoil])
    await world.trust.refresh()
    assert world.trust.current.version == 1
    assert world.trust.fault is not None
    assert world.metrics.registry.get_sample_value("onecode_trust_list_fault") == 1
    assert world.metrics.registry.get_sample_value("onecode_trust_list_refused_total") == 1
    world.file.write_bytes(good)
    await world.trust.refresh()
    assert world.trust.fault is None


async def test_a_refused_file_is_not_refused_again_until_it_changes(world: World) -> None:
    world.file.write_bytes(b"nonsense")
    for _ in range(3):
        await world.trust.refresh()
    assert world.metrics.registry.get_sample_value("onecode_trust_list_refused_total") == 1


async def test_a_bad_entry_is_skipped_named_and_counted_and_the_rest_loads(world: World) -> None:
    world.entry("440000")["format"] = "morse"
    await world.publish_list()
    assert "440000" not in world.trust.current.regions
    assert "420000" in world.trust.current.regions
    assert any("440000" in where and "format" in why for where, why in world.trust.current.skipped)
    assert world.metrics.registry.get_sample_value("onecode_trust_list_skipped_entries") == 1


async def test_a_list_whose_version_cannot_be_made_durable_is_tried_again(world: World) -> None:
    store = world.path / "store" / "data.mdb"
    store.rename(world.path / "away")
    await world.publish_list()
    assert world.trust.current.version == 1
    assert "durable" in str(world.trust.fault)
    (world.path / "away").rename(store)
    await world.trust.refresh()
    assert (world.trust.current.version, world.trust.fault) == (2, None)


async def test_a_first_start_without_a_file_or_a_store_has_no_list(world: World, tmp_path: Path) -> None:
    source = TrustSource(
        tmp_path / "none", world.root.public_key, world.backend, world.store, world.metrics, lambda: world.now
    )
    (world.path / "store" / "data.mdb").rename(world.path / "away")
    await source.refresh()
    assert not source.is_open


async def test_the_watch_takes_a_new_list_within_two_seconds(world: World) -> None:
    watch = asyncio.create_task(every(POLL_S, world.trust.refresh))
    world.sign_list()
    for _ in range(40):
        await asyncio.sleep(0.05)
        if world.trust.current.version == 2:
            break
    watch.cancel()
    assert world.trust.current.version == 2


async def test_the_age_of_the_list_is_a_metric(world: World) -> None:
    world.now += 90 * SECOND
    assert world.metrics.registry.get_sample_value("onecode_trust_list_age_seconds") == 90
    assert world.metrics.registry.get_sample_value("onecode_trust_list_version") == 1


async def test_the_keys_of_a_list_are_ready_before_it_is_in_force_and_none_is_made_ready_twice(world: World) -> None:
    ready: list[set[bytes]] = []

    class Slow:
        """A backend that notes what it is asked to make ready, and whether the list was in force by then."""

        def __init__(self) -> None:
            self.verify_batch = world.backend.verify_batch

        def prepare(self, public_keys: dict[bytes, None]) -> None:
            assert not source.is_open or source.current.version < world.document["version"]
            ready.append(set(public_keys))

    source = TrustSource(
        world.file,
        world.root.public_key,
        Slow(),  # type: ignore[arg-type]
        world.store,
        world.metrics,
        lambda: world.now,
    )
    await source.refresh()
    world.sign_list()
    await source.refresh()
    keys = {bytes.fromhex(key["public_key"]) for region in world.document["regions"] for key in region.get("keys", ())}
    assert ready == [keys, keys]


async def test_where_machines_share_a_log_a_newer_list_of_the_store_is_in_force_and_an_older_file_no_fault(
    world: World,
) -> None:
    source = TrustSource(
        world.file,
        world.root.public_key,
        world.backend,
        world.store,
        world.metrics,
        lambda: world.now,
        follows_store=True,
    )
    await source.refresh()
    older, version = world.file.read_bytes(), source.current.version
    world.sign_list()
    newer = trust_list.take_apart(world.file.read_bytes())
    found = trust_list.parse(newer.payload, public_key_fault)
    await world.store.remember_list(KnownList(found.version, found.digest, world.file.read_bytes()), world.now)
    world.file.write_bytes(older)
    await source.refresh()
    assert (source.current.version, source.fault) == (version + 1, None)
    source.close()
