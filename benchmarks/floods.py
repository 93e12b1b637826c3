"""What codes that anybody can send do to everybody's batches: ``make bench-floods``.

Two servers on one data directory answer the same batches in turns. One of them is flooded between the rounds: with
copies of a genuine code in other headers, with one region's odd codes, with key ids that nobody has. What is printed is
its answers a second of server CPU, over those of the server that is spared, in the same minute. The last row holds
national codes whose levels are integers to those whose levels are words.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import click
import uvloop
from nacl.signing import SigningKey

from onecode.v1 import recognition_pb2 as pb
from onecode_server.cli import output
from onecode_server.codes.encodings import base45, base64url, bounded_cbor
from onecode_server.codes.jwt import codec as jwt
from onecode_server.codes.national import codec as national

from benchmarks import load, servers, workload
from benchmarks.http2 import Connection, framed
from benchmarks.load import Case
from benchmarks.servers import Server

POOL_CODES: Final = 5_000
ROUNDS: Final = 7
ROUND_S: Final = 0.5
COPIES: Final = 400
STRANGERS: Final = 20_000
INTEGER_REGION: Final = "150000"
"""A region of the demonstration with labels of its own, whose words are digits."""
BATCH: Final = Case("", "", "BatchVerify", 1000, 2, 2, ())


@click.command()
def main() -> None:
    """Measure batches of others after each flood, and national codes by the kind of their level."""
    with tempfile.TemporaryDirectory(prefix="onecode-floods-") as directory:
        data_dir = Path(directory) / "data"
        pools = workload.make(data_dir, POOL_CODES, ("national", "jwt"))
        victims = {name: pools[name].codes for name in ("national", "jwt", "mix")}
        words, integers = levels(data_dir)
        rows = []
        for flood in (dresses, odd_codes, key_ids):
            with servers.pair(data_dir) as (spared, flooded):
                for codes in flood(data_dir, victims):
                    uvloop.run(send(flooded, codes))
                rows += [
                    (f"{name}, after {flood.__doc__}", ratio(spared, flooded, codes, codes, ROUNDS))
                    for name, codes in victims.items()
                ]
        with servers.pair(data_dir) as (one, other):
            rows.append(("integer levels, against words", ratio(one, other, words, integers, ROUNDS)))
    output.print_table("", ("batches", "ratio", "least", "most"), [(name, *map(str, found)) for name, found in rows])


def ratio(
    spared: Server, flooded: Server, codes: list[bytes], others: list[bytes], rounds: int
) -> tuple[float, float, float]:
    """Return the median, least and greatest ratio of the second server's rate over the first's."""
    bodies = {
        server.name: cycle(load.bodies_of(BATCH, batch)) for server, batch in ((spared, codes), (flooded, others))
    }
    found = []
    for _ in range(rounds):
        first, second = (load.run(BATCH, bodies[server.name], server, ROUND_S) for server in (spared, flooded))
        found.append((second.codes / second.cpu_s) / (first.codes / first.cpu_s))
    return round(statistics.median(found), 2), round(min(found), 2), round(max(found), 2)


async def send(server: Server, codes: list[bytes]) -> None:
    """Have codes checked in batches, whatever the answers."""
    connection = await Connection(load.METHOD + "BatchVerify", server.address).open()
    for start in range(0, len(codes), 1000):
        request = pb.BatchVerifyRequest(codes=codes[start : start + 1000], host_region=workload.HOST_REGION)
        await connection.call(framed(request.SerializeToString()))
    connection.close()


def dresses(data_dir: Path, victims: dict[str, list[bytes]]) -> Iterator[list[bytes]]:
    """400 copies of a genuine code"""
    protected, _, payload, signature = bounded_cbor.loads(base45.decode(victims["national"][0][4:])[1:])
    for _ in range(3):
        yield [
            national.PREFIX
            + base45.encode(b"\xd2" + bounded_cbor.dumps([protected, {99: b"p" * n}, payload, signature]))
            for n in range(COPIES)
        ]


def odd_codes(data_dir: Path, victims: dict[str, list[bytes]]) -> Iterator[list[bytes]]:
    """one region's odd codes"""
    (code,) = workload.issue(data_dir, "130000", 1)
    claims, key_id = jwt.read_claims(jwt.decode(code).payload), jwt.decode(code).key_id
    sign = signer(data_dir, "130000")
    made = [jwt.mint({**claims, "pad": "p" * n}, key_id, sign) for n in range(COPIES)]
    for start in range(0, COPIES, 16):
        yield made[start : start + 16]
    yield from [made] * 20


def key_ids(data_dir: Path, victims: dict[str, list[bytes]]) -> Iterator[list[bytes]]:
    """strangers' key ids"""
    _, payload, signature = victims["jwt"][0].split(b".")
    yield [
        b".".join((base64url.encode(b'{"alg":"EdDSA","kid":"%07d","typ":"JWT"}' % n), payload, signature))
        for n in range(STRANGERS)
    ]


def levels(data_dir: Path) -> tuple[list[bytes], list[bytes]]:
    """Return codes of one region whose levels are words, and the same with integers."""
    words = workload.issue(data_dir, INTEGER_REGION, POOL_CODES)
    sign, key_id = signer(data_dir, INTEGER_REGION), national.decode(words[0]).key_id
    trees: list[dict[Any, Any]] = [dict(national.read_claims(national.decode(code).payload)) for code in words]
    return words, [national.mint(tree | {-70001: int(tree[-70001])}, key_id, sign) for tree in trees]


def signer(data_dir: Path, region: str) -> Callable[[bytes], bytes]:
    """Return what signs as a region of the demonstration does."""
    (file,) = (data_dir / "keys").glob(f"{region}.issuer.*.key")
    key = SigningKey(bytes.fromhex(file.read_text(encoding="ascii").strip()))
    return lambda message: key.sign(message).signature


if __name__ == "__main__":
    main()
