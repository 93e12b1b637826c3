"""Steps 1 to 7 of the check for one code, with the result of each step in words, for an operator.

It uses the parts of ``authenticate.general``; a test asserts equal findings of both. Identifiers are never shown.
"""

from collections.abc import Sequence
from typing import Final

from onecode_server.codes import opaque, source
from onecode_server.codes.codec import CODECS, codec_of
from onecode_server.crypto.backend import SignatureBackend
from onecode_server.errors import AlgorithmNotAllowed, ClaimFault, Malformed
from onecode_server.model.code import CODE_BYTES_MAX, Claims, SignedCode
from onecode_server.model.region import NATIONAL
from onecode_server.model.scanned import bare
from onecode_server.model.trust_list import OPAQUE, Format, IssuerKey, KeyState, Region, Role, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason
from onecode_server.rules import validity
from onecode_server.trust import claim_report, near_misses
from onecode_server.trust.document import rfc3339
from onecode_server.trust.region_entry import key_id_bytes, key_id_text
from onecode_server.verification.authenticate.authenticator import KEY_REVOKED
from onecode_server.verification.authenticate.claims_reader import ClaimsReader, finding_of
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.check import Check
from onecode_server.verification.inspection import Inspection, Sample, Step

STEPS: Final = ("size", "format", "decoding", "key", "signature", "claims", "validity")


class _Failed(Exception):
    """A step failed: its number (from 1), the finding, and lines that say why."""

    def __init__(self, number: int, finding: Finding | None, *lines: str) -> None:
        super().__init__(number)
        self.step = Step(number, STEPS[number - 1], passed=False, lines=lines)
        self.finding = finding


class Inspector:
    """Inspects codes. ``skew`` is in microseconds; without ``tokens`` an opaque code is not looked up."""

    def __init__(
        self, backend: SignatureBackend, claims: ClaimsReader, skew: int, tokens: TokenReader | None = None
    ) -> None:
        self.backend, self.claims, self.skew, self.tokens = backend, claims, skew, tokens

    async def inspect(self, code: bytes, trust: TrustList, now: int, sample_of: Sample | None = None) -> Inspection:
        """Return the inspection of a code under a trust list.

        With ``sample_of`` the code must be of its region and signed by its key. If it names no key and the region has
        no key with the code's key id yet, the signature is not checked.
        """
        inspection = _SingleInspection(self, trust, now)
        finding = None
        try:
            await inspection.run(bare(code), sample_of)
        except _Failed as failed:
            inspection.steps.append(failed.step)
            finding = failed.finding
        return Inspection(tuple(inspection.steps), finding, inspection.claims)


