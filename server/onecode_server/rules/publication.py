"""The rules of publication: who may publish which status record, and how a record is merged with earlier ones."""

from collections.abc import Collection, Sequence
from enum import Enum, StrEnum
from operator import attrgetter
from typing import Final, NamedTuple

from onecode_server.errors import PreconditionFailed
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.trust_list import TrustList
from onecode_server.rules import retention

PENDING_MAX: Final = 4
"""Records of one publisher, subject and scope that wait to take effect: enough for a plan of the next days."""
REVISIONS_END: Final = 2**63
FIRST_REVISION_MAX: Final = 2**61
"""The highest first revision: it admits any counter, and times in nanoseconds until 2043."""
RISE_MAX: Final = 2**53
"""The largest rise of a revision: the range in which any program counts exactly. 768 such rises lead from the highest
first revision to the last revision."""
AHEAD_MAX_US: Final = 90 * 86_400 * 1_000_000
"""The longest time between the publication of a record and its effect: a quarantine is announced weeks ahead."""

Records = tuple[StatusRecord, ...]


class Rejection(StrEnum):
    """The rule that a record breaks, with its message. The API uses the same names."""

    UNKNOWN_PUBLISHER = "the publisher is not a region of the trust list"
    INVALID_SUBJECT = "the subject is missing, or its identifier or code is invalid"
    INVALID_SCOPE = "the scope is not NATIONAL or LOCAL"
    INVALID_LEVEL = "the level is not GREEN, YELLOW or RED"
    INVALID_TIME = "the record ends before it takes effect, or takes effect more than 90 days from now"
    INVALID_REVISION = "a revision is from 1 to 2^63 - 1; the first is at most 2^61, and each rises by at most 2^53"
    NOT_THE_HOME = "only the subject's home region or 000000 may publish a NATIONAL record"
    NOT_AN_ADOPTER = "only an adopter may publish a LOCAL record"
    TOO_MANY_PENDING = "too many records of this publisher wait to take effect for this subject"
    REVISION_CONFLICT = "another record of this publisher, subject and scope was published under this revision"
    NOT_PERMITTED = "the caller may not publish for this publisher"
    SUPERSEDED = "a record of this publisher, subject and scope with a higher revision was published before"


class Replay(Enum):
    """The result of ``merge`` for a record that equals a known one."""

    KNOWN = 0


Outcome = Rejection | Replay | None
"""The outcome of a record that was to be written: None where it was taken."""


class RevisionReset(NamedTuple):
    """A revision to be set back: the last one of a publisher, subject (16 bytes) and scope becomes ``to``."""

    subject: bytes
    publisher: str
    scope: Scope
    to: int


def rejection(record: StatusRecord, home: str | None, trust: TrustList) -> Rejection | None:
    """Return the rule that ``record`` breaks, or None. ``home`` is None if only a pseudonym names the subject: a
    verification then counts the record for codes of its publisher only, which enforces NOT_THE_HOME later."""
    publisher = trust.region(record.publisher)
    if publisher is None:
        return Rejection.UNKNOWN_PUBLISHER
    if record.level is Level.UNSPECIFIED:
        return Rejection.INVALID_LEVEL
    if record.expires_at is not None and record.expires_at <= record.effective_at:
        return Rejection.INVALID_TIME
    if not 1 <= record.revision < REVISIONS_END:
        return Rejection.INVALID_REVISION
    if record.scope is Scope.NATIONAL and record.publisher not in (NATIONAL, home or record.publisher):
        return Rejection.NOT_THE_HOME
    if record.scope is Scope.LOCAL and not publisher.adopts_national:
        return Rejection.NOT_AN_ADOPTER
    return None


def merge(records: Records, record: StatusRecord, now: int) -> Records | Rejection | Replay:
    """Return a subject's records including ``record``, or the reason why they do not change.

    ``record.published_at`` is the time of the commit; ``now`` is the writer's clock, which may be behind it. Both are
    Unix microseconds.

    The result keeps the newest record that took effect ``retention.LAG_US`` ago or earlier, and all with a higher
    revision. A reader chooses among them by its own clock: an announcement does not lift the record in effect, and a
    writer whose clock is ahead removes no record that still counts for a reader.
    """
    if not records:  # most subjects have their first record: none of the steps below can change it
        return _out_of_bounds((), record) or (record,)
    content = record[:-1]  # all but published_at
    for known in records:
        if known[:-1] == content:
            return Replay.KNOWN
    mine = _below_the_end(_own(records, record.publisher, record.scope))
    if broken := _out_of_bounds(mine, record):
        return broken
    others: Records = ()
    if len(mine) < len(records):
        others = tuple(r for r in records if (r.publisher, r.scope) != (record.publisher, record.scope))
    mine.append(record)
    kept = retention.since_lag(mine, now)
    if len(kept) > PENDING_MAX and len(retention.waiting(kept, now)) > PENDING_MAX:
        return Rejection.TOO_MANY_PENDING
    return (*others, *retention.bounded(kept, now))


def alive(records: Records, now: int) -> Records:
    """Return the records that count at ``now`` or may count later: for each publisher and scope the newest that has
    taken effect, expired or not, and the pending ones. The others are kept for readers whose clocks are behind."""
    newest: dict[tuple[str, Scope], int] = {}
    for record in records:
        if record.effective_at <= now:
            key = record.publisher, record.scope
            newest[key] = max(record.revision, newest.get(key, 0))
    return tuple(r for r in records if r.revision >= newest.get((r.publisher, r.scope), 0))


