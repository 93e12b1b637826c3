"""Every corner of the curve, judged by the rule in plain integers and by each backend."""

import pytest
from nacl.signing import SigningKey

from onecode_server.crypto.signing import public_key_fault

from tests.conformance.edwards import BASE, accepts, lift, torsion
from tests.conformance.made_cases import (
    FAMILIES,
    A,
    equation_holds,
    family,
    honest,
    odd_encodings,
    small_encodings,
)

MESSAGE_BYTES_MAX = 4096


def judge(backend, cases):
    return backend.verify_batch(*zip(*[case[1:] for case in cases], strict=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_backend_accepts_exactly_what_the_rule_accepts(backend, name):
    cases = family(name)
    answers = zip(cases, judge(backend, cases), strict=True)
    assert {case.name: answer for case, answer in answers if answer != accepts(*case[1:])} == {}


@pytest.mark.parametrize("name", ["small_order_keys", "small_order_nonces", "odd_keys_and_nonces"])
def test_no_small_and_no_odd_point_is_ever_accepted(backend, name):
    assert not any(judge(backend, family(name)))


def test_a_scalar_is_accepted_in_its_one_form_only(backend):
    assert [case.name for case in family("scalars") if judge(backend, [case]) == [True]] == [honest().name]


def test_mixed_orders_are_accepted_where_the_cofactorless_equation_holds_and_nowhere_else(backend):
    cases = family("mixed_order")
    assert judge(backend, cases) == [not case.name.endswith("times 8 only") for case in cases]


def test_the_cases_are_what_their_names_say():
    assert len({point.encode() for point in torsion()}) == 8
    assert len(set(small_encodings())) == 14
    assert len(set(odd_encodings())) == 40
    assert all(point.encode() != encoded for encoded in odd_encodings() if (point := lift(encoded)))
    assert all(equation_holds(case) for case in family("small_order_keys"))
    assert all(equation_holds(case) for case in family("small_order_nonces") if "mixed" in case.name)
    assert all(equation_holds(case) for case in family("scalars") if case.name.startswith("S + "))
    for case in family("mixed_order"):
        assert equation_holds(case, cofactor=8)
        assert equation_holds(case) is not case.name.endswith("times 8 only")
    assert len(family("mixed_order")) == 106


def test_no_flipped_bit_of_key_or_signature_is_accepted(backend):
    fine = honest()
    whole = int.from_bytes(fine.public_key + fine.signature, "big")
    flipped = [(whole ^ 1 << bit).to_bytes(96, "big") for bit in range(768)]
    keys, signatures = [both[:32] for both in flipped], [both[32:] for both in flipped]
    assert not any(backend.verify_batch(keys, signatures, [fine.message] * 768))


def test_messages_of_every_length_are_read_to_their_last_byte(backend):
    key = SigningKey(bytes(range(32)))
    text = bytes(number * 31 % 251 for number in range(MESSAGE_BYTES_MAX + 1))
    messages = [text[:size] for size in range(MESSAGE_BYTES_MAX + 1)]
    signatures = [key.sign(message).signature for message in messages]
    keys = [bytes(key.verify_key)] * len(messages)
    assert all(backend.verify_batch(keys, signatures, messages))
    changed = [message[:-1] + bytes([message[-1] ^ 1]) for message in messages[1:]]
    assert not any(backend.verify_batch(keys[1:], signatures[1:], changed))


def test_no_key_that_an_issuer_could_not_have_made_enters_a_trust_list():
    mixed = [(A * BASE + point).encode() for point in torsion()[1:]]
    nowhere = [y.to_bytes(32, "little") for y in range(64) if lift(y.to_bytes(32, "little")) is None]
    for public_key in small_encodings() + odd_encodings() + mixed + nowhere:
        assert public_key_fault(public_key) is not None
    assert public_key_fault(honest().public_key) is None
