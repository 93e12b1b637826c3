"""Step 6 of the check: what an authentic code says, who vouches for it, and of whom."""

from onecode_server.errors import ClaimMissing, Malformed
from onecode_server.formats import CODECS, claims, national, source
from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Format, IssuerKey, Role, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason

_MALFORMED = Finding(Authenticity.MALFORMED, Reason.CLAIMS_MALFORMED)
_MISSING = Finding(Authenticity.MALFORMED, Reason.CLAIM_MISSING)
_ISSUER_MISMATCH = Finding(Authenticity.UNKNOWN_ISSUER, Reason.ISSUER_MISMATCH)
_NOT_ADOPTER = Finding(Authenticity.UNKNOWN_ISSUER, Reason.RESIDENCE_NOT_ADOPTER)
_SOURCE_UNKNOWN = Finding(Authenticity.KEY_NOT_VALID, Reason.SOURCE_KEY_NOT_VALID)


class ClaimsReader:
    """Reads the claims of codes whose signature was checked. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, pseudonym_key: bytes) -> None:
        self._key = pseudonym_key

    def read(self, key: IssuerKey, payload: bytes, trust: TrustList) -> Claims | Finding:
        """Return the claims of a code that ``key`` signed, or why they cannot be taken."""
        try:
            tree = CODECS[key.format].read_claims(payload)
            if key.format is Format.NATIONAL and claims.required(tree, (national.ISSUER,)) != key.region:
                return _ISSUER_MISMATCH
            if key.role is Role.GATEWAY:
                return self._translated(key, tree, trust)
            return self._issued(key, tree, trust)
        except ClaimMissing:
            return _MISSING
        except Malformed:
            return _MALFORMED

    def _issued(self, key: IssuerKey, tree: claims.Tree, trust: TrustList) -> Claims | Finding:
        region = trust.regions[key.region]
        local = claims.read(tree, claims.of(region), key.format)
        home = region.code
        if home == NATIONAL and national.REGION in tree:
            # The national authority speaks for residents of its adopters: where there is a local code, that one counts.
            home = claims.read_region(tree[national.REGION])
            residence = trust.region(home)
            if residence is None or not residence.adopts_national:
                return _NOT_ADOPTER
        subject = local.subject if isinstance(local.subject, bytes) else pseudonym(self._key, home, local.subject)
        return Claims(home, subject, local.level_word, region.code, local.issued_at, local.expires_at, local.not_before)

    def _translated(self, key: IssuerKey, tree: claims.Tree, trust: TrustList) -> Claims | Finding:
        """Only a gateway key's word is taken for a source; the terms are those of the translation's target."""
        named = source.read(tree, key.format)
        target = trust.region(named.target)
        if target is None or named.region not in trust.regions:
            return _SOURCE_UNKNOWN
        if target.format is not key.format:
            return _MALFORMED
        local = claims.read(tree, claims.of(target), key.format)
        subject = source.read_subject(local.subject)
        return Claims(
            named.region,
            subject,
            local.level_word,
            target.code,
            local.issued_at,
            local.expires_at,
            local.not_before,
            named,
        )
