"""What is checked: a demo deployment, its regions' codes, and status records for half of their bearers.

Everything is made with the commands that an operator would use, so that both servers read what a real one would.
"""

import base64
import json
import random
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final, NamedTuple

from click.testing import CliRunner
from nacl.signing import SigningKey

from onecode_server.cli.trust import trust
from onecode_server.codes.codec import codec_of
from onecode_server.codes.national import codec as national

ONECODE: Final = Path(sys.executable).with_name("onecode")
HOST_REGION: Final = "420000"
SKEW_S: Final = 1
"""By how much clocks may differ: little, so that a code issued for a second has expired when it is scanned."""
BAD_EVERY: Final = 20
COMMAND_TIMEOUT_S: Final = 120

POOLS: Final = {
    # Adopters: their codes carry pseudonyms, by which the peers that know no pseudonym key hold their records.
    "national": ("540000", "630000", "640000", "820000"),
    "jwt": ("130000", "140000", "320000", "520000", "210000", "330000"),
    # One region of every style of the demo: three of CBOR, three of JWT, two of PASETO, one of opaque tokens.
    "paseto": ("340000", "350000", "430000", "440000", "450000", "510000"),
    "mix": ("110000", "150000", "540000", "130000", "210000", "330000", "340000", "430000", "310000"),
}
EXPIRED_CODES: Final = 100
SPOILT_CODES: Final = 600
NATIONAL_KEYS: Final = 34
"""As many keys sign the national codes as a country has regions: the tables of few would fit into any cache."""
EXPIRED: Final = ("540000", "130000", "340000")
"""One region of each signed format, for the bad codes."""
SPOILT: Final = "spoilt national"
"""A pool that is not measured: bad national codes, which the peers for that format must refuse for the same reasons."""
STATUSES: Final = "statuses.ndjson"
REVISION: Final = 2
"""An opaque code's first one came with its token."""
LEVELS: Final = ("GREEN",) * 18 + ("YELLOW", "RED")


@dataclass(frozen=True)
class Pool:
    """Codes in the order in which they are sent; ``bad`` of them are not authentic."""

    codes: list[bytes]
    bad: int


class Record(NamedTuple):
    """A status record as it is published."""

    publisher: str
    code: bytes
    level: str
    effective_at_s: int


