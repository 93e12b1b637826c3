"""Files of certificates and tokens: which are taken, how often they are looked at, and what is said of a bad one."""

import logging
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from onecode_client import (
    AsyncOnecodeClient,
    AsyncOperatorClient,
    CredentialsUnusable,
    OnecodeClient,
    OperatorClient,
    Tls,
)
from onecode_client.access import LOOK_S, REPLACING_S, Access
from onecode_client.tls import TOKEN_BYTES_MAX

from tests.unit.client.echoing import Files

HERE, ELSEWHERE = "127.0.0.1:1", "192.0.2.1:1"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_files_are_looked_at_once_a_second(files: Files) -> None:
    clock = Clock()
    access = Access(HERE, files.tls, files.token, clock)
    files.become("partner/second")
    files.token.write_text("second")
    clock.now_s += LOOK_S * 0.99
    assert (access.generation(), access.metadata()) == (0, (("authorization", "Bearer first"),))
    clock.now_s += LOOK_S * 0.01
    assert (access.generation(), access.metadata()) == (1, (("authorization", "Bearer second"),))
    clock.now_s += LOOK_S
    assert access.generation() == 1


def test_a_token_that_is_bad_does_not_keep_certificates_from_being_read(files: Files) -> None:
    clock = Clock()
    access = Access(HERE, files.tls, files.token, clock)
    files.become("partner/second")
    files.token.unlink()
    clock.now_s += LOOK_S
    assert (access.generation(), access.metadata()) == (1, (("authorization", "Bearer first"),))


def test_a_fault_is_logged_once_and_only_where_it_stays(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    access = Access(HERE, files.tls, None, clock)
    certificate, key = files.made("partner/second")
    files.cert.write_bytes(certificate)
    with caplog.at_level(logging.WARNING):
        clock.now_s += REPLACING_S
        access.generation()
        assert caplog.messages == []
        for _ in range(3):
            clock.now_s += REPLACING_S
            access.generation()
    assert caplog.messages == [
        f"the key {files.key} does not belong to the certificate {files.cert}; what was read before stays in use"
    ]
    files.key.write_bytes(key)
    clock.now_s += LOOK_S
    assert access.generation() == 1


@pytest.mark.parametrize("kind", [OnecodeClient, OperatorClient, AsyncOnecodeClient, AsyncOperatorClient])
def test_no_client_sends_a_token_to_another_machine_in_plaintext(kind: type[OnecodeClient], files: Files) -> None:
    with pytest.raises(CredentialsUnusable, match=r"a token is sent to 192\.0\.2\.1:1 over TLS only"):
        kind(ELSEWHERE, token_file=files.token)


def test_a_token_may_go_elsewhere_over_tls(files: Files) -> None:
    assert Access(ELSEWHERE, Tls(), files.token).metadata() == (("authorization", "Bearer first"),)


@pytest.mark.parametrize("half", ["cert", "key"])
def test_half_a_pair_is_refused(files: Files, half: str) -> None:
    with pytest.raises(CredentialsUnusable, match="go together"):
        Tls(cert=files.cert) if half == "cert" else Tls(key=files.cert)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize(
    "content", [None, b"", b"no PEM", b"\xff", b"-----BEGIN CERTIFICATE-----\nx\n", b"x" * 2_000_000]
)
def test_a_file_that_is_no_pem_is_named(files: Files, tmp_path: Path, name: str, content: bytes | None) -> None:
    bad = tmp_path / "bad"
    if content is not None:
        bad.write_bytes(content)
    ca, cert, key = (bad if name == one else path for one, path in _paths(files).items())
    with pytest.raises(CredentialsUnusable, match=str(bad)):
        Access(HERE, Tls(ca, cert, key))


def _paths(files: Files) -> dict[str, Path | None]:
    return {"ca": files.tls.ca, "cert": files.cert, "key": files.key}


def test_the_name_of_a_server_is_not_empty() -> None:
    with pytest.raises(CredentialsUnusable, match="name of the server is empty"):
        Tls(server_name="")


def test_an_encrypted_key_is_refused_and_no_password_is_asked_for(files: Files) -> None:
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    how = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(*how, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(CredentialsUnusable, match="unencrypted"):
        Access(HERE, files.tls)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b" \n", "is empty"),
        (b"two words", "other characters"),
        (b"a\nb", "other characters"),
        (b"a\x00b", "other characters"),
        ("é".encode(), "other characters"),
        (b"x" * (TOKEN_BYTES_MAX + 1), "larger than 8,192 bytes"),
    ],
)
def test_a_file_that_holds_no_token_is_named_and_not_quoted(files: Files, content: bytes, why: str) -> None:
    files.token.write_bytes(content)
    with pytest.raises(CredentialsUnusable, match=f"{files.token}.* {why}"):
        Access(HERE, None, files.token)


def test_a_pipe_is_refused_before_anyone_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CredentialsUnusable, match="no regular file"):
        Access(HERE, None, tmp_path / "pipe")
