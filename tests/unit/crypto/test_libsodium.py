"""The backend of PyNaCl. What it accepts is tested in conformance; here is how it fails."""

import pytest
from nacl.signing import SigningKey

from onecode_server.crypto import libsodium
from onecode_server.crypto.libsodium import LibsodiumBackend

KEY = SigningKey(bytes(range(32)))
PUBLIC_KEY, SIGNATURE = bytes(KEY.verify_key), KEY.sign(b"text").signature


def test_no_items_have_no_answers():
    assert LibsodiumBackend().verify_batch([], [], []) == []


def test_a_good_signature_is_true_and_one_for_another_text_is_false():
    backend = LibsodiumBackend()
    assert backend.verify_batch([PUBLIC_KEY] * 2, [SIGNATURE] * 2, [b"text", b"test"]) == [True, False]


def test_lengths_are_not_made_up_for_by_the_text_beside_them():
    split = LibsodiumBackend().verify_batch([PUBLIC_KEY], [SIGNATURE[:63]], [SIGNATURE[63:] + b"text"])
    joined = LibsodiumBackend().verify_batch([PUBLIC_KEY], [SIGNATURE + b"t"], [b"ext"])
    assert split + joined == [False, False]


def test_a_failure_of_the_library_is_no_answer(monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(libsodium, "crypto_sign_open", fails)
    with pytest.raises(MemoryError):
        LibsodiumBackend().verify_batch([PUBLIC_KEY], [SIGNATURE], [b"text"])
