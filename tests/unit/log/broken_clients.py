"""Errors that a client of librdkafka does not recover from, raised by the library's own function for tests."""

import ctypes
from pathlib import Path
from typing import Any, Final

OUT_OF_ORDER: Final = 45
"""OUT_OF_ORDER_SEQUENCE_NUMBER: what a broker says that has lost what it knew of a producer."""
_HANDLE: Final = object.__basicsize__
"""Where confluent-kafka's objects have librdkafka's handle: behind the head that each Python object has."""


def break_client(client: Any) -> None:
    """Raise a fatal error in a producer or a consumer."""
    import confluent_kafka

    found = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*.so*")
    library = ctypes.CDLL(str(next(found)))
    raise_fatal = library.rd_kafka_test_fatal_error
    raise_fatal.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
    handle = ctypes.c_void_p.from_address(id(client) + _HANDLE)
    assert raise_fatal(handle, OUT_OF_ORDER, b"of a test") == 0
