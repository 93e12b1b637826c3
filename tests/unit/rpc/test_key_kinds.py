"""Kinds of keys: the server's own checks take what the native front takes, and nothing else."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from onecode_server.errors import Malformed, Unauthenticated
from onecode_server.identity import client_trust, server_certificate
from onecode_server.identity.client_certificates import ClientCertificates
from onecode_server.identity.watched_files import File
from onecode_server.system.clock import wall_clock

from benchmarks.attacks.connection import PING, PREFACE, SETTINGS, frame
from tests.certificates import TRUST_DOMAIN, Authority, PrivateKey, make_key
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import Wire, driven
from tests.unit.rpc.front_tls import Pki

pytestmark = NEEDS_FRONT

HELLO = PREFACE + frame(SETTINGS, 0, 0)

KEYS = {
    "P-256": make_key("p256"),
    "P-384": make_key("p384"),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": make_key("ed25519"),
    **{f"RSA of {bits}": make_key("rsa", bits) for bits in (1024, 2048, 2056, 2304, 3072, 3584)},
    "RSA of 2048 and exponent 3": rsa.generate_private_key(3, 2048),
}
SERVERS = {"P-256", "P-384", "Ed25519", "RSA of 2048", "RSA of 3072"}
CLIENTS = set(KEYS) - {"P-521", "RSA of 1024"}


def file(name: str, content: bytes) -> File:
    return File(Path(name), content, 0o600, is_private=True)


@pytest.mark.parametrize("kind", KEYS)
def test_a_servers_key_is_taken_by_both_fronts_or_refused_before(kind: str) -> None:
    pki, is_taken = Pki(), kind in SERVERS
    leaf = pki.authority.server(key=KEYS[kind])
    with contextlib.nullcontext() if is_taken else pytest.raises(Malformed):
        server_certificate.read(file("tls.crt", leaf.chain_pem), file("tls.key", leaf.key_pem), wall_clock())
    with contextlib.nullcontext() if is_taken else pytest.raises(ValueError, match="no kind that is supported"):
        pki.tls(server=leaf)


def refusal(pki: Pki, key: PrivateKey) -> str:
    """Return why the server knows no caller by a certificate with a key; nothing where it does."""
    trust = client_trust.read([file("ca.crt", pki.authority.pem)], None)
    try:
        ClientCertificates(TRUST_DOMAIN).read(pki.caller(key=key).der, wall_clock(), trust)
    except Unauthenticated as refused:
        return refused.reason
    return ""


async def is_let_in(pki: Pki, key: PrivateKey) -> bool:
    """Return whether the native front answers. In TLS 1.3 a caller is told of a refusal after its handshake."""
    async with driven(tls=pki.tls()) as driver:
        context = pki.context()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else the caller's own library does not show some of them
        with TemporaryDirectory(prefix="key-kinds-") as folder:
            context.load_cert_chain(*pki.caller(key=key).write(Path(folder)))
        try:
            wire = await Wire.open(driver, context)
            wire.send(HELLO, frame(PING, 0, 0, b"12345678"))
            answer = (await wire.frame(PING))[2]
            wire.close()
        except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
            return False
        return answer == b"12345678"


@pytest.mark.parametrize("kind", KEYS)
async def test_a_clients_key_is_taken_where_the_native_front_takes_it(kind: str) -> None:
    pki, is_taken = Pki(), kind in CLIENTS
    assert refusal(pki, KEYS[kind]) == ("" if is_taken else "CERTIFICATE_KEY")
    assert await is_let_in(pki, KEYS[kind]) == is_taken


@pytest.mark.parametrize("kind", ["P-521", "RSA of 1024"])
def test_an_authority_whose_signatures_one_front_does_not_check_is_refused(kind: str) -> None:
    with pytest.raises(Malformed, match="the public key"):
        client_trust.read([file("ca.crt", Authority(key=KEYS[kind]).pem)], None)
