"""A server's cache is warmed before its rounds, and only where that changes anything."""

import pytest

from benchmarks import warm_cache
from benchmarks.servers import Server as Measured
from tests.integration.deployment import Deployment, Server


@pytest.mark.parametrize(
    ("name", "turns_with_codes"),
    [("onecode", [0, 1, 2]), ("two workers", [0, 1, 2]), ("go", [0]), ("rust", [0]), ("first try", [0]), ("echo", [])],
)
def test_all_codes_are_checked_before_the_rounds_that_need_it(
    name: str, turns_with_codes: list[int], server: Server, shared: Deployment
) -> None:
    codes = shared.issue("110000", count=3)
    measured = Measured(name, server.process.pid, server.address)

    def checked() -> float:
        return sum(server.samples("onecode_verdicts_total").values())

    for turn in range(3):
        before = checked()
        warm_cache.warm(measured, codes, turn)
        assert checked() - before == (len(codes) if turn in turns_with_codes else 0)
