"""Metrics: names that keep the rule, labels that no caller can invent values for, and nobody's data."""

import json
import math
import threading

import pytest
from prometheus_client import Gauge, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from onecode_server.telemetry.counting import CounterGroup, begin
from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics

GRPC = ("grpc_type", "grpc_service", "grpc_method")
LABELS = {
    "front",
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
    "role",
    "limit",
    "claim",
    "operation",
    "file",
    "partition",
    "status",
    "version",
    *GRPC,
    "grpc_code",
}
"""Their values come from enums, the protos or the trust list. A new label belongs here only if its values do too."""
OF_PROCESSES = (b"process_", b"onecode_cpu_", b"onecode_resident_", b"onecode_open_")
"""The beginnings of names whose values change by themselves."""
UNITS = (
    "_seconds",
    "_codes",
    "_entries",
    "_version",
    "_fault",
    "_workers",
    "_bytes",
    "_info",
    "_messages",
    "_exceptions_in_effect",
)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def together():
    """The metrics of a supervisor."""
    return SupervisorMetrics()


def report(together, **workers):
    """Let workers report their counts, as over their pipes; the names are ``slot_0`` and so on."""
    for slot, worker in workers.items():
        together.merge(int(slot.removeprefix("slot_")), json.loads(json.dumps(worker.flush())))


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


def test_what_the_supervisor_counts_keeps_the_same_rules(metrics, together):
    together.restarts.labels("0").inc()
    own = ours(together).keys() - ours(metrics).keys()
    families = {
        family.name: family.type
        for family in exposed(together)
        if family.name in {"onecode_worker_restarts", "onecode_serving_workers"}
    }
    assert families == {"onecode_worker_restarts": "counter", "onecode_serving_workers": "gauge"}
    assert own == {"restarts", "serving"}
    assert {label for name in own for label in vars(together)[name]._labelnames} == {"worker"}


def test_the_page_is_what_prometheus_client_would_make_of_the_registry(metrics):
    for _ in range(2):  # the second time, of lines that were kept
        metrics.scans.labels("420000", "110000").inc(3)
        metrics.scans.labels('a"b\\c', "\n").inc(2_000_000)
        metrics.rpc_seconds.labels("unary", "s", "Verify").observe(0.003)
        metrics.list_age.set(float("inf"))
        for is_openmetrics, encode in ((False, generate_latest), (True, openmetrics.generate_latest)):
            page, same = (
                sorted(line for line in text.splitlines() if not line.startswith(OF_PROCESSES))
                for text in (metrics.page(is_openmetrics), encode(metrics.registry))
            )
            assert page == same
    assert metrics.page(True).endswith(b"# EOF\n")


def test_every_gauge_says_of_workers_that_are_there_what_they_are_as_one(metrics):
    modes = {name: metric._multiprocess_mode for name, metric in ours(metrics).items() if isinstance(metric, Gauge)}
    assert {name for name, mode in modes.items() if mode == "livesum"} == {
        "queued",
        "front_info",
        "answer_bytes",
        "cache_entries",
    }
    taken_last = {"list_version", "list_issued", "list_next_update", "tls_expiry", "tls_lifetime", "keys_end"}
    assert {name for name, mode in modes.items() if mode == "mostrecent"} == taken_last
    assert {name for name, mode in modes.items() if mode == "livemin"} == {"disk_free", "map_free", "exceptions_end"}
    assert set(modes.values()) == {"livesum", "mostrecent", "livemax", "livemin"}


def test_a_workers_successor_counts_on_where_it_ended(together):
    first, beside, shown = Metrics(), Metrics(), together.registry.get_sample_value
    first.shed.inc(3)
    first.batch_codes.observe(7)
    first.verdicts.labels("ADMIT", "VALID").inc(2)
    beside.shed.inc(10)
    report(together, slot_0=first, slot_1=beside)
    assert shown("onecode_shed_codes_total") == 13
    again = Metrics()
    report(together, slot_0=again)
    assert shown("onecode_shed_codes_total") == 13
    again.shed.inc()
    again.batch_codes.observe(1)
    again.verdicts.labels("ADMIT", "VALID").inc()
    report(together, slot_0=again, slot_1=beside)
    assert shown("onecode_shed_codes_total") == 14
    assert shown("onecode_batch_codes_sum") == 8
    assert shown("onecode_batch_codes_bucket", {"le": "+Inf"}) == shown("onecode_batch_codes_count") == 2
    assert shown("onecode_verdicts_total", {"decision": "ADMIT", "authenticity": "VALID"}) == 3


def test_what_has_not_changed_is_reported_once_also_where_nothing_was_counted(metrics, together):
    metrics.scans.labels("420000", "110000")
    report(together, slot_0=metrics)
    assert together.registry.get_sample_value("onecode_scans_total", {"home": "420000", "host": "110000"}) == 0
    assert metrics.flush() == []


