"""What a partner's program does with the client's package. Run in an environment that has nothing else of ours.

Usage: partner.py HOST:PORT CODE OTHER_CODE ROOT: codes of region 420000, the second of somebody else, and the public
key of the root in hex.
"""

import asyncio
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

warnings.simplefilter("error")

import onecode_client  # noqa: E402 - warnings of generated code are failures too
from onecode.v1 import recognition_pb2 as pb  # noqa: E402
from onecode.v1 import status_pb2  # noqa: E402
from onecode_client import (  # noqa: E402
    AsyncOnecodeClient,
    AsyncOperatorClient,
    OfflineTrustList,
    OnecodeClient,
    OperatorClient,
    failures,
    status_record,
)


def check(server: str, code: bytes) -> None:
    """Verify and translate."""
    with OnecodeClient(server) as client:
        assert client.verify(code, "440000").verdict.decision == pb.DECISION_ADMIT
        made = client.translate(code, "440000").code
        verdicts = list(client.verify_all([code, made, b"no code"] * 2000, "440000"))
    decisions = [verdict.decision for verdict in verdicts[:3]]
    assert len(verdicts) == 6000
    assert decisions == [pb.DECISION_ADMIT, pb.DECISION_ADMIT, pb.DECISION_REFUSE]


async def check_in_tasks(server: str, code: bytes) -> None:
    """Verify with asyncio, gathered."""
    async with AsyncOnecodeClient(server) as client:
        answers = await asyncio.gather(*(client.verify(code, "440000") for _ in range(200)))
    assert {answer.verdict.decision for answer in answers} == {pb.DECISION_ADMIT}
    async with AsyncOperatorClient(server) as operator:
        assert await operator.trust_list(if_newer_than=1) is None


def check_offline(server: str, code: bytes, root: bytes) -> None:
    """Verify without a server, by a list that one has handed out."""
    from onecode_client.offline import Offline

    with OperatorClient(server) as operator:
        signed = operator.trust_list()
    assert signed is not None
    with TemporaryDirectory() as kept:  # each server has a country of its own, with a version 1
        verdict = Offline(signed, root, Path(kept) / "trust-list-version").verify(code)
    assert (verdict.decision, verdict.authenticity) == (pb.DECISION_CHECK, pb.AUTHENTICITY_VALID)
    assert (verdict.home_region, verdict.level) == ("420000", status_pb2.LEVEL_GREEN)


def check_by_program(server: str, code: bytes) -> None:
    """Verify by the program that is installed with the client."""
    program = Path(sys.executable).with_name("onecode-partner")
    asked = (program, "verify", "--server", server, "--host", "440000", "-")
    done = subprocess.run(asked, input=code, capture_output=True, check=True)
    assert done.stdout == b"1\tADMIT\tGREEN\tGREEN\t420000\tNONE\n", done


def operate(server: str, code: bytes) -> None:
    """Take the trust list, and publish."""
    with OperatorClient(server) as operator:
        signed = operator.trust_list()
        assert signed is not None
        assert OfflineTrustList(signed, b"", lambda *_: True).version == 1
        record = {"publisher": "420000", "level": "RED", "scope": "NATIONAL", "effective_at": "2025-01-01T00:00:00Z"}
        subject = {"local": {"region": "420000", "id": "of-a-partner"}}
        answers = list(operator.publish([status_record({**record, "subject": subject, "revision": 1})]))
        assert [one for answer in answers for one in failures(answer)] == []
        assert answers[-1].durable_through == 1
    with OnecodeClient(server) as client:
        verdict = client.verify(code, "440000").verdict
    assert (verdict.decision, verdict.reason) == (pb.DECISION_REFUSE, pb.REASON_RED)


if __name__ == "__main__":
    address, first, second, root_key = sys.argv[1:]
    assert onecode_client.__file__.startswith(sys.prefix), onecode_client.__file__
    assert find_spec("onecode_server") is None
    check(address, first.encode())
    asyncio.run(check_in_tasks(address, first.encode()))
    check_offline(address, first.encode(), bytes.fromhex(root_key))
    check_by_program(address, first.encode())
    operate(address, second.encode())
