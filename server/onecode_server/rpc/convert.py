"""Converts model values to messages. Equal verdicts of a batch share one message, since building answers is a large
part of the cost of a batch."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.verdict import Verdict
from onecode_server.rules.admission import VERDICTS_KEPT
from onecode_server.translation.translator import Translation
from onecode_server.verification.check import CheckResults


def timestamp(time: int) -> Timestamp:
    """Return Unix microseconds as a Timestamp."""
    seconds, rest = divmod(time, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def _within(time: int) -> Any:
    """Return Unix microseconds for the Timestamp of another message, which is made from a dict in half the time that it
    is copied from a message in."""
    seconds, rest = divmod(time, 1_000_000)
    return {"seconds": seconds, "nanos": rest * 1000}


def verdict(answer: Verdict) -> pb.Verdict:
    """Return a verdict as its message. The model's enums have the wire's numbers, which a test checks."""
    # The stubs declare the wire's enums as types of their own, and accept the model's IntEnums as plain numbers only.
    enums: dict[str, Any] = {
        "decision": answer.decision,
        "level": answer.level,
        "authenticity": answer.authenticity,
        "status": answer.status,
        "recognition": answer.recognition,
        "reason": answer.reason,
    }
    return pb.Verdict(
        **enums,
        home_region=answer.home,
        exception_id=answer.exception_id,
        status_age_s=answer.status_age_s,
    )


def single(answer: Verdict, trust_list_version: int, checked_at: int) -> bytes:
    """Return the response to one scan, as its bytes: its first part and its last part; see ``batch``."""
    return single_head(answer) + single_tail(trust_list_version, checked_at)


@lru_cache(VERDICTS_KEPT)
def single_head(answer: Verdict) -> bytes:
    """Return the part of a response to one scan that its verdict determines."""
    return pb.VerifyResponse(verdict=verdict(answer)).SerializeToString()


def single_tail(trust_list_version: int, checked_at: int) -> bytes:
    """Return the part that all responses of one check have in common."""
    rest = pb.VerifyResponse(trust_list_version=trust_list_version, checked_at=_within(checked_at))
    return rest.SerializeToString()


@lru_cache(VERDICTS_KEPT)
def _of_batch(answer: Verdict) -> bytes:
    return pb.BatchVerifyResponse(verdicts=[verdict(answer)]).SerializeToString()


def batch(answers: CheckResults) -> bytes:
    """Return the response to a batch, as its bytes.

    Concatenated messages are merged into one message (protobuf's encoding, "Last One Wins"). So each verdict of a batch
    is written once, and a thousand codes with that verdict cost a thousand references to it.
    """
    pieces = [_of_batch(answer) for answer in answers.distinct]
    rest = pb.BatchVerifyResponse(
        trust_list_version=answers.trust.version, checked_at=_within(answers.checked_at)
    ).SerializeToString()
    return b"".join([*map(pieces.__getitem__, answers.which.tolist()), rest])


def streamed(answers: CheckResults, request_ids: Sequence[int]) -> list[bytes]:
    """Return the responses to scans of a stream, as their bytes, built in the same manner."""
    tail = streamed_tail(answers.trust.version, answers.checked_at)
    pieces = [streamed_head(answer) + tail for answer in answers.distinct]
    numbered = zip(request_ids, answers.which.tolist(), strict=True)
    return [
        pb.StreamVerifyResponse(request_id=number).SerializeToString() + pieces[place] for number, place in numbered
    ]


@lru_cache(VERDICTS_KEPT)
def streamed_head(answer: Verdict) -> bytes:
    """Return the part of a response on a stream that its verdict determines, without the request's id."""
    return pb.StreamVerifyResponse(verdict=verdict(answer)).SerializeToString()


def streamed_tail(trust_list_version: int, checked_at: int) -> bytes:
    """Return the part that all responses of one check have in common."""
    rest = pb.StreamVerifyResponse(trust_list_version=trust_list_version, checked_at=_within(checked_at))
    return rest.SerializeToString()


def translation(made: Translation) -> pb.TranslateResponse:
    """Return a translation as its message."""
    return pb.TranslateResponse(
        verdict=verdict(made.verdict),
        code=made.code,
        format=made.format,
        expires_at=None if made.expires_at is None else timestamp(made.expires_at),
    )


def batch_translation(made: Translation) -> pb.BatchTranslateResult:
    """Return one translation of a batch as its message."""
    obstacle: Any = made.obstacle  # accepted by the stubs as a plain number only, as the enums of ``verdict``
    return pb.BatchTranslateResult(translation=translation(made), obstacle=obstacle)
