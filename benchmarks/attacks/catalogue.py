"""All attacks, by name."""

from typing import Final

from benchmarks.attacks import calls, floods, holds
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
    )
}
"""Their docstrings say what each does, for the report."""

NEEDS_NATIVE_FRONT: Final[dict[str, str]] = {
    "more-resets": "each call costs grpcio some 40 us until it is seen to be reset: others wait longer, and none fails",
    "resets-from-many": (
        "gRPC's core takes calls on faster than Python can see that they are reset, and bounds them by connection alone"
    ),
    "unread-calls": (
        "nothing in grpcio ends a call that was answered and whose caller neither reads nor leaves, and its own bound "
        "on calls refuses everybody"
    ),
}
"""What grpcio gives no means to bound, by attack, with the reason. Such a row is measured and does not fail the run."""
