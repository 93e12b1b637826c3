"""The one part of the build that pyproject.toml cannot say: the optional kernels."""

from setuptools import setup

KERNELS = ("crypto", "codes/encodings")

setup(cffi_modules=[f"server/onecode_server/{package}/kernel/build.py:ffibuilder" for package in KERNELS])
