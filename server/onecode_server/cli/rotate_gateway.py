"""``onecode trust rotate-gateway``: new gateway keys, which take over from the present ones at an agreed time."""

import time
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import click

from onecode_server.cli import trust_document
from onecode_server.cli.options import PathType
from onecode_server.cli.trust_document import Document
from onecode_server.codes.codec import CODECS
from onecode_server.crypto.signing import Signer, make_secret, read_secret
from onecode_server.errors import Malformed, Misconfigured
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import Format, IssuerKey, KeyState, Role, TrustList
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.trust.document import rfc3339
from onecode_server.trust.region_entry import key_id_bytes, key_id_text

LEAD_US: Final = 5 * 60 * 1_000_000
"""Every server has the list and its key within five minutes where files are distributed by a program. A verifier that
has not would refuse what the new key signs."""
OVERLAP_US: Final = 86_400 * 1_000_000
"""A server that gets its new key late, by hand, signs with the old one for a day."""
SPENT_US: Final = 2 * 3600 * 1_000_000
"""When the last translation of a retired key has ended: 15 minutes, and twice the largest clock skew of an hour, are
less. Nothing needs the key any more."""


@click.command("rotate-gateway")
@click.option("--data-dir", required=True, type=PathType(), help="The deployment.")
@click.option("--root-key", type=PathType(), help="Default: root.key in the directory.")
@click.option("--format", "fmt", type=click.Choice(list(CODECS)), help="Default: a new key for each format.")
@click.option(
    "--public-key", help="64 hex digits: a key that lies in a token. Needs --format. Default: a new key file."
)
@click.option("--kid", help="The key's id. Needs --format. Default: one with the time.")
@click.option("--at", help="RFC 3339: the new keys sign from then on. Default: in five minutes.")
@click.option(
    "--retire-at", help="RFC 3339: the present keys sign until then at the latest. Default: a day after --at."
)
def rotate_gateway(
    data_dir: Path,
    root_key: Path | None,
    fmt: str | None,
    public_key: str | None,
    kid: str | None,
    at: str | None,
    retire_at: str | None,
) -> None:
    """Make new gateway keys, list them, and retire the present ones.

    Key files are made in keys/. Entries and files of keys that were retired more than two hours ago are removed.
    """
    if fmt is None and (public_key is not None or kid is not None):
        raise Misconfigured("--public-key and --kid are for one key: name its --format")
    begins = trust_document.now() + LEAD_US if at is None else trust_document.time_of("--at", at)
    ends = begins + OVERLAP_US if retire_at is None else trust_document.time_of("--retire-at", retire_at)
    if ends < begins:
        raise Misconfigured("--retire-at is before --at: between the two nothing could be translated")
    formats = [Format(fmt)] if fmt is not None else [*CODECS]
    data = DataDirectory(data_dir)
    with trust_document.locked(data):
        document = deepcopy(trust_document.draft_or_list(data))
        before = trust_document.current(data)
        keys, spent = trust_document.keys_of(document, NATIONAL), _spent(before)
        keys[:] = [entry for entry in keys if not _is_of(entry, spent)]
        made: list[Path] = []
        try:
            for one in formats:
                _retire(keys, one, rfc3339(ends))
                entry = {"role": Role.GATEWAY, "format": one, "not_before": rfc3339(begins)}
                keys.append(entry | _new_key(data, keys, one, public_key, kid, made))
            done = trust_document.commit(data, before, document, root_key)
        except BaseException:
            for file in made:  # a key that no list names is of no use
                file.unlink(missing_ok=True)
            raise
    for entry in keys[-len(formats) :]:
        click.echo(f"{entry['format']}: key {entry['kid']} signs from {entry['not_before']} on")
    for file in _remove(data, spent):
        click.echo(f"removed {file}, which was retired more than two hours ago")
    click.echo(done)


def _new_key(
    data: DataDirectory, keys: list[Any], fmt: Format, public_key: str | None, kid: str | None, made: list[Path]
) -> Document:
    """Return id and public key of a new key; its secret, where none is in a token, is written, and its file noted."""
    kid = kid or _new_kid(data, keys, fmt)
    try:
        key_id_bytes(kid, fmt)
    except Malformed as fault:
        raise Misconfigured(f"--kid {kid!a}: {fault}") from None
    if public_key is not None:
        return {"kid": kid, "public_key": public_key.lower()}
    if "/" in kid:
        raise Misconfigured(f"--kid {kid!a}: a key file is named by it, so that it cannot have a slash")
    file = data.key_file(NATIONAL, Role.GATEWAY, fmt, key_id_bytes(kid, fmt))
    try:
        signer = Signer(make_secret(file))
    except FileExistsError:
        raise Misconfigured(f"{file} is there already") from None
    except OSError as fault:
        raise Misconfigured(f"cannot write {file}: {fault.strerror}") from None
    made.append(file)
    return {"kid": kid, "public_key": signer.public_key.hex()}


def _new_kid(data: DataDirectory, keys: list[Any], fmt: Format) -> str:
    """Return an id with the present second, or with the next one that no key has."""
    used = {entry.get("kid") for entry in keys if isinstance(entry, dict)}
    second = int(trust_document.now() // 1_000_000)
    while True:
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(second))
        kid = CODECS[fmt].DATA_MODEL.new_key_id(NATIONAL, Role.GATEWAY, fmt, stamp)
        if kid not in used and not data.key_file(NATIONAL, Role.GATEWAY, fmt, key_id_bytes(kid, fmt)).exists():
            return kid
        second += 1


def _retire(keys: list[Any], fmt: Format, ends: str) -> None:
    for entry in keys:
        is_gateways = isinstance(entry, dict) and entry.get("role") == Role.GATEWAY and entry.get("format") == fmt
        if is_gateways and entry.get("state", KeyState.ACTIVE) == KeyState.ACTIVE:
            entry |= {"state": KeyState.RETIRED, "retired_at": ends}


def _spent(trust: TrustList) -> list[IssuerKey]:
    """Return the gateway keys of the signed list whose last translation has ended."""
    authority, now = trust.region(NATIONAL), trust_document.now()
    gateways = [key for key in authority.keys if key.role is Role.GATEWAY] if authority is not None else []
    return [key for key in gateways if key.retired_at is not None and key.retired_at < now - SPENT_US]


def _is_of(entry: Any, spent: list[IssuerKey]) -> bool:
    if not isinstance(entry, dict) or entry.get("state") != KeyState.RETIRED:
        return False
    return any(
        (entry.get("format"), str(entry.get("public_key")).lower()) == (key.format, key.public_key.hex())
        and key_id_text(key.key_id, key.format).lower() == str(entry.get("kid")).lower()
        for key in spent
    )


def _remove(data: DataDirectory, spent: list[IssuerKey]) -> list[Path]:
    """Remove the files of keys, each of which holds the key after which it is named. Return those removed."""
    removed = []
    for key in spent:
        file = data.key_file(NATIONAL, Role.GATEWAY, key.format, key.key_id)
        try:
            if Signer(read_secret(file)).public_key == key.public_key:
                file.unlink()
                removed.append(file)
        except (Misconfigured, OSError):  # it lies elsewhere, or is not a key file: then it stays as it is
            continue
    return removed
