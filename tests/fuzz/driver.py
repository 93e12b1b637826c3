"""One fuzzing process: hands PyNaCl's libsodium to the target, and the target to libFuzzer.

    python -m tests.fuzz.driver LIBRARY COUNTERS [libFuzzer's arguments]

The oracle is the very library that PyNaCl uses: its extension exports libsodium's functions.
"""

import ctypes
import mmap
import sys
from pathlib import Path
from typing import Final

import nacl.bindings  # noqa: F401  # initialises libsodium
from nacl import _sodium

FUNCTIONS: Final = (
    "crypto_sign_ed25519_verify_detached",
    "crypto_scalarmult_ed25519_base_noclamp",
    "crypto_core_ed25519_add",
    "crypto_core_ed25519_scalar_mul",
    "crypto_core_ed25519_scalar_add",
    "crypto_core_ed25519_scalar_reduce",
    "crypto_hash_sha512",
)
"""In the order of sodium.h."""

COUNTERS: Final = ("items", "distinct", "accepted", "portable", "ifma", "batches", "keys", "disagreements")
"""In the order of target.c: 64 bits each, in a file that outlives a crash."""


def main(library: str, counters: Path, arguments: list[str]) -> int:
    sodium, target = ctypes.CDLL(_sodium.__file__), ctypes.CDLL(library)
    functions = (ctypes.c_void_p * len(FUNCTIONS))(
        *(ctypes.cast(getattr(sodium, name), ctypes.c_void_p) for name in FUNCTIONS)
    )
    with counters.open("r+b") as file:
        shared = (ctypes.c_uint64 * len(COUNTERS)).from_buffer(mmap.mmap(file.fileno(), 8 * len(COUNTERS)))
    argv = (ctypes.c_char_p * (len(arguments) + 2))(b"fuzz", *(argument.encode() for argument in arguments), None)
    return int(target.fuzz(functions, shared, len(arguments) + 1, argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
