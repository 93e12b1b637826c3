"""Every signature backend that this build has stands the same tests."""

import pytest

from onecode_server.crypto import BACKENDS, SignatureBackend, open_backend
from onecode_server.errors import Misconfigured


def _opens(name: str) -> bool:
    try:
        open_backend(name)
    except Misconfigured:
        return False
    return True


@pytest.fixture(scope="session", params=[name for name in BACKENDS if name != "auto" and _opens(name)])
def backend(request: pytest.FixtureRequest) -> SignatureBackend:
    return open_backend(request.param)
