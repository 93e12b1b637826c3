"""Steps 3 and 6 of the check for one national code whose layout is known: cut where the layout says, not parsed.

What fits a layout is what the general path reads, to the same effect; whatever does not, and every claim that is not of
the plain kinds, is left to it. A property test holds the two to the same answers.
"""

from typing import NamedTuple

from onecode_server.engine.claim_fields import local_id
from onecode_server.engine.issuer_index import IssuerIndex, IssuerIndexes
from onecode_server.engine.pseudonyms import Pseudonyms
from onecode_server.engine.templates import NO_CLAIMANT, Template
from onecode_server.formats import base45, national
from onecode_server.formats.columns import SECOND_US, Field
from onecode_server.formats.national_layout import NationalLayout
from onecode_server.model.code import Claims, SignedCode
from onecode_server.model.trust_list import Format, IssuerKey, TrustList


class Row(NamedTuple):
    """One code that a template fits: what is derived from its trust list, its CBOR, and its envelope."""

    issuers: IssuerIndex
    template: Template
    cbor: bytes
    signed: SignedCode


class RowReader:
    """Reads rows by what is derived from a trust list. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, issuers: IssuerIndexes, pseudonym_key: bytes) -> None:
        self._issuers = issuers
        self._pseudonyms = Pseudonyms(pseudonym_key)

    def decode(self, code: bytes, trust: TrustList) -> Row | None:
        """Return a code that a template fits, or None. Raises Malformed."""
        if not code.startswith(national.PREFIX):
            return None
        index = self._issuers.of(trust)
        templates = index.templates.templates(Format.NATIONAL, (len(code),))
        if not templates:
            return None
        cbor = base45.decode(code[len(national.PREFIX) :])
        for template in templates:
            layout = template.layout
            if isinstance(layout, NationalLayout) and layout.fits_one(cbor):
                return Row(index, template, cbor, layout.signed(cbor))
        return None

    def learn(self, code: bytes, key: IssuerKey, trust: TrustList) -> None:
        """Learn how a code is built that the general path found authentic, signed by ``key``."""
        if key.format is Format.NATIONAL:
            index = self._issuers.of(trust)
            index.templates.learn(code, index.place_of[key.public_key], key)

    def claims(self, row: Row, key: IssuerKey) -> Claims | None:
        """Return what a code says that ``key`` signed, or None where the general path is to be asked."""
        index, template, cbor, _ = row
        place = index.place_of[key.public_key]
        fields = template.fields_of(place, key, index.trust)
        if fields is None:
            return None
        words = b"".join([cbor[field.start : field.end] for field in fields.words])
        found = template.claimant_of(place, key, words, index.trust)
        if found == NO_CLAIMANT:
            return None
        issued_at = _time(cbor, fields.issued_at)
        expires_at = min([_time(cbor, end) for end in fields.ends] + [issued_at + lasts for lasts in fields.lasts])
        if expires_at <= issued_at:
            return None
        index.templates.use(template, (place,), index.keys)
        layout, home, level = template.layout, template.claimants[found].home, fields.level
        octets = cbor[fields.subject.start : fields.subject.end]
        subject = octets if fields.is_pseudonym else self._pseudonyms.of(home, local_id(fields, octets, layout))
        not_before = None if fields.not_before is None else _time(cbor, fields.not_before)
        level_word = layout.text(level, cbor[level.start : level.end])
        return Claims(home, subject, level_word, key.region, issued_at, expires_at, not_before)


def _time(cbor: bytes, field: Field) -> int:
    return int.from_bytes(cbor[field.start : field.end]) * SECOND_US
