"""What is said of a code without a server: REFUSE or CHECK, never more; and nothing but CHECK by a list out of date."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client.offline import Offline
from onecode_server.model.status import Level

from tests.world import HOUR, SECOND, World

Verifying = Callable[[World], Offline]
SIGNED = ("000000", "110000", "420000", "430000", "440000")


@pytest.mark.parametrize("region", SIGNED)
@pytest.mark.parametrize(
    ("level", "decision"), [(Level.GREEN, pb.DECISION_CHECK), (Level.RED, pb.DECISION_REFUSE)], ids=["GREEN", "RED"]
)
async def test_an_authentic_code_is_checked_by_a_person_unless_it_claims_red(
    world: World, verifying: Verifying, region: str, level: Level, decision: pb.Decision.ValueType
) -> None:
    verdict = verifying(world).verify(b"]Q1" + world.code(region, level) + b"\r\n")
    assert (verdict.authenticity, verdict.home_region) == (pb.AUTHENTICITY_VALID, region)
    assert (verdict.decision, verdict.level) == (decision, status_pb2.Level.Value(f"LEVEL_{level.name}"))


async def test_a_code_that_is_not_authentic_is_refused_and_says_nothing_of_a_home(
    world: World, verifying: Verifying
) -> None:
    code = world.code("420000", Level.GREEN)
    verdict = verifying(world).verify(code[:-2] + (b"AA" if code[-2:] != b"AA" else b"BA"))
    assert (verdict.decision, verdict.home_region) == (pb.DECISION_REFUSE, "")
    assert verdict.level == status_pb2.LEVEL_UNSPECIFIED


async def test_an_opaque_code_is_unverifiable_and_checked_by_a_person(world: World, verifying: Verifying) -> None:
    verdict = verifying(world).verify(b"SH-" + b"a" * 22)
    found = (verdict.decision, verdict.authenticity, verdict.reason)
    assert found == (pb.DECISION_CHECK, pb.AUTHENTICITY_UNVERIFIABLE, pb.REASON_TOKEN_UNVERIFIABLE)


async def test_a_list_past_its_next_update_answers_nothing_but_check(world: World, verifying: Verifying) -> None:
    offline = verifying(world)
    next_update = world.trust.current.next_update
    red = world.code("420000", Level.RED)
    for now, decision in ((next_update, pb.DECISION_REFUSE), (next_update + SECOND, pb.DECISION_CHECK)):
        world.now = now
        assert [offline.verify(code).decision for code in (b"", b"noise", red)] == [decision] * 3
        assert offline.verify(red).is_list_in_date == (decision == pb.DECISION_REFUSE)


async def test_a_clock_before_the_list_was_issued_answers_nothing_but_check(world: World, verifying: Verifying) -> None:
    offline = verifying(world)
    world.now = world.trust.current.issued_at - 61 * SECOND
    verdict = offline.verify(b"noise")
    assert (verdict.decision, verdict.is_list_in_date) == (pb.DECISION_CHECK, False)


async def test_the_age_of_the_list_is_told(world: World, verifying: Verifying) -> None:
    offline = verifying(world)
    world.now = world.trust.current.issued_at + 2 * HOUR
    assert offline.verify(b"").list_age_s == 7200


async def test_no_bytes_raise_anything(world: World, verifying: Verifying) -> None:
    offline, chance = verifying(world), random.Random("bytes")
    genuine = [world.code(region, Level.GREEN) for region in SIGNED]
    odd = [b"", b"NC1:", b"v4.public.", b"eyJ", b"..", b"SH-", b"\x00" * 600, b"NC1:" + b"0" * 4092, b"[" * 4096]
    odd += [b"eyJ" + b"A" * (size - 3) for size in (4095, 4096, 4097, 4608, 4609, 100_000)]
    for _ in range(2000):
        code = bytearray(chance.choice(genuine))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(code))
            code[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        odd.append(bytes(code))
    assert all(offline.verify(code).decision in (pb.DECISION_CHECK, pb.DECISION_REFUSE) for code in odd)
    # A base45 text may spell one byte string only, and so on: no changed code is the genuine one.
    assert not any(
        offline.verify(code).authenticity == pb.AUTHENTICITY_VALID for code in odd if code.strip() not in genuine
    )


async def test_a_newer_list_ends_a_key_at_once(world: World, verifying: Verifying, tmp_path: Path) -> None:
    offline, code = verifying(world), world.code("420000", Level.GREEN)
    assert offline.verify(code).authenticity == pb.AUTHENTICITY_VALID
    world.entry("420000")["keys"][0]["state"] = "revoked"
    world.sign_list()
    offline.renew(world.file.read_bytes())
    verdict = offline.verify(code)
    assert (verdict.authenticity, verdict.reason) == (pb.AUTHENTICITY_KEY_NOT_VALID, pb.REASON_KEY_REVOKED)
