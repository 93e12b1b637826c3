"""The trust list as a file: a compact JWS (RFC 7515) by the root key over a JSON document.

A faulty entry is skipped and named, and the rest of the list is read. If a required member of the document itself is
faulty (version, times, the list of regions), the whole list is refused.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from onecode_server.codes import times
from onecode_server.codes.codec import CODECS
from onecode_server.codes.encodings import base64url
from onecode_server.errors import Malformed, TrustListRefused
from onecode_server.model.region import NATIONAL, is_region_code
from onecode_server.model.trust_list import CANDIDATES_MAX, Format, IssuerKey, Region, Skipped, TrustList
from onecode_server.trust import partners, region_entry

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Room for some 50,000 keys: a hundred times as many as the country needs, and still read within seconds."""

_TYPE: Final = "onecode-trust-list+jws"


class SignedList(NamedTuple):
    """The parts of a trust-list file, not verified: the root's signature over ``message`` is still to be checked."""

    message: bytes
    signature: bytes
    payload: bytes


def take_apart(file: bytes) -> SignedList:
    """Return the parts of a trust-list file. Raises TrustListRefused."""
    if len(file) > FILE_BYTES_MAX:
        raise TrustListRefused("the trust list is larger than 16 MiB")
    try:
        message, _, signature = file.strip().rpartition(b".")
        header_text, payload_text = message.split(b".")
        header = json.loads(base64url.decode(header_text))
        if header["alg"] not in ("EdDSA", "Ed25519") or header["typ"] != _TYPE or "crit" in header:
            raise TrustListRefused("the trust list's header is not that of an Ed25519 trust list")
        return SignedList(message, base64url.decode(signature), base64url.decode(payload_text))
    except (Malformed, ValueError, KeyError, TypeError, RecursionError):
        raise TrustListRefused("the trust list is not a compact JWS") from None


def put_together(document: Mapping[str, Any], sign: Callable[[bytes], bytes]) -> bytes:
    """Return the trust-list file of a document; ``sign`` makes the root's 64-byte signature of a message."""
    header = base64url.encode(json.dumps({"alg": "EdDSA", "typ": _TYPE}).encode())
    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    message = header + b"." + base64url.encode(payload)
    return message + b"." + base64url.encode(sign(message)) + b"\n"


def digest(payload: bytes) -> bytes:
    """Return the digest (SHA-256, 32 bytes) that distinguishes lists of the same version with different content."""
    return hashlib.sha256(payload).digest()


def parse(payload: bytes, key_fault: Callable[[bytes], str | None]) -> TrustList:
    """Return the trust list in a signed payload.

    ``key_fault`` returns why 32 bytes are not a usable Ed25519 public key, or None. Raises TrustListRefused.
    """
    try:
        document = json.loads(payload)
        version, entries = document["version"], document["regions"]
        issued_at = times.read_time(document["issued_at"])
        next_update = times.read_time(document["next_update"])
        if isinstance(version, bool) or not isinstance(version, int) or not 0 < version < 2**63:
            raise TrustListRefused("the trust list's version is not a positive integer")
        if not isinstance(entries, list):
            raise TrustListRefused("the trust list's regions are not a list")
    except (Malformed, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise TrustListRefused(f"the trust list lacks a required member: {fault}") from None
    skipped: list[Skipped] = []
    regions = _regions(entries, key_fault, skipped)
    candidates = _candidates(regions, skipped)
    kept = {key for keys in candidates.values() for key in keys}
    hosts = partners.read(document.get("partners", []), skipped)
    return TrustList(
        version,
        issued_at,
        next_update,
        digest(payload),
        {code: region_entry.with_keys(region, kept) for code, region in regions.items()},
        tuple(skipped),
        candidates,
        tuple((region.prefix, region) for region in regions.values() if region.prefix),
        frozenset(_codes(entries) - regions.keys()),
        hosts,
    )


def rfc3339(time: int) -> str:
    """Return ``time`` (Unix microseconds) as RFC 3339 text in whole seconds, as the document writes it."""
    return datetime.fromtimestamp(time // times.MICROSECONDS, UTC).isoformat().replace("+00:00", "Z")


def _regions(entries: list[Any], key_fault: Callable[[bytes], str | None], skipped: list[Skipped]) -> dict[str, Region]:
    """Read every entry. Skip entries that are faulty, then entries that conflict with another one."""
    regions: list[Region] = []
    for index, entry in enumerate(entries):
        try:
            regions.append(region_entry.read(entry, key_fault, skipped))
        except Malformed as fault:
            skipped.append(Skipped(f"regions[{index}] {_name(entry)}".rstrip(), str(fault)))
    times = Counter(region.code for region in regions)
    overlapping = _overlapping([region.prefix for region in regions if region.prefix])
    taken: dict[str, Region] = {}
    for region in regions:
        if times[region.code] > 1:
            skipped.append(Skipped(f"region {region.code}", "is in the list more than once"))
        elif region.prefix in overlapping:
            skipped.append(Skipped(f"region {region.code}", "its prefix starts like another's"))
        else:
            taken[region.code] = region
    if NATIONAL not in taken:
        skipped.append(Skipped(f"region {NATIONAL}", "missing: no national codes and no translations"))
    return taken


def _candidates(
    regions: Mapping[str, Region], skipped: list[Skipped]
) -> dict[tuple[Format, bytes], tuple[IssuerKey, ...]]:
    """Index the keys by format and key id, without keys that are listed twice and without more than CANDIDATES_MAX."""
    keys = [key for region in regions.values() for key in region.keys]
    public = Counter(key.public_key for key in keys)
    named = Counter((key.region, key.key_id) for key in keys)
    candidates: dict[tuple[Format, bytes], list[IssuerKey]] = defaultdict(list)
    for key in keys:
        sharing = candidates[key.format, key.key_id]
        where = region_entry.key_name(key.region, key.format, key.key_id)
        if public[key.public_key] > 1:
            skipped.append(Skipped(where, "its public key is in the list more than once"))
        elif named[key.region, key.key_id] > 1:
            skipped.append(Skipped(where, "its region uses the key id more than once"))
        elif len(sharing) >= CANDIDATES_MAX:
            skipped.append(Skipped(where, f"{CANDIDATES_MAX} keys have this key id already"))
        else:
            sharing.append(key)
    return {name: tuple(sharing) for name, sharing in candidates.items() if sharing}


def _overlapping(prefixes: list[bytes]) -> set[bytes]:
    """Return the prefixes that equal or begin another prefix or that of a signed format, or that such a one begins."""
    times = Counter(prefixes + [codec.PREFIX for codec in CODECS.values()])
    stems = {prefix: {prefix[:length] for length in range(1, len(prefix))} for prefix in times}
    starts = set().union(*stems.values())
    return {
        prefix
        for prefix in times
        if times[prefix] > 1 or prefix in starts or not times.keys().isdisjoint(stems[prefix])
    }


def _codes(entries: list[Any]) -> set[str]:
    named = (entry.get("code") for entry in entries if isinstance(entry, dict))
    return {code for code in named if isinstance(code, str) and is_region_code(code)}


def _name(entry: Any) -> str:
    code = entry.get("code") if isinstance(entry, dict) else None
    return code[:6] if isinstance(code, str) and code.isprintable() else ""
