"""The parts of the build that pyproject.toml cannot say: the optional kernels in C, and the optional front in Rust."""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup

KERNELS = ("crypto", "codes/encodings")
ENCODINGS = "server/onecode_server/codes/encodings/kernel"  # relative to this file, as setuptools requires
SINGLE_ROWS = Extension(
    "onecode_server.codes.encodings._rows",
    [f"{ENCODINGS}/{name}.c" for name in ("single_rows", "base45_rows", "row_cutter", "base45", "fixed_bits")],
    include_dirs=[ENCODINGS],
    depends=[f"{ENCODINGS}/{name}.h" for name in ("single_rows", "onecode_columns")],
    extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden"],
    py_limited_api=True,
    optional=True,  # without it Python does the same
)
FRONT = Path("front/Cargo.toml")  # relative to this file, as setuptools requires
FRONT_BUILD_S = 300
"""The time that the front may take to be built. It took 85 s on two busy cores; an installation must not hang
where a registry does not answer."""


def front() -> dict[str, Any]:
    """Return what builds the native front with the package, or nothing where it cannot be built.

    The front is optional: without it the package installs all the same, and grpc.aio answers callers.
    """
    if os.environ.get("ONECODE_BUILD_FRONT", "").lower() == "false":
        return {}
    if not FRONT.exists() or sys.platform != "linux":
        return _without("its sources are not here" if sys.platform == "linux" else "it needs Linux")
    if shutil.which("cargo") is None:
        return _without("there is no Cargo")
    try:
        from setuptools_rust import Binding, RustExtension, build_rust  # noqa: PLC0415 - of an isolated build alone
    except ImportError:
        return _without("there is no setuptools-rust")

    class BuildFront(build_rust):  # type: ignore[misc]
        """Builds the front within FRONT_BUILD_S. A failure is one line, whatever it is."""

        def run(self) -> None:
            before = signal.signal(signal.SIGALRM, _too_long)
            signal.alarm(FRONT_BUILD_S)
            try:
                super().run()
            except (Exception, SystemExit) as fault:
                _without(str(fault).strip().partition("\n")[0])
            finally:
                signal.alarm(0)
                signal.signal(signal.SIGALRM, before)

    name = "onecode_server.rpc._front"
    extension = RustExtension(name, path=str(FRONT), binding=Binding.PyO3, debug=False)
    return {"rust_extensions": [extension], "cmdclass": {"build_rust": BuildFront}}


class _TooLong(Exception):
    """No TimeoutError: setuptools-rust takes that one, an OSError, for a missing Cargo."""


def _too_long(*_: object) -> None:
    raise _TooLong(f"not built within {FRONT_BUILD_S} s")


def _without(why: str) -> dict[str, Any]:
    print(f"the native front is not built, and grpc.aio answers callers: {why}", file=sys.stderr)  # noqa: T201
    return {}


setup(
    cffi_modules=[f"server/onecode_server/{package}/kernel/build.py:ffibuilder" for package in KERNELS],
    ext_modules=[SINGLE_ROWS],
    **front(),
)
