"""The migration of an older store: whose records are copied, and whereto."""

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.publication.migration import Migration, regions_of

from tests.world import NOON, World


async def test_a_region_whose_entry_is_skipped_may_have_records_to_copy(world: World) -> None:
    assert regions_of(world.trust.current) == ["110000"]
    world.entry("110000")["levels"] = {}
    await world.publish_list()
    assert world.trust.current.region("110000") is None
    assert regions_of(world.trust.current) == ["110000"]


async def test_what_the_national_authority_said_goes_along_to_every_region_that_may_share_the_bytes(
    world: World,
) -> None:
    green = StatusRecord("110000", Scope.NATIONAL, Level.GREEN, NOON, None, 1)
    red = green._replace(publisher="000000", level=Level.RED)
    migration = Migration(world.store, world.trust, world.pseudonym_key, lambda: world.now)
    copies = migration._copies(["110000", "120000"], bytes(16), (green, red))
    assert [(copy.region, copy.join(())) for copy in copies] == [("110000", (green, red)), ("120000", (red,))]
