"""What differs between deployments: names and addresses that rules, dashboards and pages refer to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``job`` is the job's name in Prometheus. ``runbook`` is where docs/runbook.md can be read, and ``grafana`` the
    address of Grafana: alerts link to both. ``divide`` divides the windows of rules, for tests."""

    job: str = "onecode"
    runbook: str = "https://docs.onecode.internal/runbook.md"
    grafana: str = "https://grafana.onecode.internal"
    divide: int = 1
