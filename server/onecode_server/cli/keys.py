"""``onecode keys``: looks at all keys and certificates of a deployment, and makes a root key where it is to stay."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from onecode_server.cli import certificate_rows, key_rows, output, trust_document
from onecode_server.cli.certificate_rows import TlsFiles
from onecode_server.cli.key_rows import ALARMING, Row
from onecode_server.cli.options import PathType
from onecode_server.crypto.signing import Signer, make_secret
from onecode_server.errors import Misconfigured
from onecode_server.settings.config import read_key_source
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.settings.sources import Sources
from onecode_server.system import durable_files
from onecode_server.trust.document import rfc3339

_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS_US: Final = {"h": 3600 * 1_000_000, "d": 86_400 * 1_000_000}
_DAY_US: Final = _UNITS_US["d"]
_FILES: Final = ("tls_cert", "tls_key", "tls_client_ca", "tls_crl")
_RETIRED: Final = ("retired", "revoked")


@click.group()
def keys() -> None:
    """Check keys and certificates, and make a root key where it is to stay."""


@keys.command("make-root")
@click.argument("directory", type=PathType(file_okay=False))
def make_root(directory: Path) -> None:
    """Make a root key in DIRECTORY, on the machine where trust lists are signed.

    root.key is the secret, which stays there; root.pub goes to 'onecode init --root-public-key'.
    """
    data = DataDirectory(directory)
    if data.root_public_key.exists():
        raise Misconfigured(f"{directory} has a root key already; nothing was changed")
    try:
        durable_files.make_directories(directory, 0o700)
        root = Signer(make_secret(data.root_key))
    except FileExistsError:
        raise Misconfigured(f"{directory} holds a root key without its public key; nothing was changed") from None
    except OSError as fault:
        raise Misconfigured(f"cannot make {directory}: {fault.strerror}") from None
    trust_document.publish_root(data, root.public_key)
    click.echo(
        f"root key {root.public_key.hex()}: {data.root_key} stays here, {data.root_public_key} goes to the servers"
    )


def _file(name: str, text: str) -> Callable[[_F], _F]:
    # Read as settings are: a flag counts before a variable, and a variable before the file.
    return click.option(f"--{name}", help=text)


@keys.command()
@click.option("--config", envvar="ONECODE_CONFIG", type=PathType(), metavar="FILE", help="The server's settings file.")
@_file("data-dir", "Required, here or in the settings file.")
@_file("gateway-keys", "As of 'serve': a directory, or a PKCS#11 URI.")
@_file("tls-cert", "PEM: the server's certificate and its chain.")
@_file("tls-key", "PEM: the key of the server's certificate.")
@_file("tls-client-ca", "PEM: the authorities of callers' certificates.")
@_file("tls-crl", "PEM: the revocation list of callers' certificates.")
@click.option(
    "--within", default="30d", show_default=True, help="Hours or days, such as 12h: what ends in this time counts."
)
@click.option("--json", "as_json", is_flag=True, help="One object a line, in order.")
def check(config: Path | None, within: str, *, as_json: bool, **flags: str | None) -> None:
    """Show every key and certificate, with its state and its end.

    The status is 1 where one has ended or ends within the time, cannot be read, or can be read by others. A retired key
    counts only where no other one takes over.
    """
    data, gateways, files = _settings(flags, config)
    within_us, now = _duration(within), trust_document.now()
    trust = trust_document.parse(trust_document.read(data)) if data.trust_list.exists() else None
    rows = [*key_rows.of_data_directory(data, trust, now)]
    if gateways:
        held = [*key_rows.of_gateways(gateways, trust, now)]
        elsewhere = {row.public_key for row in held}
        rows = [row for row in rows if row.file or row.public_key not in elsewhere] + held
    rows += certificate_rows.of_tls(files, now)
    if as_json:
        for row in rows:
            ends_at = None if row.ends_at is None else rfc3339(row.ends_at)
            output.print_json(key_rows.as_json(row, ends_at, _days_left(row, now)))
    else:
        columns = ("role", "region", "key id", "format", "file", "ends", "days left", "state")
        output.print_table("keys and certificates", columns, [_cells(row, data.path, now) for row in rows])
    alarms = [row for row in rows if _is_alarming(row, now + within_us)]
    for row in alarms:
        left = _days_left(row, now)
        when = f", {left:.1f} days left" if left is not None else ""
        name = " ".join(filter(None, (row.role, row.region, row.key_id))) or row.file
        click.echo(f"{name}: {row.why or row.state}{when}", err=True)
    if alarms:
        sys.exit(1)


def _is_alarming(row: Row, until: int) -> bool:
    if row.state in ALARMING:
        return True
    if row.state in _RETIRED or row.is_followed:
        return row.role == "server certificate"
    return row.ends_at is not None and row.ends_at <= until


def _settings(flags: dict[str, str | None], config: Path | None) -> tuple[DataDirectory, str | Path, TlsFiles]:
    """Return what is to be checked, by flags, variables and the settings file. Raises Misconfigured."""
    sources, mistakes = Sources(flags, os.environ, config), []
    if sources.fault is not None:
        raise Misconfigured(sources.fault)
    found: dict[str, Path | None] = {}
    gateways: str | Path = ""
    for name in ("data_dir", *_FILES, "gateway_keys"):
        given = sources.find(name)
        try:
            text = "" if given is None else given.text(Path)
            if name == "gateway_keys":
                gateways = read_key_source(text)
            else:
                found[name] = Path(text) if text else None
        except ValueError as fault:
            mistakes.append(f"{given.where if given else name}: {fault}")
    if found.get("data_dir") is None:
        mistakes.append("--data-dir is missing")
    if mistakes:
        raise Misconfigured(*mistakes)
    data = DataDirectory(found["data_dir"] or Path())
    data.expect()
    return data, gateways, TlsFiles(*(found[name] for name in _FILES))


def _duration(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([hd])", text)
    if match is None:
        raise Misconfigured(f"--within {text!a}: expected hours or days, such as 12h or 30d")
    return int(match[1]) * _UNITS_US[match[2]]


def _days_left(row: Row, now: int) -> float | None:
    return None if row.ends_at is None else round((row.ends_at - now) / _DAY_US, 1)


def _cells(row: Row, directory: Path, now: int) -> tuple[str, ...]:
    left = _days_left(row, now)
    ends_at = "" if row.ends_at is None else rfc3339(row.ends_at)
    days = "" if left is None else f"{left:.1f}"
    file = row.file.removeprefix(f"{directory}/")  # most files are there, and lines are short
    return row.role, row.region, row.key_id, row.format, file, ends_at, days, row.state
