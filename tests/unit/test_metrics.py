"""Metrics: names that keep the rule, labels that no caller can invent values for, and nobody's data."""

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from onecode_server.metrics import Metrics

GRPC = ("grpc_type", "grpc_service", "grpc_method")
LABELS = {"decision", "authenticity", "home", "host", "backend", "target", "outcome", "result", *GRPC, "grpc_code"}
"""Their values come from enums, the protos or the trust list. A new label belongs here only if its values do too."""
UNITS = ("_seconds", "_codes", "_entries", "_version", "_fault")


@pytest.fixture
def metrics():
    return Metrics()


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
