"""Claims that are not what their region promised: counted by region and claim, logged once a minute, without values."""

import logging

import pytest

from onecode_server.model.verdict import Reason
from onecode_server.verification.authenticate import claim_faults

from tests.world import World

SECRET = "420106190001011234"


def faults(world: World) -> dict[tuple[str, ...], float]:
    (family,) = world.metrics.claim_faults.collect()
    return {tuple(s.labels.values()): s.value for s in family.samples if s.name.endswith("_total") and s.value}


@pytest.mark.parametrize(
    ("region", "claim", "changes", "reason"),
    [
        ("420000", "expiry", {"exp": SECRET}, Reason.CLAIMS_MALFORMED),
        ("420000", "issued_at", {"iat": ...}, Reason.CLAIM_MISSING),
        ("420000", "not_before", {"nbf": [SECRET]}, Reason.CLAIMS_MALFORMED),
        ("420000", "subject", {"who": {"id": {SECRET: 1}}}, Reason.CLAIMS_MALFORMED),
        ("420000", "subject", {"who": SECRET}, Reason.CLAIM_MISSING),
        ("420000", "level", {"color": ["x" * 200]}, Reason.CLAIMS_MALFORMED),
        ("110000", "issuer", {1: SECRET}, Reason.ISSUER_MISMATCH),
        ("000000", "residence", {-65539: SECRET}, Reason.CLAIMS_MALFORMED),
        ("000000", "residence", {-65539: "420000"}, Reason.RESIDENCE_NOT_ADOPTER),
        ("000000", "subject", {-65537: b"too short"}, Reason.CLAIMS_MALFORMED),
    ],
)
async def test_each_fault_is_counted_and_logged_without_its_value(world, caplog, region, claim, changes, reason):
    tree = {name: value for name, value in (world.tree(region) | changes).items() if value is not ...}
    with caplog.at_level(logging.WARNING):
        assert (await world.verify(world.mint(region, tree))).reason is reason
    assert faults(world) == {(region, claim): 1}
    (line,) = caplog.messages
    assert line.startswith(f"codes of region {region} are refused for their claims: {claim}")
    assert SECRET not in line


async def test_a_code_that_is_not_authentic_is_never_counted(world):
    code = world.mint("420000", world.tree("420000") | {"exp": "x"})
    assert (await world.verify(code[:-10] + b"AAAAAAAAAA")).reason is Reason.SIGNATURE_INVALID
    assert faults(world) == {}


async def test_the_first_of_a_kind_is_logged_each_minute_and_all_are_counted(world, caplog):
    code = world.mint("420000", world.tree("420000") | {"exp": "x"})
    for _ in range(3):
        await world.verify_all([code] * 20)
    assert (len(caplog.messages), faults(world)) == (1, {("420000", "expiry"): 60})
    world.monotonic_s += claim_faults.LOG_EVERY_S
    await world.verify(code)
    assert len(caplog.messages) == 2


async def test_kinds_are_bounded(world, caplog, monkeypatch):
    monkeypatch.setattr(claim_faults, "KINDS_MAX", 2)
    for name in ("exp", "iat", "nbf"):
        await world.verify(world.mint("420000", world.tree("420000") | {name: "x"}))
    assert (len(caplog.messages), len(faults(world))) == (2, 3)
