"""The first page of metrics after a start: all series are there with 0, so that no rate misses a first count."""

import math
import re
from collections.abc import Callable
from itertools import product

import pytest

from onecode_server.identity.refusals import Refusal
from onecode_server.model.verdict import Decision, Reason
from onecode_server.rpc import admission
from onecode_server.rpc.failures import CODES
from onecode_server.verification.authenticate.claim_faults import CLAIMS

from tests.fronts import NEEDS_FRONT
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.several_workers import VERIFY
from tests.integration.test_observation import KNOWN

Serve = Callable[..., Server]

COUNTED_BY_THEMSELVES = ("onecode_event_loop_lag_seconds", "onecode_trust_list_refused_total")
"""What a server counts to which nobody has come."""


@pytest.fixture(params=["grpc", pytest.param("native", marks=NEEDS_FRONT)])
def pair(request: pytest.FixtureRequest, deployment: Deployment, serve: Serve) -> Server:
    """A server of two workers to which nobody has come, on each front."""
    return serve(deployment, "--workers", 2, "--front", request.param)


def regions(server: Server) -> set[str]:
    return {region for (region,) in server.samples("onecode_unmapped_levels_total")}


def test_all_series_are_there_with_nothing_counted(pair: Server):
    codes = regions(pair)
    assert len(codes) == 35
    everywhere = codes | {"unknown"}
    with_keys = {region for (region,) in pair.samples("onecode_bad_signatures_total")}
    assert 20 < len(with_keys) < 35
    expected: dict[str, set[tuple[str, ...]]] = {
        "onecode_scans_total": set(product(everywhere, everywhere)),
        "onecode_verdicts_total": {("VALID", one.name) for one in Decision}
        | {("UNVERIFIABLE", "CHECK")}
        | {
            (why, "REFUSE")
            for why in ("MALFORMED", "UNKNOWN_ISSUER", "BAD_SIGNATURE", "KEY_NOT_VALID", "NOT_YET_VALID", "EXPIRED")
        },
        "onecode_codes_by_reason_total": {(one.name,) for one in Reason},
        "onecode_codes_by_status_total": {(one,) for one in ("CURRENT", "STALE", "UNAVAILABLE", "NONE")},
        "onecode_claim_faults_total": set(product(CLAIMS, with_keys)),
        "onecode_status_cache_lookups_total": {("hit",), ("miss",)},
        "onecode_signature_shadow_checks_total": {("agreed",), ("disagreed",)},
        "onecode_store_failures_total": {(one,) for one in ("check_read", "read", "write", "damaged")},
        "onecode_refused_calls_total": {(one,) for one in admission.REASONS},
        "onecode_unauthenticated_calls_total": {(one.name,) for one in Refusal},
        "onecode_exceptions_in_effect": {(region,) for region in codes},
        "onecode_worker_restarts_total": {("0",), ("1",)},
        "grpc_server_handled_total": {
            (code.name, *method) for code in CODES for method in pair.samples("grpc_server_started_total")
        },
    }
    assert {name: set(pair.samples(name)) for name in expected} == expected
    methods = {(method.name, service.full_name) for service in KNOWN for method in service.methods}
    assert {labels[:2] for labels in pair.samples("grpc_server_started_total")} == methods


def test_nothing_is_counted_before_anybody_comes(pair: Server):
    lines = [line for line in pair.metrics_text().splitlines() if not line.startswith("#")]
    counted = [line for line in lines if re.match(r"(onecode|grpc)_\w+_(total|count|bucket)\b", line)]
    wrong = [line for line in counted if not line.endswith(" 0.0") and not line.startswith(COUNTED_BY_THEMSELVES)]
    assert [line for line in wrong if not line.startswith("onecode_cpu_seconds_total")] == []


def test_what_is_known_of_the_environment_is_on_it(pair: Server):
    eventually(lambda: pair.samples("onecode_store_disk_free_bytes")[()] > 0, 30)
    assert pair.samples("onecode_store_map_free_bytes")[()] > 60 * 1024**3
    assert 0 < pair.samples("onecode_store_used_bytes")[()] < 1024**2
    assert pair.samples("onecode_cpu_seconds_total")[()] >= max(pair.samples("process_cpu_seconds_total").values()) > 0
    assert pair.samples("onecode_resident_bytes")[()] > 3 * 10_000_000
    assert 0 < pair.samples("onecode_open_files")[()] < pair.samples("onecode_open_files_max")[()]
    ends = pair.samples("onecode_region_keys_end_timestamp_seconds")
    assert set(ends.values()) == {math.inf}
    assert ends.keys() == {(code, "issuer") for code in with_issuer_keys(pair)} | {("000000", "gateway")}
    assert set(pair.samples("onecode_info").values()) == {1}


def with_issuer_keys(server: Server) -> set[str]:
    return {region for (region,) in server.samples("onecode_bad_signatures_total")}


def test_both_fronts_count_codes_by_reason_status_and_the_region_of_a_bad_signature(
    pair: Server, deployment: Deployment
):
    good, unknown = deployment.issue("420000")[0], b"x"
    bad = bytearray(good)
    bad[-5] = ord("B" if bad[-5] == ord("A") else "A")  # another letter of base64url
    for code in (good, good, bytes(bad), unknown):
        pair.verify(code)
    eventually(lambda: pair.samples("grpc_server_handled_total")["OK", *VERIFY] == 4, 30)
    assert pair.counted("onecode_codes_by_reason_total") == {
        ("GREEN",): 2,
        ("SIGNATURE_INVALID",): 1,
        ("FORMAT_UNKNOWN",): 1,
    }
    assert pair.counted("onecode_codes_by_status_total") == {("NONE",): 2}
    assert pair.counted("onecode_bad_signatures_total") == {("420000",): 1}


def test_a_new_region_appears_when_its_list_is_taken(deployment: Deployment, serve: Serve):
    server = serve(deployment, "--workers", 2)
    before = regions(server)
    assert deployment.trust("add-region", "--code", "990000", "--name", "new", "--adopts-national").status == 0
    eventually(lambda: regions(server) == before | {"990000"}, 30)
    assert server.samples("onecode_scans_total")["990000", "110000"] == 0
