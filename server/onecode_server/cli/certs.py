"""``onecode certs``: certificates and tokens for development and tests."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from onecode_server.cli.development_ca import LEAF_DAYS_MAX, DevelopmentCa
from onecode_server.cli.development_tokens import MINUTES_MAX, make_key, make_token, write_token
from onecode_server.cli.options import PathType
from onecode_server.errors import Misconfigured
from onecode_server.system import durable_files

_F = TypeVar("_F", bound=Callable[..., Any])

_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}")
_REGION: Final = re.compile(r"[0-9]{6}")
_NAME: Final = re.compile(r"[a-z0-9._-]{1,64}")
_PATHS: Final = {
    "scanner": "region/{region}/scanner",
    "operator": "region/{region}/operator",
    "national": "national/operator",
    "partner": "partner/{name}",
    "ops": "ops",
    "gateway": "gateway/{name}",
}
"""The path of the SPIFFE id of each role; a role needs the option that its path names, and takes no other."""
_FOR_DEVELOPMENT: Final = "for development: in production, let an authority of your own issue certificates and tokens"

_directory = click.argument("directory", metavar="DIR", type=PathType())


def _role_options(command: _F) -> _F:
    for option in (
        click.option(
            "--name", help="The name of a partner or a gateway: small letters, digits, dot, dash, underscore."
        ),
        click.option("--region", help="The six digits of a scanner's or an operator's region."),
        click.option("--role", type=click.Choice(list(_PATHS)), help="What kind of caller it is for."),
    ):
        command = option(command)
    return command


@click.group()
def certs() -> None:
    """Make certificates and tokens for development and tests."""


@certs.command()
@_directory
@click.option("--trust-domain", default="onecode.internal", show_default=True, help="Of the SPIFFE ids of all callers.")
def init(directory: Path, trust_domain: str) -> None:
    """Make an authority in DIR: ca.crt, ca.key and ca.crl, and token.key with its key set jwks.json.

    For a server: --tls-client-ca ca.crt --tls-crl ca.crl --token-keys jwks.json. For a client: --tls-ca ca.crt.
    """
    if not _TRUST_DOMAIN.fullmatch(trust_domain):
        raise Misconfigured(
            f"--trust-domain {trust_domain!a} is not 1 to 255 small letters, digits, dots, dashes or underscores"
        )
    try:
        durable_files.make_directories(directory, 0o700)
        DevelopmentCa.make(directory, trust_domain)
        make_key(directory)
    except FileExistsError as fault:
        raise Misconfigured(f"{fault.filename} exists; nothing of it was changed") from None
    except OSError as fault:
        raise Misconfigured(f"cannot make {directory}: {fault.strerror}") from None
    click.echo(f"an authority for {trust_domain} in {directory}: keep ca.key and token.key to yourself")
    click.echo(_FOR_DEVELOPMENT, err=True)


@certs.command()
@_directory
@_role_options
@click.option(
    "--server", "servers", multiple=True, metavar="NAME", help="A server's DNS name or IP address; repeatable."
)
@click.option("--out", required=True, type=PathType(), help="Without suffix: OUT.crt and OUT.key are made.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, LEAF_DAYS_MAX))
def issue(
    directory: Path,
    role: str | None,
    region: str | None,
    name: str | None,
    servers: tuple[str, ...],
    out: Path,
    days: int,
) -> None:
    """Issue the certificate of a caller (--role) or of a server (--server)."""
    if (role is None) == (not servers):
        raise Misconfigured("give either --role or --server")
    authority = DevelopmentCa(directory)
    if role is not None:
        whose = _spiffe_id(authority, role, region, name)
        certificate, key = authority.issue_to_caller(whose, days)
    elif region is not None or name is not None:
        raise Misconfigured("--region and --name are for a --role")
    else:
        whose = ", ".join(servers)
        certificate, key = authority.issue_to_server(servers, days)
    files = Path(f"{out}.crt"), Path(f"{out}.key")
    _write_new(files[0], certificate, files[1], key)
    click.echo(f"{whose}, for {days} days: {files[0]} and {files[1]}")
    click.echo(_FOR_DEVELOPMENT, err=True)


@certs.command()
@_directory
@_role_options
@click.option("--audience", default="onecode", show_default=True, help="The service that takes the token.")
@click.option("--minutes", default=60, show_default=True, type=click.IntRange(1, MINUTES_MAX))
@click.option("--out", type=PathType(), help="A token file, which is replaced. Default: standard output.")
def token(
    directory: Path,
    role: str | None,
    region: str | None,
    name: str | None,
    audience: str,
    minutes: int,
    out: Path | None,
) -> None:
    """Make a token of a caller (a JWT-SVID), for a server with --token-keys DIR/jwks.json."""
    if role is None:
        raise Misconfigured(f"--role is missing: one of {', '.join(_PATHS)}")
    if not audience.isascii() or not audience.isprintable() or not audience:
        raise Misconfigured("--audience is empty, or has characters other than ASCII")
    made = make_token(directory, _spiffe_id(DevelopmentCa(directory), role, region, name), audience, minutes)
    if out is None:
        click.echo(made)
    else:
        write_token(out, made)
    click.echo(_FOR_DEVELOPMENT, err=True)


@certs.command()
@_directory
@click.argument("file", type=PathType())
def revoke(directory: Path, file: Path) -> None:
    """Revoke the certificate in FILE: DIR/ca.crl lists it from now on."""
    authority = DevelopmentCa(directory)
    try:
        is_new = authority.revoke(file)
    except OSError as fault:
        raise Misconfigured(f"cannot write {authority.crl_file}: {fault.strerror}") from None
    click.echo(f"{file} is revoked in {authority.crl_file}" if is_new else f"{file} was revoked before")


def _spiffe_id(authority: DevelopmentCa, role: str, region: str | None, name: str | None) -> str:
    path = _PATHS[role]
    for option, value, form, text in (
        ("region", region, _REGION, "six digits"),
        ("name", name, _NAME, "1 to 64 small letters, digits, dots, dashes or underscores"),
    ):
        is_needed = f"{{{option}}}" in path
        if is_needed != (value is not None):
            raise Misconfigured(f"--role {role} needs --{option}" if is_needed else f"--role {role} has no --{option}")
        if value is not None and (not form.fullmatch(value) or value in {".", ".."}):
            raise Misconfigured(f"--{option} {value!a} is not {text}")
    return f"spiffe://{authority.trust_domain}/{path.format(region=region, name=name)}"


def _write_new(certificate_file: Path, certificate: bytes, key_file: Path, key: bytes) -> None:
    try:
        if certificate_file.exists():
            raise FileExistsError(None, None, str(certificate_file))
        durable_files.create(key_file, key, 0o600)
        durable_files.create(certificate_file, certificate, 0o644)
    except FileExistsError as fault:
        raise Misconfigured(f"{fault.filename} exists; nothing was changed") from None
    except OSError as fault:
        raise Misconfigured(f"cannot write {certificate_file} and {key_file}: {fault.strerror}") from None
