"""An issuer's key."""

from collections.abc import Callable

import pytest
from nacl.signing import SigningKey


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey(bytes(range(32)))


@pytest.fixture(scope="session")
def sign(key: SigningKey) -> Callable[[bytes], bytes]:
    return lambda message: key.sign(message).signature
