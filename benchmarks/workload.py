"""What is checked: a demo deployment, its regions' codes, and status records for half of their bearers.

Everything is made with the commands that an operator would use, so that both servers read what a real one would.
"""

import base64
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from onecode_server.formats import codec_of

ONECODE: Final = Path(sys.executable).with_name("onecode")
HOST_REGION: Final = "420000"
SKEW_S: Final = 1
"""By how much clocks may differ: little, so that a code issued for a second has expired when it is scanned."""
BAD_EVERY: Final = 20
COMMAND_TIMEOUT_S: Final = 120

POOLS: Final = {
    "national": ("110000", "120000", "370000", "500000", "540000"),
    "jwt": ("130000", "140000", "320000", "520000", "210000", "330000"),
    # One region of every style of the demo: three of CBOR, three of JWT, two of PASETO, one of opaque tokens.
    "mix": ("110000", "150000", "540000", "130000", "210000", "330000", "340000", "430000", "310000"),
}
EXPIRED: Final = ("110000", "130000", "340000")
"""One region of each signed format, for the bad codes."""
LEVELS: Final = ("GREEN",) * 18 + ("YELLOW", "RED")


@dataclass(frozen=True)
class Pool:
    """Codes in the order in which they are sent; ``bad`` of them are not authentic."""

    codes: list[bytes]
    bad: int


def make(data_dir: Path, pool_codes: int) -> dict[str, Pool]:
    """Initialise ``data_dir``, issue the codes of every pool and publish status for half of their bearers."""
    init(data_dir)
    dice = random.Random(20)  # the same mix in every run
    with ThreadPoolExecutor() as commands:
        expired = [commands.submit(issue, data_dir, region, pool_codes // BAD_EVERY // 9, 1) for region in EXPIRED]
        good = {
            name: [commands.submit(issue, data_dir, region, pool_codes // len(regions) + 1) for region in regions]
            for name, regions in POOLS.items()
        }
        late = [code for task in expired for code in task.result()]
        by_home = {
            name: [(home, code) for home, task in zip(POOLS[name], tasks, strict=True) for code in task.result()]
            for name, tasks in good.items()
        }
    _publish(data_dir, [named for codes in by_home.values() for named in codes[::2]], dice)
    pools = {name: Pool(dice.sample([code for _, code in codes], pool_codes), bad=0) for name, codes in by_home.items()}
    mix = pools["mix"].codes
    bad = list(islice(_spoilt(mix, late), pool_codes // BAD_EVERY))
    mix[::BAD_EVERY] = bad
    return pools | {"mix": Pool(mix, len(bad))}


def init(data_dir: Path) -> None:
    """Make a demo deployment in ``data_dir``."""
    _onecode("init", "--demo", "--data-dir", str(data_dir))


def issue(data_dir: Path, region: str, count: int, valid_s: int = 86_400, *, bearer: str = "") -> list[bytes]:
    """Return codes of a region, of as many bearers or all of one."""
    options = ("--region", region, "--level", "GREEN", "--count", str(count), "--valid", str(valid_s))
    named = ("--id", bearer) if bearer else ()
    return _onecode("issue", "--data-dir", str(data_dir), *options, *named).split(b"\n")[:-1]


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


def _publish(data_dir: Path, bearers: list[tuple[str, bytes]], dice: random.Random) -> None:
    """Publish a record of each bearer's home. It is newer than the code, so that it replaces the code's claim."""
    effective_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    records = data_dir / "records.ndjson"
    with records.open("w", encoding="ascii") as file:
        for home, code in bearers:
            record = {
                "publisher": home,
                "subject": {"code": base64.b64encode(code).decode()},
                "level": dice.choice(LEVELS),
                "scope": "NATIONAL",
                "effective_at": effective_at,
                "revision": 2,  # an opaque code's first one came with its token
            }
            file.write(json.dumps(record) + "\n")
    _onecode("status", "publish", "--data-dir", str(data_dir), "--file", str(records))


def _onecode(*arguments: str) -> bytes:
    done = subprocess.run([ONECODE, *arguments], capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode:
        raise SystemExit(f"onecode {' '.join(arguments)} failed:\n{done.stderr.decode()}")
    return done.stdout
