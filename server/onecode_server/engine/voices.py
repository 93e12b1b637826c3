"""Who speaks in a code and to what effect, for columns of codes: keys, issuers, residences and level words recur.

What differs from code to code is the subject, the times and the signature; the rest is a voice, found once. Where there
is anything out of the plain (a translation, a claim of another kind, whatever is wrong with a code), there is no voice,
and the general path is asked, which alone knows what is wrong.
"""

from typing import Final, NamedTuple

from onecode_server.formats import CODECS, national
from onecode_server.formats.columns import SECOND_US, TIME_DIGITS_MAX, Field, Kind, Layout
from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import SUBJECT_BYTES, Level
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX
from onecode_server.model.trust_list import ClaimMap, Format, IssuerKey, Role, TimeForm, TrustList
from onecode_server.rules.columns import KeyBounds, key_bounds

_WORDS: Final = (Kind.TEXT, Kind.NUMBER, Kind.LITERAL)
"""What may be a level: text, or what is its own JSON text."""


_PLAIN_TIMES: Final = {None, TimeForm.SECONDS, TimeForm.RFC_3339}
"""Forms in which a number is seconds, and text is RFC 3339."""


class Terms(NamedTuple):
    """Where the claims of a region stand in a layout, all of the plain kinds. ``ends`` are expiries; ``lasts`` are
    microseconds after the issue at which a code ends besides."""

    subject: Field
    level: Field
    issued_at: Field
    ends: tuple[Field, ...]
    lasts: tuple[int, ...]
    not_before: Field | None
    issuer: Field | None
    residence: Field | None

    @property
    def words(self) -> tuple[Field, ...]:
        """The fields that tell one voice of a key from another."""
        return tuple(field for field in (self.level, self.issuer, self.residence) if field is not None)


class Claimant(NamedTuple):
    """Whose word a code is: the region that vouches, and the level that the code claims."""

    home: str
    claimed: Level


class Voice(NamedTuple):
    """One key's word about the bearers of one region at one level."""

    claimant: Claimant
    bounds: KeyBounds
    word: str


def claimant_of(claims: Claims, trust: TrustList) -> Claimant:
    """Return whose word a code's claims are, and what it says in the nation's terms."""
    reader = trust.region(claims.reader)
    if reader is None or claims.level_word is None:
        return Claimant(claims.home, Level.UNSPECIFIED)
    return Claimant(claims.home, reader.levels.get(claims.level_word, Level.UNSPECIFIED))


def terms_of(key: IssuerKey, layout: Layout, trust: TrustList) -> Terms | None:
    """Return where the claims of a key's region stand in a layout, or None where one of them is of another kind."""
    where = trust.regions[key.region].claims
    if where is None or key.role is Role.GATEWAY or not _is_plain(where, key):
        return None
    subject, level = layout.claims.get(where.subject), layout.claims.get(where.level)
    issued_at = layout.claims.get(where.issued_at)
    expiries = _expiries(where, layout)
    if subject is None or level is None or issued_at is None or expiries is None:
        return None
    is_plain = _is_subject(subject, key) and level.kind in _WORDS and _is_time(issued_at)
    not_before = layout.claims.get((CODECS[key.format].NOT_BEFORE,))
    if not is_plain or (not_before is not None and not _is_time(not_before)):
        return None
    issuer = residence = None
    if key.format is Format.NATIONAL:
        issuer = layout.claims.get((national.ISSUER,))
        residence = layout.claims.get((national.REGION,)) if key.region == NATIONAL else None
        if issuer is None or any(field.kind is not Kind.TEXT for field in (issuer, residence) if field is not None):
            return None
    return Terms(subject, level, issued_at, *expiries, not_before, issuer, residence)


def voice_of(key: IssuerKey, terms: Terms, words: bytes, trust: TrustList, skew: int) -> Voice | None:
    """Return the voice of a key in a code with these ``terms.words``; None where the general path is to be asked."""
    parts, at = [], 0
    for field in terms.words:
        end = at + field.end - field.start
        parts.append(words[at:end].decode())
        at = end
    word, home = parts.pop(0), key.region
    if terms.issuer is not None and parts.pop(0) != key.region:
        return None
    if terms.residence is not None:
        home = parts.pop(0)
        residence = trust.region(home)
        if residence is None or not residence.adopts_national:
            return None
    bounds = key_bounds(key, skew)
    if bounds is None:
        return None
    return Voice(Claimant(home, trust.regions[key.region].levels.get(word, Level.UNSPECIFIED)), bounds, word)


def _expiries(where: ClaimMap, layout: Layout) -> tuple[tuple[Field, ...], tuple[int, ...]] | None:
    """Return what may end a code: see ``formats.claims.read``, whose rules these are."""
    own = None if where.expiry is None else layout.claims.get(where.expiry)
    registered = layout.claims.get((CODECS[layout.format].EXPIRY,))
    ends = tuple({field for field in (own, registered) if field is not None})
    lasts = [where.code_age_max_s]
    if own is None:
        if where.valid_for_s is None:
            return None
        lasts.append(where.valid_for_s)
    if not all(map(_is_time, ends)):
        return None
    return ends, tuple(seconds * SECOND_US for seconds in lasts if seconds is not None)


def _is_plain(where: ClaimMap, key: IssuerKey) -> bool:
    """Tell whether a region's times are numbers of seconds or RFC 3339, its issuer what its format has, and none of its
    claims in an array: a layout has no place for those."""
    issuer = key.region if key.format is Format.NATIONAL else None
    steps = (*where.subject, *where.level, *where.issued_at, *(where.expiry or ()))
    has_arrays = key.format is not Format.NATIONAL and any(isinstance(step, int) for step in steps)
    return set(where.times[:3]) <= _PLAIN_TIMES and where.issuer == issuer and not has_arrays


def _is_subject(field: Field, key: IssuerKey) -> bool:
    size = field.end - field.start
    if field.kind is Kind.BYTES:  # a pseudonym; anybody else's bytes are an identifier
        return key.region == NATIONAL and size == SUBJECT_BYTES
    return field.kind is Kind.NUMBER or (field.kind is Kind.TEXT and 0 < size <= LOCAL_ID_BYTES_MAX)


def _is_time(field: Field) -> bool:
    is_seconds = field.kind is Kind.NUMBER and field.end - field.start <= TIME_DIGITS_MAX
    return field.kind is Kind.TIME or is_seconds
