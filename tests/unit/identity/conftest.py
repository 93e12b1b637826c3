"""Clocks that tests set, for what watches files."""

from dataclasses import dataclass, field

import pytest

from onecode_server.telemetry.metrics import Metrics

NOON_S = 1_800_000_000
SECOND = 1_000_000


@dataclass
class Times:
    """The time of day and the monotonic clock, which pass together, and the metrics of a process."""

    now: int = NOON_S * SECOND
    monotonic_s: float = 0.0
    metrics: Metrics = field(default_factory=Metrics)

    def clock(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_by(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self.monotonic_s += seconds

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def times() -> Times:
    return Times()
