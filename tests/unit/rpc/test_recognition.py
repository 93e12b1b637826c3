"""Batches on their way to the verifier: what waits there is the codes, and none is longer than a check needs."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from onecode_server.errors import NotServing
from onecode_server.model.code import Scans
from onecode_server.model.scanned import SCAN_BYTES_MAX
from onecode_server.rpc.recognition import RecognitionServicer


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
