"""Codes are as authentic without a server as they are to the server: its general path says what is right.

The fuzzer of the server's paths makes the codes: of all formats, keys and spellings, with claims, headers, times and
bytes changed, and nearly all of them signed again, so that what is inside counts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client.offline import Offline, OfflineVerdict
from onecode_server.model.verdict import Authenticity
from onecode_server.verification.check import Check

from tests.fuzz_paths import paths
from tests.fuzz_paths.scenario import Scenario
from tests.world import HOUR, SECOND

BATCHES = 6
SEEDS = (1, 2, 3, 4, 6, 7)
OF_KEYS_AND_TIMES = {
    *("KEY_UNKNOWN", "KEY_REVOKED", "KEY_RETIRED", "KEY_OUTSIDE_VALIDITY", "SOURCE_KEY_NOT_VALID"),
    *("SIGNATURE_INVALID", "ISSUER_MISMATCH", "CLAIMS_MALFORMED", "CLAIM_MISSING", "NOT_YET_VALID", "EXPIRED"),
}
"""The reasons that each run must meet: they say what happens to codes of keys that ended, and to translations."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_code_is_as_authentic_as_it_is_to_the_server(seed: int, tmp_path: Path) -> None:
    scenario = Scenario(f"offline/{seed}")
    await scenario.start()
    met: set[Any] = set()
    try:
        offline = Offline(scenario.world.file.read_bytes(), scenario.world.root.public_key, tmp_path / "kept")
        for batch in range(BATCHES):
            if batch:
                paths.put_in_force(scenario.world, scenario.next_list(("edited", "base")[batch % 2]))
                scenario.world.now += batch * HOUR // 4
            offline.renew(scenario.world.file.read_bytes())
            offline._clock = lambda: scenario.world.now / SECOND
            mutants = scenario.batch()
            checks = await paths.by_parsing(scenario.world, [mutant.code for mutant in mutants], "420000")
            for mutant, check in zip(mutants, checks, strict=True):
                assert _facts(offline.verify(mutant.code)) == _expected(check), (mutant, batch)
            met.update(check.finding and check.finding.reason for check in checks)
    finally:
        await scenario.end()
    assert {reason.name for reason in met if reason is not None} >= OF_KEYS_AND_TIMES, met


def _facts(verdict: OfflineVerdict) -> Sequence[str]:
    return (
        pb.Authenticity.Name(verdict.authenticity),
        pb.Reason.Name(verdict.reason),
        verdict.home_region,
        status_pb2.Level.Name(verdict.level),
    )


def _expected(check: Check) -> Sequence[str]:
    """Return what the server found, as the API names it; of an opaque code, what can be known without its store."""
    if check.opaque_home is not None and (check.finding is None or check.finding.reason.name == "TOKEN_UNKNOWN"):
        return "AUTHENTICITY_UNVERIFIABLE", "REASON_TOKEN_UNVERIFIABLE", "", "LEVEL_UNSPECIFIED"
    if check.finding is not None:
        found = check.finding
        return f"AUTHENTICITY_{found.authenticity.name}", f"REASON_{found.reason.name}", "", "LEVEL_UNSPECIFIED"
    assert check.claims is not None
    valid = f"AUTHENTICITY_{Authenticity.VALID.name}"
    return valid, "REASON_UNSPECIFIED", check.claims.home, f"LEVEL_{check.claims.level.name}"
