"""``onecode trust``: the trust list, edited offline."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from onecode_server.cli import json_files, output, trust_document
from onecode_server.cli.options import PathType
from onecode_server.cli.rotate_gateway import rotate_gateway
from onecode_server.cli.samples import try_on
from onecode_server.cli.trust_document import Document
from onecode_server.codes import opaque
from onecode_server.codes.codec import FORMATS
from onecode_server.errors import Misconfigured
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.trust import near_misses, partners
from onecode_server.trust.region_entry import key_id_text

_data_dir = click.option("--data-dir", required=True, type=PathType(), help="The deployment.")
_root_key = click.option("--root-key", type=PathType(), help="Default: root.key in the directory.")
_region = click.option("--region", required=True, help="Six digits.")
_kid = click.option("--kid", required=True, help="As the codes carry it; hex for national codes.")
_force = click.option("--force", is_flag=True, help="Accept what is most often a mistake.")
_FORMATS = click.Choice(FORMATS)


@click.group()
def trust() -> None:
    """Show and edit the trust list of a data directory, offline."""


trust.add_command(rotate_gateway)


@trust.command()
@_data_dir
@click.option("--json", "as_json", is_flag=True, help="The signed document itself, as JSON.")
def show(data_dir: Path, *, as_json: bool) -> None:
    """Show the list as it was last signed."""
    data = DataDirectory(data_dir)
    document = trust_document.read(data)
    if as_json:
        return output.print_json(document)
    read = trust_document.parse(document)
    rows = []
    for region in read.regions.values():
        keys = ", ".join(
            key_id_text(key.key_id, key.format) + ("" if key.state == "active" else f" ({key.state})")
            for key in region.keys
        )
        kind = "national (adopter)" if region.adopts_national else region.format
        levels = ", ".join(f"{word} = {level.name}" for word, level in region.levels.items())
        rows.append((region.code, region.name, kind, region.prefix.decode() or levels, keys))
    title = f"trust list version {read.version}, issued {document['issued_at']}, next by {document['next_update']}"
    output.print_table(title, ("region", "name", "format", "levels or prefix", "keys"), rows)
    for name, its_hosts in sorted(read.partners.items()):
        click.echo(f"partner {name}: {', '.join(sorted(its_hosts)) or 'no host'}")
    for where, why in read.skipped:
        click.echo(f"skipped {where}: {why}")
    if data.draft.exists():
        click.echo(f"a draft of the next version waits in {data.draft}")
    return None


@trust.command("add-region")
@_data_dir
@_root_key
@click.option("--code", required=True, help="Six digits.")
@click.option("--name", required=True)
@click.option("--format", "fmt", type=_FORMATS)
@click.option("--claims", type=PathType(), help="JSON: the place of each claim.")
@click.option("--levels", type=PathType(), help="JSON: local word to GREEN, YELLOW or RED.")
@click.option("--prefix", help="The unique prefix of opaque codes.")
@click.option("--adopts-national", is_flag=True, help="In place of the last four: the region has no code of its own.")
@click.option("--try", "samples", type=PathType(), help="Sample codes, one a line: all must fit, or nothing is signed.")
def add_region(data_dir: Path, root_key: Path | None, code: str, name: str, samples: Path | None, **how: Any) -> None:
    """Add a region. docs/regions.md describes what --claims may say."""
    if not name.isprintable():
        raise Misconfigured("--name has characters that cannot be shown")
    if fault := opaque.prefix_fault(how["prefix"] or ""):
        raise Misconfigured(f"--prefix {how['prefix']} {fault}")
    entry: Document = {"code": code, "name": name}
    given = {"format": how["fmt"], "prefix": how["prefix"]}
    given |= {member: json_files.read(how[member]) for member in ("claims", "levels") if how[member] is not None}
    entry |= {member: value for member, value in given.items() if value is not None}
    if how["adopts_national"]:
        if len(entry) > 2:
            raise Misconfigured("--adopts-national stands in place of --format, --claims, --levels and --prefix")
        if samples is not None:
            raise Misconfigured("--try needs a region with a code of its own")
        entry["adopts_national"] = True
    elif how["fmt"] is None:
        raise Misconfigured("--format is missing, or --adopts-national")

    def edit(document: Document) -> None:
        if any(isinstance(other, dict) and other.get("code") == code for other in document["regions"]):
            raise Misconfigured(f"region {code} is in the trust list already")
        document["regions"].append(entry)

    _edit(data_dir, root_key, edit, samples=samples, code=code)


@trust.command("add-key")
@_data_dir
@_root_key
@_region
@_kid
@click.option("--public-key", required=True, help="Ed25519, 64 hex digits.")
@click.option("--not-before", help="RFC 3339. Default: no bound, for a key that was in use before.")
@click.option("--not-after", help="RFC 3339. Default: never.")
@click.option("--role", type=click.Choice(["issuer", "gateway"]), default="issuer", show_default=True)
@click.option("--format", "fmt", type=_FORMATS, help="The format of a gateway key.")
@click.option("--try", "samples", type=PathType(), help="Codes that the key signed, one a line: all must fit.")
@_force
def add_key(
    data_dir: Path,
    root_key: Path | None,
    region: str,
    kid: str,
    public_key: str,
    samples: Path | None,
    *,
    force: bool,
    **how: Any,
) -> None:
    """Add a region's key."""
    entry = {"kid": kid, "public_key": public_key.lower()}
    entry |= {name: how[name] for name in ("not_before", "not_after") if how[name] is not None}
    if (how["role"] == "gateway") != (how["fmt"] is not None):
        raise Misconfigured("--format is for gateway keys, which need one")
    if how["role"] == "gateway":
        entry |= {"role": "gateway", "format": how["fmt"]}

    def edit(document: Document) -> None:
        keys = trust_document.keys_of(document, region)
        entry["kid"] = trust_document.kid_to_write(document, region, entry)
        _expect_forced(force, _warnings_of_key(entry))
        keys.append(entry)

    _edit(data_dir, root_key, edit, samples=samples, code=region, public_key=entry["public_key"])


