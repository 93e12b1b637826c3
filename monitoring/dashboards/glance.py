"""The first row of the first screen: one number for each thing that can be wrong, green where it is not."""

from typing import Final

from monitoring.dashboards.queries import part, part_of_codes_asked, quantile, rate
from monitoring.failed_calls import failed_ratio
from monitoring.model import Kind, Panel, Query, Row, Threshold, Unit

DAY_S: Final = 86_400
_FAULT: Final = (Threshold(0.5, is_critical=True),)
"""Of a number that is 0 or a count: critical from 1 on."""
_RECORDED: Final = "job:onecode_failed_calls:increase1h{<job>}"


def _number(title: str, description: str, unit: Unit, query: Query, *thresholds: Threshold) -> Panel:
    return Panel(title, description, unit, (query,), Kind.NUMBER, thresholds, width=4)


GLANCE: Final = Row(
    "At a glance",
    (
        _number(
            "Alerts firing",
            "Alerts of onecode that fire now. Good: 0. The list of alerts says which, and the runbook what to do. No"
            " data: Prometheus has not loaded the rules, and no alert can fire.",
            Unit.COUNT,
            # ALERTS has no series where none fires. What the rules record is counted with it and taken off: there is no
            # difference without the rules.
            Query(
                f'count(ALERTS{{alertname=~"Onecode.+",alertstate="firing",<job>}} or {_RECORDED})'
                f" - count({_RECORDED})",
                "firing",
            ),
            *_FAULT,
        ),
        _number(
            "Servers down",
            "Servers whose metrics Prometheus cannot read. Good: 0. Such a server may be down, hung or unreachable.",
            Unit.COUNT,
            Query("count(up{<scope>}) - sum(up{<scope>})", "down"),
            *_FAULT,
        ),
        _number(
            "Workers missing",
            "Workers that a server has and that do not serve now. Good: 0. A worker that ends is replaced within"
            " seconds; a number that stays means that workers do not come up.",
            Unit.COUNT,
            # Restarts have a series for each worker that a server has, from its start on.
            Query(
                f"count({rate('onecode_worker_restarts_total')}) - sum(onecode_serving_workers{{<scope>}})", "missing"
            ),
            Threshold(0.5),
            Threshold(1.5, is_critical=True),
        ),
        _number(
            "Calls failing",
            "Calls that fail by the server's fault, or are refused for want of capacity, of all. Good: below 0.1 %.",
            Unit.RATIO,
            Query(failed_ratio("<rate>"), "failed"),
            Threshold(0.001),
            Threshold(0.01, is_critical=True),
        ),
        _number(
            "Slowest Verify of 100",
            "Time in which 99 of 100 Verify are answered (p99). Good: below 0.1 s.",
            Unit.SECONDS,
            quantile(0.99, "grpc_server_handling_seconds", where='grpc_method="Verify"', legend="p99"),
            Threshold(0.1),
            Threshold(0.5, is_critical=True),
        ),
        _number(
            "Codes refused",
            "The part of the codes asked about that were refused for lack of capacity. Good: 0.",
            Unit.RATIO,
            part_of_codes_asked("onecode_shed_codes_total", "refused"),
            Threshold(0.001),
            Threshold(0.01, is_critical=True),
        ),
        _number(
            "Trust list time left",
            "Time until the trust list should be replaced, at the server with the oldest. Good: more than 7 days. A day"
            " after its end (--trust-list-grace-s) nobody is admitted any more.",
            Unit.SECONDS,
            Query("min(onecode_trust_list_next_update_timestamp_seconds{<scope>}) - time()", "left"),
            Threshold(7 * DAY_S, is_floor=True),
            Threshold(DAY_S, is_critical=True, is_floor=True),
        ),
        _number(
            "Store write fault",
            "Whether the store of any server cannot be written: a full or failing disk. Checks go on, publishers wait.",
            Unit.FLAG,
            Query("max(onecode_store_write_fault{<scope>})", "fault"),
            *_FAULT,
        ),
        _number(
            "Status not current",
            "The part of authentic codes that were answered by a status that was stale or could not be had. Good: 0."
            " Otherwise the store does not answer, and bearers are sent to a person (CHECK).",
            Unit.RATIO,
            part(
                "onecode_codes_by_status_total",
                "onecode_codes_by_status_total",
                'status=~"STALE|UNAVAILABLE"',
                legend="not current",
            ),
            Threshold(0.001),
            Threshold(0.01, is_critical=True),
        ),
        _number(
            "Kernel fallback",
            "Whether PyNaCl checks signatures at any server because the faster backend gave a wrong answer. Answers are"
            " right and slower. Good: no.",
            Unit.FLAG,
            Query("max(onecode_signature_backend_fault{<scope>})", "fallback"),
            *_FAULT,
        ),
        _number(
            "Bad signatures",
            "The part of codes whose signature does not fit the key that they name. Good: below 1 %. More means forged"
            " codes, or a region that signs with another key than its listed one: see the Recognition dashboard.",
            Unit.RATIO,
            part("onecode_bad_signatures_total", "onecode_verdicts_total", legend="bad"),
            Threshold(0.01),
            Threshold(0.05, is_critical=True),
        ),
        _number(
            "Files not taken",
            "Files that a server cannot take: trust list, gateway keys, certificates, token keys. Good: 0. The last"
            " good ones stay in force; the Trust dashboard says which file.",
            Unit.COUNT,
            Query(
                "sum(onecode_identity_files_fault{<scope>}) + sum(onecode_gateway_keys_fault{<scope>})"
                " + sum(onecode_trust_list_fault{<scope>})",
                "files",
            ),
            *_FAULT,
        ),
    ),
)
