"""Worlds in which the alerts of monitoring/alerts/servers.py fire, and others in which they do not."""

from monitoring.model import Severity
from tests.promtool import TARGET, Case

PAGE, TICKET = Severity.PAGE, Severity.TICKET
RESTARTS = "onecode_worker_restarts_total"
LAG = "onecode_event_loop_lag_seconds_bucket"
TWO_WORKERS = {f'{RESTARTS}{{worker="0"}}': "0x30", f'{RESTARTS}{{worker="1"}}': "0x30"}
FRONT = 'onecode_front_info{front="grpc",reason="%s"}'

CASES = (
    Case("OnecodeDown", PAGE, "is not scraped", {"up": "1 0x20"}, "6m", "a:9464 cannot be scraped"),
    Case(
        "OnecodeDown",
        PAGE,
        "one of two is not scraped",
        {"up": "1 0x20", 'up{instance="b:9464"}': "1x21"},
        "6m",
        "a:9464 cannot be scraped",
    ),
    Case("OnecodeDown", PAGE, "is scraped", {"up": "1x20"}, "20m"),
    Case("OnecodeDown", PAGE, "one scrape fails again and again", {"up": "1 0 1 0 1 0 1 0 1 0 1 0"}, "11m"),
    *(
        Case(
            "Watchdog",
            Severity.NONE,
            what,
            {"up": values},
            "0m",
            "Prometheus evaluates rules for onecode, and Alertmanager is told",
            {"job": "onecode"},
            still="20m",
        )
        for what, values in (("the server is scraped", "1x30"), ("the server is down", "0x30"))
    ),
    Case("Watchdog", Severity.NONE, "there is no server", {"up": "1 stale"}, "5m"),
    Case(
        "OnecodeNoTargets",
        PAGE,
        "both servers are lost",
        {"up": "1 1 1 stale", 'up{instance="b:9464"}': "1 stale"},
        "8m",
        "Prometheus has no server of onecode to scrape any more",
        {"job": "onecode"},
        still="9000m",
    ),
    Case("OnecodeNoTargets", PAGE, "one of two is lost", {"up": "1x30", 'up{instance="b:9464"}': "1 stale"}, "30m"),
    Case("OnecodeNoTargets", PAGE, "it is down, which another alert tells", {"up": "1 0x30"}, "30m"),
    Case(
        "OnecodeNotServing",
        PAGE,
        "no worker serves",
        {"onecode_serving_workers": "2 0x10"},
        "3m",
        "No worker of a:9464 serves",
    ),
    Case("OnecodeNotServing", PAGE, "one worker serves", {"onecode_serving_workers": "2 1x10"}, "10m"),
    Case(
        "OnecodeWorkersMissing",
        TICKET,
        "one of two serves",
        TWO_WORKERS | {"onecode_serving_workers": "2 1x20"},
        "6m",
        "Only 1 of the workers of a:9464 serve",
    ),
    Case("OnecodeWorkersMissing", TICKET, "both serve", TWO_WORKERS | {"onecode_serving_workers": "2x20"}, "20m"),
    Case("OnecodeWorkersMissing", TICKET, "none serves", TWO_WORKERS | {"onecode_serving_workers": "0x20"}, "20m"),
    Case(
        "OnecodeWorkersRestart",
        TICKET,
        "one is replaced three times",
        {f'{RESTARTS}{{worker="0"}}': "0x4 1 2 3x60"},
        "7m",
        "A worker of a:9464 was replaced 3 times within an hour",
    ),
    Case("OnecodeWorkersRestart", TICKET, "one is replaced twice", {f'{RESTARTS}{{worker="0"}}': "0x4 1 2x60"}, "60m"),
    Case(
        "OnecodeWorkersRestart",
        TICKET,
        "each is replaced once",
        {f'{RESTARTS}{{worker="{n}"}}': "0x4 1x60" for n in range(8)},
        "60m",
    ),
    Case(
        "OnecodeCheckBugs",
        TICKET,
        "a check failed",
        {"onecode_check_bugs_total": "0x4 1x60"},
        "5m",
        "The check itself failed for codes on a:9464",
    ),
    Case("OnecodeCheckBugs", TICKET, "none for an hour", {"onecode_check_bugs_total": "7x90"}, "90m"),
    *(
        Case(
            "OnecodeFrontFallback",
            TICKET,
            reason,
            {FRONT % reason: "1x20"},
            "5m",
            f"grpc.aio answers on a:9464 in place of the native front ({reason})",
            TARGET | {"reason": reason},
        )
        for reason in ("does_not_load", "other_version", "self_test")
    ),
    *(
        Case("OnecodeFrontFallback", TICKET, reason, {FRONT % reason: "1x20"}, "20m")
        for reason in ("chosen", "unix_socket", "not_built")
    ),
    Case(
        "OnecodeEventLoopLag",
        TICKET,
        "two timers in a hundred are late",
        {f'{LAG}{{le="0.25"}}': "0+98x40", f'{LAG}{{le="0.5"}}': "0+100x40", f'{LAG}{{le="+Inf"}}': "0+100x40"},
        "16m",
        "The event loop of a:9464 is 375ms late",
    ),
    Case(
        "OnecodeEventLoopLag",
        TICKET,
        "one timer in a hundred is late",
        {f'{LAG}{{le="0.25"}}': "0+99x40", f'{LAG}{{le="0.5"}}': "0+100x40", f'{LAG}{{le="+Inf"}}': "0+100x40"},
        "40m",
    ),
    Case(
        "OnecodeOpenFilesNearLimit",
        TICKET,
        "91 of 100 are open",
        {"onecode_open_files": "91x30", "onecode_open_files_max": "100x30"},
        "15m",
        "A worker of a:9464 has 91% of the files that it may open",
    ),
    Case(
        "OnecodeOpenFilesNearLimit",
        TICKET,
        "90 of 100 are open",
        {"onecode_open_files": "90x30", "onecode_open_files_max": "100x30"},
        "30m",
    ),
)
