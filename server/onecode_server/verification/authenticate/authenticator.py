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
from typing import Final, Protocol

import numpy as np

from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason
from onecode_server.verification.authenticate import verified_claims
from onecode_server.verification.authenticate.verified_claims import VerifiedClaims
from onecode_server.verification.check import Check

KEY_UNKNOWN: Final = Finding(Authenticity.UNKNOWN_ISSUER, Reason.KEY_UNKNOWN)
SIGNATURE_INVALID: Final = Finding(Authenticity.BAD_SIGNATURE, Reason.SIGNATURE_INVALID)
KEY_REVOKED: Final = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)


class CodeSlice:
    """Codes that are authenticated together. ``verified`` are the claims of those that were read in columns; ``checks``
    are all others that an authenticator has begun, by their place in the slice. ``few`` are the places of codes whose
    templates are known, but which are too few of a shape to be read in columns."""

    __slots__ = ("checks", "codes", "few", "is_single", "verified")

    def __init__(self, codes: Sequence[bytes], checks: Sequence[Check] = ()) -> None:
        """``checks``, if any, are those of all ``codes``: then each code gets claims or a finding in its own check."""
        self.codes = codes
        self.is_single = bool(checks)
        self.checks = dict(enumerate(checks))
        self.few: Collection[int] = ()
        self.verified: list[VerifiedClaims] = []

    @classmethod
    def of_single(cls, checks: Sequence[Check]) -> "CodeSlice":
        """Return the codes of ``checks`` as a slice that is read code by code."""
        return cls([check.code for check in checks], checks)

    def check(self, place: int) -> Check:
        """Return the check of the code at ``place``; a new one for a code that no authenticator has begun."""
        check = self.checks.get(place)
        if check is None:
            check = self.checks[place] = Check(self.codes[place])
        return check

    def left(self) -> list[Check]:
        """Return the checks of the codes that are neither verified nor refused, in order."""
        if self.is_single:
            return [check for check in self.checks.values() if check.claims is None and check.finding is None]
        places: Sequence[int] = range(len(self.codes))
        if self.verified:
            if sum([len(part.subjects) for part in self.verified]) == len(self.codes):
                return []
            is_left = np.ones(len(self.codes), bool)
            for part in self.verified:
                is_left[part.places] = False
            places = is_left.nonzero()[0].tolist()
        checks = [self.check(place) for place in places]
        return [check for check in checks if check.claims is None and check.finding is None]

    def all_verified(self) -> list[VerifiedClaims]:
        """Return the claims of all authentic codes: those that were read in columns, and those of the checks."""
        single = [(at, one.claims) for at, one in self.checks.items() if one.claims is not None and not one.finding]
        return [*self.verified, verified_claims.of_claims(single)] if single else self.verified


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
