"""Steps 3 and 6 of the check for whole columns of national codes: what is built alike is read together.

A layout is learned from a code that went through the general path and was authentic, so that no stranger can fill the
book. What no layout fits, and each row of which a claim is not of the plain kind, takes the general path, which alone
knows what is wrong with a code.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from onecode_server.errors import Malformed
from onecode_server.formats import claims, national
from onecode_server.formats.national_layout import Bytes, Field, Layout, cbor_of, decode, numbers, octets
from onecode_server.model.code import Claims, SignedCode
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX, pseudonym
from onecode_server.model.trust_list import ClaimMap, IssuerKey, Path, Role, TrustList

LENGTHS_MAX: Final = 256
"""Lengths of codes in the book: a few for each region's words, and some for each length of a local identifier."""
LAYOUTS_MAX: Final = 4
"""Layouts of one length: each is tried in turn on what the one before it left."""
ROWS_MIN: Final = 8
"""Fewer codes of a length are read faster one by one: an operation on columns costs a microsecond however few."""

TRIES_MAX: Final = 32
"""Codes of one length from which a layout is sought: an issuer whose codes have none is not asked for ever."""

_UINT, _BYTES, _TEXT = 0, 2, 3


class _Terms(NamedTuple):
    """Under which labels a key's region has its claims, all of the plain kinds. ``ends`` are expiries; ``lasts`` are
    microseconds after the issue at which a code ends besides."""

    subject: int
    level: int
    issued_at: int
    ends: tuple[int, ...]
    lasts: tuple[int, ...]
    not_before: int | None
    residence: int | None


class Columns:
    """Codes that one layout fits, uint8[n, size]. A column of claims is read when it is first asked for."""

    def __init__(self, layout: Layout, data: Bytes, trust: TrustList, pseudonym_key: bytes) -> None:
        self._layout = layout
        self._data = data
        self._trust = trust
        self._key = pseudonym_key
        self._terms: dict[IssuerKey, _Terms | None] = {}
        self._times: dict[int, list[int]] = {}
        self._octets: dict[int, list[bytes]] = {}

    def claims(self, place: int, key: IssuerKey) -> Claims | None:
        """Return the claims of one row under the key that signed it, or None where the general path is to be asked:
        for translations, for claims of other kinds, and for whatever is wrong with a code."""
        try:
            its = self._terms[key]
        except KeyError:
            its = self._terms[key] = _terms(key, self._layout, self._trust)
        if its is None or self._text(national.ISSUER, place) != key.region:
            return None
        home = key.region
        if its.residence is not None:
            home = self._text(its.residence, place)
            residence = self._trust.region(home)
            if residence is None or not residence.adopts_national:
                return None
        subject = self._string(its.subject)[place]
        if self._layout.claims[its.subject].major == _TEXT:
            subject = pseudonym(self._key, home, subject.decode())
        issued_at = self._time(its.issued_at)[place]
        expires_at = min([self._time(end)[place] for end in its.ends] + [issued_at + lasts for lasts in its.lasts])
        if expires_at <= issued_at:
            return None
        not_before = None if its.not_before is None else self._time(its.not_before)[place]
        return Claims(home, subject, self._text(its.level, place), key.region, issued_at, expires_at, not_before)

    def _time(self, label: int) -> list[int]:
        """Return a column of times, in Unix microseconds."""
        if label not in self._times:
            self._times[label] = [
                time * claims.MICROSECONDS for time in numbers(self._data, self._layout.claims[label])
            ]
        return self._times[label]

    def _string(self, label: int) -> list[bytes]:
        """Return a column of strings, as their bytes."""
        if label not in self._octets:
            self._octets[label] = octets(self._data, self._layout.claims[label])
        return self._octets[label]

    def _text(self, label: int, place: int) -> str:
        return self._string(label)[place].decode("ascii")


class Row(NamedTuple):
    """One code among columns."""

    signed: SignedCode
    columns: Columns
    place: int

    def claims(self, key: IssuerKey) -> Claims | None:
        """Return its claims under the key that signed it, or None where the general path is to be asked."""
        return self.columns.claims(self.place, key)


