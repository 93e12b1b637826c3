"""Header blocks (RFC 7541), each header in one of the ways to write it, and headers of calls that are nearly right.

Written for the fuzzer alone: the other writers of frames here have one way for each header.
"""

import base64
import random
from typing import Final

SERVICE: Final = b"/onecode.v1.RecognitionService/"
CHECKS: Final = (b"Verify", b"BatchVerify", b"StreamVerify")
PATHS: Final = (
    *(SERVICE + name for name in (b"Translate", b"BatchTranslate", b"verify", b"Verify/", b"Verify?x=1", b"")),
    b"/onecode.v1.StatusService/GetStatus",
    b"/onecode.v1.TrustListService/GetTrustList",
    b"/grpc.health.v1.Health/Check",
    *(b"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"/", b"", b"*", b"no slash", b"//Verify"),
    b"http://localhost/onecode.v1.RecognitionService/Verify",
    b"/onecode.v1.RecognitionService/Ver%69fy",
    b"/" + b"x" * 2000,
)
CONTENT_TYPES: Final = (
    *(b"application/grpc+proto", b"application/grpc+json", b"application/grpc;x=1", b"application/grpc-web"),
    *(b"APPLICATION/GRPC", b"application/grpcx", b"application/json", b"text/html", b"", b" application/grpc", b"\xff"),
)
TIMEOUTS: Final = (
    *(b"1n", b"1u", b"1m", b"50m", b"1S", b"20S", b"1M", b"1H", b"99999999H", b"99999999S", b"00000001S", b"0S"),
    *(b"0n", b"123456789S", b"S", b"1", b"", b"1s", b"1 S", b" 1S", b"1S ", b"-1S", b"+1S", b"1.5S", b"1e3S", b"\xb2S"),
    *(b"99999999n", b"1SS", b"18446744073709551616n", b"1\x00S", b"infinity"),
)
LONG: Final = frozenset((b"20S", b"1M", b"1H", b"99999999H", b"99999999S"))
"""Timeouts within which a call is answered on any machine. The others end some calls, as it happens."""
METADATA: Final = (
    (b"user-agent", b"grpc-go/1.60.0"),
    (b"grpc-accept-encoding", b"identity,deflate,gzip"),
    (b"grpc-encoding", b"identity"),
    (b"grpc-encoding", b"gzip"),
    (b"grpc-encoding", b"snappy"),
    (b"grpc-encoding", b""),
    (b"x-any", b"value"),
    (b"x-any", b"\x80\xff"),
    (b"x-any", b""),
    (b"x-any-bin", base64.b64encode(bytes(range(48)))),
    (b"x-any-bin", base64.b64encode(b"ab").rstrip(b"=")),
    (b"x-any-bin", b"AAAA,AAAA"),
    (b"x-any-bin", b"not base64!"),
    (b"x-any-bin", b"A"),
    (b"x-any-bin", b""),
    (b"grpc-trace-bin", b"AAAA"),
    (b"grpc-status-details-bin", b"CAM"),
    (b"grpc-status", b"0"),
    (b"grpc-message", b"%"),
    (b"grpc-previous-rpc-attempts", b"1"),
    (b"content-length", b"5"),
    (b"content-length", b"x"),
    (b"cookie", b"a=b"),
    (b"x-onecode-token", b"0" * 64),
    (b"x-onecode-peer", b"ipv4:192.0.2.1:1"),
    (b"host", b"localhost"),
    (b"connection", b"close"),
    (b"transfer-encoding", b"chunked"),
    (b"te", b"gzip"),
    (b"expect", b"100-continue"),
    (b"X-Upper", b"1"),
    (b"with space", b"1"),
    (b":status", b"200"),
    (b":protocol", b"websocket"),
    (b"", b"nameless"),
    (b"x-long", b"v" * 3000),
    (b"x" * 300, b"long name"),
    (b"x-line", b"a\r\nb: c"),
)
Header = tuple[bytes, bytes]
_NAMES: Final = {b":authority": 1, b":path": 4, b"content-type": 31, b"host": 38, b"cookie": 32, b"user-agent": 58}
"""Static numbers of names (RFC 7541, appendix A)."""
_WHOLE: Final = {(b":method", b"POST"): 3, (b":method", b"GET"): 2, (b":scheme", b"http"): 6, (b":scheme", b"https"): 7}
_FIVE_BITS: Final = b"012aceiost"
"""The characters whose Huffman codes are the numbers 0 to 9, in five bits (RFC 7541, appendix B)."""


def integer(value: int, bits: int, first: int) -> bytes:
    """Return an integer whose prefix has so many bits, behind the bits ``first`` (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    made, rest = bytearray((first | most,)), value - most
    while rest > 127:
        made.append(rest & 127 | 128)
        rest >>= 7
    return bytes((*made, rest))


def text(value: bytes, chance: random.Random) -> bytes:
    """Return a string: by Huffman codes where its characters are among the shortest, and chance wants it."""
    if value and all(byte in _FIVE_BITS for byte in value) and chance.random() < 0.5:
        bits = "".join(f"{_FIVE_BITS.index(byte):05b}" for byte in value)
        bits += "1" * (-len(bits) % 8)
        packed = int(bits, 2).to_bytes(len(bits) // 8)
        return integer(len(packed), 7, 0x80) + packed
    return integer(len(value), 7, 0) + value


def block(headers: list[Header], chance: random.Random) -> bytes:
    """Return the headers in one block, each in one of its ways."""
    made = b""
    if chance.random() < 0.1:
        made += integer(chance.choice((0, 100, 4096)), 5, 0x20)  # the size of the table
    for name, value in headers:
        number = _WHOLE.get((name, value))
        if number is not None and chance.random() < 0.8:
            made += integer(number, 7, 0x80)
            continue
        bits, first = chance.choice(((4, 0x00), (4, 0x10), (6, 0x40)))  # not kept, never kept, kept in the table
        known = _NAMES.get(name, 0) if chance.random() < 0.7 else 0
        made += integer(known, bits, first) + (b"" if known else text(name, chance)) + text(value, chance)
    return made


def plain(path: bytes) -> list[Header]:
    """Return the headers of a plain call."""
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ]


def odd(chance: random.Random) -> list[Header]:
    """Return the headers of a call with some oddities, or with none."""
    path = SERVICE + chance.choice(CHECKS) if chance.random() < 0.8 else chance.choice(PATHS)
    headers = plain(path)
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        match chance.randrange(8):
            case 0 | 1:
                headers.append((b"grpc-timeout", chance.choice(TIMEOUTS)))
            case 2 | 3:
                headers.append(chance.choice(METADATA))
            case 4:
                _replace(headers, b"content-type", chance.choice(CONTENT_TYPES))
            case 5:
                headers.append(chance.choice(headers))
            case 6:
                del headers[chance.randrange(len(headers))]
            case _:
                name, values = chance.choice(
                    (
                        (b":method", (b"GET", b"PUT", b"CONNECT", b"OPTIONS", b"", b"post")),
                        (b":scheme", (b"https", b"ftp", b"", b"x y")),
                        (b":authority", (b"", b"a b", b"[::1]:80", b"user@host", b"x" * 300, b"\xff")),
                        (b"te", (b"", b"Trailers", b"trailers, gzip")),
                    )
                )
                _replace(headers, name, chance.choice(values))
        if not headers:
            break
    if chance.random() < 0.1:
        chance.shuffle(headers)
    return headers


def _replace(headers: list[Header], name: bytes, value: bytes) -> None:
    headers[:] = [(known, value if known == name else old) for known, old in headers]
