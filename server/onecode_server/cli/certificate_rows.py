"""The server's certificates, its key, the client CA and the revocation list (RFC 5280), as rows of ``keys check``."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from onecode_server.cli import json_files
from onecode_server.cli.key_rows import ACTIVE, ENDED, NOT_YET, OPEN, UNREADABLE, Row
from onecode_server.errors import Misconfigured
from onecode_server.system.private_files import is_private

FILE_BYTES_MAX: Final = 1024 * 1024
"""Some 500 certificates. Revocation lists of a private authority are smaller."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TlsFiles(NamedTuple):
    """The files of the settings ``tls_cert`` and so on; None where one is not given."""

    cert: Path | None
    key: Path | None
    client_ca: Path | None
    crl: Path | None


def of_tls(files: TlsFiles, now: int) -> Iterator[Row]:
    """Yield a row for each certificate, key and list in the files that are given. ``now`` is Unix microseconds."""
    cert, key, client_ca, crl = files
    revoked, lists = _crls(crl, now)
    served, rows = _certificates("server certificate", cert, revoked, now)
    yield from rows
    if key is not None:
        yield _key(key, served[:1])
    yield from _certificates("client CA", client_ca, revoked, now)[1]
    yield from lists


def _certificates(
    role: str, file: Path | None, crls: Sequence[x509.CertificateRevocationList], now: int
) -> tuple[list[x509.Certificate], list[Row]]:
    if file is None:
        return [], []
    try:
        found = x509.load_pem_x509_certificates(json_files.read_bounded(file, FILE_BYTES_MAX))
    except Misconfigured as fault:
        return [], [Row(role, UNREADABLE, file=str(file), why=str(fault))]
    except ValueError:
        return [], [Row(role, UNREADABLE, file=str(file), why=f"{file} holds no certificate in PEM")]
    rows = []
    for place, one in enumerate(found):
        begins, ends = _microseconds(one.not_valid_before_utc), _microseconds(one.not_valid_after_utc)
        state = ENDED if ends < now else NOT_YET if begins > now else ACTIVE
        if any(
            crl.issuer == one.issuer and crl.get_revoked_certificate_by_serial_number(one.serial_number) for crl in crls
        ):
            state = "revoked"
        name = role if place == 0 or role != "server certificate" else "intermediate certificate"
        rows.append(
            Row(name, state, one.subject.rfc4514_string() or f"{one.serial_number:x}", "X.509", str(file), ends)
        )
    return found, rows


def _key(file: Path, served: Sequence[x509.Certificate]) -> Row:
    row = Row("server key", ACTIVE, file=str(file))
    try:
        if not is_private(file.stat()):
            return row._replace(state=OPEN)
        key = serialization.load_pem_private_key(json_files.read_bounded(file, FILE_BYTES_MAX), None)
    except Misconfigured as fault:
        return row._replace(state=UNREADABLE, why=str(fault))
    except OSError as fault:
        return row._replace(state=UNREADABLE, why=f"cannot read {file}: {fault.strerror}")
    except (ValueError, TypeError):  # a TypeError for a key under a pass phrase, which no server could ask for
        return row._replace(state=UNREADABLE, why=f"{file} holds no private key in PEM without a pass phrase")
    if served and key.public_key() != served[0].public_key():
        return row._replace(state="not of the certificate")
    return row


def _crls(file: Path | None, now: int) -> tuple[list[x509.CertificateRevocationList], list[Row]]:
    if file is None:
        return [], []
    try:
        found = x509.load_pem_x509_crl(json_files.read_bounded(file, FILE_BYTES_MAX))
    except Misconfigured as fault:
        return [], [Row("revocation list", UNREADABLE, file=str(file), why=str(fault))]
    except ValueError:
        return [], [Row("revocation list", UNREADABLE, file=str(file), why=f"{file} holds no revocation list in PEM")]
    ends = None if found.next_update_utc is None else _microseconds(found.next_update_utc)
    state = ENDED if ends is not None and ends < now else ACTIVE
    return [found], [Row("revocation list", state, found.issuer.rfc4514_string(), "X.509", str(file), ends)]


def _microseconds(time: datetime) -> int:
    return round((time - _EPOCH).total_seconds()) * 1_000_000
