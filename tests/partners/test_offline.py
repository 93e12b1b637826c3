"""The canonical cases are as authentic without a server as the server says, and nobody is admitted."""

from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client import OperatorClient
from onecode_client.offline import Offline

from tests.partners.cases import VERDICTS, Country

pytestmark = pytest.mark.slow
OPAQUE = b"H31-"
"""With which the codes of the demo's region of opaque codes begin."""


def test_each_case_is_as_authentic_as_the_server_says(country: Country, tmp_path: Path) -> None:
    with OperatorClient(country.server.address) as client:
        signed_list = client.trust_list()
    assert signed_list is not None
    root = bytes.fromhex((country.deployment.path / "root.pub").read_text("utf-8"))
    offline, server = Offline(signed_list, root, tmp_path / "kept"), country.server.stub()
    met = set()
    for code, case in zip(country.verdict_codes, VERDICTS, strict=True):
        mine = offline.verify(code)
        theirs = server.Verify(pb.VerifyRequest(code=code, host_region=case["host"]), timeout=30).verdict
        if code.startswith(OPAQUE):
            assert mine.authenticity == pb.AUTHENTICITY_UNVERIFIABLE, case["name"]
        else:
            assert (mine.authenticity, mine.home_region) == (theirs.authenticity, theirs.home_region), case["name"]
            if theirs.authenticity != pb.AUTHENTICITY_VALID:
                assert mine.reason == theirs.reason, case["name"]
        is_good = mine.authenticity in (pb.AUTHENTICITY_VALID, pb.AUTHENTICITY_UNVERIFIABLE)
        refused = not is_good or mine.level == status_pb2.LEVEL_RED
        assert mine.decision == (pb.DECISION_REFUSE if refused else pb.DECISION_CHECK), case["name"]
        met.add((mine.authenticity, mine.decision))
    assert len(met) > 6, met
