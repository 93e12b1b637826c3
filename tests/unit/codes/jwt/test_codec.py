"""JSON Web Tokens: as pyjwt writes them, and the old tricks with headers."""

import json
from base64 import urlsafe_b64encode

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from onecode_server.codes.encodings import base64url, bounded_json
from onecode_server.codes.jwt import codec as jwt
from onecode_server.errors import AlgorithmNotAllowed, Malformed

from tests import formats
from tests.unit.codes.samples import CLAIMS

HEADER = {"alg": "EdDSA", "kid": "key-1"}
PAYLOAD = json.dumps(CLAIMS[formats.JWT]).encode()


def unsigned(header: object = None, payload: bytes = PAYLOAD) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(HEADER if header is None else header).encode()
    return base64url.encode(raw) + b"." + base64url.encode(payload)


def token(header: object = None, size: int = 64) -> bytes:
    """A token that nobody signed, with this header."""
    return unsigned(header) + b"." + base64url.encode(bytes(size))


@pytest.mark.parametrize("kid", ["key-1", "湖北-1", "", None])
def test_a_token_made_by_pyjwt_is_authentic(kid, key, is_authentic):
    headers = {} if kid is None else {"kid": kid}
    private = Ed25519PrivateKey.from_private_bytes(bytes(key))
    made = pyjwt.encode(CLAIMS[formats.JWT], private, algorithm="EdDSA", headers=headers).encode()
    signed = jwt.decode(made)
    assert signed.key_id == (kid or "").encode()
    assert is_authentic(signed)
    assert jwt.read_claims(signed.payload) == CLAIMS[formats.JWT]


def test_a_token_made_here_is_verified_by_pyjwt(minted, key):
    public = Ed25519PublicKey.from_public_bytes(bytes(key.verify_key))
    assert pyjwt.decode(minted[formats.JWT], public, algorithms=["EdDSA"]) == CLAIMS[formats.JWT]
    assert pyjwt.get_unverified_header(minted[formats.JWT]) == {"alg": "EdDSA", "kid": "key-1", "typ": "JWT"}


def test_a_token_with_the_algorithm_name_of_rfc_9864_is_authentic(sign, is_authentic):
    message = unsigned({"alg": "Ed25519", "kid": "key-1"})
    assert is_authentic(jwt.decode(message + b"." + base64url.encode(sign(message))))


def test_a_token_with_a_certificate_in_its_header_is_read():
    assert jwt.decode(token(HEADER | {"x5c": ["M" * 800], "typ": "JWT"})).key_id == b"key-1"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_with_alg_none_is_refused(algorithm):
    for signature in (b"", base64url.encode(bytes(64))):
        with pytest.raises(AlgorithmNotAllowed):
            jwt.decode(unsigned({"alg": algorithm, "kid": "key-1"}) + b"." + signature)


def test_a_token_keyed_with_the_public_key_as_a_shared_secret_is_refused(key):
    confused = pyjwt.encode(CLAIMS[formats.JWT], bytes(key.verify_key), algorithm="HS256", headers={"kid": "key-1"})
    with pytest.raises(AlgorithmNotAllowed):
        jwt.decode(confused.encode())


@pytest.mark.parametrize(
    "algorithm",
    [
        "HS256",
        "RS256",
        "PS256",
        "ES256",
        "Ed448",
        "eddsa",
        "EDDSA",
        "ed25519",
        "EdDSA ",
        1,
        None,
        True,
        [],
        ["EdDSA"],
        {},
    ],
)
def test_a_token_with_another_algorithm_is_refused(algorithm):
    with pytest.raises(AlgorithmNotAllowed):
        jwt.decode(token({"alg": algorithm, "kid": "key-1"}))


@pytest.mark.parametrize("header", [{}, {"kid": "key-1"}, {"ALG": "EdDSA"}, {"Alg": "EdDSA"}, {"x": {"alg": "EdDSA"}}])
def test_a_token_without_an_algorithm_is_refused(header):
    with pytest.raises(AlgorithmNotAllowed):
        jwt.decode(token(header))


