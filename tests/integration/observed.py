"""A server of two workers under load, and a real Prometheus that watches it with the generated rules and pages."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitoring import consoles, rules
from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.options import Options
from tests.integration.deployment import Deployment, Server
from tests.integration.traffic import PAUSE_S, Traffic, traffic
from tests.prometheus import Prometheus, binary


@dataclass(frozen=True, slots=True)
class Observed:
    """What runs."""

    deployment: Deployment
    server: Server
    prometheus: Prometheus
    traffic: Traffic


@contextmanager
def observed(
    made: Deployment,
    path: Path,
    others: Iterable[Server] = (),
    divide: int = 60,
    interval: str = "1s",
    pause_s: float = PAUSE_S,
) -> Iterator[Observed]:
    """Start all of it in a directory, on a copy of a deployment; end it with the context. ``divide`` is that of the
    rules, and ``others`` are scraped as well."""
    binary()  # skips, before anything is started
    deployment = made.copy_to(path / "data")
    written = path / "deploy"
    options = Options(divide=divide)
    for name, text in (rules.render(GROUPS, options) | consoles.render(DASHBOARDS, GROUPS, options)).items():
        (written / name).parent.mkdir(parents=True, exist_ok=True)
        (written / name).write_text(text, "utf-8")
    with ExitStack() as running:
        server = Server(deployment, "--workers", 2)
        running.callback(server.end)
        prometheus = Prometheus(
            path / "prometheus",
            [server.page, *(other.page for other in others)],
            [written / rules.RULES, written / rules.ALERTS],
            written / "prometheus/consoles",
            interval,
        )
        running.callback(prometheus.end)
        calls = running.enter_context(traffic(server, deployment, pause_s))
        yield Observed(deployment, server, prometheus, calls)
