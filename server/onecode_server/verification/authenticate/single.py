"""Steps 3, 4, 6 and 7 of the check for one code whose template is known: its fields are cut out, not parsed."""

from onecode_server.codes.layouts import Layout
from onecode_server.errors import Malformed
from onecode_server.model.code import Claims
from onecode_server.model.trust_list import IssuerKey, KeyState
from onecode_server.rules import validity
from onecode_server.verification.authenticate.authenticator import KEY_REVOKED, find_candidates
from onecode_server.verification.authenticate.claim_fields import local_id
from onecode_server.verification.authenticate.issuer_index import IssuerIndex
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.template import Template
from onecode_server.verification.authenticate.template_lookup import find_single
from onecode_server.verification.check import Check


class SingleReader:
    """Reads one code by the template that it fits. ``skew`` is in microseconds."""

    def __init__(self, pseudonyms: Pseudonyms, skew: int) -> None:
        self._pseudonyms = pseudonyms
        self._skew = skew

    def decode(self, check: Check, index: IssuerIndex) -> bytes | None:
        """Take a code that a template fits through steps 3 and 4, and return its row; None for every other code."""
        try:
            found = find_single(index.templates, check.code)
        except Malformed:  # the general authenticator finds it again and names the fault
            found = None
        if found is None:
            return None
        template, row = found
        layout = template.layout
        key_id = _key_id(layout, row, index)
        if key_id is None:
            return None
        check.template, check.signed = template, layout.signed(row, key_id)
        find_candidates(check, index.trust)
        return row

    def read_claims(self, check: Check, row: bytes, index: IssuerIndex, now: int) -> None:
        """Take a code that was decoded here, and whose key was found, through steps 6 and 7.

        Claims that its template cannot express are left to the general authenticator.
        """
        template, key = check.template, check.key
        if template is None or key is None or check.finding is not None:
            return
        if key.state is KeyState.REVOKED:  # claims under a revoked key are not read
            check.finding = KEY_REVOKED
            return
        place = index.place_of[key.public_key]
        try:
            claims = self._claims(template, row, place, key, index)
        except Malformed:  # digits of no time; the general authenticator finds it again and names the fault
            return
        if claims is None:
            return
        times = claims.issued_at, claims.expires_at, claims.not_before
        if not validity.is_valid(index.key_windows[place], *times, now, self._skew):
            check.finding = validity.code_fault(claims, key, index.trust, now, self._skew)
        check.claims = claims  # last: a code with claims and no finding is authentic

    def _claims(self, template: Template, row: bytes, place: int, key: IssuerKey, index: IssuerIndex) -> Claims | None:
        layout = template.layout
        fields = template.fields_of(place, key, index.trust)
        if fields is None:
            return None
        read = template.words_of(place, key, b"".join([row[start:end] for _, start, end in fields.words]), index.trust)
        if read is None:
            return None
        issued_at = layout.time(row, fields.issued_at)
        expires_at = validity.expiry(issued_at, [layout.time(row, end) for end in fields.ends], fields.lifetimes)
        if expires_at <= issued_at:
            return None
        index.templates.use(template, (place,), index.keys)
        assertion, level_word = read
        _, start, end = fields.subject
        subject = row[start:end]
        if not fields.is_pseudonym:
            subject = self._pseudonyms.of(assertion.home, local_id(fields, subject, layout))
        not_before = None if fields.not_before is None else layout.time(row, fields.not_before)
        return Claims(assertion.home, subject, level_word, assertion.claimed, issued_at, expires_at, not_before)


def _key_id(layout: Layout, row: bytes, index: IssuerIndex) -> bytes | None:
    """Return the key id of a row; None where it is encoded in a way in which no authentic code had it."""
    field = row[layout.key_id.start : layout.key_id.end]
    spellings = index.templates.spellings(layout.format)
    return field if spellings is None else spellings.get(field)
