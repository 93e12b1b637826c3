"""A signed trust list: a compact JWS (RFC 7515) by the national root key over a JSON document."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from onecode_client.offline.envelopes import SIGNED_PREFIXES
from onecode_client.offline.faults import Malformed, TrustListUnusable
from onecode_client.offline.model import CANDIDATES_MAX, Key, Region, TrustList
from onecode_client.offline.region_entries import read_region
from onecode_client.offline.text_encodings import from_base64url
from onecode_client.offline.times import read_time

LIST_BYTES_MAX: Final = 16 * 1024 * 1024
"""As a server's bound: room for some 50,000 keys."""
_TYPE: Final = "onecode-trust-list+jws"
_VERSION_END: Final = 2**63


def read_signed_list(signed_list: bytes, root_public_key: bytes) -> TrustList:
    """Return the list. Raises TrustListUnusable where the root key (32 bytes) did not sign it, or where its version,
    times or regions are not there; a faulty entry of a region or key is left out, as servers leave it out.

    Nothing is read before the signature was verified: JSON of a stranger's may be 16 MiB of brackets.
    """
    if len(signed_list) > LIST_BYTES_MAX:
        raise TrustListUnusable("the trust list is larger than 16 MiB")
    try:
        message, _, signature = signed_list.strip().rpartition(b".")
        header_text, payload_text = message.split(b".")
        if not is_signed(root_public_key, from_base64url(signature), message):
            raise TrustListUnusable("the trust list is not signed by the root key")
        header = json.loads(from_base64url(header_text))
        if header["alg"] not in ("EdDSA", "Ed25519") or header["typ"] != _TYPE or "crit" in header:
            raise TrustListUnusable("the header is not that of a trust list signed with Ed25519")
        return _read(from_base64url(payload_text))
    except TrustListUnusable:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise TrustListUnusable("the trust list is not a compact JWS, or lacks a required member") from None


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether an Ed25519 signature (RFC 8032) of a message is good."""
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError):  # ValueError: a signature of another length
        return False
    return True


def _read(payload: bytes) -> TrustList:
    document = json.loads(payload)
    version, entries = document["version"], document["regions"]
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version < _VERSION_END:
        raise Malformed("version")
    if not isinstance(entries, list):
        raise Malformed("regions")
    regions = _regions(entries)
    return TrustList(
        version,
        hashlib.sha256(payload).hexdigest(),
        read_time(document["issued_at"]),
        read_time(document["next_update"]),
        regions,
        _candidates(key for region in regions.values() for key in region.keys),
    )


def _regions(entries: list[Any]) -> dict[str, Region]:
    """Return the regions without those that are faulty, listed twice, or whose prefix overlaps another."""
    regions = []
    for entry in entries:
        try:
            regions.append(read_region(entry))
        except Malformed:
            continue  # its codes have an unknown issuer
    listed = Counter(region.code for region in regions)
    prefixes = [*SIGNED_PREFIXES, *(region.prefix for region in regions if region.prefix)]
    beginnings = Counter(prefix[:length] for prefix in prefixes for length in range(1, len(prefix) + 1))
    wholes = Counter(prefixes)

    def overlaps(prefix: bytes) -> bool:
        """Tell whether a prefix begins another one, equals it, or has it as its own beginning."""
        return beginnings[prefix] > 1 or any(wholes[prefix[:length]] for length in range(1, len(prefix)))

    return {
        region.code: region
        for region in regions
        if listed[region.code] == 1 and not (region.prefix and overlaps(region.prefix))
    }


def _candidates(keys: Iterable[Key]) -> Mapping[tuple[str, bytes], tuple[Key, ...]]:
    """Index keys by format and key id, without keys that are listed twice and at most CANDIDATES_MAX for each."""
    keys = [*keys]
    listed = Counter(key.public_key for key in keys)
    named = Counter((key.region, key.key_id) for key in keys)
    candidates: dict[tuple[str, bytes], list[Key]] = defaultdict(list)
    for key in keys:
        sharing = candidates[key.format, key.key_id]
        is_once = listed[key.public_key] == 1 and named[key.region, key.key_id] == 1
        if is_once and len(sharing) < CANDIDATES_MAX:
            sharing.append(key)
    return {name: tuple(sharing) for name, sharing in candidates.items() if sharing}