def test_gauges_of_a_worker_that_ended_are_over(together):
    shown, workers = together.registry.get_sample_value, {"slot_0": Metrics(), "slot_1": Metrics()}
    for number, worker in enumerate(workers.values()):
        worker.queued.set(5 + 2 * number)
        worker.list_age.set(8 - number)
    report(together, **workers)
    assert (shown("onecode_queue_codes"), shown("onecode_trust_list_age_seconds")) == (12, 8)
    together.forget(0)
    assert (shown("onecode_queue_codes"), shown("onecode_trust_list_age_seconds")) == (7, 7)
    report(together, slot_0=Metrics())
    assert (shown("onecode_queue_codes"), shown("onecode_trust_list_age_seconds")) == (7, 7)
    together.forget(1)
    assert (shown("onecode_queue_codes"), shown("onecode_trust_list_age_seconds")) == (0, 0)


def test_a_worker_that_cannot_ask_the_disk_does_not_hide_what_the_others_see(together):
    shown, workers = together.registry.get_sample_value, {"slot_0": Metrics(), "slot_1": Metrics()}
    report(together, **workers)
    assert math.isnan(shown("onecode_store_disk_free_bytes"))
    for number, worker in enumerate(workers.values()):
        worker.disk_free.set(5_000 + number)
        worker.store_used.set(70 + number)
    report(together, **workers)
    assert (shown("onecode_store_disk_free_bytes"), shown("onecode_store_used_bytes")) == (5_000, 71)
    workers["slot_0"].disk_free.set(math.nan)
    report(together, **workers)
    assert shown("onecode_store_disk_free_bytes") == 5_001
    workers["slot_1"].disk_free.set(math.nan)
    report(together, **workers)
    assert math.isnan(shown("onecode_store_disk_free_bytes"))
    for slot in range(2):
        together.forget(slot)
    assert math.isnan(shown("onecode_store_disk_free_bytes"))


def test_a_gauge_that_is_not_a_number_is_told_once(metrics):
    told = [name for name, _, value in metrics.flush() if "_free_" in name and math.isnan(value)]
    assert told == ["onecode_store_disk_free_bytes", "onecode_store_map_free_bytes"]
    assert metrics.flush() == []


def test_series_that_were_begun_are_shown_by_a_supervisor_too(metrics, together):
    begin(metrics.reasons, "GREEN", "RED")
    begin(metrics.scans, ("420000", "110000"))
    metrics.exceptions.labels("420000").set(0)
    report(together, slot_0=metrics)
    shown = together.registry.get_sample_value
    assert shown("onecode_codes_by_reason_total", {"reason": "RED"}) == 0
    assert shown("onecode_scans_total", {"home": "420000", "host": "110000"}) == 0
    assert shown("onecode_exceptions_in_effect", {"host": "420000"}) == 0


def test_a_worker_without_a_list_does_not_hide_that_of_the_others(together):
    taken = Metrics()
    taken.list_version.set(4)
    report(together, slot_0=taken, slot_1=Metrics())
    together.forget(0)
    assert together.registry.get_sample_value("onecode_trust_list_version") == 4


def test_a_gauge_with_a_function_has_the_value_of_the_last_report(metrics, together):
    shown, age = together.registry.get_sample_value, 5.0
    metrics.list_age.set_function(lambda: age)
    report(together, slot_0=metrics)
    age = 6.0
    assert shown("onecode_trust_list_age_seconds") == 5
    report(together, slot_0=metrics)
    assert shown("onecode_trust_list_age_seconds") == 6


@pytest.mark.parametrize(
    "counts",
    [
        5,
        ["onecode_shed_codes"],
        [["onecode_nothing", [], 1]],
        [["onecode_shed_codes", [], "many"]],
        [["onecode_shed_codes", [], -1]],
        [["onecode_shed_codes", ["label"], 1]],
        [["onecode_scans", ["420000"], 1]],
        [["onecode_scans", [], 1]],
        [["onecode_batch_codes", [], [1, 2, 3]]],
        [["onecode_batch_codes", [], 1]],
        [["onecode_queue_codes", [], None]],
    ],
)
def test_what_no_worker_counts_is_refused(together, counts):
    with pytest.raises(ValueError, match=r"."):
        together.merge(0, counts)


def test_counting_costs_no_lock_and_loses_nothing_while_others_scrape(metrics):
    hits, seconds = metrics.cache_lookups.labels("hit"), metrics.rpc_seconds.labels("unary", "s", "m")
    has_ended = threading.Event()

    def scrape() -> None:
        while not has_ended.is_set():
            generate_latest(metrics.registry)
            metrics.page(False)

    scrapers = [threading.Thread(target=scrape) for _ in range(2)]
    for thread in scrapers:
        thread.start()
    for number in range(20_000):
        hits.inc()
        seconds.observe(number % 7)
    has_ended.set()
    for thread in scrapers:
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
    with pytest.raises(ValueError, match="falls"):
        CounterGroup(metrics.shed).inc(-1)


def test_counters_of_a_group_are_added_to_together(metrics):
    group = CounterGroup(metrics.shed, metrics.reasons.labels("GREEN"))
    for amount in (1, 3):
        group.inc(amount)
    get = metrics.registry.get_sample_value
    assert get("onecode_shed_codes_total") == get("onecode_codes_by_reason_total", {"reason": "GREEN"}) == 4
