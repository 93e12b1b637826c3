"""The form of messages: each has one, and no other bytes are read as a message."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.errors import Malformed
from onecode_server.model import audit
from onecode_server.model.identity import Identity, Role
from onecode_server.model.partition import DECISIONS, partition_of
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.recognition.steps import Acknowledge, Report, Withdraw
from onecode_server.replication import message_form
from onecode_server.replication.messages import (
    CHUNK_BYTES_MAX,
    CHUNK_RECORDS_MAX,
    DECISION_BYTES_MAX,
    NO_OFFSET,
    Chunk,
    Genesis,
    ListCommand,
    Mark,
    Message,
    Origin,
    Reset,
    ResetRecord,
    RulesCommand,
    StepCommand,
    identifier_in,
)
from onecode_server.replication.rule_versions import RULES, UnknownRules
from onecode_server.replication.signing import ENVELOPE_BYTES
from onecode_server.rules.publication import RevisionReset
from onecode_server.stores import layout
from onecode_server.stores.protocol import AnsweredRequest, KnownList, Publication, TokenKey
from onecode_server.stores.stored_items import ItemKind, StoredItem

from tests.unit.replication.cluster import FIRST, HOUR, NOON, chunk, mark, record, subject

YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999

times = st.integers(YEAR_1, YEAR_9999) | st.integers(NOON - HOUR, NOON + HOUR)
bytes_16 = st.binary(min_size=16, max_size=16)
regions = st.integers(0, 999_999).map("{:06d}".format)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def publications(draw: Any, partition: int) -> Publication:
    low, high = -(-partition * 256 // 12), -(-(partition + 1) * 256 // 12) - 1
    of = bytes((draw(st.integers(low, high)),)) + draw(st.binary(min_size=15, max_size=15))
    effective_at = draw(times.filter(lambda time: time < YEAR_9999))
    ends = draw(st.none() | st.integers(effective_at + 1, YEAR_9999))
    scope, level = draw(st.sampled_from(list(Scope))), draw(st.sampled_from(list(Level)[1:]))
    one = StatusRecord(draw(regions), scope, level, effective_at, ends, draw(st.integers(1, 2**63 - 1)))
    rest = draw(st.none() | bytes_16) if scope is Scope.NATIONAL else None
    return Publication(of, one, None if rest is None else TokenKey(one.publisher, of + rest))


identities = st.builds(Identity, st.sampled_from(list(Role)), regions | st.just(""), words, words)
steps = st.one_of(
    st.builds(Report, identities, words, regions, regions, words, times, times, words),
    st.builds(Acknowledge, identities, words, words),
    st.builds(Withdraw, identities, words, words),
)
resets = st.builds(RevisionReset, bytes_16, regions, st.sampled_from(list(Scope)), st.integers(0, 2**63 - 1))
numbers = st.integers(0, 2**64 - 1)
answers = st.builds(AnsweredRequest, words, st.binary(max_size=9), words, times).map(layout.pack_answered)
items = st.one_of(
    st.binary(min_size=40, max_size=60).map(lambda data: StoredItem(ItemKind.LIST, b"", data)),
    st.builds(StoredItem, st.just(ItemKind.REQUEST), st.binary(min_size=1, max_size=20), answers),
    st.builds(audit.chain, st.none(), times, words, words, st.dictionaries(words, words, max_size=2)).map(
        lambda entry: StoredItem(ItemKind.ENTRY, layout.number(entry.number), audit.pack(entry))
    ),
)


@st.composite
def messages(draw: Any) -> tuple[Message, int]:
    """Return a message, and a partition that it may stand in."""
    partition = draw(st.integers(0, DECISIONS - 1))
    digests = st.binary(min_size=32, max_size=32)
    if draw(st.booleans()):
        head = draw(bytes_16), identifier_in(partition, draw(bytes_16)), draw(times), RULES
        if draw(st.booleans()):
            found = draw(st.lists(publications(partition), min_size=1, max_size=4))
            return Chunk(*head, draw(numbers), tuple(found)), partition
        if draw(st.booleans()):
            return Origin(head[0], draw(numbers), draw(numbers), draw(digests)), partition
        return Reset(*head, draw(resets), draw(words)), partition
    if draw(st.booleans()):
        where = draw(st.sampled_from([partition, DECISIONS]))
        head_digest = draw(digests) if where == DECISIONS else bytes(32)
        sender = draw(bytes_16), draw(bytes_16)[:8], draw(bytes_16), draw(numbers), draw(times)
        offset, knows = draw(st.integers(NO_OFFSET, 2**63)), draw(st.integers(0, 2**16 - 1))
        return Mark(*sender, offset, draw(digests), head_digest, knows), where
    head = draw(bytes_16), identifier_in(DECISIONS, draw(bytes_16)), draw(times), RULES
    of_decisions: list[st.SearchStrategy[Message]] = [
        st.builds(StepCommand, *map(st.just, head), steps),
        st.builds(ListCommand, *map(st.just, head), st.builds(KnownList, numbers, digests, st.binary(max_size=99))),
        st.builds(ResetRecord, *map(st.just, head), resets, words, numbers),
        st.builds(RulesCommand, *map(st.just, head), st.integers(0, 2**16 - 1)),
        st.builds(Genesis, st.just(head[0]), numbers, st.lists(items, max_size=3).map(tuple)),
    ]
    return draw(st.one_of(of_decisions)), DECISIONS


@given(messages())
@settings(max_examples=100)
def test_a_message_is_read_as_it_was_written(given_message: tuple[Message, int]) -> None:
    message, partition = given_message
    # As text, which tells an Acknowledge from a Withdraw: as tuples they are equal.
    assert repr(message_form.decode(message_form.encode(message), partition)) == repr(message)


@given(messages(), st.data())
@settings(max_examples=100)
def test_changed_bytes_are_refused_or_are_the_one_form_of_another_message(
    given_message: tuple[Message, int], data: st.DataObject
) -> None:
    message, partition = given_message
    body = bytearray(message_form.encode(message))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    try:
        found = message_form.decode(bytes(body), partition)
    except (Malformed, UnknownRules):
        return
    assert repr(found) != repr(message)
    assert message_form.encode(found) == body


@given(messages(), st.binary(min_size=1, max_size=40))
@settings(max_examples=50)
def test_cut_off_or_lengthened_bytes_are_at_most_a_chunk_of_fewer_or_more_records(
    given_message: tuple[Message, int], more: bytes
) -> None:
    message, partition = given_message
    body = message_form.encode(message)
    for wrong in [body[:size] for size in range(len(body))] + [body + more]:
        try:
            found = message_form.decode(wrong, partition)
        except (Malformed, UnknownRules):
            continue
        assert isinstance(found, Chunk)
        assert isinstance(message, Chunk)
        assert len(found.publications) != len(message.publications)


@given(st.binary(max_size=300), st.integers(0, DECISIONS))
@settings(max_examples=50)
def test_noise_is_refused(noise: bytes, partition: int) -> None:
    for kind in range(10):
        body = bytes((1, kind)) + noise
        try:
            found = message_form.decode(body, partition)
        except (Malformed, UnknownRules):
            continue
        assert message_form.encode(found) == body


def test_as_many_records_as_a_chunk_may_have_fit_at_their_longest() -> None:
    of = subject(3)
    one = Publication(of, record(2**62, expires_at=NOON + 1), TokenKey("420000", of + bytes(16)))
    body = message_form.encode(chunk(*[one] * CHUNK_RECORDS_MAX))
    assert ENVELOPE_BYTES + len(body) <= CHUNK_BYTES_MAX
    assert len(message_form.decode(body, 0).publications) == CHUNK_RECORDS_MAX  # type: ignore[union-attr]
    with pytest.raises(Malformed, match="1 to 1000 records"):
        message_form.decode(message_form.encode(chunk(*[one._replace(token=None)] * (CHUNK_RECORDS_MAX + 1))), 0)
    with pytest.raises(Malformed, match="too long"):
        message_form.encode(chunk(*[one] * (CHUNK_RECORDS_MAX + 200)))


def test_a_trust_list_that_is_longer_than_a_message_is_refused_in_one_line() -> None:
    known = KnownList(1, bytes(32), bytes(DECISION_BYTES_MAX))
    with pytest.raises(Malformed, match="a message is too long"):
        message_form.encode(ListCommand(FIRST, identifier_in(DECISIONS, bytes(15)), NOON, RULES, known))


OF, REST = subject(3), b"second half....."
BROKEN = {
    "an unknown level": Publication(OF, record(level=Level.UNSPECIFIED)),
    "revision 0": Publication(OF, record(0)),
    "a revision past the last": Publication(OF, record(2**63)),
    "an end before the beginning": Publication(OF, record(expires_at=NOON)),
    "a subject of another partition": Publication(subject(250), record()),
    "a subject of 15 bytes": Publication(OF[1:], record()),
    "a publisher of seven digits": Publication(OF, record(publisher="1000000")),
    "a time before the year 1": Publication(OF, record(effective_at=YEAR_1 - 1)),
    "a revision of 65 bits": Publication(OF, record(2**64)),
    "a token of another subject": Publication(OF, record(), TokenKey("420000", subject(4) + REST)),
    "a token of another region": Publication(OF, record(), TokenKey("310000", OF + REST)),
    "a LOCAL token": Publication(OF, record(scope=Scope.LOCAL), TokenKey("420000", OF + REST)),
}


@pytest.mark.parametrize("publication", BROKEN.values(), ids=BROKEN)
def test_a_record_that_breaks_the_form_is_not_written_or_not_read(publication: Publication) -> None:
    good = Publication(OF, record())
    with pytest.raises(Malformed):
        message_form.decode(message_form.encode(chunk(good, publication)), partition_of(OF))


@pytest.mark.parametrize(
    ("place", "value"), [(0, 2), (1, 0), (1, 99), (3, 2)], ids=["form", "no kind", "kind", "rules"]
)
def test_a_message_of_a_later_program_says_that_a_later_program_is_needed(place: int, value: int) -> None:
    body = bytearray(message_form.encode(chunk(Publication(OF, record()))))
    body[place] = value
    with pytest.raises(UnknownRules, match="install the version of onecode that the other machines run"):
        message_form.decode(bytes(body), 0)


def test_a_mark_is_read_whatever_rules_its_sender_knows_and_the_beginning_of_a_log_is_under_none() -> None:
    later = mark(0)._replace(knows=RULES + 1)
    assert message_form.decode(message_form.encode(later), 0) == later
    body = bytearray(message_form.encode(Origin(FIRST, 1, 0, bytes(32))))
    body[3] = RULES
    with pytest.raises(Malformed, match="the beginning of a log is under no rules"):
        message_form.decode(bytes(body), 0)


def test_only_marks_of_decisions_have_an_audit_head() -> None:
    body = message_form.encode(mark(0, audit_head=b"x" * 32))
    assert message_form.decode(body, DECISIONS) == mark(0, audit_head=b"x" * 32)
    with pytest.raises(Malformed, match="audit head"):
        message_form.decode(body, 0)
