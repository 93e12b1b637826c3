"""Who may publish which status record, and how a new record joins the ones before it."""

from enum import StrEnum
from typing import Final

from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.trust_list import TrustList

PENDING_MAX: Final = 4
"""Records of one publisher, subject and scope that wait to take effect: a plan for the days ahead, not a diary."""


class Rejection(StrEnum):
    """The rule that a record broke, in words for people. The names are the wire's."""

    UNKNOWN_PUBLISHER = "the publisher is not a region of the trust list"
    INVALID_SUBJECT = "the subject is missing, or what names it cannot be read"
    INVALID_SCOPE = "the scope is not NATIONAL or LOCAL"
    INVALID_LEVEL = "the level is not GREEN, YELLOW or RED"
    INVALID_TIME = "the record ends before it takes effect"
    INVALID_REVISION = "a revision is a number from 1 to 18446744073709551615"
    NOT_THE_HOME = "a NATIONAL record comes from the subject's home region or from 000000 only"
    NOT_AN_ADOPTER = "a LOCAL record comes from an adopter only: no code upon a code"
    TOO_MANY_PENDING = "too many records of this publisher wait to take effect for this subject"


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
    if not 1 <= record.revision < 2**64:
        return Rejection.INVALID_REVISION
    if record.scope is Scope.NATIONAL and record.publisher not in (NATIONAL, home or record.publisher):
        return Rejection.NOT_THE_HOME
    if record.scope is Scope.LOCAL and not publisher.adopts_national:
        return Rejection.NOT_AN_ADOPTER
    return None


def merge(
    records: tuple[StatusRecord, ...], record: StatusRecord, now: int
) -> tuple[StatusRecord, ...] | Rejection | None:
    """Return a subject's records with ``record`` among them; None where an equal or higher revision is known.

    A record that is in effect replaces every older one of its publisher and scope. One that waits leaves the one in
    effect alone until its time comes, so that an announcement never lifts what holds today.
    """
    if not records:
        return (record,)
    mine = [r for r in records if (r.publisher, r.scope) == (record.publisher, record.scope)]
    if any(r.revision >= record.revision for r in mine):
        return None
    others = [r for r in records if r not in mine]
    current = max((r for r in [*mine, record] if r.effective_at <= now), key=lambda r: r.revision, default=None)
    kept = [r for r in [*mine, record] if current is None or r.revision >= current.revision]
    if sum(r.effective_at > now for r in kept) > PENDING_MAX:
        return Rejection.TOO_MANY_PENDING
    return (*others, *kept)
