"""The state of a server by its own metrics: each field from the metric that it names, and the worst of several."""

import json
import math
import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from onecode_server.cli.top.faults import faults
from onecode_server.cli.top.pages import Interval
from onecode_server.cli.top.state import NAMES, State, state_of
from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics

from tests.unit.cli.top.pages_of import page_of, page_with

NOW_S = 1_800_000_000.0


def between(before, change, metrics=None):
    """Return the state of metrics before and after a change, ten seconds apart."""
    metrics = metrics or Metrics()
    before(metrics)
    first = page_of(metrics, 0)
    change(metrics)
    return state_of([Interval(first, page_of(metrics, 10))], NOW_S)


def nothing(_):
    pass


def test_verdicts_calls_and_refusals_are_rates_between_the_pages():
    def count(metrics, times):
        metrics.verdicts.labels("ADMIT", "VALID").inc(70 * times)
        metrics.verdicts.labels("REFUSE", "EXPIRED").inc(20 * times)
        metrics.verdicts.labels("REFUSE", "MALFORMED").inc(10 * times)
        metrics.rpc_handled.labels("unary", "onecode.v1.S", "Verify", "OK").inc(30 * times)
        metrics.rpc_handled.labels("unary", "onecode.v1.S", "Verify", "INTERNAL").inc(10 * times)
        metrics.refused_calls.labels("queue_full").inc(5 * times)
        metrics.limited_calls.labels("partner", "rate").inc(50 * times)
        metrics.unauthenticated.labels("expired").inc(10 * times)
        metrics.store_failures.labels("read").inc(10 * times)
        metrics.shed.inc(20 * times)

    state = between(lambda metrics: count(metrics, 3), lambda metrics: count(metrics, 1))
    assert state.codes_per_s == 10
    assert state.verdicts_per_s == {"ADMIT": 7, "CHECK": 0, "REFUSE": 3}
    assert (state.calls_per_s, state.failed_calls_per_s, state.refused_codes_per_s) == (4, 1.5, 2)
    assert state.refused_calls_per_s["queue_full"] == 0.5
    assert state.limited_calls_per_s["partner rate"] == 5
    assert state.unauthenticated_calls_per_s["expired"] == 1
    assert state.store_failures_per_s["read"] == 1


def test_calls_fail_by_faults_of_the_api_or_for_want_of_capacity_and_not_by_idle_streams_or_probes():
    def count(metrics):
        metrics.rpc_handled.labels("bidi_stream", "onecode.v1.S", "m", "UNAVAILABLE").inc(30)
        metrics.rpc_handled.labels("unary", "onecode.v1.S", "m", "DATA_LOSS").inc(10)
        metrics.rpc_handled.labels("unary", "onecode.v1.S", "m", "RESOURCE_EXHAUSTED").inc(50)
        metrics.rpc_handled.labels("unary", "grpc.health.v1.Health", "m", "UNAVAILABLE").inc(70)
        metrics.refused_calls.labels("stream_idle").inc(30)
        metrics.refused_calls.labels("answers_full").inc(40)
        metrics.refused_calls.labels("stream_refused").inc(10)

    state = between(nothing, count)
    assert (state.calls_per_s, state.failed_calls_per_s) == (9, 2)
    assert between(nothing, lambda metrics: metrics.refused_calls.labels("stream_idle").inc()).failed_calls_per_s == 0


def test_latency_is_that_of_calls_of_the_api_that_are_answered_once():
    def observe(metrics):
        for kind, service, seconds in (
            ("unary", "onecode.v1.RecognitionService", 0.003),
            ("bidi_stream", "onecode.v1.RecognitionService", 4),
            ("unary", "grpc.health.v1.Health", 4),
        ):
            metrics.rpc_seconds.labels(kind, service, "m").observe(seconds)

    state = between(nothing, observe)
    assert state.latency_p50_s is not None
    assert 0.0025 <= state.latency_p50_s <= 0.005
    assert between(nothing, nothing).latency_p99_s is None


def test_times_are_left_from_now_on_and_absent_where_there_is_none():
    def set_them(metrics):
        metrics.list_next_update.set(NOW_S + 50)
        metrics.list_age.set(7)
        metrics.tls_expiry.set(-3)

    state = between(nothing, set_them)
    assert (state.trust_list_left_s, state.trust_list_age_s, state.certificate_left_s) == (50, 7, -3)
    bare = between(nothing, nothing)
    assert (bare.trust_list_left_s, bare.certificate_left_s, bare.workers_serving) == (None, None, None)


