"""``onecode init``: the keys and the first trust list of a deployment."""

import time
from pathlib import Path
from typing import Any

import click

from onecode_server.cli import demo_regions, trust_document
from onecode_server.cli.options import PathType
from onecode_server.codes.codec import CODECS
from onecode_server.codes.national import codec as national
from onecode_server.crypto.signing import Signer, make_secret, public_key_fault, read_public_key
from onecode_server.crypto.token_uri import read_uri
from onecode_server.errors import Misconfigured
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import Format, Role
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.system import durable_files
from onecode_server.trust.region_entry import key_id_bytes


@click.command()
@click.option("--data-dir", required=True, type=PathType(file_okay=False), help="Made if missing.")
@click.option("--no-root-key", is_flag=True, help="The root key lies elsewhere: write a draft, to be signed there.")
@click.option("--root-public-key", type=PathType(dir_okay=False), help="With --no-root-key: root.pub of that key.")
@click.option("--pseudonym-key", help="A PKCS#11 URI of a secret key, in place of a new key file.")
@click.option("--demo", is_flag=True, help="List all 34 regions of GB/T 2260, with issuer keys for trials.")
def init(
    data_dir: Path, root_public_key: Path | None, pseudonym_key: str | None, *, no_root_key: bool, demo: bool
) -> None:
    """Make root, gateway and pseudonym keys and the first trust list."""
    if no_root_key != (root_public_key is not None):
        raise Misconfigured("--no-root-key and --root-public-key go together: which root is to be trusted?")
    public_key = None if root_public_key is None else read_public_key(root_public_key)
    if public_key is not None and (fault := public_key_fault(public_key)):
        raise Misconfigured(f"{root_public_key}: {fault}")
    data = DataDirectory(data_dir)
    if data.root_public_key.exists():
        raise Misconfigured(f"{data_dir} has been initialised before; nothing was changed")
    try:
        durable_files.make_directories(data_dir, 0o700)
        durable_files.make_directories(data.keys, 0o700)
        _make_pseudonym_key(data, pseudonym_key)
    except FileExistsError:
        raise Misconfigured(f"{data_dir} holds keys of an 'init' that did not end; nothing was changed") from None
    except OSError as fault:
        raise Misconfigured(f"cannot make {data_dir}: {fault.strerror}") from None
    root = Signer(make_secret(data.root_key)) if public_key is None else None
    regions = [_authority(data), *(demo_regions.entries() if demo else ())]
    for region in regions[1:]:
        if region.get("format") in CODECS:
            region["keys"] = [new_key(data, region["code"], Role.ISSUER, Format(region["format"]))]
    # The root's public key is written last: its file means that everything else is there.
    document, counted = {"version": 1, "regions": regions}, f"{len(regions)} region{'s' if len(regions) > 1 else ''}"
    if root is not None:
        trust_document.write(data, document, root)
        trust_document.publish_root(data, root.public_key)
        click.echo(f"initialised {data_dir}: trust list version 1, {counted}")
        click.echo(f"keep {data.root_key} offline: 'serve' never opens it")
    elif public_key is not None:
        trust_document.write_draft(data, document)
        trust_document.publish_root(data, public_key)
        click.echo(f"initialised {data_dir}: draft of trust list version 1, {counted}")
        click.echo(f"sign {data.draft} where the root key is, with 'onecode trust sign', and bring the list back")


def _make_pseudonym_key(data: DataDirectory, uri: str | None) -> None:
    """Make the pseudonym key, or the file that says in which token it is. Raises FileExistsError, OSError."""
    if uri is None:
        make_secret(data.pseudonym_key)
        return
    try:
        read_uri(uri)
    except ValueError as fault:
        raise Misconfigured(f"--pseudonym-key {uri!a}: {fault}") from None
    durable_files.create(data.pseudonym_key, f"{uri}\n".encode(), 0o600)
    data.read_pseudonym_key()  # here somebody looks at what is wrong with it


def new_key(data: DataDirectory, region: str, role: Role, fmt: Format) -> dict[str, Any]:
    """Make a signing key, keep its secret in the data directory, and return its trust-list entry."""
    kid = CODECS[fmt].DATA_MODEL.new_key_id(region, role, fmt, time.strftime("%Y%m%d", time.gmtime()))
    signer = Signer(make_secret(data.key_file(region, role, fmt, key_id_bytes(kid, fmt))))
    entry = {"kid": kid, "public_key": signer.public_key.hex()}
    return entry | ({"role": role, "format": fmt} if role is Role.GATEWAY else {})


def _authority(data: DataDirectory) -> dict[str, Any]:
    claims = national.CLAIMS
    return {
        "code": NATIONAL,
        "name": "National authority",
        "format": national.FORMAT,
        "claims": {name: getattr(claims, name)[0] for name in ("subject", "level", "issued_at", "expiry")},
        "levels": {"GREEN": "GREEN", "YELLOW": "YELLOW", "RED": "RED"},
        "keys": [
            new_key(data, NATIONAL, Role.ISSUER, national.FORMAT),
            *(new_key(data, NATIONAL, Role.GATEWAY, fmt) for fmt in CODECS),
        ],
    }
