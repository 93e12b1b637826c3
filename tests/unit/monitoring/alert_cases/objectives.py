"""Worlds in which the alerts of monitoring/alerts/objectives.py fire, and others in which they do not."""

from dataclasses import replace

from monitoring.model import Severity
from tests.promtool import Case

PAGE, TICKET = Severity.PAGE, Severity.TICKET
AVAILABILITY, LATENCY = "OnecodeAvailabilityBudgetBurns", "OnecodeLatencyBudgetBurns"
_VERIFY = 'grpc_service="onecode.v1.RecognitionService",grpc_method="Verify"'
ALL = f"grpc_server_handling_seconds_count{{{_VERIFY}}}"
SOON = f'grpc_server_handling_seconds_bucket{{{_VERIFY},le="0.1"}}'
WITHIN_DAYS = "and the budget of a month is gone within days"
WILL_NOT_LAST = "and the budget of a month will not last"
FAIL, ARE_SLOW = "of calls fail by the server's fault", "of single checks take longer than 0.1 s"
JOB = {"job": "onecode"}


def handled(code: str, service: str = "onecode.v1.RecognitionService") -> str:
    return f'grpc_server_handled_total{{grpc_service="{service}",grpc_method="Verify",grpc_code="{code}"}}'


def refused(reason: str) -> str:
    return f'onecode_refused_calls_total{{reason="{reason}"}}'


OK = handled("OK")
NONE_FAILED = dict.fromkeys((handled("INTERNAL"), refused("queue_full"), refused("stream_idle")), "0x5000")
"""A server has these series from its start on."""


def of_other(series: str) -> str:
    return f'{series[:-1]},instance="b:9464"}}'


def of_a_server(case: Case) -> Case:
    return replace(case, series=NONE_FAILED | case.series)


_CASES = (
    Case(
        AVAILABILITY,
        PAGE,
        "four of a hundred calls at one server of two",
        {
            OK: "0+100x30",
            of_other(OK): "0+96x30",
            of_other(handled("INTERNAL")): "0+4x30",
            of_other(refused("queue_full")): "0x30",
            of_other(refused("stream_idle")): "0x30",
        },
        "5m",
        f"2% {FAIL}, {WITHIN_DAYS}",
        JOB,
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "one of a hundred calls at one server of two",
        {OK: "0+100x30", of_other(OK): "0+99x30", of_other(handled("INTERNAL")): "0+1x30"},
        "30m",
    ),
    Case(
        LATENCY,
        PAGE,
        "forty of a hundred checks at one server of two",
        {ALL: "0+100x30", SOON: "0+100x30", of_other(ALL): "0+100x30", of_other(SOON): "0+60x30"},
        "3m",
        f"20% {ARE_SLOW}, {WITHIN_DAYS}",
        JOB,
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "15 of 1000 calls for an hour after a good night",
        {OK: "0+985x460", handled("INTERNAL"): "0x360 15+15x100"},
        "420m",
        f"1.5% {FAIL}, {WITHIN_DAYS}",
        JOB,
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "14 of 1000 calls for an hour after a good night",
        {OK: "0+986x460", handled("INTERNAL"): "0x360 14+14x100"},
        "425m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "an hour of failures that is over",
        {OK: "0+970x460", handled("INTERNAL"): "0x360 30+30x59 1800x40"},
        "430m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "7 of 1000 calls",
        {OK: "0+993x90", handled("UNAVAILABLE"): "0+7x90"},
        "15m",
        f"0.7% {FAIL}, {WITHIN_DAYS}",
        JOB,
        "5m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "59 of 10000 calls",
        {OK: "0+9941x90", handled("UNAVAILABLE"): "0+59x90"},
        "450m",
        step="5m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "nine of a few calls",
        {OK: "0+1x30", handled("UNKNOWN"): "0 1 2 3 4 5 6 7 8 9x30"},
        "12m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "too many calls at once",
        {OK: "0+980x30", handled("RESOURCE_EXHAUSTED"): "0+20x30", refused("queue_full"): "0+20x30"},
        "3m",
        f"2% {FAIL}, {WITHIN_DAYS}",
        JOB,
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "callers beyond their own limits",
        {OK: "0+980x30", handled("RESOURCE_EXHAUSTED"): "0+20x30", refused("answers_full"): "0+20x30"},
        "30m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "streams that were idle all night",
        {OK: "0+1x30", handled("UNAVAILABLE"): "0+50x30", refused("stream_idle"): "0+50x30"},
        "30m",
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "streams of which each scan is refused",
        {handled("RESOURCE_EXHAUSTED"): "0+1x30", refused("queue_late"): "0+500x30"},
        "3m",
        f"100% {FAIL}, {WITHIN_DAYS}",
        JOB,
    ),
    Case(
        AVAILABILITY,
        PAGE,
        "probes of health",
        {OK: "0+10x30", handled("UNAVAILABLE", "grpc.health.v1.Health"): "0+50x30"},
        "30m",
    ),
    Case(
        AVAILABILITY,
        TICKET,
        "4 of 1000 calls",
        {OK: "0+996x90", handled("DATA_LOSS"): "0+4x90"},
        "120m",
        f"0.4% {FAIL}, {WILL_NOT_LAST}",
        JOB,
        "20m",
    ),
    Case(
        AVAILABILITY,
        TICKET,
        "2 of 1000 calls",
        {OK: "0+4990x200", handled("INTERNAL"): "0+10x200"},
        "90m",
        f"0.2% {FAIL}, {WILL_NOT_LAST}",
        JOB,
        "30m",
    ),
    Case(
        AVAILABILITY,
        TICKET,
        "9 of 10000 calls",
        {OK: "0+9991x200", handled("INTERNAL"): "0+9x200"},
        "5000m",
        step="30m",
    ),
    Case(
        LATENCY,
        PAGE,
        "15 of 100 checks for an hour after a good night",
        {ALL: "0+100x460", SOON: "0+100x360 36085+85x99"},
        "420m",
        f"15% {ARE_SLOW}, {WITHIN_DAYS}",
        JOB,
    ),
    Case(
        LATENCY,
        PAGE,
        "14 of 100 checks for an hour after a good night",
        {ALL: "0+100x460", SOON: "0+100x360 36086+86x99"},
        "425m",
    ),
    Case(
        LATENCY,
        PAGE,
        "7 of 100 checks",
        {ALL: "0+1000x90", SOON: "0+930x90"},
        "10m",
        f"7% {ARE_SLOW}, {WITHIN_DAYS}",
        JOB,
        "5m",
    ),
    Case(LATENCY, PAGE, "59 of 1000 checks", {ALL: "0+1000x90", SOON: "0+941x90"}, "450m", step="5m"),
    Case(LATENCY, PAGE, "nine of a few checks", {ALL: "0+1x30", SOON: "0x9 1+1x20"}, "12m"),
    Case(
        LATENCY,
        TICKET,
        "4 of 100 checks",
        {ALL: "0+1000x90", SOON: "0+960x90"},
        "80m",
        f"4% {ARE_SLOW}, {WILL_NOT_LAST}",
        JOB,
        "20m",
    ),
    Case(
        LATENCY,
        TICKET,
        "2 of 100 checks",
        {ALL: "0+1000x200", SOON: "0+980x200"},
        "90m",
        f"2% {ARE_SLOW}, {WILL_NOT_LAST}",
        JOB,
        "30m",
    ),
    Case(LATENCY, TICKET, "9 of 1000 checks", {ALL: "0+1000x200", SOON: "0+991x200"}, "5000m", step="30m"),
)
CASES = tuple(map(of_a_server, _CASES))
