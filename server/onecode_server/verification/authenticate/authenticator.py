"""Steps 1 to 7 of the check: whether a code is authentic and in its time, and what it claims.

 1. Size: a code of 1 to 4,096 bytes, without the bytes that its scanner added.
 2. Format: recognised by the code's structure; opaque codes by the prefixes of the trust list. Sets ``opaque_home``.
 3. Decoding, bounded: into the signed message, the signature, the key id and the claims' bytes. Sets ``signed``, and
    ``template`` if a template did it.
 4. Candidate keys: those of this format and key id. Sets ``candidates``.
 5. Signatures, in batches: sets ``key``. Opaque tokens, the whole slice in one lookup: sets ``token``.
 6. Claims, of authentic codes only. Sets ``claims``.
 7. Validity: of the key, of the source if there is one, and the code's window.

Each step sets these fields of a ``Check``, or its ``finding``.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from onecode_server.model.code import Claims
from onecode_server.model.trust_list import IssuerKey, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason
from onecode_server.verification.authenticate import verified_claims
from onecode_server.verification.authenticate.template import Template
from onecode_server.verification.authenticate.verified_claims import VerifiedClaims
from onecode_server.verification.check import Check

KEY_UNKNOWN: Final = Finding(Authenticity.UNKNOWN_ISSUER, Reason.KEY_UNKNOWN)
SIGNATURE_INVALID: Final = Finding(Authenticity.BAD_SIGNATURE, Reason.SIGNATURE_INVALID)
KEY_REVOKED: Final = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)


class ReadRows(NamedTuple):
    """Authentic codes that were read in rows, by one template: their places in the slice, their rows, the keys that
    signed them, and what they claim."""

    template: Template
    places: Sequence[int]
    rows: Sequence[bytes]
    keys: Sequence[IssuerKey]
    claims: Sequence[Claims]


class CodeSlice:
    """Codes that are authenticated together. ``verified`` are the claims of those that were read in columns, ``rows``
    those that were read in rows; ``checks`` are all others that an authenticator has begun, by their place in the
    slice. ``few`` are the places of codes whose templates are known, but which are too few of a shape to be read in
    columns. ``in_columns`` is whether codes are read in columns at all."""

    __slots__ = ("checks", "codes", "few", "in_columns", "rows", "verified")

    def __init__(self, codes: Sequence[bytes], *, in_columns: bool) -> None:
        self.codes = codes
        self.in_columns = in_columns
        self.checks: dict[int, Check] = {}
        self.few: Collection[int] = ()
        self.rows: list[ReadRows] = []
        self.verified: list[VerifiedClaims] = []

    def check(self, place: int) -> Check:
        """Return the check of the code at ``place``; a new one for a code that no authenticator has begun."""
        check = self.checks.get(place)
        if check is None:
            check = self.checks[place] = Check(self.codes[place])
        return check

    @property
    def is_verified(self) -> bool:
        """Whether all codes are authentic, and were read by templates."""
        return sum(map(len, self._places_verified())) == len(self.codes)

    def left(self) -> list[Check]:
        """Return the checks of the codes that are neither verified nor refused, in order."""
        is_left = np.ones(len(self.codes), bool)
        for places in self._places_verified():
            is_left[places] = False
        checks = [self.check(place) for place in is_left.nonzero()[0].tolist()]
        return [check for check in checks if check.claims is None and check.finding is None]

    def _places_verified(self) -> list[Any]:
        return [*[read.places for read in self.rows], *[part.places for part in self.verified]]

    def all_verified(self) -> list[VerifiedClaims]:
        """Return the claims of all authentic codes in columns: those that were read so, and those of the others."""
        single = [(at, one.claims) for at, one in self.checks.items() if one.claims is not None and not one.finding]
        for read in self.rows:
            single += zip(read.places, read.claims, strict=True)
        return [*self.verified, verified_claims.of_claims(single)] if single else self.verified

    def all_checks(self) -> list[Check]:
        """Return the checks of all codes, in order, of which none was read in columns."""
        for template, *columns in self.rows:
            for place, row, key, claims in zip(*columns, strict=True):
                check = self.check(place)
                check.template, check.signed = template, template.signed(row, key.key_id)
                check.key, check.claims = key, claims
        return [self.check(place) for place in range(len(self.codes))]


class Authenticator(Protocol):
    """Takes codes through steps 1 to 7. The template authenticator comes first, the general one takes what is left."""

    async def authenticate(self, codes: CodeSlice, trust: TrustList, now: int) -> None:
        """Add the claims of authentic codes to ``codes``, and the findings on others.

        A code that this authenticator cannot finish is left to the next one. If its check then has ``signed`` and
        ``key``, the code is not decoded again, and its signature is not checked again.
        """
        ...


def find_candidates(check: Check, trust: TrustList) -> None:
    """Step 4 of one check whose code is decoded."""
    if check.signed is not None:
        check.candidates = trust.keys_for(check.signed.format, check.signed.key_id)
        if not check.candidates:
            check.finding = KEY_UNKNOWN
