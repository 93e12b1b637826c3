"""All attacks, by name."""

from typing import Final

from benchmarks.attacks import calls, floods, holds, secured
from benchmarks.attacks.target import Attack

ATTACKS: Final[dict[str, Attack]] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        floods.resets,
        floods.more_resets,
        floods.resets_from_many,
        floods.pings,
        floods.settings,
        floods.priorities,
        floods.empty_data,
        floods.continuations,
        floods.strangers,
        floods.connections,
        holds.idle_calls,
        holds.idle_streams,
        holds.idle_publications,
        holds.idle_watches,
        holds.half_requests,
        holds.unread_stream,
        holds.unread_scans,
        holds.unread_batches,
        holds.unread_calls,
        calls.large_codes,
        calls.publishers,
        calls.reports,
        calls.acknowledgements,
        calls.lists,
        calls.batches,
        calls.malformed,
        calls.page,
        secured.handshakes,
        secured.client_hellos,
        secured.half_handshakes,
        secured.bad_tokens,
        secured.revoked,
    )
}
"""Their docstrings say what each does, for the report."""

SECURED: Final = {
    "handshakes": "certificate",
    "client-hellos": "certificate",
    "half-handshakes": "certificate",
    "bad-tokens": "token",
    "revoked": "certificate",
}
"""What the callers of a server must show that is attacked so. The others speak plaintext, and show nothing."""

_CALLS: Final = (
    "a thousand calls a second that are refused take half of a 2.8 GHz core: a grpc.aio server that does nothing else "
    "refuses as many unknown methods with 47 % of it, and polite calls to that server wait 34 ms (p99)"
)
_STREAMS: Final = (
    "400 streams of records have polite calls wait 37 ms (p99) on a grpc.aio server too that answers each record with "
    "an empty message"
)
_RESETS: Final = (
    "a call costs grpcio 100 to 180 us until it is seen to be reset: a grpc.aio server that does nothing else needs "
    "nine tenths of a 2.8 GHz core for 5,000 a second"
)
NEEDS_NATIVE_FRONT: Final[dict[str, tuple[frozenset[str], str]]] = {
    "resets": (frozenset({"p99"}), _RESETS),
    "more-resets": (frozenset({"p99"}), _RESETS),
    "resets-from-many": (
        frozenset({"p99", "errors", "memory"}),
        "gRPC's core takes on calls faster than Python can see that they are reset, and bounds them by connection only",
    ),
    **dict.fromkeys(
        ("idle-calls", "idle-streams", "idle-publications", "idle-watches", "half-requests"),
        (frozenset({"p99"}), _CALLS),
    ),
    "publishers": (frozenset({"p99"}), _STREAMS),
    "unread-calls": (
        frozenset({"p99", "errors", "memory"}),
        "nothing in grpcio ends a call that was answered and whose caller neither reads nor leaves, and its own bound "
        "on calls refuses everybody",
    ),
    "malformed": (
        frozenset({"memory"}),
        "grpcio has each message three times as it hands it over: a server that only drops messages of 4 MB grows by "
        "30 MB beside one connection, and by 70 MB beside four",
    ),
}
"""What grpcio gives no means to bound, by attack: the bars that ``--front grpc`` does not hold, and why. They are
measured, and do not fail the run; another bar of the same attack does. The native front is excused from none."""


def excused(name: str, front: str) -> frozenset[str]:
    """Return the bars that an attack may break: what grpcio gives no means to bound, and of the native front none."""
    return NEEDS_NATIVE_FRONT[name][0] if front == "grpc" and name in NEEDS_NATIVE_FRONT else frozenset()