class LayoutBook:
    """The layouts that authentic codes have shown, by the length of the code. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, pseudonym_key: bytes) -> None:
        self._key = pseudonym_key
        self._layouts: dict[int, list[Layout]] = {}
        self._tries: Counter[int] = Counter()

    def learn(self, code: bytes) -> None:
        """Take the layout of a code that was found authentic, if it is national, has a new one, and there is room."""
        length = len(code)
        if not code.startswith(national.PREFIX) or (length not in self._tries and len(self._tries) >= LENGTHS_MAX):
            return
        known = self._layouts.get(length, [])
        if len(known) >= LAYOUTS_MAX or self._tries[length] >= TRIES_MAX:
            return
        self._tries[length] += 1
        try:
            cbor = cbor_of(code)
            layout = Layout(cbor)
        except (Malformed, ValueError):
            return
        if not any(other.fits(np.frombuffer(cbor, np.uint8)[None, :])[0] for other in known):
            self._layouts[length] = [*known, layout]

    def read(self, codes: Sequence[bytes], trust: TrustList) -> dict[int, Row]:
        """Return those codes that a layout fits, by their places."""
        by_length: dict[int, list[int]] = {}
        for place, code in enumerate(codes):
            if code.startswith(national.PREFIX):
                by_length.setdefault(len(code), []).append(place)
        found: dict[int, Row] = {}
        for length, places in by_length.items():
            layouts = self._layouts.get(length)
            if layouts is None or len(places) < ROWS_MIN:
                continue
            data, is_left = decode([codes[place] for place in places])
            for layout in layouts:
                fits = np.flatnonzero(is_left & layout.fits(data))
                is_left[fits] = False
                rows = data[fits]
                columns = Columns(layout, rows, trust, self._key)
                for row, (i, signed) in enumerate(zip(fits.tolist(), layout.signed(rows), strict=True)):
                    found[places[i]] = Row(signed, columns, row)
        return found


def _terms(key: IssuerKey, layout: Layout, trust: TrustList) -> _Terms | None:
    """Return where the claims of a key's region stand in a layout, or None where one of them is of another kind."""
    where = trust.regions[key.region].claims
    if where is None or key.role is Role.GATEWAY or not _is(layout, national.ISSUER, _TEXT):
        return None
    subject, level, issued_at = _label(where.subject), _label(where.level), _label(where.issued_at)
    if not (_is_subject(layout.claims.get(subject)) and _is(layout, level, _TEXT) and _is(layout, issued_at, _UINT)):
        return None
    expiries = _expiries(where, layout)
    residence = national.REGION if key.region == NATIONAL and national.REGION in layout.claims else None
    if expiries is None or (residence is not None and not _is(layout, residence, _TEXT)):
        return None
    not_before = national.NOT_BEFORE if national.NOT_BEFORE in layout.claims else None
    if not_before is not None and not _is(layout, not_before, _UINT):
        return None
    ends, lasts = expiries
    return _Terms(subject, level, issued_at, ends, lasts, not_before, residence)


def _expiries(where: ClaimMap, layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return what may end a code: see ``formats.claims.read``, whose rules these are."""
    own = None if where.expiry is None else _label(where.expiry)
    ends = tuple({label for label in (own, national.EXPIRY) if label is not None and label in layout.claims})
    lasts = [where.code_age_max_s]
    if own is None or own not in layout.claims:
        if where.valid_for_s is None:
            return None
        lasts.append(where.valid_for_s)
    if not all(_is(layout, label, _UINT) for label in ends):
        return None
    return ends, tuple(seconds * claims.MICROSECONDS for seconds in lasts if seconds is not None)


def _label(path: Path) -> int:
    """Return a path that is one label of a claim, or 0, which no layout is taken to have."""
    return path[0] if len(path) == 1 and isinstance(path[0], int) and path[0] != 0 else 0


def _is(layout: Layout, label: int, major: int) -> bool:
    field = layout.claims.get(label) if label else None
    return field is not None and field.major == major and (major != _UINT or field.end - field.start == 4)


def _is_subject(field: Field | None) -> bool:
    if field is None:
        return False
    size = field.end - field.start
    return size == SUBJECT_BYTES if field.major == _BYTES else field.major == _TEXT and 0 < size <= LOCAL_ID_BYTES_MAX
