"""A stream of requests that goes on over breaks: what was not answered is sent again on a new stream."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import grpc

from onecode_client.errors import ServerError
from onecode_client.outbox import Outbox
from onecode_client.partner.retries import Retries

LOOK_S: Final = 0.25
"""How often it is seen whether the server is silent: beside a timeout of seconds."""
ANSWERS_MAX: Final = 1024
"""Answers that wait to be printed; then the stream is not read, and flow control holds the server back."""

_Q = TypeVar("_Q", bound=Any)
_A = TypeVar("_A")


def answers(
    begin: Callable[[Iterator[_Q]], Any], outbox: Outbox[_Q], timeout_s: float, error: Callable[[Any], ServerError]
) -> Iterator[_A]:
    """Yield answers until all requests have theirs; the caller acknowledges them in the outbox.

    ``begin`` makes the call of a stream of requests. Raises ServerError where the server answers nothing for
    ``timeout_s`` seconds while something waits for it, or fails for a reason that does not pass. An exception of
    reading the requests is raised after the answers to those before.
    """
    retries = Retries(timeout_s)
    while True:
        call = begin(outbox.stream())
        try:
            yield from _of_one_stream(call, outbox, retries)
            if not outbox.is_waiting:
                outbox.finish()
                return
            fault = ServerError("UNAVAILABLE", "the server ended the stream before all of it was answered")
        except grpc.RpcError as broken:
            fault = error(broken)
        finally:
            call.cancel()
            outbox.close()
        retries.wait(fault)


def _of_one_stream(call: Any, outbox: Outbox[Any], retries: Retries) -> Iterator[Any]:
    arrived: queue.Queue[Any] = queue.Queue(ANSWERS_MAX)
    is_left = threading.Event()
    reader = threading.Thread(target=_read, args=(call, arrived, is_left), daemon=True)
    reader.start()
    try:
        while True:
            try:
                answer = arrived.get(timeout=min(LOOK_S, max(retries.left_s, 0.001)))
            except queue.Empty:
                if not outbox.is_waiting:
                    retries.renew()  # nothing was asked
                elif not retries.left_s:
                    raise ServerError("DEADLINE_EXCEEDED", "the server is silent: no answer came in time") from None
                continue
            if answer is None:
                return
            if isinstance(answer, Exception):
                raise answer
            retries.renew()
            yield answer
    finally:
        is_left.set()
        call.cancel()


def _read(call: Any, arrived: queue.Queue[Any], is_left: threading.Event) -> None:
    """Put the answers of a call into a queue, then its failure, or None at its end."""
    try:
        for answer in call:
            _put(arrived, answer, is_left)
        _put(arrived, None, is_left)
    except Exception as fault:
        _put(arrived, fault, is_left)


def _put(arrived: queue.Queue[Any], item: Any, is_left: threading.Event) -> None:
    while not is_left.is_set():
        try:
            arrived.put(item, timeout=LOOK_S)
            return
        except queue.Full:
            continue
