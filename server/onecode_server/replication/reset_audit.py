"""The audit entries of revisions that were set back on behalf of this machine.

A writer sends the ResetRecord once its machine has applied the Reset. One that dies in between leaves this to the
replicator, which keeps each own Reset until its record is applied.
"""

import logging
from collections.abc import Callable
from typing import Final

from onecode_server.errors import OnecodeError
from onecode_server.model.partition import DECISIONS
from onecode_server.replication import message_form, outcomes
from onecode_server.replication.apply import AGE_MAX_US
from onecode_server.replication.messages import Reset, ResetRecord, identifier_in
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_transaction import ReplicaTransaction

WRITERS_US: Final = 5_000_000
"""The time for the writer itself, which needs some milliseconds. A record that both send counts once."""
LOOKED_AT_MAX: Final = 64
"""Records that are looked at together, the others behind them: people set revisions back, some in a day."""

_log = logging.getLogger(__name__)


def record_of(asked: Reset, was: int) -> ResetRecord:
    """Return the record of a Reset that was applied; ``was`` is the former revision.

    It has the Reset's time whenever it is sent, so that its identifier is remembered for as long as it is in time.
    """
    identifier = identifier_in(DECISIONS, asked.identifier)
    return ResetRecord(asked.machine, identifier, asked.made_at, asked.rules, asked.reset, asked.by, was)


def note(state: ReplicaTransaction, command: Reset | ResetRecord, own: bytes) -> None:
    """Keep the record of a Reset of this machine (``own``, 16 bytes) that was applied, or let go of it once the record
    is applied itself. In the transaction that applies the command."""
    if command.machine != own:
        return
    if isinstance(command, ResetRecord):
        state.forget_reset_record(command.identifier)
    else:
        try:
            was = outcomes.read_number(state.outcome(command.identifier) or b"")
        except OnecodeError:  # it was refused
            return
        record = record_of(command, was)
        # A machine that reads the log again may have come further in decisions than in the subject's partition.
        is_late = state.partition(DECISIONS).time > record.made_at + AGE_MAX_US
        if not is_late and state.outcome(record.identifier) is None:
            state.put_reset_record(record.identifier, message_form.encode(record))


def send_missing(store: LmdbReplica, now: int, send: Callable[[bytes], object]) -> None:
    """Send the bodies of records whose writers had WRITERS_US for it, at ``now`` (Unix microseconds). To be called
    again until they are applied. Lets go of those that all machines would refuse as too old. Raises
    StoreUnavailable."""
    late: list[bytes] = []
    for identifier, body in store.reset_records(LOOKED_AT_MAX):
        record = message_form.decode(body, DECISIONS)
        if not isinstance(record, ResetRecord) or now - record.made_at > AGE_MAX_US:
            _log.error(
                "a revision was set back, and its audit entry was not written in time: message %s", identifier.hex()
            )
            late.append(identifier)
        elif now - record.made_at >= WRITERS_US:
            send(body)

    def forget(state: ReplicaTransaction) -> None:
        for identifier in late:
            state.forget_reset_record(identifier)

    if late:
        store.apply(forget)
