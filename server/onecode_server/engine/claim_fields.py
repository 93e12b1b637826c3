"""Where a key's claims stand in codes of one layout, and whose word they are: for codes that are read by a layout.

Where there is anything out of the plain (a translation, a claim of another kind, whatever is wrong with a code), there
is no answer here, and the general path is asked, which alone knows what is wrong.
"""

from typing import Final, NamedTuple

from onecode_server.formats import CODECS, national
from onecode_server.formats.claim_values import IDENTIFIER_BYTES_MAX
from onecode_server.formats.columns import SECOND_US, Field, Kind, Layout
from onecode_server.formats.times import MILLISECOND_FORMS
from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import SUBJECT_BYTES, Level
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX
from onecode_server.model.trust_list import ClaimMap, IssuerKey, Path, Role, TimeForm, TrustList

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
    times = _times(where, layout)
    if subject is None or level is None or times is None:
        return None
    if not _is_subject(subject, key) or level.kind not in _LEVELS:
        return None
    issuer = residence = None
    if where.issuer is not None:
        issuer = layout.claims.get((CODECS[key.format].ISSUER,))
        if issuer is None or issuer.kind is not Kind.TEXT:
            return None
    if key.region == NATIONAL:
        residence = layout.claims.get((national.REGION,))
        if residence is not None and residence.kind is not Kind.TEXT:
            return None
    words = tuple(field for field in (level, issuer, residence) if field is not None)
    if sum(field.end - field.start for field in words) > WORDS_BYTES_MAX:
        return None
    is_pseudonym = subject.kind is Kind.BYTES and key.region == NATIONAL
    return ClaimFields(subject, is_pseudonym, level, *times, issuer, residence, words)


def read_words(key: IssuerKey, fields: ClaimFields, words: bytes, layout: Layout, trust: TrustList) -> ReadWords | None:
    """Return what a code says that ``key`` signed and that has these ``fields.words``, one behind the other.

    None where the general path is to be asked.
    """
    texts, at = [], 0
    for field in fields.words:
        end = at + field.end - field.start
        texts.append(layout.text(field, words[at:end]))
        at = end
    word, home, where = texts.pop(0), key.region, trust.regions[key.region].claims
    if fields.issuer is not None and (where is None or texts.pop(0) != where.issuer):
        return None
    if fields.residence is not None:
        home = texts.pop(0)
        residence = trust.region(home)
        if residence is None or not residence.adopts_national:
            return None
    return ReadWords(Claimant(home, trust.regions[key.region].levels.get(word, Level.UNSPECIFIED)), word)


def local_id(fields: ClaimFields, octets: bytes, layout: Layout) -> bytes:
    """Return a region's identifier of a code's subject, in UTF-8; ``octets`` are what stands in the code.

    It is text as it stands, bytes as lower-case hex, a number as its decimal digits: see ``claim_values.read_subject``.
    """
    kind = fields.subject.kind
    if kind is Kind.TEXT:
        return octets
    return octets.hex().encode() if kind is Kind.BYTES else layout.text(fields.subject, octets).encode()


_Times = tuple[Field, tuple[Field, ...], tuple[int, ...], Field | None]


def _times(where: ClaimMap, layout: Layout) -> _Times | None:
    """Return where a code's times stand: its issue, what ends it, and its registered beginning.

    See ``formats.claims.read``, whose rules these are. None where a time is missing, or of a form that is not plain.
    """
    codec, forms = CODECS[layout.format], where.times
    # A registered claim that the region maps has the form that the region gives it.
    form_of: dict[Path, TimeForm | None] = dict.fromkeys(((codec.EXPIRY,), (codec.NOT_BEFORE,)), forms.registered)
    if where.expiry is not None:
        form_of[where.expiry] = forms.expiry
    form_of[where.issued_at] = forms.issued_at
    found: dict[Path, Field] = {}
    for path, form in form_of.items():
        if (field := layout.claims.get(path)) is not None:
            if not _is_time(field, form, layout):
                return None
            found[path] = field
    own = found.get(where.expiry) if where.expiry is not None else None
    if where.issued_at not in found or (own is None and (where.valid_for_s is None or _may_hide(where.expiry, layout))):
        return None
    ends = tuple({field for field in (own, found.get((codec.EXPIRY,))) if field is not None})
    lasts = (where.code_age_max_s, where.valid_for_s if own is None else None)
    lasts_us = tuple(seconds * SECOND_US for seconds in lasts if seconds is not None)
    return found[where.issued_at], ends, lasts_us, found.get((codec.NOT_BEFORE,))


def _may_hide(path: Path | None, layout: Layout) -> bool:
    """Tell whether a claim that a layout has no place for may be there all the same: in an array, which has none."""
    return path is not None and len(path) > 1 and path[:1] in layout.claims


def _is_time(field: Field, form: TimeForm | None, layout: Layout) -> bool:
    """Tell whether the layout reads a time as the region's form is read: numbers of milliseconds it does not."""
    return layout.is_time(field) and (field.kind is Kind.TIME or form not in MILLISECOND_FORMS)


def _is_subject(field: Field, key: IssuerKey) -> bool:
    size = field.end - field.start
    if field.kind is Kind.BYTES:  # the national authority's are a pseudonym, anybody else's an identifier
        return size == SUBJECT_BYTES if key.region == NATIONAL else 0 < size <= IDENTIFIER_BYTES_MAX
    return field.kind is Kind.NUMBER or (field.kind is Kind.TEXT and 0 < size <= LOCAL_ID_BYTES_MAX)
