"""The contract of a writer of status records, which the publisher hands them to once their subjects are resolved."""

from collections.abc import Sequence
from typing import Protocol

from onecode_server.rules.publication import Outcome, RevisionReset
from onecode_server.stores.protocol import Publication


class RecordsWriter(Protocol):
    """Writes records by the rules of merging. Its coroutines raise StoreUnavailable."""

    async def write(self, publications: Sequence[Publication]) -> list[Outcome]:
        """Write records, on disk on return. Return the outcome of each, in order: None where it was taken."""
        ...

    async def reset_revision(self, reset: RevisionReset) -> int:
        """Set a revision back, with an audit entry; return the former one. Raises PreconditionFailed, too."""
        ...
