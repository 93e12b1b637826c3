"""Requests that are larger than any good one: cut to what an answer needs, as they are read, or refused.

A message may have 4 MiB, for batches. What waits to be checked or committed must not be of that size: a code of more
than 4,096 bytes is MALFORMED by its length alone, and a record of which a name is too long is rejected by its name. The
message is written anew, since a parsed one keeps all of its bytes, and fields that nobody knows.
"""

from collections.abc import Callable
from typing import Any, Final

from onecode.v1 import recognition_pb2, status_pb2
from onecode_server.errors import InvalidRequest
from onecode_server.model.scanned import SCAN_BYTES_MAX, enough
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX

REQUEST_BYTES_MAX: Final = SCAN_BYTES_MAX + 1024
"""Of one request that is no batch: a code as scanned, or the reason of an exception, and what is beside it."""
_REGION_CHARS: Final = 7
"""One more than a region's code has: too long is too long."""


def cut(request: Any) -> Any:
    """Return a request of more than REQUEST_BYTES_MAX with what matters of it. Raises InvalidRequest."""
    how = _HOW.get(type(request))
    if how is None:
        raise InvalidRequest("REQUEST_TOO_LARGE", f"a request of this method has at most {REQUEST_BYTES_MAX:,} bytes")
    return how(request)


def _scan(request: Any) -> Any:
    return recognition_pb2.VerifyRequest(code=enough(request.code), host_region=request.host_region[:_REGION_CHARS])


def _streamed(request: Any) -> Any:
    return recognition_pb2.StreamVerifyRequest(
        request_id=request.request_id, code=enough(request.code), host_region=request.host_region[:_REGION_CHARS]
    )


def _translated(request: Any) -> Any:
    return recognition_pb2.TranslateRequest(
        code=enough(request.code), target_region=request.target_region[:_REGION_CHARS]
    )


def _subject(reference: Any) -> Any:
    match reference.WhichOneof("subject"):
        case "pseudonym":
            return status_pb2.SubjectRef(pseudonym=reference.pseudonym[: SUBJECT_BYTES + 1])
        case "local":
            region, identifier = reference.local.region[:_REGION_CHARS], reference.local.id[: LOCAL_ID_BYTES_MAX + 1]
            return status_pb2.SubjectRef(local=status_pb2.LocalSubject(region=region, id=identifier))
        case "code":
            return status_pb2.SubjectRef(code=enough(reference.code))
    return status_pb2.SubjectRef()


def _published(request: Any) -> Any:
    record = request.record
    kept = status_pb2.StatusRecord(
        publisher=record.publisher[:_REGION_CHARS],
        subject=_subject(record.subject),
        level=record.level,
        scope=record.scope,
        revision=record.revision,
    )
    for name in ("effective_at", "expires_at"):
        if record.HasField(name):
            time, read = getattr(kept, name), getattr(record, name)
            time.seconds, time.nanos = read.seconds, read.nanos
            time.SetInParent()
    return status_pb2.PublishStatusesRequest(sequence=request.sequence, record=kept)


def _asked(request: Any) -> Any:
    return status_pb2.GetStatusRequest(subject=_subject(request.subject))


def _as_it_is(request: Any) -> Any:
    return request


_HOW: Final[dict[type, Callable[[Any], Any]]] = {
    recognition_pb2.VerifyRequest: _scan,
    recognition_pb2.StreamVerifyRequest: _streamed,
    recognition_pb2.TranslateRequest: _translated,
    recognition_pb2.BatchVerifyRequest: _as_it_is,
    recognition_pb2.BatchTranslateRequest: _as_it_is,
    status_pb2.PublishStatusesRequest: _published,
    status_pb2.GetStatusRequest: _asked,
}
