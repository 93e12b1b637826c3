"""Worlds in which the alerts of monitoring/alerts/log.py fire, and others in which they do not."""

from monitoring.model import Severity
from tests.promtool import TARGET, Case

PAGE, TICKET = Severity.PAGE, Severity.TICKET
PARTITION_3 = TARGET | {"partition": "3"}
AGE, LAG = (f'onecode_log_{name}{{partition="3"}}' for name in ("confirmed_age_seconds", "lag_messages"))


def fault(reason: str) -> str:
    return f'onecode_log_fault{{reason="{reason}"}}'


def ignored(reason: str) -> str:
    return f'onecode_log_ignored_messages_total{{reason="{reason}"}}'


CASES = (
    Case(
        "OnecodeLogNotConfirmed",
        TICKET,
        "a leader is away",
        {AGE: "1 1 30 90+60x20"},
        "3m",
        "a:9464 has not confirmed partition 3 for 1m 30s",
        PARTITION_3,
    ),
    Case("OnecodeLogNotConfirmed", TICKET, "another leader within a minute", {AGE: "1 1 30 1x20"}, "3m"),
    Case("OnecodeLogNotConfirmed", TICKET, "marks are a second old", {AGE: "1.5x60"}, "60m"),
    Case(
        "OnecodeLogNotConfirmed",
        PAGE,
        "four minutes",
        {AGE: "0+60x20"},
        "5m",
        "a:9464 has not confirmed partition 3 for 5m 0s",
        PARTITION_3,
    ),
    # +Inf, which promtool has no notation for.
    Case("OnecodeLogNotConfirmed", PAGE, "a server that starts", {AGE: "1000000000 1x20"}, "1m"),
    Case("OnecodeLogNotConfirmed", PAGE, "three minutes", {AGE: "0+60x3 1x20"}, "5m"),
    Case(
        "OnecodeLogLagGrows",
        TICKET,
        "more comes than is applied",
        {LAG: "0x9 1000+100x60"},
        "21m",
        "a:9464 is 2100 messages behind in partition 3, and more each minute",
        PARTITION_3,
    ),
    Case("OnecodeLogLagGrows", TICKET, "a server that catches up", {LAG: "100000-1000x60"}, "60m"),
    Case("OnecodeLogLagGrows", TICKET, "less than a thousand", {LAG: "0+10x60"}, "60m"),
    Case(
        "OnecodeLogStopped",
        PAGE,
        "the digests differ",
        {fault("stopped"): "0x4 1x20"},
        "5m",
        "a:9464 has stopped applying the log",
    ),
    Case("OnecodeLogStopped", PAGE, "it goes on", {fault("stopped"): "0x20"}, "20m"),
    Case("OnecodeLogStopped", PAGE, "brokers do not answer", {fault("unreachable"): "1x20"}, "20m"),
    Case(
        "OnecodeLogFault",
        TICKET,
        "a clock is wrong",
        {fault("clock"): "0 1x20"},
        "3m",
        "a:9464 has a fault of the log (clock)",
        TARGET | {"reason": "clock"},
    ),
    Case("OnecodeLogFault", TICKET, "over within two minutes", {fault("unreachable"): "0 1 1 0x20"}, "3m"),
    Case("OnecodeLogFault", TICKET, "it has stopped", {fault("stopped"): "1x20"}, "20m"),
    Case(
        "OnecodeLogMessagesIgnored",
        TICKET,
        "a program that signs with another key",
        {ignored("certificate"): "0x4 1x60"},
        "5m",
        "a:9464 has ignored messages of the log (certificate)",
        TARGET | {"reason": "certificate"},
    ),
    Case("OnecodeLogMessagesIgnored", TICKET, "repetitions", {ignored("repeated"): "0+5x60"}, "60m"),
)
