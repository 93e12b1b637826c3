"""The server's certificate and key: what is taken, and what is refused with which words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

from onecode_server.errors import Malformed
from onecode_server.identity import server_certificate
from onecode_server.identity.server_certificate import ServerCertificate
from onecode_server.identity.watched_files import File, NotNow

from tests.certificates import Authority, Leaf, make_key

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOT = Authority(now=NOW)
ISSUING = Authority("issuing", issuer=ROOT)
GOOD = ISSUING.server()


def microseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000


def read(chain: bytes, key: bytes, mode: int = 0o600, *, is_private: bool = True) -> ServerCertificate:
    return server_certificate.read(
        File(Path("tls.crt"), chain, 0o644, is_private=False),
        File(Path("tls.key"), key, mode, is_private=is_private),
        microseconds(NOW),
    )


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa"])
def test_a_chain_and_its_key_are_taken_as_they_are(kind):
    leaf = ISSUING.server(kind=kind, not_before=NOW - 2 * HOUR, not_after=NOW + HOUR)
    read_pair = read(leaf.chain_pem, leaf.key_pem)
    times = microseconds(NOW - 2 * HOUR), microseconds(NOW + HOUR)
    assert read_pair == (leaf.chain_pem, leaf.key_pem, *times)
    assert read(leaf.pem, leaf.key_pem).chain == leaf.pem
    assert read(b"# text\n" + leaf.chain_pem + ROOT.pem, leaf.key_pem, 0o400)


@pytest.mark.parametrize("encoding", ["SEC 1", "with parameters"])
def test_keys_in_the_older_encodings_are_taken(encoding):
    assert isinstance(GOOD.key, ec.EllipticCurvePrivateKey)
    key = GOOD.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert read(GOOD.chain_pem, key if encoding == "SEC 1" else parameters + key)


def test_the_first_end_in_the_chain_is_its_end():
    leaf = ISSUING.server(not_after=NOW + timedelta(days=4000))
    assert read(leaf.chain_pem, leaf.key_pem).not_after == microseconds(ISSUING.certificate.not_valid_after_utc)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_key_that_others_may_open_is_refused_with_its_mode(mode):
    with pytest.raises(Malformed, match=rf"tls.key is open to more than its owner \(mode 0{mode:o}\)"):
        read(GOOD.chain_pem, GOOD.key_pem, mode, is_private=False)


def encrypted(leaf: Leaf) -> bytes:
    return leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | x25519.X25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("chain", "key", "why"),
    [
        (GOOD.chain_pem, ISSUING.server().key_pem, "tls.crt and the key in tls.key do not fit each other"),
        (GOOD.chain_pem, ISSUING.server(kind="rsa").key_pem, "do not fit each other"),
        (b"", GOOD.key_pem, "^tls.crt: it has no whole block CERTIFICATE"),
        (GOOD.chain_pem[:-30], GOOD.key_pem, "^tls.crt: it has a block that is cut off"),
        (GOOD.pem[:-30], GOOD.key_pem, "^tls.crt: it has no whole block"),
        (GOOD.pem[:100] + GOOD.pem[104:], GOOD.key_pem, "cannot be read"),
        (GOOD.key_pem, GOOD.key_pem, "^tls.crt: it has no whole block"),
        (GOOD.chain_pem + ROOT.pem * 10, GOOD.key_pem, "more than 10"),
        (GOOD.pem + ROOT.pem, GOOD.key_pem, "not issued by the next one"),
        (ISSUING.pem + GOOD.pem, GOOD.key_pem, "not for a server"),
        (ISSUING.issue("spiffe://a/b").pem, GOOD.key_pem, "not for a server"),
        (GOOD.chain_pem, b"", "^tls.key: it has no private key"),
        (GOOD.chain_pem, GOOD.key_pem[:-40], "^tls.key: it has no private key"),
        (GOOD.chain_pem, GOOD.pem, "^tls.key: it has no private key"),
        (GOOD.chain_pem, encrypted(GOOD), "encrypted"),
        (GOOD.chain_pem, pem(x25519.X25519PrivateKey.generate()), "none of RSA, EC and Ed25519"),
        (GOOD.chain_pem, pem(ec.generate_private_key(ec.SECP521R1())), "of the curve secp521r1"),
        (GOOD.chain_pem, pem(rsa.generate_private_key(65537, 1024)), "1,024 bits"),
    ],
)
def test_a_pair_that_no_caller_could_use_is_refused_without_a_word_of_the_key(chain, key, why):
    with pytest.raises(Malformed, match=why) as caught:
        read(chain, key)
    assert not any(line in str(caught.value) for line in key.decode().splitlines() if len(line) > 20)


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({"not_after": NOW - HOUR, "not_before": NOW - 2 * HOUR}, "a certificate has expired"),
        ({"not_before": NOW + HOUR}, "a certificate is not valid yet"),
    ],
)
def test_a_certificate_that_is_not_valid_now_may_be_later(times, why):
    leaf = ISSUING.server(key=make_key(), **times)
    with pytest.raises(NotNow, match=why):
        read(leaf.chain_pem, leaf.key_pem)
