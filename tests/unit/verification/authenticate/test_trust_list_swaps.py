"""A check answers by the trust list that it began under, whatever comes while it waits, and the next one by the new."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from onecode_server.crypto import SignatureBackend
from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.model.code import Scans
from onecode_server.model.status import Level
from onecode_server.model.verdict import Decision, Reason, Verdict
from onecode_server.verification import turns
from onecode_server.verification.authenticate import issuer_index

from tests import formats
from tests.world import World

HOST = "440000"
CODES = 64
"""Of each region: enough for columns, in four goes of 16 signatures."""
ALL_BACKENDS = ["ifma", "portable", "libsodium"]
_T = TypeVar("_T")


def backend_of(name: str) -> SignatureBackend:
    """Return a backend that is asked for few signatures at once, so that a batch waits in the middle of a table."""
    made: Any = LibsodiumBackend()
    if name != "libsodium":
        native = pytest.importorskip("onecode_server.crypto.native", reason="the kernel is not built")
        if name not in native.implementations():
            pytest.skip(f"this processor does not run {name}")
        made = native.NativeBackend(name)
    made.slice_items = 16
    backend: SignatureBackend = made
    return backend


@pytest.fixture(params=ALL_BACKENDS)
async def world(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(turns, "SLICE_CODES_MAX", 4096)
    made = World(tmp_path, backend_of(request.param))
    await made.start()
    yield made
    await made.store.close()


class Interposed:
    """An awaitable that runs ``work``, and calls ``act`` at the ``at``-th time that it waits for anything."""

    def __init__(self, work: Awaitable[_T], at: int, act: Callable[[], None]) -> None:
        self._work, self._at, self._act = work, at, act
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        sent = None
        while True:
            try:
                waited_for = steps.send(sent)
            except StopIteration as done:
                return done.value
            if self.waits == self._at:
                self._act()
            self.waits += 1
            sent = yield waited_for


def batch_of(world: World) -> list[bytes]:
    regions = ("000000", "420000", "440000")
    return [world.code(region, Level.GREEN, f"id-{n:03d}") for n in range(CODES) for region in regions]


async def batch(world: World, codes: list[bytes]) -> list[Verdict]:
    return (await world.verifier.verify(Scans.at(HOST, codes))).verdicts


async def singles(world: World, codes: list[bytes]) -> list[Verdict]:
    return (await world.check_all(codes, HOST)).verdicts


def admitted(verdicts: list[Verdict]) -> list[bool]:
    return [verdict.decision is Decision.ADMIT for verdict in verdicts]


@pytest.mark.parametrize("check", [batch, singles])
@pytest.mark.parametrize("revoked", ["000000", "420000", "440000"])
async def test_a_list_that_comes_at_any_wait_of_a_check_counts_from_the_next_check_on(
    world: World, check: Any, revoked: str
) -> None:
    codes = batch_of(world)
    for _ in range(2):
        assert all(admitted(await batch(world, codes)))
    old = world.trust.current
    world.entry(revoked)["keys"][0]["state"] = "revoked"
    world.sign_list()
    is_revoked = [world.code(revoked)[:12] == code[:12] for code in codes]
    at, waits = 0, 1
    while at < waits:
        new = world.trust._verify(world.file.read_bytes())  # nothing is derived from it yet

        def swap(new: Any = new) -> None:
            world.trust._list = new

        world.trust._list = old
        await world.statuses.catch_up()
        world.monotonic_s += 6  # statuses are read anew, so that the check waits for the store too
        interposed = Interposed(check(world, codes), at, swap)
        assert all(admitted(await interposed)), f"at wait {at}, of the old list"
        waits = interposed.waits
        swap()
        for again in (batch, singles, batch):
            answers = await again(world, codes)
            assert [not one for one in admitted(answers)] == is_revoked, f"at wait {at}, of the new list"
            assert {answer.reason for answer in answers} == {Reason.GREEN, Reason.KEY_REVOKED}
        at += 1
    assert waits >= 6


async def test_a_batch_under_an_old_list_leaves_nothing_to_those_under_the_new_one(world: World) -> None:
    codes = batch_of(world)
    for _ in range(2):
        await batch(world, codes)
    index_of = world.issuers.of
    old = world.trust.current
    world.entry("420000")["keys"][0]["state"] = "revoked"
    await world.publish_list()
    new = world.trust.current
    assert index_of(old) is not index_of(new)
    assert index_of(old) is old.derived[issuer_index.IssuerIndex]
    before = index_of(new).templates.size_bytes
    world.trust._list = old
    odd = [world.mint("420000", world.tree("420000", subject=f"id-{n}") | {"more": n}) for n in range(CODES)]
    await batch(world, odd)
    world.trust._list = new
    assert index_of(new).templates.size_bytes == before
    assert not any(admitted(await batch(world, odd)))


async def test_a_new_list_keeps_the_templates_of_the_keys_that_it_still_trusts(world: World) -> None:
    codes = batch_of(world)
    for _ in range(2):
        await batch(world, codes)
    kept = world.issuers.of(world.trust.current).templates
    world.entry("420000")["keys"][0]["state"] = "revoked"
    await world.publish_list()
    templates = world.issuers.of(world.trust.current).templates
    assert 0 < templates.size_bytes < kept.size_bytes
    code = world.code("420000")
    assert code.split(b".")[0] not in (templates.spellings(formats.JWT) or {})
    read = world.metrics.registry.get_sample_value("onecode_column_codes_total") or 0
    await batch(world, codes)
    now_read = world.metrics.registry.get_sample_value("onecode_column_codes_total") or 0
    assert now_read - read == 2 * CODES


async def test_a_key_that_changed_hands_is_another_regions_at_once(world: World) -> None:
    codes = [world.code("420000", Level.GREEN, f"id-{n:03d}") for n in range(CODES)]
    for _ in range(2):
        await batch(world, codes)
    world.entry("430000")["keys"], world.entry("420000")["keys"] = world.entry("420000")["keys"], []
    world.entry("430000")["claims"], world.entry("430000")["levels"] = world.entry("420000")["claims"], {"绿": "RED"}
    await world.publish_list()
    for check in (batch, singles, batch):
        assert {(one.home, one.level) for one in await check(world, codes)} == {("430000", Level.RED)}
