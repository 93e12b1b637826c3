"""The claims of a translation about its source, which each data model has in its own places."""

from collections.abc import Mapping
from typing import Any, Final

from onecode_server.codes import times
from onecode_server.codes.codec import CODECS
from onecode_server.codes.data_models import SOURCE_MEMBERS, bytes_of
from onecode_server.errors import ClaimFault, Malformed
from onecode_server.model.code import Source
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.model.trust_list import Format

_DIGEST_BYTES: Final = 32


def write(source: Source, fmt: Format) -> dict[Any, Any]:
    """Return the claims that name ``source``, to be joined with a translation's others."""
    members = {name: getattr(source, name) for name in SOURCE_MEMBERS}
    members["issued_at"] = times.write_time(source.issued_at, None)
    return CODECS[fmt].DATA_MODEL.write_source(members)


def read(tree: Mapping[Any, Any], fmt: Format) -> Source:
    """Return the source that a translation names. Raises ClaimMissing, ClaimFault."""
    try:
        return _source(CODECS[fmt].DATA_MODEL.read_source(tree))
    except ClaimFault:
        raise
    except Malformed as fault:
        raise ClaimFault("source", str(fault)) from None


def _source(members: Mapping[str, Any]) -> Source:
    region, target, key_id, digest = members["region"], members["target"], members["key_id"], members["digest"]
    if not all(isinstance(code, str) and is_region_code(code) for code in (region, target)):
        raise Malformed("the source or target of a translation is not a region")
    if not isinstance(key_id, bytes) or not isinstance(digest, bytes) or len(digest) != _DIGEST_BYTES:
        raise Malformed("the key or digest of a translation's source is wrong")
    return Source(region, key_id, digest, times.read_time(members["issued_at"]), target)


def write_subject(subject: bytes, fmt: Format) -> str | bytes:
    """Return a pseudonym (16 bytes) as a translation carries it."""
    return CODECS[fmt].DATA_MODEL.write_bytes(subject)


def read_subject(value: str | bytes) -> bytes:
    """Return the pseudonym (16 bytes) that a translation carries. Raises ClaimFault."""
    try:
        subject = value if isinstance(value, bytes) else bytes_of(value)
    except Malformed as fault:
        raise ClaimFault("subject", str(fault)) from None
    if len(subject) != SUBJECT_BYTES:
        raise ClaimFault("subject", "the subject of a translation is not a pseudonym")
    return subject
