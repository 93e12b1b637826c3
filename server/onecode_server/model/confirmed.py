"""What a machine's own marks in the log confirm: as of when it has applied each partition."""

from typing import Final, NamedTuple

from onecode_server.model.partition import ALL

NEVER_S: Final = float("-inf")
"""The time of a partition of which no own mark was applied."""


class Confirmed(NamedTuple):
    """When the newest of this machine's own marks that it has applied was sent, for each partition: monotonic seconds,
    NEVER_S where there is none.

    A machine sends marks to each partition, and the log orders them among all other messages. What was acknowledged
    before a mark was sent therefore stands before it in the log, and was applied with it. The time at which a message
    was fetched proves nothing: a broker that was cut off from the others answers without their newer messages.
    """

    partitions: tuple[float, ...]


NOTHING_CONFIRMED: Final = Confirmed((NEVER_S,) * len(ALL))
"""A machine that has applied no mark of its own, as after its start."""
