"""The trust list, for partners that verify codes offline: the owner of each key, and the format of each region's codes.

The list is a compact JWS (RFC 7515) by the national root key. Its signature is checked here with a function of the
partner's own library, so that this package contains no cryptography.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_TYPE = "onecode-trust-list+jws"
CheckSignature = Callable[[bytes, bytes, bytes], bool]
"""Tells whether a signature (64 bytes) of a message is by a public key (32 bytes): (public_key, signature, message)."""


@dataclass(frozen=True, slots=True)
class OfflineKey:
    """One key of the list, with the entry of its region: claim names, level words, format."""

    entry: dict[str, Any]
    region: dict[str, Any]

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key (RFC 8032), 32 bytes."""
        return bytes.fromhex(self.entry["public_key"])

    @property
    def verifies(self) -> bool:
        """Whether the key verifies codes at all; a retired one verifies those issued before ``entry["retired_at"]``."""
        return bool(self.entry.get("state", "active") != "revoked")


class OfflineTrustList:
    """A signed list, verified once and then searched by key id."""

    def __init__(self, signed_list: bytes, root_public_key: bytes, check: CheckSignature) -> None:
        """Read a list. Raises ValueError where it is not signed by the root key, or is something else that it signed.

        Nothing is read before the signature was verified: JSON of a stranger's may be megabytes of brackets.
        """
        message, _, signature = signed_list.strip().rpartition(b".")
        header_text, _, payload = message.partition(b".")
        if not check(root_public_key, _bytes(signature), message):
            raise ValueError("the trust list is not signed by the root key")
        header = json.loads(_bytes(header_text))
        if not isinstance(header, dict) or header.get("typ") != _TYPE or header.get("alg") not in ("EdDSA", "Ed25519"):
            raise ValueError("the header is not that of a trust list signed with Ed25519")
        self.document: dict[str, Any] = json.loads(_bytes(payload))

    @property
    def version(self) -> int:
        """The version, for ``if_newer_than`` the next time."""
        return int(self.document["version"])

    def keys(self, fmt: str, key_id: str) -> list[OfflineKey]:
        """Return the keys of a format with this id (hex for national codes): each of them is to be tried."""
        return [
            OfflineKey(key, region)
            for region in self.document["regions"]
            for key in region.get("keys", ())
            if key["kid"] == key_id and key.get("format", region["format"]) == fmt
        ]


def _bytes(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
