"""The claims of a translation about its source: labels in a national code, one ``onecode`` object in JSON formats."""

from collections.abc import Mapping
from typing import Any, Final

from onecode_server.codes import claims, times
from onecode_server.codes.encodings import base64url
from onecode_server.codes.national import codec as national
from onecode_server.errors import ClaimFault, ClaimMissing, Malformed
from onecode_server.model.code import Source
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.model.trust_list import Format

TRANSLATION: Final = "onecode"
"""The member in which JWT and PASETO translations name their source. No region may map a claim of its own to it."""
_DIGEST_BYTES: Final = 32
_LABELS: Final = {
    "region": national.REGION,
    "key_id": national.SOURCE_KEY,
    "digest": national.SOURCE_DIGEST,
    "issued_at": national.SOURCE_ISSUED_AT,
    "target": national.TARGET,
}


def write(source: Source, fmt: Format) -> dict[Any, Any]:
    """Return the claims that name ``source``, to be joined with a translation's others."""
    members = {name: getattr(source, name) for name in _LABELS}
    members["issued_at"] = times.write_time(source.issued_at, None)
    if fmt == national.FORMAT:
        return {_LABELS[name]: value for name, value in members.items()}
    for name in ("key_id", "digest"):
        members[name] = base64url.encode(members[name]).decode()
    return {TRANSLATION: members}


def read(tree: Mapping[Any, Any], fmt: Format) -> Source:
    """Return the source that a translation names. Raises ClaimMissing, ClaimFault."""
    try:
        return _read(tree, fmt)
    except ClaimFault:
        raise
    except Malformed as fault:
        raise ClaimFault("source", str(fault)) from None


def _read(tree: Mapping[Any, Any], fmt: Format) -> Source:
    if fmt == national.FORMAT:
        members = {name: claims.required(tree, (label,), "source") for name, label in _LABELS.items()}
    else:
        named = claims.required(tree, (TRANSLATION,), "source")
        if not isinstance(named, dict) or not named.keys() >= _LABELS.keys():
            raise ClaimMissing("source", "a member is missing", TRANSLATION)
        members = {name: named[name] for name in _LABELS}
        for name in ("key_id", "digest"):
            members[name] = _bytes(members[name])
    region, target, key_id, digest = members["region"], members["target"], members["key_id"], members["digest"]
    if not all(isinstance(code, str) and is_region_code(code) for code in (region, target)):
        raise Malformed("the source or target of a translation is not a region")
    if not isinstance(key_id, bytes) or not isinstance(digest, bytes) or len(digest) != _DIGEST_BYTES:
        raise Malformed("the key or digest of a translation's source is wrong")
    return Source(region, key_id, digest, times.read_time(members["issued_at"]), target)


def write_subject(subject: bytes, fmt: Format) -> str | bytes:
    """Return a pseudonym (16 bytes) as a translation carries it."""
    return subject if fmt == national.FORMAT else base64url.encode(subject).decode()


def read_subject(value: str | bytes) -> bytes:
    """Return the pseudonym (16 bytes) that a translation carries. Raises ClaimFault."""
    try:
        subject = value if isinstance(value, bytes) else _bytes(value)
    except Malformed as fault:
        raise ClaimFault("subject", str(fault)) from None
    if len(subject) != SUBJECT_BYTES:
        raise ClaimFault("subject", "the subject of a translation is not a pseudonym")
    return subject


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Malformed("not base64url text")
    return base64url.decode(value.encode(errors="replace"))
