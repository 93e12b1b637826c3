"""The keys and certificates of a deployment, each with its state and its end, as ``onecode keys check`` shows them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from onecode_server.crypto.signing import Signer, read_public_key, read_secret, read_secret_text
from onecode_server.crypto.token_session import TokenSession
from onecode_server.crypto.token_uri import SCHEME, read_uri
from onecode_server.errors import Misconfigured, SigningUnavailable
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import IssuerKey, KeyState, Role, TrustList
from onecode_server.replication import machine
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.system.private_files import is_private
from onecode_server.trust.region_entry import key_id_text

ACTIVE: Final = "active"
NOT_YET: Final = "not yet valid"
ENDED: Final = "ended"
NOT_LISTED: Final = "not in the list"
OPEN: Final = "readable by others"
UNREADABLE: Final = "unreadable"
ALARMING: Final = (OPEN, UNREADABLE, ENDED)
"""States that need somebody whatever the time: a server does not start on such a file, or signs nothing with it."""


class Row(NamedTuple):
    """One key or certificate. ``ends_at`` is Unix microseconds; ``file`` is empty where no file here has its secret.

    ``is_followed`` tells that another key takes over when this one ends. ``why`` describes a state.
    """

    role: str
    state: str
    key_id: str = ""
    format: str = ""
    file: str = ""
    ends_at: int | None = None
    region: str = ""
    public_key: str = ""
    is_followed: bool = False
    why: str = ""


def of_data_directory(data: DataDirectory, trust: TrustList | None, now: int) -> Iterator[Row]:
    """Yield the root key, the pseudonym key, the keys of the trust list, and the key files that it does not name."""
    yield _root(data)
    if data.root_key.exists():
        yield _secret(data.root_key, lambda file: Row("root secret", _root_state(data, file), file=str(file)))
    yield _secret(data.pseudonym_key, _pseudonym)
    yield from _listed(_key_files(data.keys.glob("*.key")), trust, now)
    if (data.path / machine.KEY).exists():
        yield _secret(data.path / machine.KEY, lambda _: _machine(data.path, now))


def of_gateways(where: str | Path, trust: TrustList | None, now: int) -> Iterator[Row]:
    """Yield gateway keys that lie elsewhere: in a directory, or in a token."""
    if isinstance(where, Path):
        yield from _unnamed(_key_files(where.glob(f"{NATIONAL}.{Role.GATEWAY}.*.key")), trust, now)
        return
    uri = read_uri(where)
    session = TokenSession(uri)
    try:
        held: dict[bytes, Row] = {
            public_key: Row(Role.GATEWAY, NOT_LISTED, signer.label, public_key=public_key.hex(), file=str(uri))
            for public_key, signer in session.signers().items()
        }
    except SigningUnavailable as fault:
        yield Row(Role.GATEWAY, UNREADABLE, file=str(uri), why=str(fault))
        return
    finally:
        session.close()
    yield from _unnamed(list(held.values()), trust, now)


def state_of(key: IssuerKey, now: int) -> str:
    """Return the state of a listed key at a time."""
    if key.state is KeyState.REVOKED or (key.state is KeyState.RETIRED and (key.retired_at or 0) <= now):
        return str(key.state)
    if key.not_after is not None and key.not_after < now:
        return ENDED
    return NOT_YET if key.not_before is not None and key.not_before > now else ACTIVE


def end_of(key: IssuerKey) -> int | None:
    """Return when a key ends by the list, in Unix microseconds: by its own window, or by its retirement."""
    return min((end for end in (key.not_after, key.retired_at) if end is not None), default=None)


def _machine(directory: Path, now: int) -> Row:
    """Return the row of a machine's membership of a cluster."""
    certificate = machine.read_machine(directory).sealer.certificate
    state = ACTIVE if certificate.not_after >= now else ENDED
    file, name = str(directory / machine.KEY), certificate.machine.hex()
    return Row(
        "machine", state, name, file=file, ends_at=certificate.not_after, public_key=certificate.public_key.hex()
    )


def _root(data: DataDirectory) -> Row:
    try:
        key = read_public_key(data.root_public_key)
    except Misconfigured as fault:
        return Row("root", UNREADABLE, file=str(data.root_public_key), why=str(fault))
    return Row("root", ACTIVE, file=str(data.root_public_key), public_key=key.hex())


