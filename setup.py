"""The one part of the build that pyproject.toml cannot say: the optional kernels."""

from setuptools import setup

KERNELS = ("crypto", "formats")

setup(cffi_modules=[f"server/onecode_server/{room}/kernel/build.py:ffibuilder" for room in KERNELS])
