"""The console pages on a real Prometheus: all panels with their values, in HTML alone and as Chromium shows them."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Final

import pytest

from monitoring.dashboards import DASHBOARDS
from monitoring.model import Dashboard, Kind
from tests import chromium
from tests.integration.deployment import Deployment, eventually
from tests.integration.expressions import is_of_a_log
from tests.integration.observed import Observed, observed

SEEN_S: Final = 60
HOSTILE: Final = ['"} or vector(1) #', "\\", "\xff\x00", "<script>alert(1)</script>", "{{ .Labels }}", ".*["]


@pytest.fixture(scope="module")
def running(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with observed(made, tmp_path_factory.mktemp("pages")) as found:
        eventually(lambda: found.prometheus.query('rate(onecode_verdicts_total{decision="ADMIT"}[5s]) > 0'), SEEN_S)
        eventually(lambda: found.prometheus.query("job:onecode_failed_calls:ratio_rate5m"), SEEN_S)
        yield found


def page(running: Observed, name: str, **parameters: str) -> str:
    status, text = running.prometheus.page(name, **parameters)
    assert status == 200, text
    return text


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_each_page_has_all_panels_with_values_and_without_any_script(running: Observed, dashboard: Dashboard) -> None:
    text = page(running, dashboard.name)
    figures = re.findall(r"<figure id=\"([^\"]+)\".*?</figure>", text, re.DOTALL)
    assert figures == [panel.name for panel in dashboard.panels]
    for panel, figure in zip(dashboard.panels, re.findall(r"<figure.*?</figure>", text, re.DOTALL), strict=True):
        said = unescape(figure)
        assert panel.title in said
        assert panel.description in said
        if not is_of_a_log(*(query.expression for query in panel.queries)):
            assert re.search(r'class="value">[^<]', figure), f"{panel.title} has no value"
            assert "no data" not in said, panel.title
        assert "{{" not in re.sub(r'data-legend="[^"]*"', "", said), panel.title


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_a_browser_draws_the_course_of_each_panel_that_has_one(
    running: Observed, dashboard: Dashboard, tmp_path: Path
) -> None:
    shown = chromium.document(running.prometheus.page_address(dashboard.name), tmp_path)
    figures = re.findall(r"<figure.*?</figure>", shown, re.DOTALL)
    for panel, figure in zip(dashboard.panels, figures, strict=True):
        if is_of_a_log(*(query.expression for query in panel.queries)):
            continue
        has_course = panel.kind in (Kind.LINES, Kind.STACKED, Kind.HEATMAP)
        assert ('data-course="drawn"' in figure, "<svg" in figure) == (has_course, has_course), panel.title
        assert ('class="grid"' in figure) == (panel.kind is Kind.MATRIX), panel.title


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["job", "instance", "region", "range", "refresh"])
def test_no_parameter_is_more_than_a_value(running: Observed, name: str, value: str) -> None:
    plain, text = (page(running, "onecode-trust", **{name: given}) for given in ("", value))
    assert text.count("<script") == plain.count("<script") == 1
    assert "<figure" in text
    if name in ("job", "instance"):
        assert "Prometheus scrapes no server" in text


def test_a_page_shows_one_server_or_region_where_it_is_asked_to(running: Observed) -> None:
    address = running.server.page
    chosen = page(running, "onecode-trust", instance=address)
    assert f"<option selected>{address}</option>" in re.sub(r"\s*\n\s*", "", chosen)
    others = chosen.partition('id="log-confirmed-age"')[0]  # behind it is what only a machine of several has
    assert "<figure" in others
    assert "no data" not in others
    of_one = page(running, "onecode-recognition", region="420000")
    cells = re.findall(r'data-label="host">([^<]*)<', of_one)
    assert set(cells) <= {"420000"}
    assert len(set(re.findall(r'data-label="host">([^<]*)<', page(running, "onecode-recognition")))) > 1


def test_a_server_that_is_down_is_the_first_thing_that_is_said(running: Observed) -> None:
    with running.server.stopped():
        down = f"{running.server.page} does not answer Prometheus"
        eventually(lambda: down in page(running, "onecode-overview"), SEEN_S)
    eventually(lambda: down not in page(running, "onecode-overview"), SEEN_S)
