"""Worlds in which the alerts of monitoring/alerts/callers.py fire, and others in which they do not."""

from monitoring.model import Severity
from tests.promtool import Case

PAGE, TICKET = Severity.PAGE, Severity.TICKET
HANDLED = 'grpc_server_handled_total{grpc_service="onecode.v1.RecognitionService",grpc_method="Verify",grpc_code="OK"}'
VERDICTS = 'onecode_verdicts_total{decision="ADMIT",authenticity="VALID"}'
NOBODY = 'onecode_unauthenticated_calls_total{reason="TOKEN_EXPIRED"}'
LIMITED = 'onecode_limited_calls_total{role="partner",limit="rate"}'


def refused(reason: str) -> str:
    return f'onecode_refused_calls_total{{reason="{reason}"}}'


CASES = (
    Case(
        "OnecodeOverload",
        TICKET,
        "two calls in a hundred",
        {refused("queue_full"): "0+2x60", HANDLED: "0+100x60"},
        "20m",
        "a:9464 refuses 2% of calls for want of capacity",
    ),
    Case("OnecodeOverload", TICKET, "one in a hundred", {refused("queue_full"): "0+1x60", HANDLED: "0+100x60"}, "60m"),
    Case(
        "OnecodeOverload",
        TICKET,
        "nine of a few calls",
        {refused("queue_late"): "0 1 2 3 4 5 6 7 8 9x30", HANDLED: "0+1x60"},
        "30m",
    ),
    Case(
        "OnecodeOverload",
        TICKET,
        "callers do not take their answers",
        {refused("answers_full"): "0+50x60", refused("queue_full"): "0x60", HANDLED: "0+100x60"},
        "60m",
    ),
    Case(
        "OnecodeCallersHoldPlaces",
        TICKET,
        "seven calls a minute",
        {refused("request_overdue"): "0+7x60"},
        "28m",
        "a:9464 ends 0.12 calls a second whose callers do nothing",
    ),
    Case("OnecodeCallersHoldPlaces", TICKET, "six calls a minute", {refused("request_overdue"): "0+6x60"}, "60m"),
    Case("OnecodeCallersHoldPlaces", TICKET, "idle streams", {refused("stream_idle"): "0+60x60"}, "60m"),
    Case(
        "OnecodeStrangersBehindFront",
        TICKET,
        "one call",
        {refused("stranger"): "0x4 1x60"},
        "5m",
        "A process on a:9464 has called the listener behind the native front",
    ),
    Case("OnecodeStrangersBehindFront", TICKET, "none for an hour", {refused("stranger"): "3x90"}, "90m"),
    Case(
        "OnecodeCallersLimited",
        TICKET,
        "seventy calls a minute",
        {LIMITED: "0+70x60"},
        "28m",
        "Callers with the role partner reach their limit (rate)",
        {"job": "onecode", "role": "partner", "limit": "rate"},
    ),
    Case("OnecodeCallersLimited", TICKET, "sixty calls a minute", {LIMITED: "0+60x60"}, "60m"),
    Case(
        "OnecodeUnauthenticatedCalls",
        TICKET,
        "a hundred where there were none",
        {NOBODY: "0+25x30"},
        "9m",
        "225 callers without an identity in a quarter of an hour (TOKEN_EXPIRED)",
        {"job": "onecode", "reason": "TOKEN_EXPIRED"},
    ),
    Case("OnecodeUnauthenticatedCalls", TICKET, "ninety in a quarter of an hour", {NOBODY: "0+6x60"}, "59m"),
    Case(
        "OnecodeUnauthenticatedCalls",
        TICKET,
        "more than five times as many",
        {NOBODY: "0+20x400 8105+105x20"},
        "2020m",
        "315 callers without an identity in a quarter of an hour (TOKEN_EXPIRED)",
        {"job": "onecode", "reason": "TOKEN_EXPIRED"},
        "5m",
    ),
    Case(
        "OnecodeUnauthenticatedCalls",
        TICKET,
        "for six days",
        {NOBODY: "0+20x2400 48105+105x2000"},
        "12020m",
        "315 callers without an identity in a quarter of an hour (TOKEN_EXPIRED)",
        {"job": "onecode", "reason": "TOKEN_EXPIRED"},
        "5m",
        still="20660m",
    ),
    Case(
        "OnecodeUnauthenticatedCalls",
        TICKET,
        "less than five times as many",
        {NOBODY: "0+20x400 8098+98x20"},
        "2060m",
        step="5m",
    ),
    Case(
        "OnecodeNoCodes",
        PAGE,
        "none for a quarter of an hour",
        {VERDICTS: "0+50x288 14400x20"},
        "1460m",
        "No code was checked for a quarter of an hour, but 150 at this time lately",
        {"job": "onecode"},
        "5m",
    ),
    Case(
        "OnecodeNoCodes",
        PAGE,
        "none for six days",
        {VERDICTS: "0+50x2304 115200x2000"},
        "11540m",
        "No code was checked for a quarter of an hour, but 150 at this time lately",
        {"job": "onecode"},
        "5m",
        still="20180m",
    ),
    Case("OnecodeNoCodes", PAGE, "as few yesterday", {VERDICTS: "0+33x288 9504x20"}, "1500m", step="5m"),
    Case("OnecodeNoCodes", PAGE, "a few are checked", {VERDICTS: "0+50x288 14401+1x20"}, "1500m", step="5m"),
)