def make(data_dir: Path, pool_codes: int, names: Collection[str] = tuple(POOLS)) -> dict[str, Pool]:
    """Initialise ``data_dir``, issue the codes of the pools named and publish status for half of their bearers.

    National codes and the mix, whose codes are spoilt to make bad ones, are always among them.
    """
    init(data_dir)
    keys = _add_keys(data_dir, NATIONAL_KEYS - len(set(map(_issuer, POOLS["national"]))))
    dice = random.Random(20)  # the same mix in every run
    with ThreadPoolExecutor() as commands:
        expired = [commands.submit(issue, data_dir, region, EXPIRED_CODES, 1) for region in EXPIRED]
        good = {
            name: [commands.submit(issue, data_dir, region, pool_codes // len(regions) + 1) for region in regions]
            for name, regions in POOLS.items()
            if name in {*names, "national", "mix"}
        }
        late = [code for task in expired for code in task.result()]
        by_home = {
            name: [(home, code) for home, task in zip(POOLS[name], tasks, strict=True) for code in task.result()]
            for name, tasks in good.items()
        }
    by_home["national"] = [(home, _signed_again(code, home, keys)) for home, code in by_home["national"]]
    records = [record for codes in by_home.values() for record in _records(codes[::2], dice)]
    _publish(data_dir, records)
    _write_for_peers(data_dir / STATUSES, records)
    pools = {name: Pool(dice.sample([code for _, code in codes], pool_codes), bad=0) for name, codes in by_home.items()}
    mix = pools["mix"].codes
    bad = list(islice(_spoilt(mix, late), len(mix) // BAD_EVERY))
    mix[::BAD_EVERY] = bad
    late_national = [code for code in late if code.startswith(national.PREFIX)]
    spoilt = list(islice(_spoilt(pools["national"].codes, late_national), SPOILT_CODES))
    return pools | {"mix": Pool(mix, len(bad)), SPOILT: Pool(spoilt, len(spoilt))}


def init(data_dir: Path) -> None:
    """Make a demo deployment in ``data_dir``."""
    onecode("init", "--demo", "--data-dir", str(data_dir))


def issue(data_dir: Path, region: str, count: int, valid_s: int = 86_400, *, bearer: str = "") -> list[bytes]:
    """Return codes of a region, of as many bearers or all of one."""
    options = ("--region", region, "--level", "GREEN", "--count", str(count), "--valid", str(valid_s))
    named = ("--id", bearer) if bearer else ()
    return onecode("issue", "--data-dir", str(data_dir), *options, *named).split(b"\n")[:-1]


def _spoilt(codes: list[bytes], late: list[bytes]) -> Iterator[bytes]:
    """Yield bad codes: a signature with one bit changed, a key id that nobody has, an expired code; again."""
    expired = cycle(late)
    for code in codes:
        codec = codec_of(code)
        if codec is None:  # an opaque token has neither a signature nor a key
            continue
        signed = codec.decode(code)
        claims = codec.read_claims(signed.payload)
        changed = bytes([signed.signature[0] ^ 1]) + signed.signature[1:]
        yield codec.mint(claims, signed.key_id, lambda _, signature=changed: signature)  # type: ignore[misc]
        yield codec.mint(claims, b"nobody", lambda _, signature=signed.signature: signature)  # type: ignore[misc]
        yield next(expired)


def _add_keys(data_dir: Path, count: int) -> dict[str, list[tuple[bytes, SigningKey]]]:
    """Add keys to the regions of the national pool in turn; return them by issuer, with their key ids."""
    issuers = [_issuer(home) for home in POOLS["national"]]
    keys: dict[str, list[tuple[bytes, SigningKey]]] = {}
    for number, issuer in zip(range(count), cycle(issuers), strict=False):
        key_id, key = b"bench-%02d" % number, SigningKey.generate()
        named = ["--region", issuer, "--kid", key_id.hex(), "--public-key", bytes(key.verify_key).hex()]
        # In this process: a new one for each key would take longer than all the rest.
        done = CliRunner().invoke(trust, ["add-key", "--data-dir", str(data_dir), *named])
        if done.exit_code:
            raise SystemExit(f"onecode trust add-key failed:\n{done.output}{done.exception or ''}")
        keys.setdefault(issuer, []).append((key_id, key))
    return keys


def _issuer(home: str) -> str:
    """Return who signs a home's national codes: an adopter's are the national authority's."""
    return "000000" if home in POOLS["national"] else home


def _signed_again(code: bytes, home: str, keys: dict[str, list[tuple[bytes, SigningKey]]]) -> bytes:
    """Return the code signed by one of its issuer's keys, chosen by what it says; by its own where that is chosen."""
    signed, more = national.decode(code), keys[_issuer(home)]
    choice = signed.signature[0] % (len(more) + 1)
    if choice == len(more):
        return code
    key_id, key = more[choice]
    return national.mint(national.read_claims(signed.payload), key_id, lambda message: key.sign(message).signature)


def _records(bearers: list[tuple[str, bytes]], dice: random.Random) -> Iterator[Record]:
    """Yield a record of each bearer's home. It is newer than the code, so that it replaces the code's claim."""
    effective_at_s = int(time.time())
    for home, code in bearers:
        yield Record(home, code, dice.choice(LEVELS), effective_at_s)


def _publish(data_dir: Path, records: list[Record]) -> None:
    file = data_dir / "records.ndjson"
    with file.open("w", encoding="ascii") as lines:
        for record in records:
            effective_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.effective_at_s))
            line = {
                "publisher": record.publisher,
                "subject": {"code": base64.b64encode(record.code).decode()},
                "level": record.level,
                "scope": "NATIONAL",
                "effective_at": effective_at,
                "revision": REVISION,
            }
            lines.write(json.dumps(line) + "\n")
    onecode("status", "publish", "--data-dir", str(data_dir), "--file", str(file))


def _write_for_peers(file: Path, records: list[Record]) -> None:
    """Write the records of national codes for the peers that hold them in memory: by pseudonym, which these carry."""
    with file.open("w", encoding="ascii") as lines:
        for record in records:
            if not record.code.startswith(national.PREFIX):
                continue
            subject = national.read_claims(national.decode(record.code).payload).get(national.SUBJECT)
            if isinstance(subject, bytes):  # a region with labels of its own names its bearers otherwise
                line = {
                    "subject": subject.hex(),
                    "publisher": record.publisher,
                    "level": record.level,
                    "scope": "NATIONAL",
                    "effective_at_s": record.effective_at_s,
                    "revision": REVISION,
                }
                lines.write(json.dumps(line) + "\n")


def onecode(*arguments: str) -> bytes:
    """Run a command of onecode, and return what it prints. Ends the program where it fails."""
    done = subprocess.run([ONECODE, *arguments], capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode:
        raise SystemExit(f"onecode {' '.join(arguments)} failed:\n{done.stderr.decode()}")
    return done.stdout
