"""Who may publish which status record, and how a new record joins the ones before it."""

from collections.abc import Collection, Sequence
from enum import Enum, StrEnum
from typing import Final

from onecode_server.errors import PreconditionFailed
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import UNPUBLISHED, Level, Scope, StatusRecord
from onecode_server.model.trust_list import TrustList

PENDING_MAX: Final = 4
"""Records of one publisher, subject and scope that wait to take effect: a plan for the days ahead, not a diary."""
RECENT_MAX: Final = 8
"""Records of one publisher, subject and scope that are kept besides, for readers whose clocks are behind. Nobody's
health is stated anew every minute; with those that wait they take some 300 bytes."""
LAG_US: Final = 600_000_000
"""Ten minutes by which a reader's clock may be behind that of whoever writes: what was in effect then is kept."""
REVISIONS_END: Final = 2**63
FIRST_REVISION_MAX: Final = 2**61
"""Room for any counter, and for times in nanoseconds until 2043."""
RISE_MAX: Final = 2**53
"""What any program counts exactly. It takes 768 of them from the highest first revision to the last one."""
AHEAD_MAX_US: Final = 90 * 86_400 * 1_000_000
"""How long before it takes effect a record may be published: a quarantine is announced for weeks."""

Records = tuple[StatusRecord, ...]


class Rejection(StrEnum):
    """The rule that a record broke, in words for people. The names are the wire's."""

    UNKNOWN_PUBLISHER = "the publisher is not a region of the trust list"
    INVALID_SUBJECT = "the subject is missing, or what names it cannot be read"
    INVALID_SCOPE = "the scope is not NATIONAL or LOCAL"
    INVALID_LEVEL = "the level is not GREEN, YELLOW or RED"
    INVALID_TIME = "the record ends before it takes effect, or takes effect more than 90 days from now"
    INVALID_REVISION = "a revision is from 1 to 2^63 - 1; the first is at most 2^61, and each rises by at most 2^53"
    NOT_THE_HOME = "a NATIONAL record comes from the subject's home region or from 000000 only"
    NOT_AN_ADOPTER = "a LOCAL record comes from an adopter only: no code upon a code"
    TOO_MANY_PENDING = "too many records of this publisher wait to take effect for this subject"
    REVISION_CONFLICT = "another record of this publisher, subject and scope was published under this revision"
    SUPERSEDED = "a record of this publisher, subject and scope with a higher revision was published before"


class Replay(Enum):
    """What ``merge`` answers to a record that is known already, word for word."""

    KNOWN = 0


def rejection(record: StatusRecord, home: str | None, trust: TrustList) -> Rejection | None:
    """Return the rule that ``record`` breaks, or None. ``home`` is None where a pseudonym alone names the subject:
    a record then counts for codes of its publisher only, which is the same rule kept later."""
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
    """Return a subject's records with ``record`` among them, or why they stay as they are.

    ``record.published_at`` is the time of the commit; ``now`` is the writer's clock, which may be behind it. Both are
    Unix microseconds.

    Kept are the newest record that took effect LAG_US ago or earlier, and all with a higher revision: whoever reads
    chooses among them by a clock of their own, so that an announcement never lifts what holds today, and a writer whose
    clock is ahead takes nothing away that still counts elsewhere.
    """
    if any(_is_same(known, record) for known in records):
        return Replay.KNOWN
    mine = _below_the_end(_own(records, record.publisher, record.scope))
    if broken := _out_of_bounds(mine, record):
        return broken
    others = tuple(r for r in records if (r.publisher, r.scope) != (record.publisher, record.scope))
    mine.append(record)
    past = [r.revision for r in mine if r.effective_at <= now - LAG_US]
    kept = [r for r in mine if not past or r.revision >= past[-1]]
    if len(_waiting(kept, now)) > PENDING_MAX:
        return Rejection.TOO_MANY_PENDING
    return (*others, *_bounded(kept, now))


def alive(records: Records, now: int) -> Records:
    """Return the records that count at ``now`` or may count later: of each publisher and scope the newest whose time
    has come, expired or not, and those that wait. The others are there for clocks that are behind."""
    newest: dict[tuple[str, Scope], int] = {}
    for record in records:
        if record.effective_at <= now:
            who = record.publisher, record.scope
            newest[who] = max(record.revision, newest.get(who, 0))
    return tuple(r for r in records if r.revision >= newest.get((r.publisher, r.scope), 0))


def set_back(records: Records, publisher: str, scope: Scope, to: int) -> Records:
    """Return a subject's records with the highest revision of a publisher in a scope set back to ``to``.

    All records stay, with their levels and times, and in their order: where revisions before the highest are not below
    it any more, they count down from it. So the publisher's next revision is the first above ``to``.

    Raises PreconditionFailed where there is no record, where ``to`` is not lower than the highest revision, and where
    it leaves no room below it for the records before.
    """
    mine = _own(records, publisher, scope)
    if not mine:
        raise PreconditionFailed("NO_RECORD", f"{publisher} has published no {scope.name} record of this subject")
    if to >= mine[-1].revision:
        raise PreconditionFailed("NOT_BACK", f"the last revision is {mine[-1].revision}: it is set back, never forward")
    if to < len(mine) - 1:
        raise PreconditionFailed(
            "NO_ROOM", f"{len(mine)} records are kept in their order: give {len(mine) - 1} or more"
        )
    return (*(r for r in records if (r.publisher, r.scope) != (publisher, scope)), *_counted_down(mine, to))


