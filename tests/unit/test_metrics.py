"""Metrics: names that keep the rule, labels that no caller can invent values for, and nobody's data."""

import subprocess
import sys
import threading

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest, values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.parser import text_string_to_metric_families

from onecode_server.metrics import Metrics, SupervisorMetrics, share_by_slot
from onecode_server.workers.observed import SharedMetrics

GRPC = ("grpc_type", "grpc_service", "grpc_method")
LABELS = {
    "reason",
    "decision",
    "authenticity",
    "home",
    "host",
    "backend",
    "target",
    "outcome",
    "result",
    "region",
    "claim",
    *GRPC,
    "grpc_code",
}
"""Their values come from enums, the protos or the trust list. A new label belongs here only if its values do too."""
UNITS = ("_seconds", "_codes", "_entries", "_version", "_fault", "_workers", "_bytes")


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Make the metrics of a worker in a slot, as its process would."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)

    def start(slot):
        share_by_slot(tmp_path, slot)
        return Metrics()

    return start


@pytest.fixture
def page(tmp_path):
    """Return a function that gives what one page shows of all workers."""
    registry = CollectorRegistry()
    registry.register(SharedMetrics(tmp_path))
    return registry.get_sample_value


def ours(metrics):
    """Our own metrics by attribute, without those that describe the process."""
    return {name: metric for name, metric in vars(metrics).items() if isinstance(metric, MetricWrapperBase)}


def exposed(metrics):
    return list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))


def test_every_name_begins_with_the_house_the_protocol_or_the_process(metrics):
    prefixes = ("onecode_", "grpc_server_", "process_", "python_")
    assert [family.name for family in exposed(metrics) if not family.name.startswith(prefixes)] == []


def test_every_metric_of_ours_is_exposed_and_explained(metrics):
    described = {family.name: family.documentation for family in exposed(metrics)}
    for metric in ours(metrics).values():
        (family,) = metric.describe()
        assert len(described[family.name]) > 10


def test_a_counter_ends_in_total_and_everything_else_in_its_unit(metrics):
    text = generate_latest(metrics.registry).decode().splitlines()
    for metric in ours(metrics).values():
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name.endswith(("_total", *UNITS))
        assert f"# TYPE {name} {family.type}" in text


def test_labels_are_the_few_whose_values_no_caller_can_invent(metrics):
    assert {label for metric in ours(metrics).values() for label in metric._labelnames} <= LABELS


def test_the_grpc_metrics_have_the_names_and_labels_of_the_common_middleware(metrics):
    names = {name: metric for metric in ours(metrics).values() for name in [metric.describe()[0].name]}
    assert {name: metric._labelnames for name, metric in names.items() if name.startswith("grpc_")} == {
        "grpc_server_started": GRPC,
        "grpc_server_handled": (*GRPC, "grpc_code"),
        "grpc_server_msg_received": GRPC,
        "grpc_server_msg_sent": GRPC,
        "grpc_server_handling_seconds": GRPC,
    }


def test_buckets_rise(metrics):
    for metric in ours(metrics).values():
        bounds = getattr(metric, "_upper_bounds", [])
        assert bounds == sorted(set(bounds))


def test_two_processes_worth_of_metrics_do_not_share_a_registry(metrics):
    metrics.shed.inc(3)
    assert metrics.registry.get_sample_value("onecode_shed_codes_total") == 3
    assert Metrics().registry.get_sample_value("onecode_shed_codes_total") == 0


def test_what_the_supervisor_counts_keeps_the_same_rules():
    own = SupervisorMetrics()
    own.restarts.labels("0").inc()
    families = {family.name: family.type for family in exposed(own) if family.name.startswith("onecode_")}
    assert families == {"onecode_worker_restarts": "counter", "onecode_serving_workers": "gauge"}
    assert {label for metric in ours(own).values() for label in metric._labelnames} == {"worker"}


def test_every_gauge_says_of_workers_that_are_there_what_they_are_as_one(metrics):
    modes = {name: metric._multiprocess_mode for name, metric in ours(metrics).items() if isinstance(metric, Gauge)}
    assert {name for name, mode in modes.items() if mode == "livesum"} == {"queued", "answer_bytes", "cache_entries"}
    taken_last = {"list_version", "list_issued", "list_next_update"}
    assert {name for name, mode in modes.items() if mode == "livemostrecent"} == taken_last
    assert set(modes.values()) == {"livesum", "livemostrecent", "livemax"}


