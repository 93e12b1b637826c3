"""The fields of a key's claims in codes of one layout, and the assertion that their bytes make.

The functions return None for a code that a layout cannot express (a translation, a claim of another type, any fault);
the general path reads such a code and names the fault.
"""

from typing import Final, NamedTuple

from onecode_server.codes.claim_values import IDENTIFIER_BYTES_MAX
from onecode_server.codes.codec import CODECS
from onecode_server.codes.layouts import Field, Kind, Layout
from onecode_server.codes.times import MILLISECOND_FORMS
from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import SUBJECT_BYTES, Level
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX
from onecode_server.model.trust_list import ClaimMap, IssuerKey, KeyState, Path, Role, TimeForm, TrustList

WORDS_BYTES_MAX: Final = 512
"""Bytes of all fields of an assertion together: a level word of 128 characters, and two region codes. The limit bounds
the size of cached assertions."""
_LEVELS: Final = (Kind.TEXT, Kind.NUMBER, Kind.LITERAL)
"""Kinds of field that may hold a level. The level word of a number or a literal is its JSON text."""


class ClaimFields(NamedTuple):
    """The fields of a region's claims in a layout. ``ends`` are the fields of expiries; ``lifetimes`` are further ends,
    in microseconds after the issue. ``is_pseudonym`` tells whether the subject is a pseudonym already. ``words`` are
    the fields that determine the assertion of a code of a given key: level, issuer and residence. ``has_one_end`` is
    whether the one field of ``ends`` says when a code ends."""

    subject: Field
    is_pseudonym: bool
    level: Field
    issued_at: Field
    ends: tuple[Field, ...]
    lifetimes: tuple[int, ...]
    not_before: Field | None
    issuer: Field | None
    residence: Field | None
    words: tuple[Field, ...]
    has_one_end: bool


class Assertion(NamedTuple):
    """The region that vouches for a code (its home), and the level that the code claims. ``makes_claim`` is False for
    an opaque code, which claims no level; if it is True, UNSPECIFIED is a level word that the region has not mapped."""

    home: str
    claimed: Level
    makes_claim: bool = True


class ReadWords(NamedTuple):
    """The assertion of a code, and the region's own word for the level."""

    assertion: Assertion
    level_word: str


def assertion_of(claims: Claims) -> Assertion:
    """Return the assertion that a code's claims make."""
    return Assertion(claims.home, claims.level, makes_claim=claims.level_word is not None)


def claim_fields(key: IssuerKey, layout: Layout, trust: TrustList) -> ClaimFields | None:
    """Return the fields of a region's claims in a layout, or None if a claim is missing or of another kind."""
    where = trust.regions[key.region].claims
    if where is None or key.role is Role.GATEWAY or key.format != layout.format or key.state is KeyState.REVOKED:
        return None
    subject, level = layout.claims.get(where.subject), layout.claims.get(where.level)
    times = _times(where, layout)
    if subject is None or level is None or times is None:
        return None
    if not _is_subject(subject, key) or level.kind not in _LEVELS:
        return None
    codec, issuer, residence = CODECS[key.format], None, None
    if where.issuer is not None:
        issuer = layout.claims.get((codec.ISSUER,))
        if issuer is None or issuer.kind is not Kind.TEXT:
            return None
    if key.region == NATIONAL and codec.RESIDENCE is not None:
        residence = layout.claims.get((codec.RESIDENCE,))
        if residence is not None and residence.kind is not Kind.TEXT:
            return None
    words = tuple(field for field in (level, issuer, residence) if field is not None)
    if sum(field.end - field.start for field in words) > WORDS_BYTES_MAX:
        return None
    is_pseudonym = subject.kind is Kind.BYTES and key.region == NATIONAL
    _, ends, lifetimes, _ = times
    has_one_end = len(ends) == 1 and not lifetimes
    return ClaimFields(subject, is_pseudonym, level, *times, issuer, residence, words, has_one_end)


def read_words(key: IssuerKey, fields: ClaimFields, words: bytes, layout: Layout, trust: TrustList) -> ReadWords | None:
    """Return the assertion of a code that ``key`` signed; ``words`` are the bytes of its ``fields.words``, joined.

    Return None if the general path must read the code.
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
    return ReadWords(Assertion(home, trust.regions[key.region].levels.get(word, Level.UNSPECIFIED)), word)


def local_id(fields: ClaimFields, octets: bytes, layout: Layout) -> bytes:
    """Return a region's identifier of a code's subject, in UTF-8; ``octets`` are the bytes of the subject's field.

    Text is kept as it is, bytes become lower-case hex, a number its decimal digits: see ``claim_values.read_subject``.
    """
    kind = fields.subject.kind
    if kind is Kind.TEXT:
        return octets
    return octets.hex().encode() if kind is Kind.BYTES else layout.text(fields.subject, octets).encode()


_Times = tuple[Field, tuple[Field, ...], tuple[int, ...], Field | None]


def _times(where: ClaimMap, layout: Layout) -> _Times | None:
    """Return the fields of a code's times: its issue, its ends, and its registered not-before.

    The rules are those of ``codes.claims.read``. Return None if a time is missing, or of a form that no layout reads.
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
    lifetimes = where.lifetimes(has_expiry=own is not None)
    return found[where.issued_at], ends, lifetimes, found.get((codec.NOT_BEFORE,))


def _may_hide(path: Path | None, layout: Layout) -> bool:
    """Return whether codes may have a claim that has no field in the layout: one inside an array has no field."""
    return path is not None and len(path) > 1 and path[:1] in layout.claims


def _is_time(field: Field, form: TimeForm | None, layout: Layout) -> bool:
    """Return whether the layout reads a time in the region's form; it does not read numbers of milliseconds."""
    return layout.is_time(field) and (field.kind is Kind.TIME or form not in MILLISECOND_FORMS)


def _is_subject(field: Field, key: IssuerKey) -> bool:
    size = field.end - field.start
    if field.kind is Kind.BYTES:  # a pseudonym if the national authority issued the code, else an identifier
        return size == SUBJECT_BYTES if key.region == NATIONAL else 0 < size <= IDENTIFIER_BYTES_MAX
    return field.kind is Kind.NUMBER or (field.kind is Kind.TEXT and 0 < size <= LOCAL_ID_BYTES_MAX)
