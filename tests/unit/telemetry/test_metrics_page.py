"""docs/metrics.md has each metric as it is in the code, and says what each is used for."""

import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from prometheus_client.metrics import MetricWrapperBase

from onecode_server.telemetry.processes import ProcessMetrics
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics

PAGE: Final = Path(__file__).parents[3] / "docs" / "metrics.md"
MERGES: Final = {"livesum": "sum", "livemax": "largest", "livemin": "smallest", "mostrecent": "last told"}
OF_SUPERVISOR: Final = {"onecode_info", "onecode_serving_workers", "onecode_worker_restarts_total"}
USES: Final = {"dashboard", "alert", "diagnosis only"}


class Row(NamedTuple):
    """One metric as the page has it. ``used`` are some of USES."""

    type: str
    labels: list[str]
    meaning: str
    merge: str
    used: list[str]


def rows() -> dict[str, Row]:
    """Return the rows of the page by the names of metrics. Fails where one has two."""
    found: dict[str, Row] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if row := re.fullmatch(r"\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \| (.+?) \| (.+?) \|", line):
            name, kind, labels, meaning, merge, used = row.groups()
            assert name not in found
            found[name] = Row(kind, re.findall(r"`(\w+)`", labels), meaning, merge, used.split(", "))
    return found


@pytest.fixture(scope="module")
def together() -> SupervisorMetrics:
    """All metrics that a server can have."""
    metrics = SupervisorMetrics()
    metrics.show(ProcessMetrics(lambda: {"0": "self"}))
    return metrics


def exported(together: SupervisorMetrics) -> dict[str, str]:
    """Return the type of each metric by its name."""
    families = together.registry.collect()
    return {f"{one.name}_total" if one.type == "counter" else one.name: one.type for one in families}


def test_the_page_has_each_metric_with_its_type_and_no_other(together: SupervisorMetrics) -> None:
    assert {name: row.type for name, row in rows().items()} == exported(together)


def test_the_page_has_the_labels_of_each_metric_in_their_order(together: SupervisorMetrics) -> None:
    page = rows()
    for metric in vars(together).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert page[name].labels == list(metric._labelnames), name
    assert page["onecode_info"].labels == ["version"]
    assert {tuple(row.labels) for name, row in page.items() if name.startswith("process_")} == {("worker",)}


def test_the_page_says_how_a_gauge_of_several_workers_is_merged(together: SupervisorMetrics) -> None:
    page = rows()
    for metric in vars(together).values():
        if isinstance(metric, MetricWrapperBase) and (mode := getattr(metric, "_multiprocess_mode", None)):
            (family,) = metric.describe()
            if family.name not in OF_SUPERVISOR:
                assert page[family.name].merge == MERGES[mode], family.name


def test_each_metric_is_used_or_for_diagnosis_only() -> None:
    for name, row in rows().items():
        assert set(row.used) <= USES, name
        assert ("diagnosis only" in row.used) is (len(row.used) == 1 and row.used[0] not in {"dashboard", "alert"}), (
            name
        )
