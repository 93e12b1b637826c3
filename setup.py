"""The one part of the build that pyproject.toml cannot say: the optional kernel."""

from setuptools import setup

setup(cffi_modules=["server/onecode_server/crypto/kernel/build.py:ffibuilder"])
