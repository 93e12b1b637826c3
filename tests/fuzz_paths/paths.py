"""The ways by which a code can be answered, and all that the fuzzer knows of the engine's insides.

Columns: many codes built alike, read together. Rows: few codes or one, by layouts where they are known. General:
parsed, with nothing learned. Whatever the way, the answer must be the general one's.
"""

import logging
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from onecode_server.errors import StoreUnavailable
from onecode_server.model.code import Scans
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Verdict
from onecode_server.status.change_feed import ChangeFeedReader
from onecode_server.telemetry.counting import children
from onecode_server.verification import turns
from onecode_server.verification.authenticate import by_template as column_authenticator
from onecode_server.verification.authenticate import general as authenticator
from onecode_server.verification.authenticate import template as templates
from onecode_server.verification.authenticate import template_cache, template_lookup
from onecode_server.verification.authenticate.rows import RowReader
from onecode_server.verification.check import Check, CheckResults

from tests.world import World

_T = TypeVar("_T")
COLUMN_CODES_MIN = 20
_FAILS = ("statuses", "tokens", "changes", "exceptions")


async def by_columns(world: World, codes: Sequence[bytes], host: str, *, alone: bool = False) -> CheckResults:
    """Return the verdicts on a batch; ``alone``: with no single calls beside it, so in longer slices."""
    return await world.verifier.verify(Scans.at(host, codes), (lambda: False) if alone else (lambda: True))


async def by_rows(world: World, codes: Sequence[bytes], host: str) -> list[Check]:
    """Return all checks, by layouts where they are known."""
    return (await world.check_all(codes, host)).checks


async def by_parsing(world: World, codes: Sequence[bytes], host: str) -> list[Check]:
    """Return checks by the general path alone."""
    with patch.object(RowReader, "read", leave_all):
        return await by_rows(world, codes, host)


async def in_lists(world: World, codes: Sequence[bytes], host: str, size: int) -> list[Verdict]:
    """Return the verdicts on lists of ``size`` codes, which are too few for columns, and of which one comes alone."""
    verdicts: list[Verdict] = []
    for start in range(0, len(codes), size):
        verdicts += (await world.verifier.verify(Scans.at(host, codes[start : start + size]))).verdicts
    return verdicts


async def leave_all(*_: Any) -> None:
    """Leave all codes to the general authenticator."""


def is_row(check: Check) -> bool:
    """Tell whether a check was read by a layout."""
    return check.template is not None


def codes_in_columns(world: World) -> int:
    """Return how many codes were read in columns until now."""
    return int(world.metrics.column_codes._added)  # the registry's own way to a value takes a millisecond


def faults(world: World) -> tuple[float, float]:
    """Return how often the store has failed, and how many bugs the engine has caught, until now."""
    failures = sum(child._added for child in children(world.metrics.store_failures))
    return failures, world.metrics.check_bugs._added


def read_list(world: World) -> TrustList:
    """Return the list that stands in the world's file, its keys made ready, without putting it in force."""
    found = world.trust._verify(world.file.read_bytes())
    world.backend.prepare(found.public_keys)
    return found


def put_in_force(world: World, trust: TrustList) -> None:
    """Swap the list in force: one assignment, as it is between two turns of the event loop."""
    world.trust._list = trust


@contextmanager
def columns_of_few() -> Iterator[None]:
    """Have fewer codes of a shape read in columns than where it pays: so more worlds are tried in the same time."""
    with ExitStack() as stack:
        for module in (template_lookup, column_authenticator):
            stack.enter_context(patch.object(module, "ROWS_MIN", COLUMN_CODES_MIN))
        yield


@contextmanager
def small_bounds() -> Iterator[None]:
    """Make the bounds of what is learned and kept so small that they are always reached, and slices short."""
    bounds = (
        (template_cache, {"TEMPLATES_MAX": 3, "SPELLINGS_MAX": 1, "MISSES_MAX": 2, "TOUCH_READS": 1}),
        (column_authenticator, {"LEARNED_MAX": 8}),
        (templates, {"WORDS_MAX": 2}),
        (authenticator, {"SLICE_CODES": 24}),
        (turns, {"TURNS": 2, "SLICE_CODES_MAX": 100}),
    )
    with ExitStack() as stack:
        for module, values in bounds:
            smaller: dict[str, Any] = dict(values)
            stack.enter_context(patch.multiple(module, **smaller))
        yield


class _Caught(logging.Handler):
    """Keeps what the engine says of a bug that it has caught, and nothing else: it says only which error, and where."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: deque[str] = deque(maxlen=3)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def log_of_bugs() -> Iterator[Sequence[str]]:
    """Silence the server's log, and yield the last errors that its authenticators told."""
    server, caught, nowhere = logging.getLogger("onecode_server"), _Caught(), logging.NullHandler()
    authenticators = [logging.getLogger(module.__name__) for module in (authenticator, column_authenticator)]
    server.addHandler(nowhere)
    propagated, server.propagate = server.propagate, False
    for log in authenticators:
        log.addHandler(caught)
    try:
        yield caught.messages
    finally:
        server.propagate = propagated
        server.removeHandler(nowhere)
        for log in authenticators:
            log.removeHandler(caught)


def cut_slices(world: World, items: int) -> None:
    """Have the event loop given away after so many signatures, so that more can happen in the middle of a batch."""
    world.backend.slice_items = items  # type: ignore[misc]


@contextmanager
def store_that_fails(world: World) -> Iterator[None]:
    """Have the store not answer."""

    async def fail(*_: object) -> Any:
        raise StoreUnavailable("a test")

    failing: dict[str, Any] = dict.fromkeys(_FAILS, fail)
    with patch.multiple(world.store, **failing):
        yield


@contextmanager
def log_that_confirms_nothing() -> Iterator[None]:
    """Have exceptions and trust list not be confirmed, as on a machine whose log has been away for minutes."""
    with patch.object(ChangeFeedReader, "confirms_decisions", new=False):
        yield


@types.coroutine
def stepwise(work: Coroutine[Any, Any, _T], at_step: Callable[[int], None]) -> Generator[Any, Any, _T]:
    """Run ``work``, and call ``at_step`` each time that it gives the event loop away, with the count of these times."""
    steps, thrown = 0, None
    while True:
        try:
            waits_for = work.send(None) if thrown is None else work.throw(thrown)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        thrown, steps = None, steps + 1
        at_step(steps)
        try:
            yield waits_for
        except BaseException as fault:
            thrown = fault