def _root_state(data: DataDirectory, file: Path) -> str:
    return ACTIVE if Signer(read_secret(file)).public_key == data.read_root_public_key() else "not of root.pub"


def _pseudonym(file: Path) -> Row:
    text = read_secret_text(file)
    if not text.startswith(SCHEME.encode()):
        read_secret(file)
        return Row("pseudonym", ACTIVE, file=str(file))
    try:
        uri = read_uri(text.decode())
    except ValueError as fault:
        raise Misconfigured(str(fault)) from None
    TokenSession(uri).secret()
    return Row("pseudonym", ACTIVE, file=f"{file}: {uri}")


def _secret(file: Path, row: Callable[[Path], Row]) -> Row:
    try:
        return row(file)
    except Misconfigured as fault:
        role = {"root.key": "root secret", "pseudonym.key": "pseudonym", machine.KEY: "machine"}.get(file.name, "key")
        return Row(role, _state_of_fault(file), file=str(file), why=str(fault))


def _state_of_fault(file: Path) -> str:
    try:
        return UNREADABLE if is_private(file.stat()) else OPEN
    except OSError:
        return UNREADABLE


def _key_files(files: Iterator[Path]) -> list[Row]:
    """Return a row for each key file, by its name, as if the list had none of them."""
    rows = []
    for file in sorted(files):
        region, role, fmt, key_id = (file.name.removesuffix(".key").split(".", 3) + [""] * 3)[:4]
        row = Row(role, NOT_LISTED, key_id, fmt, str(file), region=region)
        try:
            rows.append(row._replace(public_key=Signer(read_secret(file)).public_key.hex()))
        except Misconfigured as fault:
            rows.append(row._replace(state=_state_of_fault(file), why=str(fault)))
    return rows


def _listed(held: list[Row], trust: TrustList | None, now: int) -> Iterator[Row]:
    """Yield the keys of the list, with the files that have their secrets, and then the files of others."""
    files = {row.public_key: row.file for row in held if row.public_key}
    keys = [key for region in trust.regions.values() for key in region.keys] if trust is not None else []
    for key in keys:
        yield _row(key, files.get(key.public_key.hex(), ""), keys, now)
    named = {key.public_key.hex() for key in keys}
    yield from (row for row in held if row.public_key not in named)


def _unnamed(held: list[Row], trust: TrustList | None, now: int) -> Iterator[Row]:
    """Yield held keys as the list has them."""
    authority = trust.region(NATIONAL) if trust is not None else None
    keys = list(authority.keys) if authority is not None else []
    by_public_key: dict[str, IssuerKey] = {key.public_key.hex(): key for key in keys}
    for row in held:
        key = by_public_key.get(row.public_key)
        yield row if key is None else _row(key, row.file, keys, now)


def _row(key: IssuerKey, file: str, keys: list[IssuerKey], now: int) -> Row:
    return Row(
        key.role,
        state_of(key, now),
        key_id_text(key.key_id, key.format),
        key.format,
        file,
        end_of(key),
        key.region,
        key.public_key.hex(),
        _is_followed(key, keys, now),
    )


def _is_followed(key: IssuerKey, keys: list[IssuerKey], now: int) -> bool:
    """Return whether a key that is retired in good order leaves another one of its kind, which lasts longer."""
    end = end_of(key)
    if end is None or key.state is not KeyState.RETIRED:
        return False

    def lasts(other: IssuerKey) -> bool:
        other_end = end_of(other)
        is_same_kind = (other.region, other.role, other.format) == (key.region, key.role, key.format)
        is_longer = other_end is None or other_end > end
        return (
            is_same_kind and is_longer and (other.not_before or 0) <= end and state_of(other, now) in (ACTIVE, NOT_YET)
        )

    return any(lasts(other) for other in keys)


def as_json(row: Row, ends_at: str | None, days_left: float | None) -> dict[str, Any]:
    """Return a row as an object, without the members that it does not have."""
    members = row._asdict() | {"ends_at": ends_at, "days_left": days_left, "is_followed": None}
    return {name: value for name, value in members.items() if value not in ("", None)}
