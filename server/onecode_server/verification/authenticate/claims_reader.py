"""Step 6 of the check: the claims of an authentic code, its home and its subject."""

from typing import Final

from onecode_server.codes import claim_values, claims, source
from onecode_server.codes.codec import CODECS
from onecode_server.errors import (
    ClaimFault,
    ClaimMissing,
    IssuerMismatch,
    Malformed,
    ResidenceNotAdopter,
    SourceUnknown,
)
from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Format, IssuerKey, Region, Role, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason
from onecode_server.verification.authenticate.claim_faults import ClaimFaults

_MALFORMED: Final = Finding(Authenticity.MALFORMED, Reason.CLAIMS_MALFORMED)
_FINDINGS: Final[dict[type[ClaimFault], Finding]] = {
    ClaimMissing: Finding(Authenticity.MALFORMED, Reason.CLAIM_MISSING),
    IssuerMismatch: Finding(Authenticity.UNKNOWN_ISSUER, Reason.ISSUER_MISMATCH),
    ResidenceNotAdopter: Finding(Authenticity.UNKNOWN_ISSUER, Reason.RESIDENCE_NOT_ADOPTER),
    SourceUnknown: Finding(Authenticity.KEY_NOT_VALID, Reason.SOURCE_KEY_NOT_VALID),
}


class ClaimsReader:
    """Reads the claims of codes whose signature was checked. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, pseudonym_key: bytes, faults: ClaimFaults | None = None) -> None:
        """``faults`` records the claims that are refused."""
        self._key = pseudonym_key
        self._faults = faults

    def read(self, key: IssuerKey, payload: bytes, trust: TrustList) -> Claims | Finding:
        """Return the claims of a code that ``key`` signed, or the finding for which they are refused."""
        try:
            return self.interpret(key, payload, trust)
        except ClaimFault as fault:
            if self._faults is not None:
                self._faults.note(key.region, fault)
            return finding_of(fault)

    def interpret(self, key: IssuerKey, payload: bytes, trust: TrustList) -> Claims:
        """Return the claims of a code that ``key`` signed. Raises ClaimFault, which names the claim at fault."""
        try:
            tree = CODECS[key.format].read_claims(payload)
            if key.role is Role.GATEWAY:
                return self._translated(key, tree, trust)
            return self._issued(key, tree, trust)
        except ClaimFault:
            raise
        except Malformed as fault:  # a fault of the claims as a whole, of a source, or of a target without a claim map
            raise ClaimFault("claims", str(fault)) from None

    def _issued(self, key: IssuerKey, tree: claims.Tree, trust: TrustList) -> Claims:
        region = trust.regions[key.region]
        where = claims.of(region)
        _expect_issuer(tree, where.issuer, key.format)
        local = claims.read(tree, where, key.format, carries_pseudonym=key.region == NATIONAL)
        home = region.code
        place = CODECS[key.format].RESIDENCE
        if home == NATIONAL and place is not None and place in tree:
            # The national authority vouches for residents of adopters only: elsewhere the region's own code counts.
            home = claims.read_claim("residence", (place,), claim_values.read_region, tree[place])
            residence = trust.region(home)
            if residence is None or not residence.adopts_national:
                raise ResidenceNotAdopter("residence", "the region of residence does not use the national code")
        subject = local.subject if isinstance(local.subject, bytes) else pseudonym(self._key, home, local.subject)
        return Claims(
            home,
            subject,
            local.level_word,
            _level_of(local.level_word, region),
            local.issued_at,
            local.expires_at,
            local.not_before,
        )

    def _translated(self, key: IssuerKey, tree: claims.Tree, trust: TrustList) -> Claims:
        """Read a translation: only a gateway key may assert a source, and the claim map is the target region's."""
        _expect_issuer(tree, key.region if CODECS[key.format].ISSUER_IS_REGION else None, key.format)
        named = source.read(tree, key.format)
        target = trust.region(named.target)
        if target is None or named.region not in trust.regions:
            raise SourceUnknown("source", "the source or the target is not in the trust list")
        if target.format != key.format:
            raise ClaimFault("source", "the target has codes of another format")
        local = claims.read(tree, claims.of(target), key.format, carries_pseudonym=True)
        subject = source.read_subject(local.subject)
        return Claims(
            named.region,
            subject,
            local.level_word,
            _level_of(local.level_word, target),
            local.issued_at,
            local.expires_at,
            local.not_before,
            named,
        )


def finding_of(fault: ClaimFault) -> Finding:
    """Return the finding on a code with a claim fault."""
    return _FINDINGS.get(type(fault), _MALFORMED)


def _level_of(word: str, region: Region) -> Level:
    return region.levels.get(word, Level.UNSPECIFIED)


def _expect_issuer(tree: claims.Tree, issuer: str | None, fmt: Format) -> None:
    if issuer is not None and claims.required(tree, (CODECS[fmt].ISSUER,), "issuer") != issuer:
        raise IssuerMismatch("issuer", "another issuer than the trust list names", str(CODECS[fmt].ISSUER))
