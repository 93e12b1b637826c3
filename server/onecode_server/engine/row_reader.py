"""Steps 3 and 6 of the check for one national code whose layout is known: cut where the layout says, not parsed.

What fits a layout is what the general path reads, to the same effect; whatever does not, and every claim that is not of
the plain kinds, is left to it. A property test holds the two to the same answers.
"""

from typing import Final, NamedTuple

from onecode_server.engine.layout_book import LayoutBook
from onecode_server.engine.voices import Terms, Voice, terms_of, voice_of
from onecode_server.formats import base45, national
from onecode_server.formats.columns import SECOND_US, Field, Kind
from onecode_server.formats.national_layout import NationalLayout
from onecode_server.model.code import Claims, SignedCode
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import IssuerKey, TrustList

VOICES_MAX: Final = 256
"""Of one key in one layout: its words, for each residence. Past it they are found anew, some microseconds each."""


class Row(NamedTuple):
    """One code that a layout fits: its CBOR, and its envelope."""

    layout: NationalLayout
    cbor: bytes
    signed: SignedCode


class _Speaker:
    """One key in codes of one layout: where its region's claims stand, and the voices that were heard."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.words = [slice(field.start, field.end) for field in terms.words]
        self.subject = slice(terms.subject.start, terms.subject.end)
        self.voices: dict[bytes, Voice | None] = {}


class RowReader:
    """Reads rows under one trust list after the other. ``pseudonym_key`` is 32 bytes, ``skew`` microseconds."""

    def __init__(self, layouts: LayoutBook, pseudonym_key: bytes, skew: int) -> None:
        self._layouts = layouts
        self._key = pseudonym_key
        self._skew = skew
        self._trust: TrustList | None = None
        self._speakers: dict[tuple[NationalLayout, bytes], _Speaker | None] = {}

    def decode(self, code: bytes) -> Row | None:
        """Return a code that a layout fits, or None. Raises Malformed."""
        layouts = self._layouts.national((len(code),)) if code.startswith(national.PREFIX) else ()
        if not layouts:
            return None
        cbor = base45.decode(code[len(national.PREFIX) :])
        for layout in layouts:
            if layout.fits_one(cbor):
                return Row(layout, cbor, layout.signed(cbor))
        return None

    def learn(self, code: bytes) -> None:
        """Learn how a code is built that the general path found authentic."""
        if code.startswith(national.PREFIX):
            self._layouts.learn([code])

    def claims(self, row: Row, key: IssuerKey, trust: TrustList) -> Claims | None:
        """Return what a code says that ``key`` signed, or None where the general path is to be asked."""
        cbor, speaker = row.cbor, self._speaker(row.layout, key, trust)
        if speaker is None:
            return None
        words = b"".join([cbor[place] for place in speaker.words])
        voice = self._voice(speaker, key, words, trust)
        if voice is None:
            return None
        terms = speaker.terms
        issued_at = _time(cbor, terms.issued_at)
        expires_at = min([_time(cbor, end) for end in terms.ends] + [issued_at + lasts for lasts in terms.lasts])
        if expires_at <= issued_at:
            return None
        subject, home = cbor[speaker.subject], voice.claimant.home
        if terms.subject.kind is Kind.TEXT:
            subject = pseudonym(self._key, home, subject.decode())
        not_before = None if terms.not_before is None else _time(cbor, terms.not_before)
        return Claims(home, subject, voice.word, key.region, issued_at, expires_at, not_before)

    def _speaker(self, layout: NationalLayout, key: IssuerKey, trust: TrustList) -> _Speaker | None:
        if trust is not self._trust:
            self._trust, self._speakers = trust, {}
        named = layout, key.public_key
        if named not in self._speakers:
            terms = terms_of(key, layout, trust)
            self._speakers[named] = None if terms is None else _Speaker(terms)
        return self._speakers[named]

    def _voice(self, speaker: _Speaker, key: IssuerKey, words: bytes, trust: TrustList) -> Voice | None:
        if words not in speaker.voices:
            if len(speaker.voices) >= VOICES_MAX:
                speaker.voices.clear()
            speaker.voices[words] = voice_of(key, speaker.terms, words, trust, self._skew)
        return speaker.voices[words]


def _time(cbor: bytes, field: Field) -> int:
    return int.from_bytes(cbor[field.start : field.end]) * SECOND_US
