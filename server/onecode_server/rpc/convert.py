"""Model to messages. Equal verdicts of a batch share one message: building answers is a large part of its cost."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import recognition_pb2 as pb
from onecode_server.engine.check import Outcome
from onecode_server.engine.translator import Translation
from onecode_server.model.verdict import Verdict


def timestamp(time: int) -> Timestamp:
    """Return Unix microseconds as a Timestamp."""
    seconds, rest = divmod(time, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def verdict(answer: Verdict) -> pb.Verdict:
    """Return a verdict as its message. The model's enums have the wire's numbers; a test holds them to it."""
    # The stubs know the wire's enums as types of their own, to which the model's IntEnums are numbers like any other.
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


def verdicts(outcome: Outcome) -> list[pb.Verdict]:
    """Return the verdicts of a batch, in order."""
    made: dict[Verdict, pb.Verdict] = {}
    messages = []
    for check in outcome.checks:
        answer = check.answer
        message = made.get(answer)
        if message is None:
            message = made[answer] = verdict(answer)
        messages.append(message)
    return messages


def translation(made: Translation) -> pb.TranslateResponse:
    """Return a translation as its message."""
    return pb.TranslateResponse(
        verdict=verdict(made.verdict),
        code=made.code,
        format=made.format,
        expires_at=None if made.expires_at is None else timestamp(made.expires_at),
    )