@trust.command("retire-key")
@_data_dir
@_root_key
@_region
@_kid
@click.option("--at", help="RFC 3339. Default: now.")
@_force
def retire_key(data_dir: Path, root_key: Path | None, region: str, kid: str, at: str | None, *, force: bool) -> None:
    """Retire a key: it verifies what was issued before, and nothing issued since."""
    retired_at = datetime.now(UTC).isoformat() if at is None else at
    if trust_document.time_of("--at", retired_at) > trust_document.now():
        _expect_forced(force, [f"--at {at} is in the future: until then the key would verify new codes"])

    def edit(document: Document) -> None:
        key = trust_document.find_key(document, region, kid)
        if key.get("state", "active") != "active":
            raise Misconfigured(f"key {kid} of region {region} is {key['state']} already")
        key |= {"state": "retired", "retired_at": retired_at}

    _edit(data_dir, root_key, edit)


@trust.command("revoke-key")
@_data_dir
@_root_key
@_region
@_kid
def revoke_key(data_dir: Path, root_key: Path | None, region: str, kid: str) -> None:
    """Revoke a key: it verifies nothing any more."""

    def edit(document: Document) -> None:
        key = trust_document.find_key(document, region, kid)
        key.pop("retired_at", None)
        key["state"] = "revoked"

    _edit(data_dir, root_key, edit)


@trust.command("set-partner")
@_data_dir
@_root_key
@click.option("--name", required=True, help="As in its certificate: spiffe://…/partner/NAME.")
@click.option("--host", "hosts", multiple=True, help="Six digits of a region; repeatable.")
@click.option("--no-hosts", is_flag=True, help="Cut the partner off: it may check for no host.")
@click.option("--all-hosts", is_flag=True, help="Remove the partner's entry: it may check for all hosts.")
def set_partner(
    data_dir: Path, root_key: Path | None, name: str, hosts: tuple[str, ...], *, no_hosts: bool, all_hosts: bool
) -> None:
    """Limit a partner to some hosts, or to none. A partner without an entry may check and translate for all."""
    if not partners.NAME.match(name):
        raise Misconfigured(f"--name {name!a}: expected 1 to 64 of a-z, 0-9, dots, dashes and underscores")
    if bool(hosts) + no_hosts + all_hosts != 1:
        raise Misconfigured("give --host, once or several times, --no-hosts or --all-hosts")

    def edit(document: Document) -> None:
        for host in hosts:
            trust_document.find_region(document, host)
        kept = [entry for entry in document.get("partners", []) if entry["name"] != name]
        document["partners"] = kept if all_hosts else [*kept, {"name": name, "hosts": list(hosts)}]

    _edit(data_dir, root_key, edit)


@trust.command()
@_data_dir
@_root_key
def sign(data_dir: Path, root_key: Path | None) -> None:
    """Sign the draft of the next version; without a draft, issue the list anew with a later next update."""
    if root_key is None and not DataDirectory(data_dir).root_key.exists():
        raise Misconfigured("the root key is not in the data directory: name it with --root-key")
    _edit(data_dir, root_key, lambda document: None)


def _edit(
    data_dir: Path,
    root_key: Path | None,
    edit: Callable[[Document], None],
    *,
    samples: Path | None = None,
    code: str = "",
    public_key: str | None = None,
) -> None:
    """Make and sign the next version. ``samples`` are codes that region ``code`` must then be able to read, by its key
    ``public_key`` where one is added."""
    data = DataDirectory(data_dir)
    with trust_document.locked(data):
        document = trust_document.draft_or_list(data)
        before = trust_document.current(data)
        edited = deepcopy(document)
        edit(edited)
        if samples is not None:
            trust_document.expect_taken(before, edited)
            try_on(trust_document.parse(trust_document.stamp(edited)), code, samples, public_key)
        click.echo(trust_document.commit(data, before, edited, root_key))


def _warnings_of_key(entry: Document) -> list[str]:
    """Return warnings about a key that is to be added: likely mistakes that may be intended."""
    warnings = []
    if why := near_misses.peculiarity(entry["kid"]):
        warnings.append(f"--kid {entry['kid']!a}: {why}")
    if "not_after" in entry and trust_document.time_of("--not-after", entry["not_after"]) <= trust_document.now():
        warnings.append(f"--not-after {entry['not_after']} is in the past: the key would verify no code")
    return warnings


def _expect_forced(force: bool, warnings: list[str]) -> None:
    if warnings and not force:
        raise Misconfigured(*(f"{warning}; --force accepts it" for warning in warnings))
