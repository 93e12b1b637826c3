"""Builds the text decoders: run by the package's own build (setup.py), never by the server.

The extension is optional: without it NumPy decodes, with the same results. The declarations below are the header's; the
compiler checks that they agree.
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
""")
ffibuilder.set_source(
    "onecode_server.codes.encodings._columns",
    '#include "onecode_columns.h"',
    sources=sorted(str(file) for file in _HERE.glob("*.c")),
    depends=sorted(str(file) for file in _HERE.glob("*.h")),
    include_dirs=[str(_HERE)],
    extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden"],
    optional=True,
)
