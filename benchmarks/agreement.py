"""Before anything is measured: all servers decide the same about every code, else the comparison means nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OnecodeClient

from benchmarks.servers import BUILT, Server
from benchmarks.workload import HOST_REGION, SPOILT, Pool

BATCH_CODES: Final = 4_000
"""How many codes of a pool are compared: all kinds of them many times over, in a second of the first try's time."""
UNARY_CODES: Final = 200
"""How many codes of a pool are also checked one by one: both ways share a path in every server."""
# All but status_age_s: onecode may answer from what it read some seconds ago.
_COMPARED: Final = tuple(field.name for field in pb.Verdict.DESCRIPTOR.fields if field.name != "status_age_s")
_AUTHENTICITY: Final = _COMPARED.index("authenticity")
_READS: Final = dict.fromkeys(BUILT, ("national", SPOILT))
"""Servers that read some pools only. The echo decides nothing and is not asked."""


def check(servers: dict[str, Server], pools: dict[str, Pool]) -> int:
    """Return how many codes the servers agree on. Ends the benchmark at the first code where they do not."""
    for name, pool in pools.items():
        asked = [one for one in servers.values() if one.name != "echo" and name in _READS.get(one.name, pools)]
        codes = pool.codes[:BATCH_CODES]
        with ThreadPoolExecutor(len(asked)) as all_at_once:
            ours, *others = all_at_once.map(lambda server, codes=codes: _answers(server, codes), asked)
        sent = [*codes, *codes[:UNARY_CODES]]
        for server, theirs in zip(asked[1:], others, strict=True):
            for code, our, their in zip(sent, ours, theirs, strict=True):
                if our != their:
                    names = f"{asked[0].name}: {_named(our)}\n{server.name}: {_named(their)}"
                    raise SystemExit(f"the servers disagree on {code.decode()}:\n{names}")
        bad = sum(answer[_AUTHENTICITY] != pb.AUTHENTICITY_VALID for answer in ours[: len(codes)])
        expected = pool.bad * len(codes) // len(pool.codes)
        if bad != expected:
            raise SystemExit(f"pool {name}: {bad} of {len(codes)} codes are not authentic, expected {expected}")
    return sum(min(BATCH_CODES, len(pool.codes)) for pool in pools.values())


def _answers(server: Server, codes: list[bytes]) -> list[tuple[Any, ...]]:
    with OnecodeClient(server.address) as client:
        verdicts = list(client.verify_all(codes, HOST_REGION))
        verdicts += [client.verify(code, HOST_REGION).verdict for code in codes[:UNARY_CODES]]
    return [tuple(getattr(verdict, field) for field in _COMPARED) for verdict in verdicts]


def _named(answer: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(_COMPARED, answer, strict=True))
