"""Blocks of PEM files (RFC 7468). A file that is cut off, or has a block of another kind, is refused as a whole:
parsers pass such blocks over, and half of a bundle would count as all of it."""

import re
from typing import Final

from onecode_server.errors import Malformed

CERTIFICATE: Final = "CERTIFICATE"
REVOCATION_LIST: Final = "X509 CRL"
_BEGIN: Final = b"-----BEGIN "


def is_pem(data: bytes) -> bool:
    """Return whether a file has the beginning of a block, and so is no DER."""
    return _BEGIN in data


def blocks(data: bytes, kind: str, most: int) -> list[bytes]:
    """Return the blocks of a file, 1 to ``most`` of one kind. Text between them is left out. Raises Malformed."""
    label = kind.encode("ascii")
    found = re.findall(rb"-----BEGIN %b-----\s[A-Za-z0-9+/=\s]*-----END %b-----" % (label, label), data)
    if not found:
        raise Malformed(f"it has no whole block {kind} in PEM")
    if len(found) != data.count(_BEGIN):
        raise Malformed(f"it has a block that is cut off, or none of {kind}")
    if len(found) > most:
        raise Malformed(f"it has {len(found):,} blocks, more than {most}")
    return found
