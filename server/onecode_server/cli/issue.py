"""``onecode issue``: makes test codes of the regions whose issuer keys are in the data directory."""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from onecode_server.cli import output, trust_document
from onecode_server.cli.options import PathType
from onecode_server.cli.pictures import Pictures
from onecode_server.codes import claims, opaque
from onecode_server.codes.codec import CODECS
from onecode_server.codes.encodings import base64url
from onecode_server.composition import open_engine
from onecode_server.crypto.signing import Signer
from onecode_server.errors import Misconfigured
from onecode_server.model.code import CODE_BYTES_MAX, Scan
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX, pseudonym
from onecode_server.model.trust_list import OPAQUE, IssuerKey, KeyState, Region, Role, TrustList
from onecode_server.settings.data_directory import DataDirectory

TOKEN_BYTES: Final = 16
VALID_S_MAX: Final = 100 * 366 * 86_400
"""A hundred years, as for ``valid_for_s``: every format's times end later than that."""
_SERIALS: Final = 10**8
_CHUNK: Final = 1000
_SECOND_US: Final = 1_000_000


@click.command()
@click.option("--data-dir", required=True, type=PathType())
@click.option("--region", required=True, help="Six digits; 000000 for the national authority.")
@click.option("--level", required=True, type=click.Choice(["GREEN", "YELLOW", "RED"]))
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option(
    "--valid", "valid_s", default=86_400, show_default=True, type=click.IntRange(1, VALID_S_MAX), help="Seconds."
)
@click.option("--id", "local_id", help="The region's identifier of the bearer. Default: a random one for each code.")
@click.option("--out", type=PathType(), help="Default: standard output.")
@click.option(
    "--png",
    type=PathType(),
    help="Draw each code too: FILE.png for one, else a new directory with 01.png and so on, in order.",
)
def issue(
    data_dir: Path,
    region: str,
    level: str,
    count: int,
    valid_s: int,
    local_id: str | None,
    out: Path | None,
    png: Path | None,
) -> None:
    """Issue codes of a region, one a line."""
    data = DataDirectory(data_dir)
    trust = trust_document.parse(trust_document.read(data))
    home = trust.region(region)
    if home is None:
        raise Misconfigured(f"region {region} is not in the trust list")
    if local_id is not None and not 0 < len(os.fsencode(local_id)) <= LOCAL_ID_BYTES_MAX:
        raise Misconfigured(f"--id is not 1 to {LOCAL_ID_BYTES_MAX} bytes")
    if home.format == OPAQUE and local_id is not None:
        raise Misconfigured("opaque codes carry no identifier: leave --id out")
    if home.format == OPAQUE:
        codes = _tokens(data_dir, home, Level[level], count, valid_s)
    else:
        mint = _mint(data, trust, home, Level[level], valid_s)
        codes = (mint(local_id or identity) for identity in islice(_identity_numbers(region), count))
    pictures = Pictures(png, count) if png else None
    try:
        with out.open("wb") if out else click.open_file("-", "wb") as file:
            for code in output.progress(codes, count, "issuing"):
                if len(code) > CODE_BYTES_MAX:
                    raise Misconfigured(f"a code of {len(code):,} bytes is longer than any server reads")
                if pictures:
                    pictures.add(code)
                file.write(code + b"\n")
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise Misconfigured(f"cannot write {out or 'standard output'}: {fault.strerror}") from None


def _mint(data: DataDirectory, trust: TrustList, home: Region, level: Level, valid_s: int) -> Callable[[str], bytes]:
    """Return a function that makes the code of a local identifier; an adopter's are made by the national authority."""
    issuer = trust.regions[NATIONAL] if home.adopts_national else home
    key, signer = _signer(data, issuer)
    word, where, codec = issuer.word_for(level), claims.of(issuer), CODECS[issuer.format]
    if word is None:
        raise Misconfigured(f"region {issuer.code} has no word for {level.name}")
    pseudonym_key = data.read_pseudonym_key()
    own: dict[Any, Any] = {} if where.issuer is None else {codec.ISSUER: where.issuer}
    if home.adopts_national and codec.RESIDENCE is not None:
        own[codec.RESIDENCE] = home.code

    def mint(local_id: str) -> bytes:
        issued_at = trust_document.now() // _SECOND_US * _SECOND_US
        # Only the national authority knows pseudonyms.
        subject = pseudonym(pseudonym_key, home.code, local_id) if issuer.code == NATIONAL else local_id
        expires_at = issued_at + valid_s * _SECOND_US
        tree: dict[Any, Any] = claims.write(where, codec.FORMAT, subject, word, issued_at, expires_at)
        return codec.mint(tree | own, key.key_id, signer.sign)

    return mint


def _signer(data: DataDirectory, issuer: Region) -> tuple[IssuerKey, Signer]:
    signers = data.signers(issuer.code, Role.ISSUER)
    for key in issuer.keys:
        if key.role is Role.ISSUER and key.state is KeyState.ACTIVE and key.public_key in signers:
            return key, signers[key.public_key]
    raise Misconfigured(f"no active issuer key of region {issuer.code} lies in {data.keys}")


def _tokens(data_dir: Path, home: Region, level: Level, count: int, valid_s: int) -> Iterator[bytes]:
    """Make opaque codes and publish them, as their region would: an unpublished token has no bearer."""
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        codes = [opaque.mint(home.prefix, base64url.encode(secrets.token_bytes(TOKEN_BYTES))) for _ in range(size)]
        now = trust_document.now()
        record = StatusRecord(home.code, Scope.NATIONAL, level, now, now + valid_s * _SECOND_US, 1)
        asyncio.run(_publish(data_dir, codes, record))
        yield from codes


async def _publish(data_dir: Path, codes: list[bytes], record: StatusRecord) -> None:
    async with open_engine(data_dir) as engine:
        results = await engine.publisher.publish([(Scan(code, record.publisher), record) for code in codes])
    if broken := next((result for result in results if result is not None), None):
        raise Misconfigured(str(broken))


def _identity_numbers(region: str) -> Iterator[str]:
    """Yield invented identifiers in the form of an identity number (GB 11643) that belong to nobody: born in 1900.

    They start at a random number and count up, so that no two codes of a command have the same bearer.
    """
    start = secrets.randbelow(_SERIALS)
    return (f"{region}1900{(start + n) % _SERIALS:08d}" for n in range(_SERIALS))
