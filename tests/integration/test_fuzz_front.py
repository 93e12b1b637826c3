"""A short run of the native front's fuzzers finds nothing, and faults that are planted here are found."""

import math
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.code import Scans
from onecode_server.rpc.native_batches import NativeBatches

from tests.fronts import NEEDS_FRONT, SERVICE, both
from tests.fuzz_front import agreement
from tests.fuzz_front.__main__ import fuzz
from tests.fuzz_front.comparison import Call, Differs
from tests.fuzz_front.served import Unwell, both_fronts
from tests.world import World

pytestmark = NEEDS_FRONT

CASES, MUTANTS = 1_000, 3_000
"""As many cases as `make fuzz-front-ci`, and a share of what was compared once (docs/reliability.md)."""


def test_frames_messages_and_calls_that_are_nearly_right_leave_the_server_as_it_was() -> None:
    assert fuzz(1, range(CASES), math.inf) == 0


async def test_signed_mutants_have_the_same_bytes_by_both_fronts() -> None:
    compared = await agreement.compare(1, MUTANTS)
    assert compared.mutants >= MUTANTS
    assert compared.authentic * 2 >= compared.mutants
    assert {*compared.answers} == {"Verify", "BatchVerify", "StreamVerify"}


def _plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the native front judge an empty code in place of the first one of a batch."""
    scans_of = NativeBatches._scans_of

    def planted(batches: NativeBatches, batch: Any) -> Scans:
        scans = scans_of(batches, batch)
        return scans._replace(codes=[b"", *scans.codes[1:]])

    monkeypatch.setattr(NativeBatches, "_scans_of", planted)


async def test_mutants_that_one_front_answers_otherwise_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch)
    with pytest.raises(agreement.Disagreement, match=r"seed 1, world 0, batch \d+: BatchVerify: code 0 of"):
        await agreement.compare(1, MUTANTS)


async def test_a_call_that_one_front_answers_otherwise_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch)
    code = world.code("420000")

    class Planted(Call):
        def __init__(self, method: str, request: Any) -> None:
            self.method, self.messages = method, [request.SerializeToString()]

    async with both(world) as callers:
        await Planted("Verify", pb.VerifyRequest(code=code, host_region="440000")).compare(*callers)
        with pytest.raises(Differs):
            await Planted("BatchVerify", pb.BatchVerifyRequest(codes=[code], host_region="440000")).compare(*callers)


def test_a_server_that_has_died_or_keeps_descriptors_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz_front.served.CLOSED_S", 0)
    with both_fronts(tmp_path) as (native, _, _):
        native.expect_rest(is_warming=True)
        stub = native.server.raw(f"/{SERVICE}/Verify")
        stub(pb.VerifyRequest(code=b"x", host_region="440000").SerializeToString(), timeout=30)
        with pytest.raises(Unwell, match="descriptors are open"):
            native.expect_rest(is_warming=False)
        native.server.process.kill()
        native.server.process.wait()
        with pytest.raises(Unwell, match="has ended with status -9"):
            native.expect_alive()
