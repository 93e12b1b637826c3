"""The kernel compiled for the tests: its own sources, and two files that open what is inline or static."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from cffi import FFI

SOURCES: Final = Path(__file__).parents[4] / "server/onecode_server/crypto/kernel"
INCLUDED: Final = {"check_portable.c", "check_ifma.c"}  # by the files that open them
STEPS: Final = 57
"""What a check adds up: 21 multiples of the base point, and 36 of the key."""

DECLARATIONS: Final = """
    typedef struct { uint64_t limb[5]; } fe;
    typedef struct { fe x, y, z, t; } point;
    typedef struct { fe y_plus_x, y_minus_x, xy_2d; uint64_t unused; } multiple;
    typedef struct { uint64_t word[4]; } scalar;

    extern fe FE_ZERO, FE_ONE, FE_HALF, FE_D, FE_2D, FE_SQRT_MINUS_ONE;
    extern point POINT_NEUTRAL, POINT_BASE;
    extern multiple MULTIPLE_NEUTRAL;
    extern scalar KEY_BIAS, BASE_BIAS;
    extern uint64_t SHA512_ROUND[80], SHA512_START[8];

    void open_fe_add(fe *out, const fe *a, const fe *b);
    void open_fe_sub(fe *out, const fe *a, const fe *b);
    void open_fe_mul(fe *out, const fe *a, const fe *b);
    void open_fe_square(fe *out, const fe *a);
    fe fe_freeze(const fe *a);
    fe fe_invert(const fe *a);
    fe fe_power_p58(const fe *a);
    fe fe_load(const uint8_t in[32]);
    int fe_equal(const fe *a, const fe *b);

    void open_fe8_product(uint64_t out[5][8], uint64_t a[5][8], uint64_t b[5][8], int biased);
    void open_fe8_reduce(uint64_t out[5][8], uint64_t columns[5][8]);
    void open_fe8_mul(uint64_t out[5][8], uint64_t a[5][8], uint64_t b[5][8]);
    void open_fe8_freeze(uint64_t out[5][8], uint64_t a[5][8]);
    void open_invert_lanes(uint64_t out[5][8], uint64_t a[5][8]);
    uint64_t open_bias8(int i);
    void open_transpose8(uint64_t rows[8][8]);

    scalar scalar_load(const uint8_t in[32]);
    int scalar_is_reduced(const scalar *a);
    scalar scalar_reduce(const uint64_t wide[8]);
    scalar scalar_add(const scalar *a, const scalar *b);

    point point_add(const point *p, const point *q);
    point point_negate(const point *p);
    int point_is_small(const point *p);
    int point_decode(point *p, const uint8_t in[32]);
    int point_encoding_is_small(const uint8_t in[32]);
    int point_is_encoded(const point *p, const fe *z_inverse, const uint8_t in[32]);
    multiple point_to_multiple(const point *p, const fe *z_inverse);
    void point_invert_z(fe out[], const point points[], int count);
    void open_point_add_multiple(point *out, const point *p, const multiple *m, int negative);
    void open_add_multiples(uint64_t out[4][5][8], uint64_t sum[4][5][8], const multiple *const m[8], uint8_t negative);

    void open_point8_add(uint64_t out[4][5][8], uint64_t p[4][5][8], uint64_t q[4][5][8]);

    size_t open_sha512_blocks(size_t message_bytes);
    void sha512_block(uint8_t out[128], size_t number, const uint8_t r[32], const uint8_t a[32],
                      const uint8_t *message, size_t message_bytes);
    void sha512_challenge(uint64_t wide[8], const uint8_t r[32], const uint8_t a[32], const uint8_t *message,
                          size_t message_bytes);
    void sha512x8_challenge(uint64_t wide[8][8], const uint8_t *const r[8], const uint8_t *const a[8],
                            const uint8_t *const message[8], const size_t message_bytes[8]);

    int onecode_runs(int implementation);
    void onecode_make_base_table(void *base_table);
    int onecode_make_key_table(void *key_table, const uint8_t public_key[32]);
    void onecode_check(int implementation, const void *base_table, size_t count, const void *const key_tables[],
                       const uint8_t *signatures, const uint8_t *messages, const uint64_t ends[], uint8_t answers[]);
    int open_plan(int64_t entry[], uint8_t negative[], const void *base, const void *key, const scalar *s,
                  const scalar *k);
    int open_plan8(int64_t entry[][8], uint8_t negative[], const void *base, const void *const keys[8],
                   const scalar s[8], const scalar k[8]);
    size_t open_stack_used(int implementation, const void *base, size_t count, const void *const key_tables[],
                           const uint8_t *signatures, const uint8_t *messages, const uint64_t ends[],
                           uint8_t answers[]);
"""

ffi: Final = FFI()
ffi.cdef(DECLARATIONS)

PORTABLE, IFMA = 0, 1
KEY_TABLE_BYTES: Final = 303360
BASE_TABLE_BYTES: Final = 5767424


def buffer(data: bytes) -> Any:
    """Return just these bytes in memory of their own: no zero behind them, so that a read past the end can be seen."""
    return ffi.new(f"uint8_t[{len(data)}]", data)


class NoCompiler(Exception):
    """There is no C compiler here."""


def compile_opened(folder: Path) -> Any:
    """Compile into ``folder`` and return the library. CC names another compiler, CFLAGS are added to the build's own.

    Raises NoCompiler, and CalledProcessError where the kernel does not compile.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    nothing = ["-x", "c", "-E", os.devnull]
    if compiler is None or subprocess.run([compiler, *nothing], check=False, capture_output=True).returncode:
        raise NoCompiler("no C compiler that works (CC, else cc): the kernel's parts are not tested")
    library = folder / "opened.so"
    sources = [*Path(__file__).parent.glob("*.c"), *(file for file in SOURCES.glob("*.c") if file.name not in INCLUDED)]
    flags = [
        "-std=c11",
        "-O3",
        "-fPIC",
        "-shared",
        "-pthread",
        f"-I{SOURCES}",
        *shlex.split(os.environ.get("CFLAGS", "")),
    ]
    subprocess.run([compiler, *flags, "-o", library, *sources], check=True)
    return ffi.dlopen(str(library))
