"""Bad tokens, each shown to a server by a real client: none becomes an identity.

The native front takes a token alone. grpc.aio demands a certificate where there are authorities, and a gateway shows it
here: one's own would have to be of the token's identity.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any, Final

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

from onecode.v1 import recognition_pb2 as pb
from onecode_server.codes.encodings import base64url

from tests.certificates import spiffe_id
from tests.integration.bad_identities import GRANTED, URIS, Counted, expect_refused, verify
from tests.integration.deployment import Server
from tests.integration.identities import GATEWAY, SCANNER, Identities, refusal_of
from tests.tokens import TokenIssuer


class Tokens:
    """Makes the tokens that are refused."""

    def __init__(self, identities: Identities) -> None:
        self.issuer = identities.tokens
        self.now_s = time.time()

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a scanner's token, with these headers and claims in place of the good ones."""
        return self.issuer.token(SCANNER, self.now_s, headers, **claims)

    def unsigned(self) -> str:
        """Return a token that says that it has no signature, and has none."""
        return self.token({"alg": "none"}).rpartition(".")[0] + "."

    def symmetric(self, secret: bytes) -> str:
        """Return a token that is authenticated with a secret."""
        message = self.token({"alg": "HS256"}).rpartition(".")[0]
        return f"{message}.{base64url.encode(hmac.digest(secret, message.encode(), hashlib.sha256)).decode()}"

    def by_public_key(self, encoding: serialization.Encoding, form: serialization.PublicFormat) -> str:
        """Return a token whose secret is what everybody may know: the bytes of the public key."""
        return self.symmetric(self.issuer.key.public_key().public_bytes(encoding, form))

    def of_length(self, length: int) -> str:
        """Return a good token of at least ``length`` bytes, and at most three more."""
        short = len(self.token(pad=""))
        return next(
            made
            for size in range(3 * (length - short) // 4, length)
            if len(made := self.token(pad="x" * size)) >= length
        )


def _of(subject: str) -> Callable[[Tokens], str]:
    return lambda by: by.token(sub=subject)


_PEM, _RAW = serialization.Encoding.PEM, serialization.Encoding.Raw
_SPKI, _BYTES = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.Raw
TOKENS: Final[dict[str, tuple[Callable[[Tokens], str], str]]] = {
    "none": (lambda _: "", "IDENTITY_MISSING"),
    "alg none": (Tokens.unsigned, "TOKEN_ALGORITHM"),
    "alg None": (lambda by: by.token({"alg": "None"}), "TOKEN_ALGORITHM"),
    "no alg": (lambda by: by.token({"alg": None}), "TOKEN_ALGORITHM"),
    "HS256 with a secret": (lambda by: by.symmetric(b"secret" * 6), "TOKEN_ALGORITHM"),
    "HS256 with the public key in PEM": (lambda by: by.by_public_key(_PEM, _SPKI), "TOKEN_ALGORITHM"),
    "HS256 with the public key's bytes": (lambda by: by.by_public_key(_RAW, _BYTES), "TOKEN_ALGORITHM"),
    "HS256 with the key's JWK": (lambda by: by.symmetric(json.dumps(by.issuer.jwk).encode()), "TOKEN_ALGORITHM"),
    "the algorithm of another key": (lambda by: by.token({"alg": "ES256"}), "TOKEN_ALGORITHM"),
    "another audience": (lambda by: by.token(aud="elsewhere"), "TOKEN_AUDIENCE"),
    "no audience": (lambda by: by.token(aud=None), "TOKEN_AUDIENCE"),
    "an audience that begins so": (lambda by: by.token(aud=["onecode.elsewhere"]), "TOKEN_AUDIENCE"),
    "no expiry": (lambda by: by.token(exp=None), "TOKEN_EXPIRY_MISSING"),
    "an expiry that is a text": (lambda by: by.token(exp="4102444800"), "TOKEN_EXPIRY_MISSING"),
    "expired": (lambda by: by.token(exp=by.now_s - 1), "TOKEN_EXPIRED"),
    "an expiry far ahead": (lambda by: by.token(exp=by.now_s + 30 * 86400), "TOKEN_EXPIRY_TOO_FAR"),
    "not before tomorrow": (lambda by: by.token(nbf=by.now_s + 86400), "TOKEN_NOT_YET_VALID"),
    "issued tomorrow": (lambda by: by.token(iat=by.now_s + 86400), "TOKEN_ISSUED_IN_FUTURE"),
    "no subject": (lambda by: by.token(sub=None), "TOKEN_SUBJECT"),
    "a list as subject": (lambda by: by.token(sub=[spiffe_id(SCANNER)]), "TOKEN_SUBJECT"),
    "an unknown key": (lambda by: by.token({"kid": "k-2"}), "TOKEN_KEY_UNKNOWN"),
    "no key": (lambda by: by.token({"kid": None}), "TOKEN_KEY_ID_MISSING"),
    "a key of its own": (lambda by: by.token({"jwk": by.issuer.jwk, "kid": None}), "TOKEN_KEY_ID_MISSING"),
    "another issuer's signature": (lambda by: TokenIssuer().token(SCANNER, by.now_s), "TOKEN_SIGNATURE"),
    "no signature": (lambda by: by.token().rpartition(".")[0] + ".", "TOKEN_SIGNATURE"),
    "another type": (lambda by: by.token({"typ": "at+jwt"}), "TOKEN_TYPE"),
    "a critical extension": (lambda by: by.token({"crit": ["b64"], "b64": False}), "TOKEN_CRITICAL_HEADER"),
    "two parts": (lambda by: by.token().rpartition(".")[0], "TOKEN_MALFORMED"),
    "no JSON": (lambda by: by.issuer.sign(b"{", b"{}"), "TOKEN_MALFORMED"),
    "a member twice": (
        lambda by: by.issuer.sign(
            json.dumps({"alg": "EdDSA", "kid": by.issuer.kid}).encode(), b'{"sub":"a","sub":"b","aud":"onecode"}'
        ),
        "TOKEN_MALFORMED",
    ),
    "8 KiB": (lambda by: by.of_length(8 * 1024 - 3), GRANTED),
    "more than 8 KiB": (lambda by: by.of_length(8 * 1024 + 1), "TOKEN_TOO_LONG"),
    "9 KiB": (lambda by: by.of_length(9 * 1024), "TOKEN_TOO_LONG"),
} | {f"{name} as subject": (_of(uri), reason) for name, (uri, reason) in URIS.items()}


def test_each_call_with_the_same_bad_token_counts_by_its_kind(
    guarded: Server, identities: Identities, code: bytes
) -> None:
    token = Tokens(identities).token(exp=time.time() - 1)
    channel = identities.channel(guarded, None if guarded.front() == "native" else identities.leaf(GATEWAY), token)
    counted = Counted(guarded)
    for _ in range(25):  # the native front repeats a refusal by itself
        expect_refused(refusal_of(lambda: verify(channel, code)), "TOKEN_EXPIRED")
    counted.expect_calls("TOKEN_EXPIRED", 25)


@pytest.mark.parametrize("shown", TOKENS)
def test_a_bad_token(guarded: Server, identities: Identities, code: bytes, polite: grpc.Channel, shown: str) -> None:
    make, reason = TOKENS[shown]
    token = make(Tokens(identities))
    if guarded.front() == "native":
        channel = identities.channel(guarded, None, token)
    elif token:
        channel = identities.channel(guarded, identities.leaf(GATEWAY), token)
    else:
        pytest.skip("grpc.aio demands a certificate, and a gateway's is an identity")
    counted = Counted(guarded)
    expect_refused(refusal_of(lambda: verify(channel, code)), reason)
    if reason != GRANTED:
        counted.expect(reason)
    assert verify(polite, code).verdict.decision == pb.DECISION_ADMIT