def test_of_several_servers_rates_add_up_and_the_rest_is_the_worst():
    first, second = Metrics(), Metrics()
    pages = [page_of(metrics, 0) for metrics in (first, second)]
    for number, metrics in enumerate((first, second), 1):
        metrics.verdicts.labels("ADMIT", "VALID").inc(100 * number)
        metrics.list_age.set(5 * number)
        metrics.list_version.set(number)
        metrics.queued.set(number)
    second.store_write_fault.set(1)
    intervals = [Interval(page, page_of(metrics, 10)) for page, metrics in zip(pages, (first, second), strict=True)]
    state = state_of(intervals, NOW_S)
    assert (state.codes_per_s, state.queue_codes) == (30, 3)
    assert (state.trust_list_age_s, state.trust_list_version, state.store_write_fault) == (10, 1, True)


def test_exceptions_of_servers_with_one_list_are_not_added_up():
    page = page_with(1, onecode_exceptions_in_effect={"420000": 2, "440000": 1})
    assert state_of([Interval(page, page)] * 3, NOW_S).exceptions_in_effect == 3


def test_workers_and_their_restarts_are_the_supervisors():
    def restart(metrics):
        metrics.serving.set(1)
        metrics.restarts.labels("0").inc()

    state = between(nothing, restart, SupervisorMetrics())
    assert (state.workers_serving, state.worker_restarts, state.worker_restarts_per_s) == (1, 1, 0.1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda metrics: metrics.list_unread.set(12), "has not been readable for 12 s"),
        (lambda metrics: metrics.list_fault.set(1), "trust list's file was refused"),
        (lambda metrics: metrics.list_next_update.set(NOW_S - 7200), "should have been replaced 2.0 h ago"),
        (lambda metrics: metrics.list_next_update.set(NOW_S + 7200), "the trust list has 2.0 h left"),
        (lambda metrics: metrics.tls_expiry.set(60), "certificate has 60 s left"),
        (lambda metrics: metrics.tls_expiry.set(-60), "certificate has expired 60 s ago"),
        (lambda metrics: metrics.identity_files_fault.labels("tls_crl").set(1), "the file of tls_crl cannot be taken"),
        (lambda metrics: metrics.gateway_keys_fault.set(1), "a gateway key cannot be read"),
        (lambda metrics: metrics.store_write_fault.set(1), "the store cannot be written"),
        (lambda metrics: metrics.store_failures.labels("read").inc(), "the store fails: read"),
        (lambda metrics: metrics.log_fault.labels("stopped").set(1), "the log has a fault: stopped"),
        (
            lambda metrics: [metrics.log_confirmed_age.labels(str(n)).set(n) for n in range(9)],
            "a partition of the log has not been confirmed for 8.0 s",
        ),
        (lambda metrics: metrics.backend_fault.set(1), "PyNaCl checks signatures"),
        (lambda metrics: metrics.shadow_checks.labels("disagreed").inc(), "1 signatures on which PyNaCl disagreed"),
        (lambda metrics: metrics.check_bugs.inc(2), "2 codes refused because the check itself failed"),
        (lambda metrics: metrics.shed.inc(20), "codes are refused for want of capacity: 2.0/s"),
        (
            lambda metrics: metrics.rpc_handled.labels("u", "onecode.v1.S", "m", "INTERNAL").inc(10),
            "by the server's fault: 1.0/s",
        ),
    ],
)
def test_each_fault_has_a_line_of_its_own(change, says):
    assert list(faults(between(nothing, nothing))) == []
    (line,) = faults(between(nothing, change))
    assert says in line


def test_statuses_that_are_not_current_are_a_fault():
    before = page_with(0, onecode_queue_codes={"": 0})
    labels = {frozenset({("status", status)}): 10.0 for status in ("CURRENT", "STALE", "NONE")}
    after = before._replace(at_s=10, samples={"onecode_codes_by_status_total": labels})
    assert list(faults(state_of([Interval(before, after)], NOW_S))) == ["statuses are not current: STALE 1.0/s"]


def test_every_state_can_be_written_as_json():
    state = between(nothing, lambda metrics: metrics.tls_expiry.set(math.inf))
    assert json.loads(json.dumps(asdict(state), allow_nan=False)).keys() == {field.name for field in fields(State)}


def test_the_metrics_that_are_read_are_those_of_the_server():
    families = [*Metrics().registry.collect(), *SupervisorMetrics().registry.collect()]
    exported = {name for family in families for name in (family.name, f"{family.name}_total", f"{family.name}_bucket")}
    assert exported >= NAMES


def test_every_key_of_a_state_is_described() -> None:
    page = (Path(__file__).parents[4] / "docs" / "operating.md").read_text("utf-8")
    section = page.partition("## `onecode top` shows")[2].partition("\n## ")[0]
    described = set(re.findall(r"`([a-z0-9_]+)`", "".join(re.findall(r"^\| (`.+?) \|", section, re.MULTILINE))))
    assert described == {*(field.name for field in fields(State)), "faults"}
