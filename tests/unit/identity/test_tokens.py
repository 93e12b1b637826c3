"""Bearer tokens: each fault has a word of its own, valid ones are checked once, and bad ones cost little."""

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base64url
from onecode_server.errors import Unauthenticated
from onecode_server.identity import token_keys
from onecode_server.identity.token_keys import TokenKey, TokenKeys
from onecode_server.identity.tokens import REFUSALS_KEPT, TOKEN_BYTES_MAX, Tokens
from onecode_server.model.identity import Identity, Role

from tests.certificates import TRUST_DOMAIN, spiffe_id
from tests.tokens import TokenIssuer, jwks

NOW_S = 1_800_000_000
NOW = NOW_S * 1_000_000
SECOND = 1_000_000
PATH = "region/420000/scanner"
SCANNER = Identity(Role.SCANNER, "420000")
ED25519, P256, RSA = ISSUERS = [TokenIssuer(f"k-{kind}", kind) for kind in ("ed25519", "p256", "rsa")]
KEYS = token_keys.read(jwks(*ISSUERS))


class Counted:
    """Keys that count the signatures that are checked."""

    def __init__(self) -> None:
        self.checks = 0
        self.keys: TokenKeys = {kid: self._counted(key) for kid, key in KEYS.items()}

    def _counted(self, key: TokenKey) -> TokenKey:
        real = key.verifier

        class Verifier:
            def verify(_, message: bytes, of: Any, signature: bytes) -> bool:  # noqa: N805
                self.checks += 1
                return real.verify(message, of, signature)

        return key._replace(verifier=Verifier())  # type: ignore[arg-type]


@pytest.fixture
def counted():
    return Counted()


@pytest.fixture
def tokens(counted):
    return Tokens(lambda: counted.keys, TRUST_DOMAIN, "onecode")


def refusal(tokens: Tokens, token: str | bytes, now: int = NOW) -> str:
    with pytest.raises(Unauthenticated) as caught:
        tokens.read(token.encode() if isinstance(token, str) else token, now)
    return caught.value.reason


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda issuer: issuer.kid)
def test_a_token_of_each_algorithm_is_taken_until_it_expires(tokens, issuer):
    token = issuer.token(PATH, NOW_S).encode()
    read = tokens.read(token, NOW)
    assert read == (SCANNER, NOW + 3600 * SECOND)
    assert tokens.read(token, read.until - 1) == read
    assert refusal(tokens, token, read.until) == "TOKEN_EXPIRED"
    assert refusal(tokens, token, read.until) == "TOKEN_EXPIRED"


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda issuer: issuer.kid)
def test_a_token_that_pyjwt_makes_is_taken(tokens, issuer):
    claims = {"sub": spiffe_id(PATH), "aud": ["other", "onecode"], "exp": NOW_S + 60, "nbf": NOW_S}
    token = jwt.encode(claims, issuer.key, issuer.algorithm, {"kid": issuer.kid})
    assert tokens.read(token.encode(), NOW).identity == SCANNER


def test_a_valid_token_is_checked_once(tokens, counted):
    token = ED25519.token(PATH, NOW_S).encode()
    for _ in range(5):
        tokens.read(bytes(bytearray(token)), NOW)
    assert counted.checks == 1