def test_a_workers_successor_counts_on_where_it_ended(start, page, tmp_path):
    first, beside = start(0), start(1)
    first.shed.inc(3)
    first.batch_codes.observe(7)
    first.verdicts.labels("ADMIT", "VALID").inc(2)
    beside.shed.inc(10)
    files = set(tmp_path.iterdir())
    for worker in (first, beside):
        worker.ask()
    again = start(0)
    assert page("onecode_shed_codes_total") == 13
    again.shed.inc()
    again.batch_codes.observe(1)
    again.verdicts.labels("ADMIT", "VALID").inc()
    again.ask()
    assert page("onecode_shed_codes_total") == 14
    assert page("onecode_batch_codes_sum") == 8
    assert page("onecode_batch_codes_bucket", {"le": "+Inf"}) == page("onecode_batch_codes_count") == 2
    assert page("onecode_verdicts_total", {"decision": "ADMIT", "authenticity": "VALID"}) == 3
    assert set(tmp_path.iterdir()) == files


def test_gauges_of_a_worker_that_ended_are_over(start, page, tmp_path):
    for slot, codes in enumerate((5, 7)):
        start(slot).queued.set(codes)
    assert page("onecode_queue_codes") == 12
    mark_process_dead(0, str(tmp_path))
    assert page("onecode_queue_codes") == 7
    start(0)
    assert page("onecode_queue_codes") == 7


def test_a_worker_without_a_list_does_not_hide_that_of_the_others(start, page):
    start(0).list_version.set(4)
    start(1)
    assert page("onecode_trust_list_version") == 4


def test_a_gauge_with_a_function_is_what_it_was_when_it_was_last_asked(start, page):
    worker, age = start(0), 5.0
    worker.list_age.set_function(lambda: age)
    worker.ask()
    assert page("onecode_trust_list_age_seconds") == 5
    age = 6.0
    assert page("onecode_trust_list_age_seconds") == 5
    worker.ask()
    assert page("onecode_trust_list_age_seconds") == 6


def test_a_file_that_a_worker_is_about_to_fill_is_in_nobodys_way(start, page, tmp_path):
    worker = start(0)
    worker.shed.inc()
    worker.ask()
    (tmp_path / "counter_1.db").touch()
    assert page("onecode_shed_codes_total") == 1


def test_counting_costs_no_lock_and_loses_nothing_while_others_ask(metrics):
    hits, seconds = metrics.cache_lookups.labels("hit"), metrics.rpc_seconds.labels("unary", "s", "m")
    has_ended = threading.Event()

    def ask() -> None:
        while not has_ended.is_set():
            generate_latest(metrics.registry)
            metrics.ask()

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for number in range(20_000):
        hits.inc()
        seconds.observe(number % 7)
    has_ended.set()
    for thread in asking:
        thread.join()
    get = metrics.registry.get_sample_value
    labels = {"grpc_type": "unary", "grpc_service": "s", "grpc_method": "m"}
    assert get("onecode_status_cache_lookups_total", {"result": "hit"}) == 20_000
    assert get("grpc_server_handling_seconds_count", labels) == 20_000
    assert get("grpc_server_handling_seconds_sum", labels) == sum(number % 7 for number in range(20_000))
    below = {bound: sum(number % 7 <= bound for number in range(20_000)) for bound in (1.0, 2.5, 5.0)}
    assert {bound: get("grpc_server_handling_seconds_bucket", labels | {"le": str(bound)}) for bound in below} == below


def test_a_counter_never_falls(metrics):
    with pytest.raises(ValueError, match="falls"):
        metrics.shed.inc(-1)


ALL_LABELS = """
import os, resource, sys
from pathlib import Path
from onecode_server import metrics
metrics.share_by_slot(Path(sys.argv[1]), 0)
made = metrics.Metrics()
free = os.open(os.devnull, os.O_RDONLY)  # the lowest there is
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
for home in range(40):
    for host in range(40):
        made.scans.labels(f"{home:06d}", f"{host:06d}").inc()
    for number in range(40):
        made.rpc_seconds.labels("unary", f"onecode.v1.SomeService{home}", f"Method{number % 4}").observe(1)
made.ask()
"""


def test_a_new_label_needs_no_descriptor(tmp_path):
    """Where callers have used up all of them, the calls that bring new labels are answered and counted all the same."""
    subprocess.run([sys.executable, "-c", ALL_LABELS, str(tmp_path)], check=True, timeout=60)
    merged = {family.name: family for family in MultiProcessCollector.merge([str(f) for f in tmp_path.glob("*.db")])}
    assert sum(sample.value for sample in merged["onecode_scans"].samples) == 1600
