"""Before anything is measured: both servers decide the same about every code, else the comparison means nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OnecodeClient

from benchmarks.servers import Server
from benchmarks.workload import HOST_REGION, Pool

UNARY_CODES: Final = 200
"""How many codes of a pool are also checked one by one: both ways share a path in either server."""
# All but status_age_s: onecode may answer from what it read some seconds ago.
_COMPARED: Final = tuple(field.name for field in pb.Verdict.DESCRIPTOR.fields if field.name != "status_age_s")
_AUTHENTICITY: Final = _COMPARED.index("authenticity")


def check(servers: tuple[Server, Server], pools: dict[str, Pool]) -> int:
    """Return how many codes both servers agree on. Ends the benchmark at the first code where they do not."""
    for name, pool in pools.items():
        with ThreadPoolExecutor(len(servers)) as both:
            ours, theirs = both.map(lambda server, codes=pool.codes: _answers(server, codes), servers)
        sent = [*pool.codes, *pool.codes[:UNARY_CODES]]
        for code, our, their in zip(sent, ours, theirs, strict=True):
            if our != their:
                raise SystemExit(f"the servers disagree on {code.decode()}:\n{_named(our)}\n{_named(their)}")
        bad = sum(answer[_AUTHENTICITY] != pb.AUTHENTICITY_VALID for answer in ours[: len(pool.codes)])
        if bad != pool.bad:
            raise SystemExit(f"pool {name}: {bad} of {len(pool.codes)} codes are not authentic, expected {pool.bad}")
    return sum(len(pool.codes) for pool in pools.values())


def _answers(server: Server, codes: list[bytes]) -> list[tuple[Any, ...]]:
    with OnecodeClient(server.address) as client:
        verdicts = list(client.verify_all(codes, HOST_REGION))
        verdicts += [client.verify(code, HOST_REGION).verdict for code in codes[:UNARY_CODES]]
    return [tuple(getattr(verdict, field) for field in _COMPARED) for verdict in verdicts]


def _named(answer: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(_COMPARED, answer, strict=True))