@pytest.mark.parametrize(
    ("headers", "claims", "reason"),
    [
        ({"alg": "none"}, {}, "TOKEN_ALGORITHM"),
        ({"alg": "HS256"}, {}, "TOKEN_ALGORITHM"),
        ({"alg": "RS256"}, {}, "TOKEN_ALGORITHM"),
        ({"alg": ["EdDSA"]}, {}, "TOKEN_ALGORITHM"),
        ({"alg": None}, {}, "TOKEN_ALGORITHM"),
        ({"kid": None}, {}, "TOKEN_KEY_ID_MISSING"),
        ({"kid": ""}, {}, "TOKEN_KEY_ID_MISSING"),
        ({"kid": 7}, {}, "TOKEN_KEY_ID_MISSING"),
        ({"kid": "k-x"}, {}, "TOKEN_KEY_UNKNOWN"),
        ({"kid": "k-p256"}, {}, "TOKEN_ALGORITHM"),
        ({"typ": "JWE"}, {}, "TOKEN_TYPE"),
        ({"crit": ["b64"], "b64": False}, {}, "TOKEN_CRITICAL_HEADER"),
        ({"crit": []}, {}, "TOKEN_CRITICAL_HEADER"),
        ({}, {"aud": None}, "TOKEN_AUDIENCE"),
        ({}, {"aud": "Onecode"}, "TOKEN_AUDIENCE"),
        ({}, {"aud": ["a", 5, ["onecode"]]}, "TOKEN_AUDIENCE"),
        ({}, {"aud": {"onecode": 1}}, "TOKEN_AUDIENCE"),
        ({}, {"exp": None}, "TOKEN_EXPIRY_MISSING"),
        ({}, {"exp": "1800003600"}, "TOKEN_EXPIRY_MISSING"),
        ({}, {"exp": True}, "TOKEN_EXPIRY_MISSING"),
        ({}, {"exp": -1}, "TOKEN_EXPIRY_MISSING"),
        ({}, {"exp": 10**400}, "TOKEN_EXPIRY_MISSING"),
        ({}, {"exp": NOW_S}, "TOKEN_EXPIRED"),
        ({}, {"exp": NOW_S + 24 * 3600 + 1}, "TOKEN_EXPIRY_TOO_FAR"),
        ({}, {"nbf": NOW_S + 61}, "TOKEN_NOT_YET_VALID"),
        ({}, {"nbf": "now"}, "TOKEN_NOT_YET_VALID"),
        ({}, {"iat": NOW_S + 61}, "TOKEN_ISSUED_IN_FUTURE"),
        ({}, {"iat": [1]}, "TOKEN_ISSUED_IN_FUTURE"),
        ({}, {"sub": None}, "TOKEN_SUBJECT"),
        ({}, {"sub": [spiffe_id(PATH)]}, "TOKEN_SUBJECT"),
        ({}, {"sub": "region/420000/scanner"}, "SPIFFE_ID_MALFORMED"),
        ({}, {"sub": "spiffe://elsewhere.internal/ops"}, "SPIFFE_ID_TRUST_DOMAIN"),
        ({}, {"sub": spiffe_id("admin")}, "SPIFFE_ID_UNKNOWN"),
    ],
)
def test_each_fault_of_a_signed_token_has_its_own_word(tokens, headers, claims, reason):
    assert refusal(tokens, ED25519.token(PATH, NOW_S, headers, **claims)) == reason


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW_S + 24 * 3600},
        {"exp": NOW_S + 0.5},
        {"nbf": NOW_S + 60, "iat": NOW_S + 60},
        {"iat": None},
        {"aud": ["onecode"]},
        {"unknown": [[{}]]},
    ],
)
def test_what_is_within_the_bounds_is_taken(tokens, claims):
    assert tokens.read(ED25519.token(PATH, NOW_S, **claims).encode(), NOW).identity == SCANNER


GOOD = ED25519.token(PATH, NOW_S)
HEADER, PAYLOAD, SIGNATURE = GOOD.split(".")
PLAIN = json.dumps({"alg": "EdDSA", "kid": ED25519.kid}).encode()
CLAIMS = json.dumps({"sub": spiffe_id(PATH), "aud": "onecode", "exp": NOW_S + 60}).encode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "..",
        "...",
        f"{HEADER}.{PAYLOAD}",
        f"{GOOD}.",
        f"{GOOD}=",
        f"{HEADER}=.{PAYLOAD}.{SIGNATURE}",
        f"{HEADER}\n.{PAYLOAD}.{SIGNATURE}",
        f"{GOOD[:-1]}",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}+",
        ED25519.sign(b"[]", CLAIMS),
        ED25519.sign(PLAIN, b"[]"),
        ED25519.sign(PLAIN, b""),
        ED25519.sign(PLAIN, b'"text"'),
        ED25519.sign(PLAIN[:-1] + b', "kid": "k-x"}', CLAIMS),
        ED25519.sign(PLAIN, CLAIMS[:-1] + b', "sub": "spiffe://onecode.internal/ops"}'),
        ED25519.sign(PLAIN, CLAIMS[:-1] + b', "more": {"a": 1, "a": 2}}'),
        ED25519.sign(PLAIN, CLAIMS[:-1] + b', "more": ' + b"[" * 5000 + b"}"),
        ED25519.sign(PLAIN, CLAIMS[:-1] + b', "more": NaN}'),
        ED25519.sign(PLAIN, CLAIMS[:-1] + b', "more": "\xff"}'),
        ED25519.sign(PLAIN, b"\xef\xbb\xbf" + CLAIMS),
        ED25519.sign(b'{"alg": ' + b"[" * 5000, CLAIMS),
    ],
)
def test_what_is_no_jwt_is_malformed(tokens, token):
    assert refusal(tokens, token) == "TOKEN_MALFORMED"