@pytest.mark.parametrize("critical", [[], ["b64"], ["exp"], None, False, "b64"])
def test_a_token_with_critical_parameters_is_refused(critical):
    with pytest.raises(Malformed, match="critical"):
        jwt.decode(token(HEADER | {"crit": critical, "b64": False}))


@pytest.mark.parametrize("kid", [1, None, True, ["key-1"], {"kid": "key-1"}, 1.5])
def test_a_key_id_that_is_no_text_is_refused(kid):
    with pytest.raises(Malformed):
        jwt.decode(token(HEADER | {"kid": kid}))


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(size):
    with pytest.raises(Malformed):
        jwt.decode(token(size=size))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"EdDSA"',
        b'{"alg":"EdDSA","alg":"EdDSA"}',
        b'{"alg":"none","alg":"EdDSA"}',
        b'{"alg":"EdDSA","kid":"a","kid":"b"}',
        rb'{"alg":"none","\u0061lg":"EdDSA"}',
        b'{"alg":"EdDSA","kid":"\xff"}',
        b'{"alg":"EdDSA","x":NaN}',
        b'{"alg":"EdDSA"}{"alg":"none"}',
        b'{"alg":"EdDSA","x":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"alg":"EdDSA","x":' + b"9" * 1100 + b"}" * 2,
    ],
)
def test_a_header_that_is_no_strict_json_object_is_refused(header):
    with pytest.raises(Malformed):
        jwt.decode(token(header))


@pytest.mark.parametrize(
    "rebuild", [b"{0}.{1}", b"{0}.{1}.{2}.", b".{0}.{1}.{2}", b"{0}..{1}.{2}", b"{0}.{1}.{2}.{2}.{2}", b"{0}{1}{2}"]
)
def test_what_is_not_three_parts_is_refused(rebuild, minted):
    parts = minted[formats.JWT].split(b".")
    code = rebuild
    for index, part in enumerate(parts):
        code = code.replace(b"{%d}" % index, part)
    with pytest.raises(Malformed):
        jwt.decode(code)


def test_an_encrypted_token_of_five_parts_is_refused():
    with pytest.raises(Malformed):
        jwt.decode(b".".join([base64url.encode(b'{"alg":"dir","enc":"A128GCM"}'), b"", b"AAAA", b"AAAA", b"AAAA"]))


def test_a_token_in_json_serialisation_is_refused():
    parts = {"protected": "eyJ", "payload": "e30", "signature": "AA"}
    with pytest.raises(Malformed):
        jwt.decode(json.dumps(parts).encode())


@pytest.mark.parametrize("part", range(3))
def test_a_part_with_base64_padding_is_refused(part):
    parts = token({"alg": "EdDSA", "kid": "k"}).split(b".")
    parts[part] += b"=" * (-len(parts[part]) % 4 or 4)
    with pytest.raises(Malformed):
        jwt.decode(b".".join(parts))


def test_a_payload_is_not_read_before_its_signature_is_checked():
    signed = jwt.decode(unsigned(payload=b"\xff not json") + b"." + base64url.encode(bytes(64)))
    assert signed.payload == b"\xff not json"
    with pytest.raises(Malformed):
        jwt.read_claims(signed.payload)


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"a":1,"a":2}', b'{"a":Infinity}', b'{"a":1}\n\0', b"eyJhIjoxfQ"])
def test_claims_that_are_no_strict_json_object_are_refused(payload):
    with pytest.raises(Malformed):
        jwt.read_claims(payload)


def test_the_message_is_what_was_scanned_up_to_the_last_dot(minted):
    message, _, signature = minted[formats.JWT].rpartition(b".")
    signed = jwt.decode(minted[formats.JWT])
    assert signed.message == message
    assert urlsafe_b64encode(signed.signature).rstrip(b"=") == signature
    assert bounded_json.loads(signed.payload) == CLAIMS[formats.JWT]
