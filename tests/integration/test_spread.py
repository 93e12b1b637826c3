"""What one server takes, the other on the data directory answers, while both are busy."""

from typing import Any

from rich.progress import Progress

from benchmarks import spread
from benchmarks.servers import Server
from tests.integration.deployment import Deployment

TRIES = 80
"""The whole measurement, a thousand of them, is ``make spread``: it fails where one takes longer than a second."""


def test_what_one_busy_server_acknowledges_the_other_shows_every_time(
    deployment: Deployment, serve: Any, record_property: Any
) -> None:
    started = [serve(deployment), serve(deployment)]
    one, other = (Server(str(number), server.process.pid, server.address) for number, server in enumerate(started))
    with Progress(disable=True) as progress:
        found = spread.measure((one, other), deployment.path, TRIES, progress)
    # A record that never shows fails in there, after a minute. How many were late is told, not judged: how busy the
    # machine is with other things is not the server's doing.
    record_property("over_a_second", len(found.late))
    record_property("longest_s", max(found.delays_s))
    assert len(found.delays_s) == TRIES
    assert min(found.load) > 0
