"""Keys in a token, by SoftHSM: they sign as any Ed25519 key does, and are there again when the token is."""

import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from onecode_server.crypto import token_session
from onecode_server.crypto.token_session import PSEUDONYM_LABEL, TokenSession
from onecode_server.crypto.token_uri import read_uri
from onecode_server.errors import Misconfigured, SigningUnavailable

from tests import softhsm
from tests.softhsm import Token


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Token]:
    yield from softhsm.tokens(tmp_path, monkeypatch)


def session(token: Token, path: str = "") -> TokenSession:
    return TokenSession(read_uri(token.uri(path)))


def test_a_key_signs_in_the_token_what_libsodium_verifies(token: Token) -> None:
    public_key = token.make_key("gateway-jwt")
    opened = session(token)
    (signer,) = opened.signers().values()
    assert signer.public_key == public_key
    for message in (b"", b"message", bytes(4096)):
        VerifyKey(public_key).verify(message, signer.sign(message))
    opened.close()


def test_a_uri_names_one_key_or_all(token: Token) -> None:
    first, second = token.make_key("gateway-jwt", b"\1"), token.make_key("gateway-paseto", b"\2")
    paths = {
        "": {first, second},
        ";object=gateway-jwt": {first},
        ";id=%02": {second},
        ";object=gateway-paseto;id=%02": {second},
    }
    for path, keys in paths.items():
        opened = session(token, path)
        assert set(opened.signers()) == keys
        opened.close()


def test_a_key_that_is_made_while_the_session_is_open_is_found(token: Token) -> None:
    first = token.make_key("a", b"\1")
    opened = session(token)
    assert set(opened.signers()) == {first}
    opened.close()
    second = token.make_key("b", b"\2")
    assert set(opened.signers()) == {first, second}


def test_keys_that_share_label_and_id_are_told_apart_by_what_they_sign(token: Token) -> None:
    keys = {token.make_key("same"), token.make_key("same")}
    signers = session(token).signers()
    assert set(signers) == keys
    for public_key, signer in signers.items():
        VerifyKey(public_key).verify(b"message", signer.sign(b"message"))


def test_a_token_that_goes_away_is_unavailable_and_is_there_again_when_it_is_back(token: Token) -> None:
    public_key = token.make_key("gateway-jwt")
    opened = session(token)
    (signer,) = opened.signers().values()
    token.take_away()
    with pytest.raises(SigningUnavailable):
        signer.sign(b"message")
    for _ in range(2):
        with pytest.raises(SigningUnavailable):
            opened.signers()
    token.put_back()
    VerifyKey(public_key).verify(b"message", opened.signers()[public_key].sign(b"message"))


def test_a_token_without_a_key_that_fits_is_unavailable(token: Token) -> None:
    token.make_key("another")
    with pytest.raises(SigningUnavailable, match="no Ed25519 key that fits is there"):
        session(token, ";object=gateway-jwt").signers()


def test_a_pin_that_was_refused_is_tried_once_and_a_new_one_again(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_key = token.make_key("gateway-jwt")
    opened, tried = session(token), []
    read = token_session.TokenSession._open

    def noted(self: TokenSession) -> object:
        tried.append(1)
        return read(self)

    monkeypatch.setattr(TokenSession, "_open", noted)
    token.pin_file.write_text("9999")
    with pytest.raises(SigningUnavailable, match="PinIncorrect"):
        opened.signers()
    for _ in range(20):
        with pytest.raises(SigningUnavailable, match="is not tried again") as refused:
            opened.signers()
    assert "9999" not in str(refused.value)
    token.pin_file.write_text(softhsm.PIN)
    assert set(opened.signers()) == {public_key}
    assert len(tried) == 22


def test_a_pin_file_that_others_may_read_is_refused(token: Token) -> None:
    token.make_key("gateway-jwt")
    token.pin_file.chmod(0o644)
    with pytest.raises(SigningUnavailable, match="open to more than its owner"):
        session(token).signers()


def test_the_pseudonym_key_is_made_in_the_token_and_is_always_the_same(token: Token) -> None:
    token.make_secret("pseudonym", bytes(range(32)))
    keys = {session(token, ";object=pseudonym").secret() for _ in range(2)}
    assert keys == {hmac.digest(bytes(range(32)), PSEUDONYM_LABEL, "sha256")}


def test_without_its_secret_key_there_is_no_pseudonym_key(token: Token) -> None:
    with pytest.raises(Misconfigured, match="NoSuchKey"):
        session(token, ";object=pseudonym").secret()


def test_without_its_package_a_token_cannot_be_used_and_that_is_said(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_session, "find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=r"install onecode\[pkcs11\]"):
        session(token)