def set_back(records: Records, publisher: str, scope: Scope, to: int) -> Records:
    """Return a subject's records with the highest revision of a publisher in a scope set back to ``to``.

    All records keep their levels, times and order. Earlier revisions that would not be below ``to`` count down from
    it. The publisher's next revision is then the first above ``to``.

    Raises PreconditionFailed if there is no record, if ``to`` is not lower than the highest revision, or if there are
    not enough revisions below it for the earlier records.
    """
    mine = _own(records, publisher, scope)
    if not mine:
        raise PreconditionFailed("NO_RECORD", f"{publisher} has published no {scope.name} record of this subject")
    if to >= mine[-1].revision:
        raise PreconditionFailed("NOT_BACK", f"the last revision is {mine[-1].revision}: it can only be set back")
    if to < len(mine) - 1:
        raise PreconditionFailed(
            "NO_ROOM", f"{len(mine)} records keep their order: the revision must be {len(mine) - 1} or more"
        )
    return (*(r for r in records if (r.publisher, r.scope) != (publisher, scope)), *_counted_down(mine, to))


def joined(records: Records, copies: Records, now: int) -> Records:
    """Return the records of two pseudonyms of the same subject as one, within the bounds of ``merge``.

    If two records have the same revision, the more severe one is kept; of equally severe ones the one that takes effect
    later, and of these the one that ends later. The revisions of the two were counted apart, so
    they are assigned anew in the order in which the records take effect: the last to take effect is the newest. If
    ``records`` is empty, all copies are kept.
    """
    if not records:
        return copies
    result: Records = ()
    by_place: dict[tuple[str, Scope, int], StatusRecord] = {}
    for record in (*records, *copies):
        place = record.publisher, record.scope, record.revision
        by_place[place] = max(by_place.get(place, record), record, key=_weight)
    stays = set(by_place.values())
    for publisher, scope in dict.fromkeys((publisher, scope) for publisher, scope, _ in by_place):
        either = {
            record
            for part in (records, copies)
            for record in _not_overtaken(_own([r for r in part if r in stays], publisher, scope))
        }
        mine = _in_order_of_effect(either)
        result += tuple(retention.bounded(retention.since_lag(mine, now), now))
    return result


def _weight(record: StatusRecord) -> tuple[int, int, bool, int]:
    """Return what decides between two records of the same revision: level, beginning, end."""
    return record.level, record.effective_at, record.expires_at is None, record.expires_at or 0


def _not_overtaken(mine: Sequence[StatusRecord]) -> list[StatusRecord]:
    """Return records, ordered by revision, without those that no reader selects at any time: a record of a higher
    revision takes effect at the same time or earlier."""
    return [r for at, r in enumerate(mine) if all(later.effective_at > r.effective_at for later in mine[at + 1 :])]


def _in_order_of_effect(records: Collection[StatusRecord]) -> list[StatusRecord]:
    """Return records in the order in which they take effect, with their revisions assigned anew in that order. Of
    records that take effect together the most severe is last."""
    mine = sorted(records, key=lambda r: (r.effective_at, r.level, r.revision))
    revisions = sorted(r.revision for r in mine)
    return [r._replace(revision=revision) for r, revision in zip(mine, revisions, strict=True)]


def _own(records: Sequence[StatusRecord], publisher: str, scope: Scope) -> list[StatusRecord]:
    """Return the records of a publisher in a scope, the highest revision last."""
    mine = [r for r in records if r.publisher == publisher and r.scope is scope]
    if len(mine) > 1:
        mine.sort(key=attrgetter("revision"))
    return mine


def _below_the_end(mine: list[StatusRecord]) -> list[StatusRecord]:
    """Return records, ordered by revision, with impossible revisions set back to the highest possible one.

    Stores written before revisions had a bound may hold 2^64 - 1, and no later revision could be published after it.
    """
    if not mine or mine[-1].revision < REVISIONS_END:
        return mine
    possible = max((r.revision for r in mine if r.revision < REVISIONS_END), default=0)
    return _counted_down(mine, max(possible, len(mine) - 1))


def _counted_down(mine: Sequence[StatusRecord], to: int) -> list[StatusRecord]:
    """Return records, ordered by revision, with the revision ``to`` for the last one and lower revisions for the
    earlier ones: their own where these are low enough."""
    counted, revision = list(mine), to
    for place in range(len(mine) - 1, -1, -1):
        revision = min(revision, mine[place].revision)
        counted[place] = mine[place]._replace(revision=revision)
        revision -= 1
    return counted


def _out_of_bounds(mine: Sequence[StatusRecord], record: StatusRecord) -> Rejection | None:
    if record.effective_at > record.published_at + AHEAD_MAX_US:
        return Rejection.INVALID_TIME
    if not mine:
        return Rejection.INVALID_REVISION if record.revision > FIRST_REVISION_MAX else None
    for known in mine:
        if known.revision == record.revision:
            return Rejection.REVISION_CONFLICT
    if record.revision < mine[-1].revision:
        return Rejection.SUPERSEDED
    return Rejection.INVALID_REVISION if record.revision - mine[-1].revision > RISE_MAX else None
