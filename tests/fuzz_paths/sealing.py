"""Envelopes, written byte by byte: headers in all their spellings, and signatures over whatever stands inside."""

import random
from typing import Final, NamedTuple

import numpy as np
from nacl.bindings import crypto_sign

from onecode_server.codes.encodings import base64url
from onecode_server.codes.encodings.base45 import ALPHABET
from onecode_server.codes.national import codec as national
from onecode_server.codes.paseto import codec as paseto
from onecode_server.crypto.signing import Signer
from onecode_server.model.trust_list import Format

from tests import formats
from tests.fuzz_paths import json_notation
from tests.fuzz_paths.cbor_notation import head, integer, octets, text

SIGNATURE_BYTES: Final = 64


class Envelope(NamedTuple):
    """What stands around claims. ``header`` is the protected header, the JOSE header or the footer; ``before`` and
    ``unprotected`` are a national code's: its tags and array head, and its unprotected header."""

    format: Format
    header: bytes
    before: bytes = b"\xd2\x84"
    unprotected: bytes = b"\xa0"


def secret_of(signer: Signer) -> bytes:
    """Return a key as libsodium takes it: seed and public key, 64 bytes. A signature then takes 20 us."""
    return signer._key._signing_key


def sealed(envelope: Envelope, payload: bytes, secret: bytes) -> bytes:
    """Return the code of these claims, signed."""
    if envelope.format == formats.NATIONAL:
        protected = envelope.header
        signed = b"".join((national.SIGNATURE1, octets(protected), b"\x40", octets(payload)))
        parts = (envelope.before, octets(protected), envelope.unprotected, octets(payload), b"\x58\x40")
        return national.PREFIX + _base45(b"".join(parts) + _sign(signed, secret))
    if envelope.format == formats.JWT:
        message = base64url.encode(envelope.header) + b"." + base64url.encode(payload)
        return message + b"." + base64url.encode(_sign(message, secret))
    footer = envelope.header
    signature = _sign(paseto.pre_authentication_encoding(paseto.PREFIX, payload, footer, b""), secret)
    return paseto.PREFIX + base64url.encode(payload + signature) + b"." + base64url.encode(footer)


def plain(fmt: Format, kid: bytes) -> Envelope:
    """Return the envelope that nearly all codes of a format have."""
    if fmt == formats.NATIONAL:
        return Envelope(fmt, b"\xa2\x01\x27\x04" + octets(kid))
    if fmt == formats.JWT:
        return Envelope(fmt, b'{"alg":"EdDSA","kid":' + json_notation.text(kid) + b',"typ":"JWT"}')
    return Envelope(fmt, b'{"kid":' + json_notation.text(kid) + b"}")


def varied(fmt: Format, kid: bytes, chance: random.Random) -> Envelope:
    """Return an envelope that is as good as the plain one, spelt otherwise."""
    if fmt == formats.NATIONAL:
        return _varied_cose(kid, chance)
    name = json_notation.text(kid)
    if fmt == formats.PASETO:
        more = (b"", b',"wpk":"x"', b',"n":[1,2]', b', "t" : "\xe7\xbb\xbf"', b" ", b',"iss":"x"')
        return Envelope(fmt, b'{"kid":' + name + chance.choice(more) + b"}")
    forms = (
        b'{"alg":"EdDSA","kid":%b}',
        b'{"typ":"JWT","alg":"EdDSA","kid":%b}',
        b'{"kid":%b,"alg":"Ed25519"}',
        b'{"alg":"EdDSA", "kid" : %b, "cty":"\xe7\xbb\xbf"}',
        b'{"alg":"Ed\\u0044SA","kid":%b}',
        b'{"alg":"EdDSA","kid":%b,"x5c":["a","b"]}',
    )
    return Envelope(fmt, chance.choice(forms) % name)


def _varied_cose(kid: bytes, chance: random.Random) -> Envelope:
    alg, named = chance.choice((b"\x27", b"\x27", b"\x32")), b"\x04" + octets(kid)
    header, unprotected = b"\xa2\x01" + alg + named, b"\xa0"
    match chance.randrange(8):
        case 0:
            header, unprotected = b"\xa1\x01" + alg, b"\xa1" + named
        case 1:
            header = b"\xa2" + named + b"\x01" + alg
        case 2:
            header = b"\xa3\x01" + alg + b"\x03\x18\x3d" + named
        case 3:
            header = b"\xa3\x01" + alg + named + b"\x19\x03\xe8" + text("绿".encode())
        case 4:
            unprotected = b"\xa1\x18\x63" + text(b"%03d" % chance.randrange(1000))
        case 5:
            unprotected = b"\xa1" + b"\x04" + octets(b"another")  # the protected one counts
        case 6:
            header = b"\xbf\x01" + alg + named + b"\xff"
        case _:
            header = b"\xa2\x01\x38" + bytes((alg[0] & 31,)) + b"\x04" + octets(kid, 1)
    before = chance.choice((b"\xd2\x84", b"\xd2\x84", b"\x84", b"\xd8\x3d\xd2\x84", b"\xd2\x98\x04"))
    return Envelope(formats.NATIONAL, header, before, unprotected)