class _SingleInspection:
    def __init__(self, parts: Inspector, trust: TrustList, now: int) -> None:
        self._backend, self._reader, self._tokens, self._skew = parts.backend, parts.claims, parts.tokens, parts.skew
        self._trust, self._now = trust, now
        self.steps: list[Step] = []
        self.claims: Claims | None = None

    def _passed(self, *lines: str, passed: bool | None = True) -> None:
        number = len(self.steps) + 1
        self.steps.append(Step(number, STEPS[number - 1], passed, lines))

    async def run(self, code: bytes, sample_of: Sample | None) -> None:
        self._size(code)
        home = self._format(code, sample_of)
        if home is not None:
            return await self._opaque(code, home)
        signed = self._decode(code)
        key = self._key(signed, sample_of)
        self._read_claims(key, signed)
        return self._validity(key)

    def _size(self, code: bytes) -> None:
        if not code:
            raise _Failed(1, _malformed(Reason.CODE_EMPTY), "the code is empty")
        if len(code) > CODE_BYTES_MAX:
            raise _Failed(1, _malformed(Reason.CODE_TOO_LARGE), f"{len(code):,} bytes, at most {CODE_BYTES_MAX:,}")
        self._passed(f"{len(code):,} bytes")

    def _format(self, code: bytes, sample_of: Sample | None) -> Region | None:
        """Find the format; return the home of an opaque code, None for a signed one."""
        codec = codec_of(code)
        home = None if codec is not None else self._trust.issuer_of_prefix(code)
        if codec is None and home is None:
            known = ", ".join(prefix.decode() for prefix, _ in self._trust.prefixes) or "none"
            why = f"neither a signed code nor an opaque code with a known prefix (known: {known})"
            raise _Failed(2, _malformed(Reason.FORMAT_UNKNOWN), why)
        fmt = OPAQUE if codec is None else codec.FORMAT
        if sample_of is not None and fmt != sample_of.region.format:
            raise _Failed(2, None, f"{fmt}, and the entry is of the format {sample_of.region.format}")
        if sample_of is not None and home not in (None, sample_of.region):
            raise _Failed(2, None, "opaque, by the prefix of another region")
        self._passed(str(fmt) if home is None else f"opaque, by the prefix of region {home.code}")
        return home

    def _decode(self, code: bytes) -> SignedCode:
        codec = codec_of(code)
        try:
            if codec is None:
                raise Malformed("no signed format")
            signed = codec.decode(code)
        except AlgorithmNotAllowed as fault:
            raise _Failed(3, _malformed(Reason.ALGORITHM_NOT_ALLOWED), str(fault)) from None
        except Malformed as fault:
            raise _Failed(3, _malformed(Reason.CODE_MALFORMED), str(fault)) from None
        self._passed(f"key id {_shown(signed)}, {len(signed.payload):,} bytes of claims")
        return signed

    def _key(self, signed: SignedCode, sample_of: Sample | None) -> IssuerKey:
        """Steps 4 and 5: return the key that made the signature; for a sample without a key yet, a stand-in."""
        candidates = self._trust.keys_for(signed.format, signed.key_id)
        ours = [key for key in candidates if sample_of is None or _may_have_signed(sample_of, key)]
        if not ours and sample_of is not None:
            return self._placeholder_key(signed, sample_of)
        if not ours:
            near = near_misses.hint(_shown(signed), _key_ids(self._trust, signed.format))
            why = f"no key for {signed.format} codes has the id {_shown(signed)!a}{near}"
            raise _Failed(4, Finding(Authenticity.UNKNOWN_ISSUER, Reason.KEY_UNKNOWN), why)
        self._passed(*(f"region {key.region}, {key.role}, {key.state}" for key in ours))
        results = self._backend.verify_batch(
            [key.public_key for key in ours], [signed.signature] * len(ours), [signed.message] * len(ours)
        )
        key = next((key for key, is_signed in zip(ours, results, strict=True) if is_signed), None)
        if key is None:
            why = f"none of the {len(ours)} keys with this id verifies it: another key made it, or the code was changed"
            raise _Failed(5, Finding(Authenticity.BAD_SIGNATURE, Reason.SIGNATURE_INVALID), why)
        self._passed(f"good, by the key of region {key.region}")
        return key

    def _placeholder_key(self, signed: SignedCode, sample_of: Sample) -> IssuerKey:
        """Return a stand-in for the key of a sample whose region has no key with its key id yet."""
        code, key, shown = sample_of.region.code, sample_of.key, _shown(signed)
        if key is not None:
            added = key_id_text(key.key_id, key.format)
            near = near_misses.hint(shown, [added])
            raise _Failed(4, None, f"the code's key id is {shown!a}, that of the key to be added is {added!a}{near}")
        try:
            key_id_bytes(key_id_text(signed.key_id, signed.format), signed.format)
        except Malformed as fault:
            why = f"a trust list cannot have the key id {shown!a}: {fault}"
            raise _Failed(4, Finding(Authenticity.UNKNOWN_ISSUER, Reason.KEY_UNKNOWN), why) from None
        self._passed(f"region {code} has no key with this id yet", passed=None)
        self._passed("signature not checked: no key yet", passed=None)
        return IssuerKey(code, signed.format, signed.key_id, b"")

    def _read_claims(self, key: IssuerKey, signed: SignedCode) -> None:
        if key.state is KeyState.REVOKED:
            raise _Failed(6, KEY_REVOKED, "not read: the key is revoked")
        lines = self._claim_lines(key, signed.payload)
        try:
            self.claims = self._reader.interpret(key, signed.payload, self._trust)
        except ClaimFault as fault:
            raise _Failed(6, finding_of(fault), str(fault), *lines) from None
        ends = "no end" if self.claims.expires_at is None else rfc3339(self.claims.expires_at)
        summary = f"home {self.claims.home}, issued {rfc3339(self.claims.issued_at)}, ends {ends}"
        self._passed(*lines, summary)

    def _claim_lines(self, key: IssuerKey, payload: bytes) -> list[str]:
        """Return a line for each claim, whether or not the claims as a whole are accepted."""
        try:
            tree = CODECS[key.format].read_claims(payload)
            is_translation = key.role is Role.GATEWAY
            region_code = source.read(tree, key.format).target if is_translation else key.region
        except Malformed:
            return []
        region = self._trust.region(region_code)
        if region is None or region.claims is None:
            return []
        is_national = is_translation or key.region == NATIONAL
        seen = claim_report.report(tree, region, key.format, carries_pseudonym=is_national)
        return [f"{claim} at `{place}`: {text}" for claim, place, text, _ in seen]

    def _validity(self, key: IssuerKey) -> None:
        claims, now = self.claims, self._now
        if claims is None:
            raise AssertionError("claims are read before their validity is checked")
        fault = validity.code_fault(claims, key, self._trust, now, self._skew)
        if fault is not None:
            raise _Failed(7, fault, *_validity_lines(fault, key, claims, now))
        self._passed("the key and the code are valid now")

    async def _opaque(self, code: bytes, home: Region) -> None:
        try:
            opaque.check(code, home.prefix)
        except Malformed as fault:
            raise _Failed(3, _malformed(Reason.CODE_MALFORMED), str(fault)) from None
        self._passed(f"a token of {len(code) - len(home.prefix)} characters")
        self._passed("opaque codes have none")
        if self._tokens is None:
            self._passed("token not looked up: no store", passed=None)
            return
        check = Check(code)
        check.opaque_home = home
        await self._tokens.look_up([check])
        if check.finding is not None:
            is_unverifiable = check.finding.reason is Reason.TOKEN_UNVERIFIABLE
            why = "the store does not answer" if is_unverifiable else "the token was not published"
            raise _Failed(5, check.finding, why)
        self._passed("the token was published")
        self.claims = self._tokens.claims(check)
        self._passed("none: the level comes from the status records")
        self._validity(IssuerKey(home.code, OPAQUE, b"", b""))


