"""Choosing a backend: by a known name that this build has, or not at all."""

import pytest

from onecode_server.crypto import BACKENDS, open_backend
from onecode_server.errors import Misconfigured


def test_a_backend_knows_the_name_by_which_it_was_asked_for():
    assert open_backend("libsodium").name == "libsodium"


def test_auto_is_the_default_and_always_opens_a_backend_with_a_name_of_its_own():
    assert open_backend().name == open_backend("auto").name
    assert open_backend().name in set(BACKENDS) - {"auto"}


def test_a_backend_that_this_build_does_not_have_is_refused_and_not_replaced():
    with pytest.raises(Misconfigured, match=r"'native' is not part of this build"):
        open_backend("native")


@pytest.mark.parametrize("name", ["", "openssl", "AUTO", "libsodium "])
def test_an_unknown_name_is_refused_with_the_names_that_are_known(name):
    with pytest.raises(Misconfigured) as refused:
        open_backend(name)
    assert repr(name) in str(refused.value)
    assert all(known in str(refused.value) for known in BACKENDS)
