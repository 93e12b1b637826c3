"""Faults are made, and a real Prometheus with the generated rules, their windows divided by 60, tells of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.deployment import Deployment, eventually
from tests.integration.faults import codes_of_another_key, kill_workers, store_full, trust_list_ends_in
from tests.integration.observed import Observed, observed

FIRES_S: Final = 60
"""The longest wait is 5 s here, and the longest window 15 s: the rest is for a machine that is busy."""
OVERVIEW: Final = "onecode-overview"


@pytest.fixture(scope="module")
def running(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with observed(made, tmp_path_factory.mktemp("faults")) as found:
        eventually(lambda: found.prometheus.query("job:onecode_failed_calls:ratio_rate5m"), FIRES_S)
        yield found


def fires(running: Observed, alert: str, **labels: str) -> bool:
    """Tell whether an alert fires with these labels."""
    wanted = {"alertname": alert, **labels}.items()
    return any(wanted <= found.items() for found in running.prometheus.alerts())


def first_screen(running: Observed) -> str:
    """Return what the first page says before its panels."""
    status, text = running.prometheus.page(OVERVIEW)
    assert status == 200, text
    return text.partition("<main")[0].partition("<body")[2]


def test_a_server_that_is_well_is_said_to_be_well(running: Observed) -> None:
    eventually(lambda: "All is well" in first_screen(running), FIRES_S)
    assert running.prometheus.firing() == {"Watchdog"}


def test_a_full_store_fires_and_the_first_screen_says_so(running: Observed) -> None:
    with store_full(running):
        eventually(lambda: fires(running, "OnecodeStoreWriteFault", severity="page"), FIRES_S)
        assert f"{running.server.page} cannot write its store." in first_screen(running)
    eventually(lambda: not fires(running, "OnecodeStoreWriteFault"), FIRES_S)


def test_a_worker_that_is_killed_again_and_again_fires(running: Observed) -> None:
    kill_workers(running, 4)
    eventually(lambda: fires(running, "OnecodeWorkersRestart", severity="ticket"), FIRES_S)
    assert f"A worker of {running.server.page} was replaced" in first_screen(running)


def test_a_trust_list_near_its_end_fires(running: Observed) -> None:
    with trust_list_ends_in(running, 3600):
        eventually(lambda: fires(running, "OnecodeTrustListExpires", severity="page"), FIRES_S)
        assert f"The trust list of {running.server.page} is to be replaced within 59m" in first_screen(running)
    eventually(lambda: not fires(running, "OnecodeTrustListExpires"), FIRES_S)


def test_a_region_whose_codes_another_key_signs_fires_for_that_region(running: Observed, tmp_path: Path) -> None:
    running.traffic.wrong = codes_of_another_key("440000", tmp_path / "other", 70)
    eventually(lambda: fires(running, "OnecodeBadSignatures", severity="ticket", region="440000"), FIRES_S)
    # A ticket: it pages where the region's own codes have stopped, which takes a day to know.
    eventually(lambda: fires(running, "OnecodeRegionCodesRefused", severity="ticket", region="440000"), FIRES_S)
    assert "Most codes of 440000 are refused" in first_screen(running)
    running.traffic.wrong = []
    assert {labels.get("region") for labels in running.prometheus.alerts()} <= {None, "440000"}