def _malformed(reason: Reason) -> Finding:
    return Finding(Authenticity.MALFORMED, reason)


def _shown(signed: SignedCode) -> str:
    return key_id_text(signed.key_id, signed.format) or "(none)"


def _may_have_signed(sample_of: Sample, key: IssuerKey) -> bool:
    """Return whether ``key`` may have signed a sample: if a key is to be added, only that key may."""
    return key == sample_of.key if sample_of.key is not None else key.region == sample_of.region.code


def _key_ids(trust: TrustList, fmt: Format) -> Sequence[str]:
    return [key_id_text(key_id, fmt) for known, key_id in trust.candidates if known == fmt]


def _validity_lines(fault: Finding, key: IssuerKey, claims: Claims, now: int) -> list[str]:
    begins = claims.issued_at if claims.not_before is None else max(claims.issued_at, claims.not_before)
    ends = "-" if claims.expires_at is None else rfc3339(claims.expires_at)
    bounds = [
        f"{name} {rfc3339(time)}"
        for name, time in (("not before", key.not_before), ("not after", key.not_after), ("retired", key.retired_at))
        if time is not None
    ]
    shown = [f"{fault.reason.name}: the code is valid from {rfc3339(begins)} to {ends}; now is {rfc3339(now)}"]
    return shown + ([f"the key: {', '.join(bounds)}"] if bounds else [])
