"""Signatures: a message counts for the machine of the cluster that signed it, and in the partition that it is for."""

import pytest

from onecode_server.crypto.signing import Signer
from onecode_server.errors import Malformed
from onecode_server.model.partition import DECISIONS
from onecode_server.model.partition_state import PartitionState
from onecode_server.replication import message_form
from onecode_server.replication.apply import apply
from onecode_server.replication.ignored import Ignored, IgnoredMessage
from onecode_server.replication.messages import NO_OFFSET
from onecode_server.replication.signing import (
    CERTIFICATE_BYTES,
    Sealer,
    certify,
    is_certified,
    open_sealed,
    pack_certificate,
    read_certificate,
)
from onecode_server.stores.protocol import Publication

from tests.unit.replication.cluster import (
    CLUSTER,
    FIRST,
    NOON,
    OTHER,
    SEALERS,
    YEAR_LATER,
    Logged,
    chunk,
    mark,
    record,
    sealed,
    sealer,
    subject,
)
from tests.unit.replication.memory_state import MemoryState

KEY = CLUSTER.public_key
CHUNK = chunk(Publication(subject(3), record()))
BODY = message_form.encode(CHUNK)


def ignored(value: bytes, partition: int = 0, time: int = NOON) -> str:
    """Return why a message is ignored, which must leave nothing but the offset."""
    state = MemoryState()
    found = apply(state, Logged(partition, 0, 3, time, value), KEY)
    assert (found.mark, found.taken) == (None, 0)
    left = MemoryState()
    left.partitions = {partition: PartitionState(1, 3, time, bytes(32))}
    assert state.content() == left.content()
    return found.ignored


def test_a_machines_message_is_opened_with_its_name() -> None:
    assert open_sealed(sealed(CHUNK, 0), 0, KEY, NOON) == (FIRST, BODY)


def test_every_flipped_byte_of_a_signed_message_makes_it_nobodys() -> None:
    value = sealed(CHUNK, 0)
    for place in range(len(value)):
        for flip in (1, 128):
            changed = bytearray(value)
            changed[place] ^= flip
            assert ignored(bytes(changed)) in (Ignored.FOREIGN, Ignored.CERTIFICATE, Ignored.SIGNATURE)


def test_every_shortened_or_lengthened_message_is_nobodys() -> None:
    value = sealed(CHUNK, 0)
    for size in range(len(value)):
        assert ignored(value[:size])
        assert ignored(value + bytes(size + 1)) == Ignored.SIGNATURE


def test_a_message_that_is_moved_to_another_partition_is_nobodys() -> None:
    for partition in range(1, DECISIONS + 1):
        assert ignored(sealed(CHUNK, 0), partition) == Ignored.SIGNATURE
    moved = sealed(mark(NO_OFFSET), 0)
    assert ignored(moved, 1) == Ignored.SIGNATURE


def test_a_message_that_a_machine_signs_for_a_partition_that_is_not_its_subjects_is_ignored() -> None:
    assert ignored(sealed(CHUNK, 1), 1) == Ignored.MALFORMED
    elsewhere = CHUNK._replace(identifier=bytes((1,)) + CHUNK.identifier[1:])
    assert ignored(sealed(elsewhere, 1), 1) == Ignored.MALFORMED


def test_a_certificate_of_another_cluster_counts_nothing() -> None:
    stranger = sealer(FIRST, cluster=Signer(b"another cluster's key is 32 byte"))
    assert ignored(stranger.seal(BODY, 0)) == Ignored.CERTIFICATE


def test_a_certificate_that_a_machine_signed_itself_counts_nothing() -> None:
    key = SEALERS[FIRST].key
    own = Sealer(certify(FIRST, key.public_key, YEAR_LATER, key), key)
    assert ignored(own.seal(BODY, 0)) == Ignored.CERTIFICATE


def test_a_certificate_counts_until_its_end_by_the_logs_clock() -> None:
    short = sealer(FIRST, not_after=NOON)
    assert open_sealed(short.seal(BODY, 0), 0, KEY, NOON).machine == FIRST
    assert ignored(short.seal(BODY, 0), time=NOON + 1) == Ignored.EXPIRED


def test_a_certificate_of_another_machine_does_not_fit_the_signature() -> None:
    borrowed = Sealer(SEALERS[FIRST].certificate, SEALERS[OTHER].key)
    assert ignored(borrowed.seal(BODY, 0)) == Ignored.SIGNATURE


def test_a_machine_cannot_speak_for_another() -> None:
    assert ignored(SEALERS[OTHER].seal(BODY, 0)) == Ignored.OTHER_MACHINE


def test_a_kind_of_message_counts_in_its_own_partitions_only() -> None:
    body = bytearray(message_form.encode(CHUNK))
    body[20] = DECISIONS  # the identifier's partition
    assert ignored(SEALERS[FIRST].seal(bytes(body), DECISIONS), DECISIONS) in (Ignored.MALFORMED, Ignored.MISPLACED)


def test_a_certificate_has_one_form_of_120_bytes() -> None:
    certificate = SEALERS[FIRST].certificate
    packed = pack_certificate(certificate)
    assert (len(packed), CERTIFICATE_BYTES) == (120, 120)
    assert read_certificate(packed) == certificate
    assert is_certified(certificate, KEY)
    for wrong in (packed[:-1], packed + b"\0", b""):
        with pytest.raises(Malformed):
            read_certificate(wrong)
    with pytest.raises(Malformed):
        certify(b"short", certificate.public_key, NOON, CLUSTER)


def test_a_statement_of_one_use_is_no_signature_of_another() -> None:
    """The cluster key signs certificates only: its bytes cannot be read as a message, and the reverse."""
    certificate = SEALERS[FIRST].certificate
    statement = pack_certificate(certificate)[:-64]
    forged = certificate._replace(signature=CLUSTER.sign(statement))
    assert not is_certified(forged, KEY)
    with pytest.raises(IgnoredMessage):
        open_sealed(b"OCL1" + pack_certificate(forged) + bytes(100), 0, KEY, NOON)
