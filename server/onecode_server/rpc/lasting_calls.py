"""Streams and watches, which may outlast the identities of their callers: a token ends, a certificate is revoked, a
region leaves the trust list."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from onecode_server.errors import NotServing, OnecodeError
from onecode_server.rpc.silent_calls import Waiting

CHECKED_S: Final = 10.0
"""The period at which the identities of all open calls are checked: a call may outlast its caller's by so long. A check
takes microseconds, and the bounds on streams and watches allow 640 of them."""


class LastingCalls:
    """The open streams and watches."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._open: dict[Waiting, Callable[[], None]] = {}
        self._checks_at_s = monotonic() + CHECKED_S

    @contextmanager
    def keep(self, expect_still: Callable[[], None]) -> Iterator[None]:
        """Have a call checked while it is in the ``with`` statement, which raises what ``expect_still`` raises."""
        call = Waiting(0.0)
        self._open[call] = expect_still
        try:
            with call:
                yield
        finally:
            del self._open[call]

    def sweep(self) -> None:
        """End the calls whose callers have no identity any more. Those go on whose callers cannot be told now, since no
        trust list is in force: so it is in the native front."""
        if (now_s := self._monotonic()) < self._checks_at_s:
            return
        self._checks_at_s = now_s + CHECKED_S
        for call, expect_still in [*self._open.items()]:
            try:
                expect_still()
            except NotServing:
                continue
            except OnecodeError as fault:
                call.end(fault)