def test_a_signature_of_another_key_or_of_other_content_is_not_valid(tokens):
    forged = TokenIssuer(ED25519.kid, "ed25519")
    assert refusal(tokens, forged.token(PATH, NOW_S)) == "TOKEN_SIGNATURE"
    other = base64url.encode(CLAIMS.replace(b"420000", b"440000")).decode()
    assert refusal(tokens, f"{HEADER}.{other}.{SIGNATURE}") == "TOKEN_SIGNATURE"
    assert refusal(tokens, f"{HEADER}.{PAYLOAD}.") == "TOKEN_SIGNATURE"


def test_a_public_key_used_as_a_secret_signs_nothing(tokens):
    """The classic confusion of algorithms: an HMAC keyed with what everybody knows."""
    import hashlib
    import hmac

    message = base64url.encode(json.dumps({"alg": "HS256", "kid": RSA.kid}).encode()) + b"." + base64url.encode(CLAIMS)
    public = json.dumps(RSA.jwk).encode()
    forged = message + b"." + base64url.encode(hmac.digest(public, message, hashlib.sha256))
    assert refusal(tokens, forged) == "TOKEN_ALGORITHM"


def test_a_token_above_the_bound_is_not_looked_at(tokens, counted):
    long = ED25519.token(PATH, NOW_S, more="x" * TOKEN_BYTES_MAX)
    assert refusal(tokens, long) == "TOKEN_TOO_LONG"
    assert counted.checks == 0


def test_new_keys_end_what_was_kept(tokens, counted):
    token = ED25519.token(PATH, NOW_S).encode()
    tokens.read(token, NOW)
    unknown = TokenIssuer("k-new").token(PATH, NOW_S)
    assert refusal(tokens, unknown) == "TOKEN_KEY_UNKNOWN"
    counted.keys = {kid: key for kid, key in KEYS.items() if kid != ED25519.kid}
    assert refusal(tokens, token) == "TOKEN_KEY_UNKNOWN"


def test_a_refusal_is_repeated_for_a_second_and_then_checked_again(tokens, counted):
    bad = TokenIssuer(ED25519.kid, "ed25519").token(PATH, NOW_S)
    for late in (0, 0.5, 0.999):
        assert refusal(tokens, bad, NOW + int(late * SECOND)) == "TOKEN_SIGNATURE"
    assert counted.checks == 1
    assert refusal(tokens, bad, NOW + SECOND) == "TOKEN_SIGNATURE"
    assert refusal(tokens, bad, NOW - SECOND) == "TOKEN_SIGNATURE"  # a clock that was set back
    assert counted.checks == 3


def test_many_bad_tokens_check_no_signature_and_push_no_valid_one_out(tokens, counted):
    good = ED25519.token(PATH, NOW_S).encode()
    tokens.read(good, NOW)
    for number in range(3 * REFUSALS_KEPT):
        assert refusal(tokens, f"{HEADER}{number}.{PAYLOAD}.{SIGNATURE}") in ("TOKEN_MALFORMED", "TOKEN_KEY_UNKNOWN")
    assert tokens.read(good, NOW).identity == SCANNER
    assert counted.checks == 1
    assert len(tokens) == 1
    assert len(tokens._refused) == REFUSALS_KEPT


@given(st.data())
def test_a_changed_token_is_refused(data):
    tokens = Tokens(lambda: KEYS, TRUST_DOMAIN, "onecode")
    good = data.draw(st.sampled_from([issuer.token(PATH, NOW_S) for issuer in ISSUERS])).encode()
    place = data.draw(st.integers(0, len(good) - 1))
    changed = good[:place] + data.draw(st.binary(max_size=3)) + good[place + data.draw(st.integers(0, 3)) :]
    if changed != good:
        assert refusal(tokens, changed).startswith("TOKEN_")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["alg", "kid", "typ"]), _JSON, st.sampled_from(["sub", "aud", "exp", "nbf", "iat"]), _JSON)
def test_any_value_of_a_member_is_taken_or_refused_and_raises_nothing_else(header, value, claim, other):
    tokens = Tokens(lambda: KEYS, TRUST_DOMAIN, "onecode")
    for headers, claims in (({header: value}, {}), ({}, {claim: other})):
        try:
            read = tokens.read(ED25519.token(PATH, NOW_S, headers, **claims).encode(), NOW)
        except Unauthenticated:
            continue
        assert read.identity == SCANNER
