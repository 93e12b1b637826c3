"""Batches on their way to the verifier: what waits there is the codes, and none is longer than a check needs."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.errors import NotServing, Overloaded
from onecode_server.model.code import Scans
from onecode_server.model.identity import LOCAL
from onecode_server.model.scanned import SCAN_BYTES_MAX
from onecode_server.rpc import recognition
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.recognition import RecognitionServicer

from tests.world import World


class Request:
    """A batch, as a message is that can be looked for."""

    codes = (b"x" * 4_000_000, b"y")
    host_region = target_region = "440000"


class Waiting:
    """A batcher that looks at what waits, and takes none."""

    def __init__(self) -> None:
        self.request: Callable[[], Request | None] = lambda: None
        self.sizes: list[int] = []

    async def submit_batch(self, scans: Scans, remaining: Any) -> Any:
        self.sizes = [*map(len, scans.codes)]
        assert self.request() is None
        raise NotServing

    def expect_room(self) -> None:
        pass


class Anything:
    """A translator, a trust list and a context that a batch passes by."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.mark.parametrize("method", ["BatchVerify", "BatchTranslate"])
async def test_what_waits_of_a_batch_is_its_codes_each_as_long_as_a_check_needs_it(method: str) -> None:
    batcher, anything, requests = Waiting(), Anything(), [Request()]
    batcher.request = weakref.ref(requests[0])
    servicer = RecognitionServicer(batcher, anything, anything, asyncio.Event())  # type: ignore[arg-type]
    with pytest.raises(NotServing):
        await getattr(servicer, method)(requests.pop(), anything)
    assert batcher.sizes == [SCAN_BYTES_MAX + 1, 1]


async def test_batches_that_wait_for_signatures_are_bounded_in_codes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "TRANSLATING_CODES_MAX", 3)
    signs, sign = asyncio.Event(), world.gateway_keys.sign

    async def late(public_key: bytes, work: Any) -> Any:
        await signs.wait()
        return await sign(public_key, work)

    monkeypatch.setattr(world.gateway_keys, "sign", late)
    servicer = RecognitionServicer(world.batcher, world.translator, world.trust, asyncio.Event())

    def batch(count: int) -> Any:
        codes = [world.code("440000", subject=f"id-{n}") for n in range(count)]
        return servicer.BatchTranslate(
            pb.BatchTranslateRequest(codes=codes, target_region="420000"),
            Caller(LOCAL, OnlyLocal()),
        )

    first = asyncio.create_task(batch(2))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await batch(2)
    signs.set()
    assert [bool(result.translation.code) for result in (await first).results] == [True, True]
    assert len((await batch(3)).results) == 3
