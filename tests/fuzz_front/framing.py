"""gRPC's frames around messages, true ones and others (gRPC over HTTP/2: Length-Prefixed-Message)."""

import gzip
import random
from typing import Final

MESSAGE_BYTES_MAX: Final = 4 * 2**20 + 64 * 1024
"""The longest message that the server takes: a frame may say more."""


def framed(message: bytes, flag: int = 0, size: int | None = None) -> bytes:
    """Return a message in its frame; ``size``: with that length, whatever its own is."""
    return bytes((flag,)) + (len(message) if size is None else size).to_bytes(4) + message


def body(messages: list[bytes], chance: random.Random) -> bytes:
    """Return the body of a call with such messages, of which a frame may lie."""
    made = [framed(message) for message in messages]
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        place = chance.randrange(len(made)) if made else 0
        message = messages[min(place, len(messages) - 1)] if messages else b""
        lies = (0, 1, len(message) - 1, len(message) + 1, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1, 2**31, 2**32 - 1)
        other = chance.choice(
            (
                framed(message, chance.choice((1, 2, 127, 255))),
                framed(gzip.compress(message, mtime=0), 1),
                framed(message, 0, max(0, chance.choice(lies))),
                framed(message, 1, max(0, chance.choice(lies))),
                framed(b""),
                framed(message) * 2,
                b"",
                framed(message)[: chance.randint(0, 5)],
                chance.randbytes(chance.randint(1, 9)),
            )
        )
        made[place : place + 1] = [other]
    return b"".join(made)
