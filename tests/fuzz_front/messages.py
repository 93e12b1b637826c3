"""Requests as protobuf bytes that are nearly right: a field of each is unknown, repeated, too long, of another type."""

import random
from typing import Final

HOSTS: Final = (b"110000", b"420000", b"440000", b"540000", b"310000", b"999999")
ODD_HOSTS: Final = (
    *(b"", b"42000", b"4200000", b"42000x", b" 420000", b"420000\n", b"420000\x00", b"-20000", b"+42000", b"0x1000"),
    *(
        "４２００００".encode(),
        "٤٢٠٠٠٠".encode(),
        b"\xff\xfe",
        b"42\xff000",
        b"\xc0\xb4\xc0\xb2",
        b"\xed\xa0\x80",
        b"4" * 5000,
    ),
)
METHODS: Final = ("Verify", "BatchVerify", "StreamVerify")
_FIELDS: Final = {"Verify": (0, 1, 2), "BatchVerify": (0, 1, 2), "StreamVerify": (1, 2, 3)}
"""The numbers of a method's request: request_id, code or codes, host_region."""
_LARGE: Final = (127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
_AROUND: Final = (b" ", b"\r\n", b"\xef\xbb\xbf", b"]Q1", b"\x00", b"\t" * 200, b" " * 300)
"""What scanners put around a code, and more of it than is taken off."""
_SIZES: Final = (4095, 4096, 4097, 4352, 4608, 5000, 16_384, 40_000)


def varint(value: int, longer: int = 0) -> bytes:
    """Return a number, with so many bytes more than it needs."""
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    for _ in range(longer):
        made[-1] |= 128
        made.append(0)
    return bytes(made)


def tag(number: int, wire_type: int, longer: int = 0) -> bytes:
    return varint(number << 3 | wire_type, longer)


def octets(number: int, value: bytes) -> bytes:
    """Return a field of bytes."""
    return tag(number, 2) + varint(len(value)) + value


class Requests:
    """Makes requests about some codes."""

    def __init__(self, codes: list[bytes]) -> None:
        self._codes = codes

    def message(self, method: str, chance: random.Random, oddities: int | None = None) -> bytes:
        """Return the bytes of one message; ``oddities``: of which so many things are odd."""
        id_number, code_number, host_number = _FIELDS[method]
        count = chance.choice((1, 1, 2, 5, 20)) if method == "BatchVerify" else 1
        fields = [octets(code_number, self._code(chance)) for _ in range(count)]
        fields.append(octets(host_number, chance.choice(HOSTS)))
        if id_number and chance.random() < 0.9:
            fields.insert(0, tag(id_number, 0) + varint(chance.choice((0, 1, 7, *_LARGE))))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3)) if oddities is None else oddities):
            self._spoil(fields, _FIELDS[method], chance)
        made = b"".join(fields)
        match chance.randrange(20) if oddities is None else -1:
            case 0:
                made = made[: chance.randint(0, len(made))]
            case 1 if made:
                place = chance.randrange(len(made))
                made = made[:place] + bytes((chance.randrange(256),)) + made[place + 1 :]
            case 2:
                made += chance.randbytes(chance.randint(1, 12))
        return made

    def _code(self, chance: random.Random) -> bytes:
        code = chance.choice(self._codes)
        match chance.randrange(10):
            case 0 if code:
                place = chance.randrange(len(code))
                return code[:place] + bytes((chance.randrange(256),)) + code[place + 1 :]
            case 1:
                return chance.choice(_AROUND) + code + chance.choice(_AROUND)
            case 2:
                return chance.choice((b"", b"x", code[: len(code) // 2], chance.randbytes(chance.randint(1, 60))))
            case 3 if chance.random() < 0.3:
                return code.ljust(chance.choice(_SIZES), chance.choice((b" ", b"A")))
            case _:
                return code

    def _spoil(self, fields: list[bytes], numbers: tuple[int, int, int], chance: random.Random) -> None:
        if not fields:
            fields.append(_unknown(chance))
            return
        _, code_number, host_number = numbers
        place = chance.randrange(len(fields))
        match chance.randrange(10):
            case 0 | 1:
                fields.insert(place, _unknown(chance))
            case 2:
                fields.insert(place, chance.choice(fields))
            case 3:
                del fields[place]
            case 4:
                chance.shuffle(fields)
            case 5:
                fields[place] = octets(host_number, chance.choice(ODD_HOSTS))
            case 6:
                fields.append(octets(host_number, chance.choice(HOSTS)))
            case 7:
                fields[place] = _longer(fields[place], chance)
            case 8:
                fields[place] = _of_wrong_type(chance.choice((code_number, host_number, numbers[0] or 1)), chance)
            case _:
                fields[place] = tag(chance.choice((code_number, host_number)), 2) + varint(chance.choice(_LARGE)) + b"x"


def _unknown(chance: random.Random) -> bytes:
    """Return a field that no request has, of each wire type, well formed or not."""
    number = chance.choice((0, 4, 5, 15, 16, 100, 2047, 19_000, 2**29 - 1, 2**29, 2**32))
    depth = chance.choice((1, 2, 99, 100, 101, 300))
    return chance.choice(
        (
            tag(number, 0) + varint(chance.choice((0, 1, *_LARGE))),
            tag(number, 1) + bytes(8),
            tag(number, 2) + varint(3) + b"abc",
            tag(number, 5) + bytes(4),
            tag(number, 3) + tag(4, 0) + b"\x01" + tag(number, 4),
            tag(number, 3) * depth + tag(number, 4) * depth,
            tag(number, 3),
            tag(number, 4),
            tag(number, 6) + bytes(4),
            tag(number, 7),
            tag(number, 0) + b"\xff" * chance.choice((9, 10, 11)) + b"\x01",
        )
    )


def _longer(one: bytes, chance: random.Random) -> bytes:
    """Return a field whose tag or length is written with more bytes than it needs, or than a number may have."""
    longer = chance.choice((1, 2, 4, 8, 9, 10))
    if len(one) < 2:
        return one
    if chance.random() < 0.5:
        return varint(one[0] & 127, longer) + one[1:]
    if one[1] < 128:
        return one[:1] + varint(one[1], longer) + one[2:]
    return one[:1] + b"\x80" * longer + one[1:]


def _of_wrong_type(number: int, chance: random.Random) -> bytes:
    return chance.choice(
        (
            tag(number, 0) + varint(chance.choice(_LARGE)),
            tag(number, 1) + b"42000042",
            tag(number, 2) + varint(4) + b"\x0a\x02ab",
            tag(number, 3) + tag(number, 4),
            tag(number, 5) + b"4200",
        )
    )
