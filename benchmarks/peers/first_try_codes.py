"""The first try's reading of codes: each format with the library that its users reach for."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import cbor2
import jwt
import pyseto
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.status import Level
from onecode_server.model.subject import pseudonym, token_digest
from onecode_server.stores import layout

NATIONAL = "000000"
LIST_GRACE_S = 86_400
BASE45 = {c: n for n, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")}
# Regions name their time claims themselves, so that PyJWT checks the signature and the window is checked here.
JWT_OPTIONS: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}

Authentic = tuple[str, bytes, Level, float]
"""Home region, pseudonym, the level that the code claims, and when it was issued (Unix seconds)."""


class Refused(Exception):
    """The code is not authentic."""

    def __init__(self, authenticity: Any, reason: Any) -> None:
        super().__init__(authenticity, reason)
        self.authenticity = authenticity
        self.reason = reason


class CodeReader:
    """The trust list and what it takes to check codes with it."""

    def __init__(self, data_dir: Path, tokens: Any, skew_s: float) -> None:
        root = Ed25519PublicKey.from_public_bytes(bytes.fromhex((data_dir / "root.pub").read_text()))
        signed = (data_dir / "trust-list.jws").read_text().strip()
        trust = json.loads(jwt.PyJWS().decode(signed, root, algorithms=["EdDSA"]))
        self.version = trust["version"]
        self.list_ends_s = seconds(trust["next_update"]) + LIST_GRACE_S
        self.regions: dict[str, Any] = {region["code"]: region for region in trust["regions"]}
        self.homes = {r["prefix"].encode(): r["code"] for r in self.regions.values() if "prefix" in r}
        self.keys = {
            (key.get("format", region["format"]), key["kid"]): prepared(key, region)
            for region in self.regions.values()
            for key in region.get("keys", ())
        }
        self.pseudonym_key = bytes.fromhex((data_dir / "pseudonym.key").read_text())
        self.tokens = tokens
        self.skew_s = skew_s

    def authenticate(self, code: bytes, txn: Any, now_s: float) -> Authentic:
        """Return what an authentic code says. Raises Refused."""
        for prefix, home in self.homes.items():
            if code.startswith(prefix):
                return self.look_up(home, code, txn, now_s)
        try:
            key, region, claims = self.verified(code)
            return self.read_claims(key, region, claims, now_s)
        except (ValueError, KeyError, TypeError, jwt.InvalidTokenError):
            raise Refused(pb.AUTHENTICITY_MALFORMED, pb.REASON_CODE_MALFORMED) from None

    def look_up(self, home: str, code: bytes, txn: Any, now_s: float) -> Authentic:
        """Return what the store knows of an opaque code. Raises Refused."""
        data = txn.get(home.encode() + token_digest(self.pseudonym_key, home, code), db=self.tokens)
        if data is None:
            raise Refused(pb.AUTHENTICITY_UNKNOWN_ISSUER, pb.REASON_TOKEN_UNKNOWN)
        token = layout.unpack_token(data)
        ends_s = float("inf") if token.expires_at is None else token.expires_at / 1e6
        self.check_window(token.issued_at / 1e6, ends_s, now_s)
        return home, token.subject, Level.UNSPECIFIED, token.issued_at / 1e6

    def verified(self, code: bytes) -> tuple[Any, Any, Any]:
        """Return the key that signed the code, its region, and the claims. Raises Refused."""
        try:
            if code.startswith(b"NC1:"):
                sign1 = cbor2.loads(base45(code[4:].decode()))
                protected, unprotected, payload, signature = sign1.value if isinstance(sign1, cbor2.CBORTag) else sign1
                kid = cbor2.loads(protected).get(4) or unprotected.get(4)
                verifier, key, region = self.key("national", kid.hex())
                verifier.verify(cbor2.dumps(["Signature1", protected, b"", payload]), signature)
                return key, region, cbor2.loads(payload)
            if code.startswith(b"v4.public."):
                footer = code.rpartition(b".")[2]
                kid = json.loads(base64.urlsafe_b64decode(footer + b"=="))["kid"]
                verifier, key, region = self.key("paseto", kid)
                return key, region, json.loads(cast("bytes", pyseto.decode(verifier, code).payload))
            verifier, key, region = self.key("jwt", jwt.get_unverified_header(code)["kid"])
            return key, region, jwt.decode(code, verifier, algorithms=["EdDSA"], options=JWT_OPTIONS)
        except (BadSignatureError, pyseto.VerifyError, jwt.InvalidSignatureError):
            raise Refused(pb.AUTHENTICITY_BAD_SIGNATURE, pb.REASON_SIGNATURE_INVALID) from None

    def key(self, fmt: str, kid: str) -> tuple[Any, Any, Any]:
        """Return the verifier, the trust-list entry and the region of a key. Raises Refused."""
        found = self.keys.get((fmt, kid))
        if found is None:
            raise Refused(pb.AUTHENTICITY_UNKNOWN_ISSUER, pb.REASON_KEY_UNKNOWN)
        return found

    def read_claims(self, key: Any, region: Any, claims: Any, now_s: float) -> Authentic:
        """Return what the claims say, in national terms. Raises Refused."""
        where, home, is_cwt = region["claims"], region["code"], region["format"] == "national"
        if is_cwt and claims[1] != home:
            raise Refused(pb.AUTHENTICITY_UNKNOWN_ISSUER, pb.REASON_ISSUER_MISMATCH)
        if home == NATIONAL and -65539 in claims:
            home = claims[-65539]
            if not self.regions.get(home, {}).get("adopts_national"):
                raise Refused(pb.AUTHENTICITY_UNKNOWN_ISSUER, pb.REASON_RESIDENCE_NOT_ADOPTER)
        issued_at_s = seconds(at(claims, where["issued_at"]))
        self.check_key(key, issued_at_s, now_s)
        ends = [at(claims, where.get("expiry")), claims.get(4 if is_cwt else "exp")]
        ends_s = [seconds(end) for end in ends if end is not None]
        ends_s += [issued_at_s + where[name] for name in ("valid_for_s", "code_age_max_s") if name in where]
        begins_s = seconds(claims.get(5 if is_cwt else "nbf", 0))
        self.check_window(max(issued_at_s, begins_s), min(ends_s), now_s)
        subject, word = at(claims, where["subject"]), at(claims, where["level"])
        if region["code"] != NATIONAL:  # whose codes alone carry pseudonyms
            subject = subject.hex() if isinstance(subject, bytes) else str(subject)
            subject = pseudonym(self.pseudonym_key, home, subject)
        level = region["levels"].get(word if isinstance(word, str) else json.dumps(word), "UNSPECIFIED")
        return home, subject, Level[level], issued_at_s

    def check_key(self, key: Any, issued_at_s: float, now_s: float) -> None:
        """Raise Refused where the key may not vouch for a code issued then."""
        if key.get("state") == "revoked":
            raise Refused(pb.AUTHENTICITY_KEY_NOT_VALID, pb.REASON_KEY_REVOKED)
        if key.get("state") == "retired" and issued_at_s >= key["retired_at"]:
            raise Refused(pb.AUTHENTICITY_KEY_NOT_VALID, pb.REASON_KEY_RETIRED)
        begins_s, ends_s = key["not_before"] - self.skew_s, key["not_after"] + self.skew_s
        if min(issued_at_s, now_s) < begins_s or max(issued_at_s, now_s) > ends_s:
            raise Refused(pb.AUTHENTICITY_KEY_NOT_VALID, pb.REASON_KEY_OUTSIDE_VALIDITY)

    def check_window(self, begins_s: float, ends_s: float, now_s: float) -> None:
        """Raise Refused where the code is not in its time."""
        if now_s < begins_s - self.skew_s:
            raise Refused(pb.AUTHENTICITY_NOT_YET_VALID, pb.REASON_NOT_YET_VALID)
        if now_s >= ends_s + self.skew_s:
            raise Refused(pb.AUTHENTICITY_EXPIRED, pb.REASON_EXPIRED)


def prepared(key: dict[str, Any], region: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return a key as its format's library wants it, and its trust-list entry with times as Unix seconds."""
    public, fmt = bytes.fromhex(key["public_key"]), key.get("format", region["format"])
    makers: Any = {
        "national": VerifyKey,
        "jwt": Ed25519PublicKey.from_public_bytes,
        "paseto": lambda x: pyseto.Key.from_asymmetric_key_params(version=4, x=x),
    }
    always = {"not_before": 0, "not_after": float("inf")}
    times = {name: seconds(key[name]) for name in ("not_before", "not_after", "retired_at") if name in key}
    return makers[fmt](public), key | always | times, region


def seconds(value: Any) -> float:
    """Return a time claim, a number or RFC 3339 text, in Unix seconds."""
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)


def at(claims: Any, path: Any) -> Any:
    """Return the claim at a name or a path of names, or None."""
    for step in path if isinstance(path, list) else [path]:
        claims = claims.get(step) if isinstance(claims, dict) else None
    return claims


def base45(text: str) -> bytes:
    """Return the bytes that base45 text (RFC 9285) stands for."""
    values, data = [BASE45[character] for character in text], bytearray()
    for i in range(0, len(values) - 2, 3):
        data += (values[i] + 45 * values[i + 1] + 2025 * values[i + 2]).to_bytes(2, "big")
    if len(values) % 3:
        data.append(values[-2] + 45 * values[-1])
    return bytes(data)
