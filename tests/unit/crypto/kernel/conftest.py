"""One compiled kernel for all tests of its parts."""

import os
from typing import Any

import pytest

from tests.unit.crypto.kernel.opened import BASE_TABLE_BYTES, IFMA, PORTABLE, NoCompiler, compile_opened, ffi


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The compiled kernel. Skips where there is no compiler, which in CI is a failure."""
    try:
        return compile_opened(tmp_path_factory.mktemp("kernel"))
    except NoCompiler as fault:
        if os.environ.get("CI"):
            raise
        return pytest.skip(str(fault))


@pytest.fixture(scope="session")
def kernel8(kernel: Any) -> Any:
    """The compiled kernel, on a processor that can run its vectors."""
    if not kernel.onecode_runs(IFMA):
        pytest.skip("this processor has no AVX-512 IFMA: the kernel's vectors are not tested")
    return kernel


@pytest.fixture(scope="session", params=[PORTABLE, IFMA], ids=["portable", "ifma"])
def implementation(request: pytest.FixtureRequest, kernel: Any) -> int:
    """Every implementation that runs here."""
    number: int = request.param
    if not kernel.onecode_runs(number):
        pytest.skip("this processor has no AVX-512 IFMA: the kernel's vectors are not tested")
    return number


@pytest.fixture(scope="session")
def base_table(kernel: Any) -> Any:
    table = ffi.new("uint8_t[]", BASE_TABLE_BYTES)
    kernel.onecode_make_base_table(table)
    return table
