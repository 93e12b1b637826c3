"""A cluster of machines with keys of their own, and a log as applying sees it."""

from typing import NamedTuple

from onecode_server.crypto.signing import Signer
from onecode_server.model.partition import partition_of
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.replication import message_form
from onecode_server.replication.messages import Chunk, Mark, Message, identifier_in
from onecode_server.replication.rule_versions import RULES
from onecode_server.replication.signing import Sealer, certify
from onecode_server.stores.protocol import Publication

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOON = 1_800_000_000 * SECOND
YEAR_LATER = NOON + 365 * 24 * HOUR

CLUSTER = Signer(bytes(range(32)))
FIRST, OTHER = b"first machine...", b"other machine..."


def sealer(machine: bytes, seed: int = 1, cluster: Signer = CLUSTER, not_after: int = YEAR_LATER) -> Sealer:
    """Return what signs the messages of a machine."""
    key = Signer(bytes((seed,)) * 32)
    return Sealer(certify(machine, key.public_key, not_after, cluster), key)


SEALERS = {FIRST: sealer(FIRST, 1), OTHER: sealer(OTHER, 2)}


class Logged(NamedTuple):
    """A message as the log delivers it."""

    partition: int
    offset: int
    epoch: int
    time: int
    value: bytes


def sealed(message: Message, partition: int) -> bytes:
    """Return the bytes of a message of FIRST or OTHER."""
    return SEALERS[message.machine].seal(message_form.encode(message), partition)


def logged(message: Message, partition: int, offset: int = 0, time: int = NOON) -> Logged:
    """Return a message of FIRST or OTHER as the log delivers it."""
    return Logged(partition, offset, 3, time, sealed(message, partition))


def identifier(partition: int, number: int) -> bytes:
    return identifier_in(partition, number.to_bytes(15))


def subject(first: int, rest: int = 0) -> bytes:
    return bytes((first,)) + rest.to_bytes(15)


def record(revision: int = 1, level: Level = Level.RED, effective_at: int = NOON, **more: object) -> StatusRecord:
    made = StatusRecord("420000", Scope.NATIONAL, level, effective_at, None, revision)
    return made._replace(**more)  # type: ignore[arg-type]


def chunk(*publications: Publication, number: int = 1, made_at: int = NOON, machine: bytes = FIRST) -> Chunk:
    """Return a chunk for the partition of its first subject."""
    partition = partition_of(publications[0].subject)
    return Chunk(machine, identifier(partition, number), made_at, RULES, 1, publications)


def mark(offset: int, digest: bytes = bytes(32), machine: bytes = FIRST, audit_head: bytes = bytes(32)) -> Mark:
    return Mark(machine, b"begun...", b"boot id.........", 5 * SECOND, NOON, offset, digest, audit_head)
