"""PASETO v4.public: as pyseto writes it, and what its footer may not do."""

import json

import pyseto
import pytest

from onecode_server.codes.encodings import base64url
from onecode_server.codes.paseto import codec as paseto
from onecode_server.errors import Malformed

from tests import formats
from tests.unit.codes.samples import CLAIMS

PAYLOAD = json.dumps(CLAIMS[formats.PASETO]).encode()


def token(footer: object, payload: bytes = PAYLOAD, size: int = 64) -> bytes:
    """A token that nobody signed, with this footer."""
    raw = footer if isinstance(footer, bytes) else json.dumps(footer).encode()
    return paseto.PREFIX + base64url.encode(payload + bytes(size)) + b"." + base64url.encode(raw)


@pytest.fixture(scope="module")
def private(key):
    return pyseto.Key.from_asymmetric_key_params(4, d=bytes(key))


@pytest.mark.parametrize("kid", ["key-1", "广东-1", "", None])
def test_a_token_made_by_pyseto_is_authentic(kid, private, is_authentic):
    footer = {"x": 1} if kid is None else {"kid": kid}
    signed = paseto.decode(pyseto.encode(private, payload=CLAIMS[formats.PASETO], footer=footer))
    assert signed.key_id == (kid or "").encode()
    assert is_authentic(signed)
    assert paseto.read_claims(signed.payload) == CLAIMS[formats.PASETO]


def test_a_token_made_here_is_verified_by_pyseto(minted, key):
    public = pyseto.Key.from_asymmetric_key_params(4, x=bytes(key.verify_key))
    decoded = pyseto.decode(public, minted[formats.PASETO], deserializer=json)
    assert (decoded.payload, decoded.footer) == (CLAIMS[formats.PASETO], {"kid": "key-1"})


def test_a_token_bound_to_an_implicit_assertion_is_not_authentic(private, is_authentic):
    made = pyseto.encode(private, CLAIMS[formats.PASETO], {"kid": "key-1"}, implicit_assertion=b"elsewhere")
    assert not is_authentic(paseto.decode(made))


def test_a_footer_of_another_token_is_not_authentic(private, is_authentic):
    first = pyseto.encode(private, CLAIMS[formats.PASETO], {"kid": "key-1"})
    second = pyseto.encode(private, CLAIMS[formats.PASETO], {"kid": "key-2"})
    swapped = first.rpartition(b".")[0] + b"." + second.rpartition(b".")[2]
    assert paseto.decode(swapped).key_id == b"key-2"
    assert not is_authentic(paseto.decode(swapped))


def test_moving_the_border_between_payload_and_footer_changes_what_is_signed():
    one, other = paseto.decode(token({"kid": "a"}, b"xy")), paseto.decode(token({"kid": "a"}, b"x"))
    assert one.message != other.message


def test_a_token_without_a_footer_is_refused(private):
    bare = pyseto.encode(private, CLAIMS[formats.PASETO])
    for code in (bare, bare + b".", bare + b"." + base64url.encode(b"{}")[:-1]):
        with pytest.raises(Malformed):
            paseto.decode(code)


def test_a_local_token_under_the_public_prefix_is_not_authentic(is_authentic):
    local = pyseto.encode(pyseto.Key.new(4, "local", bytes(32)), CLAIMS[formats.PASETO], {"kid": "key-1"})
    assert not is_authentic(paseto.decode(local.replace(b"v4.local.", b"v4.public.")))


@pytest.mark.parametrize("version", [3, 4])
def test_a_token_of_another_version_or_purpose_has_another_prefix(version):
    key = pyseto.Key.new(version, "local", bytes(32))
    assert not pyseto.encode(key, CLAIMS[formats.PASETO], {"kid": "key-1"}).startswith(paseto.PREFIX)


@pytest.mark.parametrize(
    "footer",
    [
        b"",
        b"key-1",
        b"[]",
        b'"key-1"',
        b"null",
        b'{"kid":"a","kid":"b"}',
        rb'{"kid":"a","\u006bid":"b"}',
        b'{"kid":"\xff"}',
        b'{"kid":NaN}',
        b'{"kid":"a"}{}',
        b'{"x":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_a_footer_that_is_no_strict_json_object_is_refused(footer):
    with pytest.raises(Malformed):
        paseto.decode(token(footer))


@pytest.mark.parametrize("kid", [1, None, True, ["key-1"], {}, 1.5])
def test_a_key_id_that_is_no_text_is_refused(kid):
    with pytest.raises(Malformed):
        paseto.decode(token({"kid": kid}))


@pytest.mark.parametrize("size", [0, 1, 63])
def test_a_body_too_short_for_a_signature_is_refused(size):
    with pytest.raises(Malformed):
        paseto.decode(token({"kid": "key-1"}, b"", size))


def test_a_body_that_is_only_a_signature_has_no_claims():
    assert paseto.decode(token({"kid": "key-1"}, b"")).payload == b""
    with pytest.raises(Malformed):
        paseto.read_claims(b"")


@pytest.mark.parametrize("size", [63, 65])
def test_a_signature_of_another_length_is_not_authentic(size, sign, is_authentic):
    made = paseto.mint(CLAIMS[formats.PASETO], b"key-1", lambda message: (sign(message) + b"\0")[:size])
    assert not is_authentic(paseto.decode(made))


@pytest.mark.parametrize("dots", [b"..", b"...", b". ."])
def test_more_parts_than_a_body_and_a_footer_are_refused(dots, minted):
    start, _, footer = minted[formats.PASETO].rpartition(b".")
    with pytest.raises(Malformed):
        paseto.decode(start + dots + footer)
    with pytest.raises(Malformed):
        paseto.decode(minted[formats.PASETO] + dots[:1] + footer)
