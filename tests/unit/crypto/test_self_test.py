"""The self-test lets no backend pass that answers one known signature otherwise."""

from collections.abc import Sequence

import pytest

from onecode_server.crypto import self_test
from onecode_server.crypto.libsodium import LibsodiumBackend


class Wrong(LibsodiumBackend):
    """Answers as libsodium, but for one place of a batch or for single items."""

    def __init__(self, place: int | None) -> None:
        super().__init__()
        self.place = place

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        return super().verify_one(public_key, signature, message) != (self.place is None)

    def verify_batch(self, keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]) -> list[bool]:
        answers = super().verify_batch(keys, signatures, messages)
        return [answer != (i == self.place) for i, answer in enumerate(answers)]


EXAMPLES = list(self_test._examples())


def test_the_reference_passes():
    assert self_test.failure(LibsodiumBackend()) == ""


def test_the_examples_are_good_and_spoilt_and_fill_vectors():
    assert sum(example.is_good for example in EXAMPLES) == 9
    assert len(EXAMPLES) == 63


@pytest.mark.parametrize("place", range(0, len(EXAMPLES), 5))
def test_one_wrong_answer_in_a_batch_fails(place):
    assert "a batch" in self_test.failure(Wrong(place))


def test_a_wrong_answer_to_a_single_item_fails():
    assert self_test.failure(Wrong(None)) == "a known signature was checked wrongly"