def spoilt(envelope: Envelope, kid: bytes, others: list[bytes], chance: random.Random) -> tuple[str, Envelope]:
    """Return an envelope in which something is not as it should be: how, and what."""
    fmt = envelope.format
    match chance.randrange(6):
        case 0:
            return "other kid", plain(fmt, chance.choice(others))
        case 1:
            wrong = (kid.swapcase(), kid + b" ", kid + b"\x00", b"", b"\xff\xfe", b"x" * 255, b"x" * 256)
            return "kid", plain(fmt, chance.choice(wrong))
        case 2:
            return "alg", envelope._replace(header=_other_algorithm(fmt, kid, chance))
        case 3:
            return "header value", envelope._replace(header=_odd_header(fmt, kid, chance))
        case 4 if fmt == formats.NATIONAL:
            before = (
                b"\xd2\xd2\x84",
                b"\xd8\x12\x84",
                b"\xd9\xd9\xf7\xd2\x84",
                b"\xd8\x3d\x84",
                b"\x83",
                b"\x85",
                b"\xd1\x84",
            )
            inner = (b"\xa0", b"\xa1\x02\x81\x01", b"\xf6", b"\xa1\x04\x61a", b"\xa2\x01\x27\x01\x27", b"\xbf\xff")
            return "array", envelope._replace(before=chance.choice(before), unprotected=chance.choice(inner))
        case _:
            header = bytearray(envelope.header)
            header[chance.randrange(len(header))] = chance.randrange(256)
            return "header byte", envelope._replace(header=bytes(header))


def _other_algorithm(fmt: Format, kid: bytes, chance: random.Random) -> bytes:
    if fmt == formats.NATIONAL:
        values = (
            b"\x26",
            b"\x28",
            b"\x01",
            integer(-257),
            text(b"EdDSA"),
            b"\xf9\xc8\x00",
            b"\xf6",
            b"\x38\x07",
            b"\x33",
        )
        return b"\xa2\x01" + chance.choice(values) + b"\x04" + octets(kid)
    words = (b'"ES256"', b'"none"', b'"eddsa"', b'"EdDSA "', b"null", b"-8", b'["EdDSA"]')
    return b'{"alg":' + chance.choice(words) + b',"kid":' + json_notation.text(kid) + b"}"


def _odd_header(fmt: Format, kid: bytes, chance: random.Random) -> bytes:
    if fmt == formats.NATIONAL:
        named = b"\x04" + octets(kid)
        more = (
            b"\xa3\x01\x27" + named + b"\x02\x81\x01",
            b"\xa3\x01\x27" + named + named,
            b"\xa2\x01\x27\x04" + text(kid),
        )
        return chance.choice(
            (*more, b"\xa1" + named, b"", b"\xa0", b"\x80", b"\xa2\x01\x27\x04\x01", head(5, 2) + b"\x01\x27")
        )
    name = json_notation.text(kid)
    start = b'{"alg":"EdDSA",' if fmt == formats.JWT else b"{"
    rest = (
        b'"kid":7}',
        b'"kid":null}',
        b'"kid":"\\ud800"}',
        b'"kid":%b,"kid":%b}' % (name, name),
        b'"kid":%b,}' % name,
    )
    return start + chance.choice((*rest, b'"kid":%b,"crit":["x"]}' % name, b'"x":1}', b'"kid":%b,"n":NaN}' % name))


def _sign(message: bytes, secret: bytes) -> bytes:
    return bytes(crypto_sign(message, secret)[:SIGNATURE_BYTES])


def _base45(data: bytes) -> bytes:
    """Return ``data`` in base45 (RFC 9285), a few times as fast as the server, which has no need to hurry."""
    pairs = np.frombuffer(data[: len(data) & ~1], ">u2").astype(np.int64)
    high, low = np.divmod(pairs, 45 * 45)
    second, first = np.divmod(low, 45)
    text: bytes = _CHARACTERS[np.stack((first, second, high), axis=1)].tobytes()
    if len(data) % 2:
        text += bytes((ALPHABET[data[-1] % 45], ALPHABET[data[-1] // 45]))
    return text


_CHARACTERS: Final = np.frombuffer(ALPHABET, np.uint8)
