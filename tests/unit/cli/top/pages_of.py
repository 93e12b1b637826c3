"""Pages for tests: as the server's own metrics write them, or series as a mapping."""

from collections.abc import Mapping

from onecode_server.cli.top.pages import Page, read_page
from onecode_server.cli.top.state import NAMES
from onecode_server.telemetry.metrics import MetricFamilies


def page_of(metrics: MetricFamilies, at_s: float) -> Page:
    """Return the page of metrics as ``onecode top`` reads it."""
    return read_page(metrics.page(is_openmetrics=False), at_s, NAMES)


def page_with(at_s: float, **samples: Mapping[str, float]) -> Page:
    """Return a page with samples of metrics by the value of a label ``l``."""
    return Page(
        at_s, {name: {frozenset({("l", label)}): value for label, value in of.items()} for name, of in samples.items()}
    )
