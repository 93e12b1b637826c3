"""The model's enums have the names and the numbers of the API's, in both directions."""

from enum import IntEnum
from typing import Any

import pytest

from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2
from onecode_server.model.status import Level, Scope, Status
from onecode_server.model.verdict import Authenticity, Decision, Reason, Recognition
from onecode_server.rules.publication import Rejection
from onecode_server.rules.recognition_exceptions import State
from onecode_server.translation.translator import Obstacle

PAIRS = {
    "DECISION": (Decision, recognition_pb2.Decision),
    "AUTHENTICITY": (Authenticity, recognition_pb2.Authenticity),
    "STATUS": (Status, recognition_pb2.Status),
    "RECOGNITION": (Recognition, recognition_pb2.Recognition),
    "REASON": (Reason, recognition_pb2.Reason),
    "TRANSLATION_OBSTACLE": (Obstacle, recognition_pb2.TranslationObstacle),
    "LEVEL": (Level, status_pb2.Level),
    "SCOPE": (Scope, status_pb2.Scope),
    "EXCEPTION_STATE": (State, exceptions_pb2.ExceptionState),
}


@pytest.mark.parametrize("prefix", PAIRS)
def test_an_enum_of_the_model_is_that_of_the_api(prefix: str) -> None:
    ours: type[IntEnum] = PAIRS[prefix][0]
    theirs: Any = PAIRS[prefix][1]  # a wrapper that the stubs do not describe
    numbers = {f"{prefix}_{one.name}": one.value for one in ours if one.value}
    assert numbers == {name: number for name, number in theirs.items() if number}


def test_a_record_is_rejected_by_the_name_that_the_api_has() -> None:
    names = {f"REJECTION_REASON_{one.name}" for one in Rejection}
    assert names == {*status_pb2.RejectionReason.keys()} - {"REJECTION_REASON_UNSPECIFIED"}
