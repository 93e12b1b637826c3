"""Key sets: which keys are taken, and that a set with one bad key is refused with a reason that names no content."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base64url
from onecode_server.errors import Malformed
from onecode_server.identity import token_keys

from tests.certificates import make_key
from tests.tokens import ALGORITHMS, TokenIssuer, jwks

ED25519, P256, RSA = (TokenIssuer(f"k-{kind}", kind) for kind in ("ed25519", "p256", "rsa"))
ED25519_JWK = ED25519.jwk


def private(issuer: TokenIssuer) -> dict[str, Any]:
    """Return a private key as a JWK, as somebody writes it by mistake."""
    members: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(issuer.algorithm).to_jwk(issuer.key))
    return members | {"kid": issuer.kid}


def test_each_kind_of_key_checks_signatures_of_its_own_algorithm():
    keys = token_keys.read(jwks(ED25519, P256, RSA))
    assert {kid: key.algorithm for kid, key in keys.items()} == {f"k-{kind}": name for kind, name in ALGORITHMS.items()}
    for issuer in (ED25519, P256, RSA):
        message, _, signature = issuer.sign(b"header", b"payload").encode().rpartition(b".")
        for kid, key in keys.items():
            assert key.verify(message, base64url.decode(signature)) == (kid == issuer.kid)
            assert not key.verify(message + b"x", base64url.decode(signature))
            assert not key.verify(message, b"")


def test_members_that_say_the_same_are_taken_and_keys_for_other_uses_passed_over():
    fitting = {"alg": "EdDSA", "use": "sig", "key_ops": ["verify"], "comment": "mine"}
    x509 = {"kty": "EC", "crv": "P-384", "use": "x509-svid", "x5c": ["…"]}
    assert list(token_keys.read(jwks(ED25519_JWK | fitting, x509, P256.jwk | {"use": "jwt-svid"}))) == [
        ED25519.kid,
        P256.kid,
    ]
    assert token_keys.read(b'{"keys": [], "spiffe_refresh_hint": 60}') == {}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("text", "it is no object"),
        ({}, "no kid"),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "a"}, "symmetric"),
        (ED25519_JWK | {"d": "AAAA"}, "private key"),
        (private(P256), "private key"),
        (private(RSA), "private key"),
        (ED25519_JWK | {"kid": 1}, "no kid"),
        (ED25519_JWK | {"kid": ""}, "no kid"),
        (ED25519_JWK | {"kid": "k" * 256}, "no kid"),
        (ED25519_JWK | {"alg": "RS256"}, "alg does not fit"),
        (ED25519_JWK | {"alg": "none"}, "alg does not fit"),
        (ED25519_JWK | {"alg": None}, "alg does not fit"),
        (RSA.jwk | {"alg": "RS512"}, "alg does not fit"),
        (ED25519_JWK | {"key_ops": ["sign"]}, "key_ops"),
        (ED25519_JWK | {"crv": "Ed448"}, "none of OKP"),
        (ED25519_JWK | {"kty": ["OKP"]}, "none of OKP"),
        (P256.jwk | {"crv": "P-384"}, "none of OKP"),
        (P256.jwk | {"x": P256.jwk["y"]}, "no public key"),
        (P256.jwk | {"x": 5}, "it has no x"),
        (ED25519_JWK | {"x": ED25519_JWK["x"] + "="}, "its x is not base64url"),
        (ED25519_JWK | {"x": "AAAA"}, "not 32 bytes"),
        (ED25519_JWK | {"x": base64url.encode(bytes(32)).decode()}, "prime-order"),
        (RSA.jwk | {"n": RSA.jwk["n"][:300]}, "RSA key has 2,048 to 8,192"),
        (RSA.jwk | {"e": base64url.encode((2**32 + 15).to_bytes(5)).decode()}, "exponent"),
        (RSA.jwk | {"e": "Ag"}, "no public key"),
    ],
)
def test_a_set_with_a_key_that_must_not_be_used_is_refused_whole(entry, why):
    with pytest.raises(Malformed, match=rf"^key 2: .*{why}"):
        token_keys.read(jwks(TokenIssuer("first"), entry))


def test_a_short_rsa_key_is_refused():
    short = TokenIssuer("short", "rsa", rsa.generate_private_key(65537, 1024))
    with pytest.raises(Malformed, match="1,024 bits"):
        token_keys.read(jwks(short))


def test_two_keys_of_one_id_are_refused():
    with pytest.raises(Malformed, match="key 2: another key of the set has the same kid"):
        token_keys.read(jwks(ED25519, TokenIssuer(ED25519.kid, "p256", make_key("p256"))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []',
        b'{"keys": [], "keys": []}',
        jwks(ED25519)[:-10],
        b"\xff" + jwks(ED25519),
        jwks(ED25519).decode().encode("utf-16"),
        b'{"keys": [NaN]}',
        b"[" * 100_000,
        b'{"keys": ' + b"[" * 100_000,
        json.dumps({"keys": [ED25519_JWK] * (token_keys.KEYS_MAX + 1)}).encode(),
        jwks(ED25519).replace(b'"kid"', b'"kid": "a", "kid"'),
    ],
)
def test_what_is_no_set_is_refused(data):
    with pytest.raises(Malformed):
        token_keys.read(data)


_MEMBERS = st.sampled_from(["kty", "crv", "kid", "x", "y", "n", "e", "alg", "use", "key_ops"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(_MEMBERS, inner),
    max_leaves=8,
)


@given(_VALUES, _MEMBERS, st.sampled_from([ED25519_JWK, P256.jwk, RSA.jwk]))
def test_any_value_of_a_member_is_taken_or_refused_and_raises_nothing_else(value, member, jwk):
    try:
        keys = token_keys.read(json.dumps({"keys": [jwk | {member: value}]}).encode())
    except Malformed:
        return
    assert len(keys) <= 1
