"""Builds the kernel: run by the package's own build (setup.py), never by the server.

The extension is optional: without a compiler, or where the build fails, the package installs all the same and checks
signatures with PyNaCl. The declarations below are the header's; the compiler checks that they agree.
"""

from pathlib import Path

from cffi import FFI

_HERE = Path("server/onecode_server/crypto/kernel")  # relative to setup.py, as setuptools requires
_SOURCES = sorted(str(file) for file in _HERE.glob("*.c"))
_HEADERS = sorted(str(file) for file in _HERE.glob("*.h"))

ffibuilder = FFI()
ffibuilder.cdef("""
    #define ONECODE_TABLE_ALIGNMENT ...
    #define ONECODE_KEY_TABLE_BYTES ...
    #define ONECODE_BASE_TABLE_BYTES ...
    enum onecode_implementation { ONECODE_PORTABLE, ONECODE_IFMA, ... };
    int onecode_runs(int implementation);
    void onecode_make_base_table(void *base_table);
    int onecode_make_key_table(void *key_table, const uint8_t public_key[32]);
    void onecode_check(int implementation, const void *base_table, size_t count, const void *const key_tables[],
                       const uint8_t *signatures, const uint8_t *messages, const uint64_t ends[], uint8_t answers[]);
    int onecode_check_one(int implementation, const void *base_table, const void *key_table,
                          const uint8_t signature[64], const uint8_t *message, size_t message_bytes);
""")
ffibuilder.set_source(
    "onecode_server.crypto._kernel",
    '#include "onecode_kernel.h"',
    sources=_SOURCES,
    depends=_HEADERS,
    include_dirs=[str(_HERE)],
    # -O3 unrolls the loops over limbs; without it vectors are spilled in every iteration: six times slower. Symbols are
    # hidden: else a point_add of a library that the process has loaded globally could replace the kernel's own.
    extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden"],
    optional=True,
)
