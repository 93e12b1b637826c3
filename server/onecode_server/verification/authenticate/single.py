"""Steps 3, 4, 6 and 7 of the check for one code whose template is known: its fields are cut out, not parsed."""

from collections.abc import Callable
from typing import Any, Final

from onecode_server.errors import Malformed
from onecode_server.model.code import Claims, SignedCode
from onecode_server.model.trust_list import KeyState
from onecode_server.rules import validity
from onecode_server.verification.authenticate.authenticator import KEY_REVOKED, KEY_UNKNOWN
from onecode_server.verification.authenticate.claim_fields import local_id
from onecode_server.verification.authenticate.issuer_index import IssuerIndex
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.template import Template
from onecode_server.verification.authenticate.template_lookup import find_single
from onecode_server.verification.check import Check

_REVOKED: Final = KeyState.REVOKED  # an enumeration looks its members up slowly
_signed: Final[Callable[[type[SignedCode], tuple[Any, ...]], SignedCode]] = tuple.__new__
make_claims: Final[Callable[[type[Claims], tuple[Any, ...]], Claims]] = tuple.__new__
"""Makes Claims in a third of the time of their own constructor, which is a function in Python."""


class SingleReader:
    """Reads one code by the template that it fits. ``skew`` is in microseconds."""

    def __init__(self, pseudonyms: Pseudonyms, skew: int) -> None:
        self._pseudonyms = pseudonyms
        self._skew = skew

    def decode(self, check: Check, index: IssuerIndex) -> bytes | None:
        """Take a code that a template fits through steps 3 and 4, and return its row; None for every other code."""
        found = find_single(index.templates, check.code)
        if found is None:
            return None
        template, row = found
        return row if self.begin(check, template, row, index) else None

    def begin(self, check: Check, template: Template, row: bytes, index: IssuerIndex) -> bool:
        """Take a code whose row fits a template through steps 3 and 4. Return False where it is left, since no
        authentic code had a key id in this encoding."""
        key_id, message, signature, payload = template.envelope(row)
        if template.key_ids is not None:
            spelled = template.key_ids.get(key_id)
            if spelled is None:
                return False
            key_id = spelled
        fmt = template.layout.format
        check.template, check.signed = template, _signed(SignedCode, (fmt, key_id, message, signature, payload))
        check.candidates = candidates = index.trust.keys_for(fmt, key_id)
        if not candidates:
            check.finding = KEY_UNKNOWN
        return True

    def read_claims(self, check: Check, row: bytes, index: IssuerIndex, now: int) -> None:
        """Take a code that was decoded here, and whose key was found, through steps 6 and 7.

        Claims that its template cannot express are left to the general authenticator.
        """
        template, key = check.template, check.key
        if template is None or key is None or check.finding is not None:
            return
        if key.state is _REVOKED:  # claims under a revoked key are not read
            check.finding = KEY_REVOKED
            return
        place = index.place_of[key.public_key]
        reader = template.reader_of(place, key, index.trust)
        if reader is None:
            return
        fields, cut, known = reader
        try:
            subject, words, issued_at, *ends = cut(row)
        except Malformed:  # digits of no time; the general authenticator finds it again and names the fault
            return
        read = known[words] if words in known else template.words_of(place, key, words, index.trust)
        not_before = None if fields.not_before is None else ends.pop()
        expires_at = validity.expiry(issued_at, ends, fields.lifetimes)
        if read is None or expires_at <= issued_at:
            return
        index.templates.use(template, (place,), index.keys)
        (home, claimed, _), level_word = read
        if not fields.is_pseudonym:
            subject = self._pseudonyms.of(home, local_id(fields, subject, template.layout))
        claims = make_claims(Claims, (home, subject, level_word, claimed, issued_at, expires_at, not_before, None))
        if not validity.is_valid(index.key_windows[place], issued_at, expires_at, not_before, now, self._skew):
            check.finding = validity.code_fault(claims, key, index.trust, now, self._skew)
        check.claims = claims  # last: a code with claims and no finding is authentic
