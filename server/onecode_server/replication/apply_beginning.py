"""Applies the messages with which a log begins that began with a store.

Decisions begin with the whole audit record and what belongs to it, so that a machine without anything comes to the same
heads by the log alone. Of status records the log has only a digest: a machine gets them with a copy of a store.
"""

from onecode_server.errors import LogBroken
from onecode_server.model import audit
from onecode_server.model.partition_state import INITIAL
from onecode_server.replication import digests
from onecode_server.replication.ignored import Ignored, IgnoredMessage
from onecode_server.replication.messages import Genesis, Origin
from onecode_server.replication.state import ReplicaState
from onecode_server.stores.replica_layout import BegunDecisions
from onecode_server.stores.stored_items import ItemKind


def begun(origin: Origin) -> bytes:
    """Return the digest of a status partition of the store with which its log began."""
    return digests.chained(INITIAL.digest, [digests.of_origin(origin.content, origin.subjects, origin.tokens)])


def expect_begun(digest: bytes) -> None:
    """Pass by the beginning of a status partition whose digest shows that this machine has what is before it.

    Raises LogBroken where it has nothing, and IgnoredMessage otherwise: the message came twice.
    """
    if digest == INITIAL.digest:
        raise LogBroken(
            "the log began with a store whose records are in no message: restore a backup of another machine "
            "('onecode store restore')"
        )
    raise IgnoredMessage(Ignored.REPEATED)


def after(part: Genesis, digest: bytes) -> bytes:
    """Return the digest of decisions after a part."""
    return digests.chained(digest, map(digests.of_item, part.items))


def take_part(state: ReplicaState, part: Genesis, digest: bytes) -> bytes:
    """Write the items of a part, and return the new digest of decisions.

    Only the next part counts, and only while nothing else has changed decisions: nobody brings entries or reports into
    a log that has begun. Raises IgnoredMessage.
    """
    if (part.number, digest) != state.begun():
        raise IgnoredMessage(Ignored.REPEATED)
    last = state.last_entry()
    for item in part.items:
        if item.kind == ItemKind.ENTRY:
            entry = audit.unpack(item.data)
            if not audit.follows(entry, last):
                raise IgnoredMessage(Ignored.MALFORMED)
            last = entry
    for item in part.items:
        state.put_item(item)
    digest = after(part, digest)
    state.set_begun(BegunDecisions(part.number + 1, digest))
    return digest
