"""The messages of the replicated log. ``message_form`` writes and reads their bytes, ``signing`` signs them.

In all of them ``machine`` (16 bytes) is the machine that wrote the message. Those that ask for a change are commands:
``identifier`` (16 bytes, ``identifier_in``) is drawn anew for each, ``made_at`` is the writer's clock (Unix
microseconds), and ``rules`` is the version of the rules under which it is to be applied.
"""

from typing import Final, NamedTuple

from onecode_server.recognition.steps import Step
from onecode_server.replication.fields import IDENTIFIER_BYTES
from onecode_server.rules.publication import RevisionReset
from onecode_server.stores.protocol import KnownList, Publication
from onecode_server.stores.stored_items import StoredItem

CHUNK_BYTES_MAX: Final = 64 * 1024
"""The longest message of a chunk: some hundred times the cost of a message alone is spread over its records, and a
machine that reads twelve partitions holds little."""
CHUNK_RECORDS_MAX: Final = 1000
"""The records of a chunk. Each takes at most 60 bytes, so that these always fit."""
DECISION_BYTES_MAX: Final = 960 * 1024
"""The longest message in the partition of decisions, whose longest content is a trust list: room for some 3,000 keys,
and below the 1 MiB that brokers take by default."""
RANDOM_BYTES: Final = IDENTIFIER_BYTES - 1
NO_OFFSET: Final = -1


class Chunk(NamedTuple):
    """Status records to publish, all of subjects of one partition. ``trust_version`` is the version of the trust list
    by which the writer checked them."""

    machine: bytes
    identifier: bytes
    made_at: int
    rules: int
    trust_version: int
    publications: tuple[Publication, ...]


class Reset(NamedTuple):
    """Sets a revision back, in the partition of its subject. ``by`` is who asked for it, as text."""

    machine: bytes
    identifier: bytes
    made_at: int
    rules: int
    reset: RevisionReset
    by: str


class Mark(NamedTuple):
    """Shows its sender how fresh its own copy is, and all machines whether their copies are equal.

    ``incarnation`` (8 bytes) is drawn anew by each start of a replicator, ``boot`` (16) is the machine's boot id: only
    within one boot can ``sent_monotonic_us`` be compared. ``sent_at`` is the sender's clock (Unix microseconds).
    ``digest`` (and in decisions ``audit_head``, 32 bytes each, otherwise zeros) is the sender's after it applied the
    mark at ``offset``; NO_OFFSET where it has applied none. ``knows`` is the latest version of the rules that the
    sender's program knows, 0 in marks of programs that did not say.
    """

    machine: bytes
    incarnation: bytes
    boot: bytes
    sent_monotonic_us: int
    sent_at: int
    offset: int
    digest: bytes
    audit_head: bytes
    knows: int = 0


class StepCommand(NamedTuple):
    """A step of a recognition exception, in the partition of decisions: the rules decide it when it is applied."""

    machine: bytes
    identifier: bytes
    made_at: int
    rules: int
    step: Step


class ListCommand(NamedTuple):
    """A trust list that a machine has taken, in the partition of decisions."""

    machine: bytes
    identifier: bytes
    made_at: int
    rules: int
    known: KnownList


class ResetRecord(NamedTuple):
    """The audit entry of a Reset that was applied: ``was`` is the former revision. Its identifier is the Reset's, for
    the partition of decisions (``identifier_in``), so that a repeated one adds no second entry."""

    machine: bytes
    identifier: bytes
    made_at: int
    rules: int
    reset: RevisionReset
    by: str
    was: int


class RulesCommand(NamedTuple):
    """From here on machines write under version ``to`` of the rules."""

    machine: bytes
    identifier: bytes
    made_at: int
    rules: int
    to: int


class Origin(NamedTuple):
    """The beginning of a status partition of a log that began with a store. No message has what the store had of it: so
    many subjects and tokens, with the digest ``content`` (32 bytes, ``stores.lmdb_contents``)."""

    machine: bytes
    subjects: int
    tokens: int
    content: bytes


class Genesis(NamedTuple):
    """A part of what a store had of decisions before its log began: the audit record, the reports, the results of
    request ids and the trust list. ``number`` counts parts from 0, which stand in order at the log's beginning."""

    machine: bytes
    number: int
    items: tuple[StoredItem, ...]


Command = Chunk | Reset | StepCommand | ListCommand | ResetRecord | RulesCommand
Beginning = Origin | Genesis
Message = Command | Mark | Beginning


def identifier_in(partition: int, random: bytes) -> bytes:
    """Return the identifier of a command for ``partition``, from 15 random bytes.

    It begins with the partition: the same identifier can then never stand in two partitions, whose messages reach each
    machine in another order.
    """
    return bytes((partition,)) + random[-RANDOM_BYTES:]