def joined(records: Records, copies: Records, now: int) -> Records:
    """Return a subject's records and those of another that turned out to be the same subject, under merge's bounds.

    Of two under one revision the more severe stays. The two were counted apart: what took effect last is the last word,
    whatever its revision, so that the revisions are dealt out anew in that order. Where there are none yet, all copies
    are kept.
    """
    if not records:
        return copies
    result: Records = ()
    by_place: dict[tuple[str, Scope, int], StatusRecord] = {}
    for record in (*records, *copies):
        place = record.publisher, record.scope, record.revision
        known = by_place.get(place)
        if known is None or record.level > known.level:
            by_place[place] = record
    stays = set(by_place.values())
    for publisher, scope in dict.fromkeys((publisher, scope) for publisher, scope, _ in by_place):
        either = {
            record
            for part in (records, copies)
            for record in _not_overtaken(_own([r for r in part if r in stays], publisher, scope))
        }
        mine = _in_order_of_effect(either)
        past = [r.revision for r in mine if r.effective_at <= now - LAG_US]
        result += tuple(_bounded([r for r in mine if not past or r.revision >= past[-1]], now))
    return result


def _not_overtaken(mine: Sequence[StatusRecord]) -> list[StatusRecord]:
    """Return records, ordered by revision, without those that no clock finds: a later one took effect no later."""
    return [r for at, r in enumerate(mine) if all(later.effective_at > r.effective_at for later in mine[at + 1 :])]


def _in_order_of_effect(records: Collection[StatusRecord]) -> list[StatusRecord]:
    """Return records as they take effect, the most severe last of those that do so together, with the revisions that
    they have between them in that order."""
    mine = sorted(records, key=lambda r: (r.effective_at, r.level, r.revision))
    revisions = sorted(r.revision for r in mine)
    return [r._replace(revision=revision) for r, revision in zip(mine, revisions, strict=True)]


def _own(records: Sequence[StatusRecord], publisher: str, scope: Scope) -> list[StatusRecord]:
    """Return the records of a publisher in a scope, the highest revision last."""
    return sorted((r for r in records if (r.publisher, r.scope) == (publisher, scope)), key=lambda r: r.revision)


def _below_the_end(mine: list[StatusRecord]) -> list[StatusRecord]:
    """Return records, ordered by revision, with the impossible revisions set back to the highest possible one.

    Stores from before revisions had a bound may hold 2^64 - 1, after which nothing could be published any more.
    """
    if not mine or mine[-1].revision < REVISIONS_END:
        return mine
    possible = max((r.revision for r in mine if r.revision < REVISIONS_END), default=0)
    return _counted_down(mine, max(possible, len(mine) - 1))


def _counted_down(mine: Sequence[StatusRecord], to: int) -> list[StatusRecord]:
    """Return records, ordered by revision, of which the last one has the revision ``to`` and those before it lower
    ones, their own where they can."""
    counted, revision = list(mine), to
    for place in range(len(mine) - 1, -1, -1):
        revision = min(revision, mine[place].revision)
        counted[place] = mine[place]._replace(revision=revision)
        revision -= 1
    return counted


def _is_same(known: StatusRecord, record: StatusRecord) -> bool:
    return known._replace(published_at=UNPUBLISHED) == record._replace(published_at=UNPUBLISHED)


def _out_of_bounds(mine: Sequence[StatusRecord], record: StatusRecord) -> Rejection | None:
    if record.effective_at > record.published_at + AHEAD_MAX_US:
        return Rejection.INVALID_TIME
    if any(known.revision == record.revision for known in mine):
        return Rejection.REVISION_CONFLICT
    if not mine:
        return Rejection.INVALID_REVISION if record.revision > FIRST_REVISION_MAX else None
    if record.revision < mine[-1].revision:
        return Rejection.SUPERSEDED
    return Rejection.INVALID_REVISION if record.revision - mine[-1].revision > RISE_MAX else None


def _waiting(mine: Sequence[StatusRecord], now: int) -> list[StatusRecord]:
    """Return the records that are still to take effect: later ones than the newest that has."""
    newest = max((r.revision for r in mine if r.effective_at <= now), default=-1)
    return [r for r in mine if r.effective_at > now and r.revision > newest]


def _bounded(mine: list[StatusRecord], now: int) -> list[StatusRecord]:
    """Return records, ordered by revision, without those that are too many: RECENT_MAX are kept besides the newest in
    effect and those that wait."""
    kept_max = RECENT_MAX + 1 + len(_waiting(mine, now))
    while len(mine) > kept_max:
        del mine[_least_needed(mine[: len(mine) - len(_waiting(mine, now))])]
    return mine


def _least_needed(past: Sequence[StatusRecord]) -> int:
    """Return the place of the record that may go first.

    It is one that no clock finds any more, since a later one took effect no later. Else one that follows a record that
    is as severe and does not end before the next one takes effect: who would have found it finds that one. There always
    is one of the two among five records that do not end. Else it is the oldest.
    """
    for place, record in enumerate(past[:-1]):
        if any(later.effective_at <= record.effective_at for later in past[place + 1 :]):
            return place
    for place in range(1, len(past) - 1):
        before, after = past[place - 1], past[place + 1]
        goes_on = before.expires_at is None or before.expires_at >= after.effective_at
        if before.level >= past[place].level and goes_on:
            return place
    return 0
