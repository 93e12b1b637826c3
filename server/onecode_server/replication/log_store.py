"""A worker's store where the machine applies a log: it reads what the replicator has written, and writes to the log."""

from onecode_server.errors import TrustListRefused
from onecode_server.replication.log_writer import LogWriter
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import KnownList


class LogStore(LmdbReplica):
    """``LmdbReplica`` with the one write that is left to a store: the highest trust list goes to all machines."""

    def write_to(self, writer: LogWriter) -> None:
        """Write trust lists with ``writer``, which itself needs this store."""
        self._writer = writer

    async def remember_list(self, candidate: KnownList, time: int) -> KnownList:
        """Bring ``candidate`` to all machines if its version is the highest; return the list that all keep then."""
        known = await self.known_list()
        if known is not None and known.version >= candidate.version:
            return known
        await self._writer.take_list(candidate)
        taken = await self.known_list()
        if taken is None:
            raise TrustListRefused("the log did not keep the trust list")
        return taken

    async def probe(self) -> None:
        """Do nothing: the replicator ends where it cannot write, and tries again."""
