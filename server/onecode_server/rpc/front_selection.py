"""Selects what answers callers, once, at start: the native front, or grpc.aio alone."""

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Final, Literal, NamedTuple

from onecode_server.errors import Misconfigured

ABI: Final = 6
"""The version of ``rpc/_front.pyi`` that this package was written for."""
_EXTENSION: Final = "onecode_server.rpc._front"

_log = logging.getLogger(__name__)


class SelectedFront(NamedTuple):
    """The front that answers. ``reason`` says by one word why it is not the native one, ``detail`` in a sentence."""

    name: Literal["native", "grpc"]
    reason: Literal[
        "", "chosen", "unix_socket", "tracing", "not_built", "does_not_load", "other_version", "self_test"
    ] = ""
    detail: str = ""


async def select(name: str, *, is_unix: bool = False, is_traced: bool = False) -> SelectedFront:
    """Return the front of that name; ``auto`` is the native one where it was built and passes its self-test, and not on
    a Unix socket, and not where calls are traced.

    Raises Misconfigured for ``native`` where there is none, or it does not work.
    """
    if name == "grpc":
        return SelectedFront("grpc", "chosen", "the setting front chooses it")
    if is_unix:
        return SelectedFront("grpc", "unix_socket", "a Unix socket is served by grpc.aio alone")
    if is_traced:  # the native front takes calls in lists, without their metadata and their times
        return SelectedFront("grpc", "tracing", "calls are traced, which grpc.aio alone can")
    selected = await _native_if_it_works()
    if selected.name == "grpc":
        if name == "native":
            raise Misconfigured(f"front 'native': {selected.detail}")
        if selected.reason != "not_built":
            _log.critical("%s; grpc.aio answers instead", selected.detail)
    return selected


async def _native_if_it_works() -> SelectedFront:
    if find_spec(_EXTENSION) is None:
        return SelectedFront("grpc", "not_built", "the native front needs Cargo when onecode is installed")
    try:
        abi = import_module(_EXTENSION).ABI
    except (ImportError, AttributeError) as fault:
        return SelectedFront("grpc", "does_not_load", f"the native front does not load: {fault}")
    if abi != ABI:
        detail = f"the native front was built for version {abi} of its boundary, and this is version {ABI}"
        return SelectedFront("grpc", "other_version", detail)
    if failure := await _self_test():
        return SelectedFront("grpc", "self_test", f"the self-test of the native front failed: {failure}")
    return SelectedFront("native", detail="its self-test has passed")


async def _self_test() -> str:
    from onecode_server.rpc import front_self_test  # noqa: PLC0415 - the extension may not have been built

    return await front_self_test.failure()
