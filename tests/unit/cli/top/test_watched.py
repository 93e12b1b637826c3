"""A watched server: the window of its rates, its absence, and no growth."""

from onecode_server.cli.top.pages import PageFault
from onecode_server.cli.top.watched import PAGES_MAX, RATE_S, Watched

from tests.unit.cli.top.pages_of import page_with


class Clocked:
    """A server whose pages come at given times; None stands for no page."""

    def __init__(self) -> None:
        self.at_s: float | None = 0

    async def fetch(self):
        if self.at_s is None:
            raise PageFault("Connection refused")
        return page_with(self.at_s)


async def test_rates_are_taken_over_the_last_seconds_and_at_least_between_two_pages() -> None:
    server = Clocked()
    watched = Watched("a:1", server.fetch)
    for interval_s, expected_s in ((1, RATE_S), (60, 60), (0.25, RATE_S)):
        for _ in range(100):
            server.at_s = (server.at_s or 0) + interval_s
            await watched.look()
        assert watched.interval is not None
        assert watched.interval.seconds == expected_s
        assert len(watched._pages) <= PAGES_MAX


async def test_a_server_that_goes_away_is_down_and_begins_anew_when_it_is_back() -> None:
    server = Clocked()
    watched = Watched("a:1", server.fetch)
    await watched.look()
    assert watched.interval is None
    await watched.look()
    assert watched.interval is not None
    server.at_s = None
    await watched.look()
    assert (watched.interval, watched.problem) == (None, "Connection refused")
    server.at_s = 9
    await watched.look()
    assert (watched.interval, watched.problem) == (None, None)
    await watched.look()
    assert watched.interval is not None
