"""Steps 3 and 6 of the check for one national code whose template is known: its fields are cut out, not parsed.

A code that fits no template, or has a claim that a template cannot express, is left to the general path. A property
test asserts that both give the same answers.
"""

from typing import NamedTuple

from onecode_server.codes.encodings import base45
from onecode_server.codes.layouts import SECOND_US, Field
from onecode_server.codes.national import codec as national
from onecode_server.codes.national.layout import NationalLayout
from onecode_server.model.code import Claims, SignedCode
from onecode_server.model.trust_list import Format, IssuerKey, TrustList
from onecode_server.rules import validity
from onecode_server.verification.authenticate.claim_fields import local_id
from onecode_server.verification.authenticate.issuer_index import IssuerIndex, IssuerIndexes
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.template import NO_ASSERTION, Template


class Row(NamedTuple):
    """One code that a template fits: the index of its trust list, the template, the code's CBOR, and its envelope."""

    issuers: IssuerIndex
    template: Template
    cbor: bytes
    signed: SignedCode


class RowReader:
    """Reads codes by the templates of a trust list. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, issuers: IssuerIndexes, pseudonym_key: bytes) -> None:
        self._issuers = issuers
        self._pseudonyms = Pseudonyms(pseudonym_key)

    def decode(self, code: bytes, trust: TrustList) -> Row | None:
        """Return the row of a code that a template fits, or None. Raises Malformed."""
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
        """Learn a template from a code that the general path found authentic, signed by ``key``."""
        if key.format is Format.NATIONAL:
            index = self._issuers.of(trust)
            index.templates.learn(code, index.place_of[key.public_key], key)

    def claims(self, row: Row, key: IssuerKey) -> Claims | None:
        """Return the claims of a code that ``key`` signed, or None if the general path must read them."""
        index, template, cbor, _ = row
        place = index.place_of[key.public_key]
        fields = template.fields_of(place, key, index.trust)
        if fields is None:
            return None
        words = b"".join([cbor[field.start : field.end] for field in fields.words])
        found = template.assertion_of(place, key, words, index.trust)
        if found == NO_ASSERTION:
            return None
        issued_at = _time(cbor, fields.issued_at)
        expires_at = validity.expiry(issued_at, [_time(cbor, end) for end in fields.ends], fields.lifetimes)
        if expires_at <= issued_at:
            return None
        index.templates.use(template, (place,), index.keys)
        layout, assertion, level = template.layout, template.assertions[found], fields.level
        home = assertion.home
        octets = cbor[fields.subject.start : fields.subject.end]
        subject = octets if fields.is_pseudonym else self._pseudonyms.of(home, local_id(fields, octets, layout))
        not_before = None if fields.not_before is None else _time(cbor, fields.not_before)
        level_word = layout.text(level, cbor[level.start : level.end])
        return Claims(home, subject, level_word, assertion.claimed, issued_at, expires_at, not_before)


def _time(cbor: bytes, field: Field) -> int:
    return int.from_bytes(cbor[field.start : field.end]) * SECOND_US
