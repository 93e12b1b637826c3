"""What counts as a failed call: one expression for the alert, for the panels, and, by a test, for ``onecode top``."""

from typing import Final

API: Final = 'grpc_service=~"onecode[.].+"'
"""The API alone: probes of health would dilute the ratio, and a watch of health ends UNAVAILABLE with each drain."""
FAULTS: Final = ("INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE")
"""The codes that are the server's fault, whatever the caller sent. DEADLINE_EXCEEDED is not among them: the caller
chose its deadline, or sent no request in time; the objective of latency has slow answers."""
OVERLOADS: Final = ("queue_full", "queue_late", "deadline_short", "calls_full", "stream_refused")
"""RESOURCE_EXHAUSTED where the server lacked capacity. The code alone does not tell: a caller beyond its own limit, or
one that takes no answers, gets it as well."""
OVERLOAD: Final = f'reason=~"{"|".join(OVERLOADS)}"'
IDLE: Final = "stream_idle"
"""A stream that its caller left silent for ten minutes ends UNAVAILABLE: at night most gates do that."""

_IDLE: Final = f'reason="{IDLE}"'
_FAULTS: Final = f'grpc_code=~"{"|".join(FAULTS)}"'


def failed_calls(function: str, window: str, by: str = "") -> str:
    """Return how many calls failed within a window, or how many a second. ``function`` is ``increase`` or ``rate``.

    Each server exports all of these series from its start on, so that one that is missing leaves the sum empty. Never
    below 0: an idle stream may be counted as refused one scrape before it is counted as ended.
    """
    refused = "onecode_refused_calls_total"
    return (
        "clamp_min(\n"
        f"  {_sum(function, 'grpc_server_handled_total', f'{API},{_FAULTS}', window, by)}\n"
        f"  + {_sum(function, refused, OVERLOAD, window, by)}\n"
        f"  - {_sum(function, refused, _IDLE, window, by)},\n"
        "  0\n"
        ")"
    )


def failed_ratio(window: str, by: str = "") -> str:
    """Return the part of calls that failed within a window: 0 to 1, and NaN where no call ended.

    The bound of 1 is for streams: each scan of a stream that waits too long is counted as refused, and the stream is
    one call.
    """
    calls = _sum("rate", "grpc_server_handled_total", API, window, by)
    return f"clamp_max(\n{failed_calls('rate', window, by)}\n/ {calls},\n1\n)"


def _sum(function: str, metric: str, matchers: str, window: str, by: str) -> str:
    return f"sum{f' by ({by}) ' if by else ' '}({function}({metric}{{<scope>,{matchers}}}[{window}]))"
