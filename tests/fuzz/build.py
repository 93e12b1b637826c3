"""Compiles the fuzzer's target: the kernel and the harness, with what clang adds to be guided by coverage."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
KERNEL: Final = ROOT / "server/onecode_server/crypto/kernel"
OUTPUT: Final = ROOT / "build/fuzz"
"""Where everything that a run makes lies. Git ignores it."""

FAST: Final = ["-O3", "-fsanitize=fuzzer-no-link"]
SANITIZED: Final = [
    "-O2",
    "-g",
    "-fsanitize=fuzzer-no-link,address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-shared-libasan",
]


class CannotBuild(Exception):
    """Something that the fuzzer needs is not there; the message is one line."""


def _clang() -> str:
    compiler = shutil.which(os.environ.get("FUZZ_CC", "clang"))
    if compiler is None:
        raise CannotBuild("the fuzzer needs clang and its runtime: apt-get install clang libclang-rt-dev")
    return compiler


def runtime(name: str) -> Path:
    """Return a file of clang's runtime. Raises CannotBuild."""
    compiler, machine = _clang(), platform.machine()
    stem, suffix = name.rsplit(".", 1)
    for file in (f"{stem}-{machine}.{suffix}", name):  # newer installations have a folder for each machine
        found = subprocess.run(
            [compiler, f"-print-file-name={file}"], check=True, capture_output=True, text=True
        ).stdout.strip()
        if Path(found).is_file():
            return Path(found)
    raise CannotBuild(f"{compiler} has no {name} for {machine}: apt-get install libclang-rt-dev")


def build(kernel: Path, *, sanitized: bool) -> Path:
    """Compile the target with the kernel's sources in ``kernel``, and return the shared library. Raises CannotBuild."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    library = OUTPUT / ("target-sanitized.so" if sanitized else "target.so")
    flags = SANITIZED if sanitized else FAST
    command = [_clang(), "-std=c11", "-Wall", "-Wextra", "-Werror", *flags, "-fPIC", "-shared", f"-I{kernel}"]
    # The library binds to itself: else ASan's empty stand-ins for the hooks of coverage are found before libFuzzer's.
    command += [
        "-Wl,-Bsymbolic",
        "-o",
        str(library),
        *map(str, sorted(HERE.glob("*.c"))),
        *map(str, sorted(kernel.glob("*.c"))),
    ]
    command += ["-Wl,--whole-archive", str(runtime("libclang_rt.fuzzer_no_main.a")), "-Wl,--no-whole-archive"]
    command += ["-lstdc++", "-lm", "-lpthread", "-ldl"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(f"the fuzzer's target does not compile:\n{done.stderr}")
    return library
