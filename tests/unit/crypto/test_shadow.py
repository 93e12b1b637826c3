"""The shadow check finds a backend that disagrees with PyNaCl, tells, and takes its place."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from nacl.signing import SigningKey

from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.crypto.shadow import ShadowedBackend

KEY = SigningKey(bytes(32))
MESSAGES = [bytes([number]) for number in range(100)]
SIGNATURES = [KEY.sign(message).signature for message in MESSAGES]
BATCH = ([bytes(KEY.verify_key)] * 100, SIGNATURES, MESSAGES)


class Stub(LibsodiumBackend):
    """A backend of another name, which may say yes to everything."""

    name = "native"  # type: ignore[misc]

    def __init__(self, *, admits_all: bool) -> None:
        super().__init__()
        self.admits_all = admits_all

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        return self.admits_all or super().verify_one(public_key, signature, message)

    def verify_batch(self, keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]) -> list[bool]:
        return [True] * len(keys) if self.admits_all else super().verify_batch(keys, signatures, messages)

    def verify_columns(self, keys: Sequence[bytes], which: Any, signatures: Any, messages: Any) -> Any:
        if self.admits_all:
            return np.ones(len(which), bool)
        return super().verify_columns(keys, which, signatures, messages)


def test_a_backend_that_agrees_goes_on_and_is_compared_about_as_often_as_asked():
    reported: list[bool] = []
    backend = ShadowedBackend(Stub(admits_all=False), 10, reported.append)
    for _ in range(20):
        assert backend.verify_batch(*BATCH) == [True] * 100
    assert all(reported)
    assert 100 < len(reported) < 400  # 200 in the mean
    assert (backend.name, backend.is_degraded) == ("native", False)


def test_single_items_are_compared_as_often_as_batches():
    reported: list[bool] = []
    backend = ShadowedBackend(Stub(admits_all=False), 5, reported.append)
    for i in range(1000):
        assert backend.verify_one(*(column[i % 100] for column in BATCH))
    assert all(reported)
    assert 120 < len(reported) < 320


def test_a_single_item_on_which_the_two_disagree_has_pynacls_answer():
    reported: list[bool] = []
    backend = ShadowedBackend(Stub(admits_all=True), 1, reported.append)
    answers = [backend.verify_one(BATCH[0][0], bytes(64), MESSAGES[0]) for _ in range(3)]
    assert (reported[0], answers[1:]) == (False, [False, False])
    assert backend.is_degraded


def test_the_first_disagreement_is_counted_and_logged_and_pynacl_answers_from_then_on(caplog):
    reported: list[bool] = []
    backend = ShadowedBackend(Stub(admits_all=True), 1, reported.append)
    spoilt = (BATCH[0], [bytes(64)] * 100, BATCH[2])
    with caplog.at_level(logging.CRITICAL):
        assert backend.verify_batch(*spoilt) == [False] * 100
    assert reported == [False]
    assert "disagrees with PyNaCl" in caplog.text
    assert (backend.name, backend.is_degraded) == ("libsodium", True)
    assert "disagreed with it in service" in backend.detail
    assert backend.verify_batch(*spoilt) == [False] * 100


def test_an_empty_batch_compares_nothing():
    reported: list[bool] = []
    assert ShadowedBackend(Stub(admits_all=False), 1, reported.append).verify_batch([], [], []) == []
    assert reported == []


def test_unequal_sequences_are_refused_as_without_a_shadow():
    with pytest.raises(ValueError):
        ShadowedBackend(Stub(admits_all=False), 1, lambda _: None).verify_batch([b""], [], [])


def test_columns_are_compared_too():
    def columns(signatures: list[bytes]) -> Any:
        rows = [np.frombuffer(b"".join(part), np.uint8).reshape(100, -1) for part in (signatures, MESSAGES)]
        return [bytes(32), BATCH[0][0]], np.ones(100, np.int64), *rows

    reported: list[bool] = []
    backend = ShadowedBackend(Stub(admits_all=False), 10, reported.append)
    for _ in range(20):
        assert backend.verify_columns(*columns(SIGNATURES)).all()
    assert all(reported)
    assert 100 < len(reported) < 400
    backend = ShadowedBackend(Stub(admits_all=True), 1, reported.append)
    assert not backend.verify_columns(*columns([bytes(64)] * 100)).any()
    assert (reported[-1], backend.name, backend.is_degraded) == (False, "libsodium", True)
