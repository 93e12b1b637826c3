"""Builds the kernel of the encodings: run by the package's own build (setup.py), never by the server.

The extension is optional: without it Python and NumPy do the same. The declarations below are the header's, and the
compiler checks that they agree; but for a ``void *``, which takes ``char[]`` too.
"""

from pathlib import Path

from cffi import FFI

_HERE = Path("server/onecode_server/codes/encodings/kernel")  # relative to setup.py, as setuptools requires

ffibuilder = FFI()
ffibuilder.cdef("""
    void onecode_base45_rows(size_t rows, size_t characters, const uint8_t *text, size_t text_stride, uint8_t *data,
                             size_t data_stride, uint8_t is_good[]);
    void onecode_base64url_rows(size_t rows, size_t characters, const uint8_t *text, size_t text_stride, uint8_t *data,
                                size_t data_stride, uint8_t is_good[]);
    int onecode_base45(size_t characters, const uint8_t *text, void *data);
    int onecode_fits(size_t size, const uint8_t *data, const uint8_t *must, const uint8_t *fixed);
    void onecode_rows_fit(size_t rows, size_t size, const uint8_t *data, size_t data_stride, const uint8_t *must,
                          const uint8_t *fixed, uint8_t fits[]);
""")
ffibuilder.set_source(
    "onecode_server.codes.encodings._columns",
    '#include "onecode_columns.h"',
    sources=[str(_HERE / name) for name in ("base45.c", "base64url.c", "fixed_bits.c")],
    depends=sorted(str(file) for file in _HERE.glob("*.h")),
    include_dirs=[str(_HERE)],
    extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden"],
    optional=True,
)
