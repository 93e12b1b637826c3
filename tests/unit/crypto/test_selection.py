"""Choosing a backend: by a known name that this build has and that passes its self-test, or not at all."""

import logging
from importlib.util import find_spec

import pytest

from onecode_server.crypto import BACKENDS, open_backend, selection, self_test
from onecode_server.errors import Misconfigured

IS_BUILT = find_spec("onecode_server.crypto._kernel") is not None
needs_kernel = pytest.mark.skipif(not IS_BUILT, reason="the kernel was not built: no C compiler at installation")


@pytest.mark.parametrize("name", ["libsodium", pytest.param("native", marks=needs_kernel)])
def test_a_backend_knows_the_name_by_which_it_was_asked_for(name):
    assert open_backend(name).name == name
    assert not open_backend(name).is_degraded


def test_auto_takes_the_kernel_where_it_was_built_and_pynacl_elsewhere():
    assert open_backend().name == open_backend("auto").name == ("native" if IS_BUILT else "libsodium")


def test_a_build_without_the_kernel_runs_on_pynacl_and_is_not_degraded(monkeypatch):
    monkeypatch.setattr(selection, "find_spec", lambda _: None)
    backend = open_backend("auto")
    assert (backend.name, backend.is_degraded) == ("libsodium", False)
    with pytest.raises(Misconfigured, match="needs a C compiler"):
        open_backend("native")


@needs_kernel
def test_a_kernel_that_fails_its_self_test_gives_way_to_pynacl_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(self_test, "failure", lambda _: "a known signature was checked wrongly")
    with caplog.at_level(logging.CRITICAL):
        backend = open_backend("auto")
    assert (backend.name, backend.is_degraded) == ("libsodium", True)
    assert "self-test failed: a known signature was checked wrongly" in backend.detail
    assert "PyNaCl checks signatures instead" in caplog.text
    with pytest.raises(Misconfigured, match="self-test failed"):
        open_backend("native")


@pytest.mark.parametrize("name", ["", "openssl", "AUTO", "libsodium "])
def test_an_unknown_name_is_refused_with_the_names_that_are_known(name):
    with pytest.raises(Misconfigured) as refused:
        open_backend(name)
    assert repr(name) in str(refused.value)
    assert all(known in str(refused.value) for known in BACKENDS)
