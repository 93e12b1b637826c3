"""The published vectors: RFC 8032, section 7.1, and the 1,024 that came with the first Ed25519 software."""

from functools import cache
from hashlib import sha512

import cryptography_vectors
import pytest

from tests.conformance.edwards import accepts
from tests.conformance.made_cases import Case

RFC_8032 = {
    "TEST 1": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "TEST 2": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "TEST 3": "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "TEST 1024": "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
}
"""The RFC's names and public keys; the vectors themselves are among the 1,024."""

SHA_ABC = Case(
    "TEST SHA(abc)",
    bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"),
    bytes.fromhex(
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
    ),
    sha512(b"abc").digest(),
)


@cache
def vectors() -> tuple[Case, ...]:
    """Lines of secret and public key : public key : message : signature and message, in hex."""
    with cryptography_vectors.open_vector_file("asymmetric/Ed25519/sign.input", "r") as file:
        lines = [[bytes.fromhex(part) for part in line.split(":")[:4]] for line in file]
    return tuple(Case(f"line {number}", key, both[:64], m) for number, (_, key, m, both) in enumerate(lines, 1))


def judge(backend, cases):
    return backend.verify_batch(*zip(*[case[1:] for case in cases], strict=True))


def test_the_vectors_are_all_there():
    assert [len(case.message) for case in vectors()] == list(range(1024))


@pytest.mark.parametrize("name", [*RFC_8032, SHA_ABC.name])
def test_the_vectors_of_rfc_8032_are_accepted(backend, name):
    cases = [case for case in (*vectors(), SHA_ABC) if case.public_key.hex() == RFC_8032.get(name)] or [SHA_ABC]
    assert judge(backend, cases) == [True]
    assert accepts(*cases[0][1:])


def test_all_vectors_are_accepted(backend):
    assert judge(backend, vectors()) == [True] * 1024


def test_no_vector_is_accepted_for_another_message(backend):
    longer = [case._replace(message=case.message + b"\0") for case in vectors()]
    assert judge(backend, longer) == [False] * 1024


def test_no_vector_is_accepted_under_the_next_vectors_key(backend):
    keys = [case.public_key for case in vectors()]
    swapped = [case._replace(public_key=key) for case, key in zip(vectors(), keys[1:] + keys[:1], strict=True)]
    assert judge(backend, swapped) == [False] * 1024


def test_the_rule_that_judges_all_else_agrees_with_the_vectors():
    for case in vectors()[::64]:
        assert accepts(*case[1:])
        assert not accepts(case.public_key, case.signature, case.message + b"\0")
