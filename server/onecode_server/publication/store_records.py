"""The status records of a machine that has a store of its own: they are merged inside the store's transaction."""

from collections.abc import Sequence

from onecode_server.model.status import StatusRecord
from onecode_server.rules.publication import Outcome, Rejection, Replay, RevisionReset, merge, set_back
from onecode_server.stores.protocol import Publication, Records, RecordsChange, WritableStore
from onecode_server.system.clock import Clock


class StoreRecords:
    """Writes records to a store, as a ``records_writer.RecordsWriter``. ``clock`` returns Unix microseconds."""

    def __init__(self, store: WritableStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def write(self, publications: Sequence[Publication]) -> list[Outcome]:
        """Write records in one commit, on disk on return; return the outcome of each. Raises StoreUnavailable."""
        outcomes: list[Outcome] = []

        def join(known: Records, record: StatusRecord) -> Records | None:
            # The clock is read inside the transaction, so that the wait for it does not make the time too old.
            joined = merge(known, record, self._clock())
            if isinstance(joined, Rejection):
                outcomes.append(joined)
                return None
            if isinstance(joined, Replay):
                outcomes.append(joined)
                return known
            outcomes.append(None)
            return joined

        await self._store.publish(publications, join)
        return outcomes

    async def reset_revision(self, reset: RevisionReset) -> int:
        """Set a revision back, with an audit entry; return the former one. Raises PreconditionFailed,
        StoreUnavailable."""
        publisher, scope, was = reset.publisher, reset.scope, 0

        def change(known: Records) -> RecordsChange:
            nonlocal was
            records = set_back(known, publisher, scope, reset.to)
            was = max(r.revision for r in known if (r.publisher, r.scope) == (publisher, scope))
            details = {"publisher": publisher, "scope": scope.name, "from": was, "to": reset.to}
            return RecordsChange(records, "revision reset", details)

        await self._store.amend(reset.subject, change)
        return was
