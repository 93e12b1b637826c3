"""Where a key's claims stand in codes of one layout, and whose word they are: for codes that are read by a layout.

Where there is anything out of the plain (a translation, a claim of another kind, whatever is wrong with a code), there
is no answer here, and the general path is asked, which alone knows what is wrong.
"""

from typing import Final, NamedTuple

from onecode_server.formats import CODECS, national
from onecode_server.formats.columns import SECOND_US, Field, Kind, Layout
from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import SUBJECT_BYTES, Level
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX, pseudonym
from onecode_server.model.trust_list import ClaimMap, Format, IssuerKey, Role, TrustList

WORDS_BYTES_MAX: Final = 512
"""Of the fields that tell whose word a code is, all together: a level word of 128 characters, and two region codes. So
what is remembered of them is bounded too."""
_LEVELS: Final = (Kind.TEXT, Kind.NUMBER, Kind.LITERAL)
"""What may be a level: text, or what is its own JSON text."""


class ClaimFields(NamedTuple):
    """Where the claims of a region stand in a layout, all of the plain kinds. ``ends`` are expiries; ``lasts`` are
    microseconds after the issue at which a code ends besides. ``is_pseudonym`` tells whether the subject is one
    already. ``words`` are the fields that tell whose word a code of a key is, and at which level."""

    subject: Field
    is_pseudonym: bool
    level: Field
    issued_at: Field
    ends: tuple[Field, ...]
    lasts: tuple[int, ...]
    not_before: Field | None
    issuer: Field | None
    residence: Field | None
    words: tuple[Field, ...]


class Claimant(NamedTuple):
    """Whose word a code is: the region that vouches, and the level that the code claims. ``makes_claim`` is False for
    an opaque code, which claims none; where it is True, UNSPECIFIED is a word that the region has not mapped."""

    home: str
    claimed: Level
    makes_claim: bool = True


class ReadWords(NamedTuple):
    """What the words of a code say: the claimant, and the region's own word for the level."""

    claimant: Claimant
    level_word: str


def claimant_of(claims: Claims, trust: TrustList) -> Claimant:
    """Return whose word a code's claims are, and what it says in the nation's terms."""
    if claims.level_word is None:
        return Claimant(claims.home, Level.UNSPECIFIED, makes_claim=False)
    reader = trust.region(claims.reader)
    if reader is None:
        return Claimant(claims.home, Level.UNSPECIFIED)
    return Claimant(claims.home, reader.levels.get(claims.level_word, Level.UNSPECIFIED))


def claim_fields(key: IssuerKey, layout: Layout, trust: TrustList) -> ClaimFields | None:
    """Return where the claims of a key's region stand in a layout, or None where one of them is of another kind."""
    where = trust.regions[key.region].claims
    if where is None or key.role is Role.GATEWAY or key.format is not layout.format:
        return None
    subject, level = layout.claims.get(where.subject), layout.claims.get(where.level)
    issued_at = layout.claims.get(where.issued_at)
    expiries = _expiries(where, layout)
    if subject is None or level is None or issued_at is None or expiries is None:
        return None
    is_plain = _is_subject(subject, key) and level.kind in _LEVELS and layout.is_time(issued_at)
    not_before = layout.claims.get((CODECS[key.format].NOT_BEFORE,))
    if not is_plain or (not_before is not None and not layout.is_time(not_before)):
        return None
    issuer = residence = None
    if key.format is Format.NATIONAL:
        issuer = layout.claims.get((national.ISSUER,))
        residence = layout.claims.get((national.REGION,)) if key.region == NATIONAL else None
        if issuer is None or any(field.kind is not Kind.TEXT for field in (issuer, residence) if field is not None):
            return None
    words = tuple(field for field in (level, issuer, residence) if field is not None)
    if sum(field.end - field.start for field in words) > WORDS_BYTES_MAX:
        return None
    is_pseudonym = subject.kind is Kind.BYTES
    return ClaimFields(subject, is_pseudonym, level, issued_at, *expiries, not_before, issuer, residence, words)


def read_words(key: IssuerKey, fields: ClaimFields, words: bytes, layout: Layout, trust: TrustList) -> ReadWords | None:
    """Return what a code says that ``key`` signed and that has these ``fields.words``, one behind the other.

    None where the general path is to be asked.
    """
    texts, at = [], 0
    for field in fields.words:
        end = at + field.end - field.start
        texts.append(layout.text(field, words[at:end]))
        at = end
    word, home = texts.pop(0), key.region
    if fields.issuer is not None and texts.pop(0) != key.region:
        return None
    if fields.residence is not None:
        home = texts.pop(0)
        residence = trust.region(home)
        if residence is None or not residence.adopts_national:
            return None
    return ReadWords(Claimant(home, trust.regions[key.region].levels.get(word, Level.UNSPECIFIED)), word)


def read_subject(fields: ClaimFields, octets: bytes, home: str, layout: Layout, pseudonym_key: bytes) -> bytes:
    """Return the pseudonym (16 bytes) of a code's subject, which stands there as ``octets``."""
    if fields.is_pseudonym:
        return octets
    return pseudonym(pseudonym_key, home, layout.text(fields.subject, octets))


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
    if not all(map(layout.is_time, ends)):
        return None
    return ends, tuple(seconds * SECOND_US for seconds in lasts if seconds is not None)


def _is_subject(field: Field, key: IssuerKey) -> bool:
    size = field.end - field.start
    if field.kind is Kind.BYTES:
        return key.format is Format.NATIONAL and size == SUBJECT_BYTES
    return field.kind is Kind.NUMBER or (field.kind is Kind.TEXT and 0 < size <= LOCAL_ID_BYTES_MAX)
