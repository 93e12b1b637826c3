"""Which level counts: the code's own claim, the records published since, and who may say what."""

from collections.abc import Iterable
from typing import NamedTuple

from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, StatusRecord


class Standing(NamedTuple):
    """The level of a subject, and whether someone said RED whose word stands above recognition.

    ``counted`` is how many records bore on it.
    """

    level: Level
    red_by_national: bool
    red_by_host: bool
    counted: int


def newest(records: Iterable[StatusRecord], publisher: str, scope: Scope, now: int) -> StatusRecord | None:
    """Return the newest record in effect of one publisher in one scope, or None.

    Newest is the highest revision whose time has come. Where that one has expired, nothing older comes back.
    """
    mine = [r for r in records if r.publisher == publisher and r.scope is scope and r.effective_at <= now]
    record = max(mine, key=lambda r: r.revision, default=None)
    if record is None or (record.expires_at is not None and record.expires_at <= now):
        return None
    return record


def standing(
    claim: Level, issued_at: int, home: str, adopting_host: str | None, records: Iterable[StatusRecord], now: int
) -> Standing:
    """Return the level that counts.

    ``claim`` is what the code itself says (UNSPECIFIED where its word has no mapping), issued at ``issued_at``. The
    home's newest NATIONAL record replaces it, better or worse, unless the code was issued after the record took
    effect. A record of the national authority and, where the host is an adopter (``adopting_host``), the host's LOCAL
    record count beside it; the most severe wins. A claim without a mapping is not mended by a record beside it.
    """
    records = tuple(records)
    if not records:
        return Standing(claim, False, False, 0)
    ours = newest(records, home, Scope.NATIONAL, now)
    if ours is not None and ours.effective_at < issued_at:
        ours = None  # the code is the home's later word
    national = ours if home == NATIONAL else newest(records, NATIONAL, Scope.NATIONAL, now)
    local = None if adopting_host is None else newest(records, adopting_host, Scope.LOCAL, now)
    beside = [record.level for record in (national, local) if record is not None]
    level = claim if ours is None else ours.level
    if level is not Level.UNSPECIFIED or Level.RED in beside:
        level = max(level, *beside) if beside else level
    return Standing(
        level,
        national is not None and national.level is Level.RED,
        local is not None and local.level is Level.RED,
        len({ours, national, local} - {None}),
    )
