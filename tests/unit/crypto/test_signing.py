"""Signing keys: made once, for their owner's eyes only, never written over and never told."""

import os
import stat

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from onecode_server.crypto.signing import (
    SECRET_BYTES,
    Signer,
    make_secret,
    public_key_fault,
    read_public_key,
    read_secret,
)
from onecode_server.errors import Misconfigured

SECRET_TEXT = "5ec2e75ec2e7"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_secret_is_read_back_as_it_was_made(tmp_path):
    secret = make_secret(tmp_path / "a.key")
    assert len(secret) == SECRET_BYTES
    assert read_secret(tmp_path / "a.key") == secret
    assert (tmp_path / "a.key").read_text() == secret.hex() + "\n"


def test_no_two_secrets_are_the_same(tmp_path):
    assert make_secret(tmp_path / "a.key") != make_secret(tmp_path / "b.key")


def test_a_key_file_is_its_owners_alone_whatever_the_umask(tmp_path, umask):
    make_secret(tmp_path / "a.key")
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600


def test_a_key_is_never_written_over(tmp_path):
    secret = make_secret(tmp_path / "a.key")
    with pytest.raises(FileExistsError):
        make_secret(tmp_path / "a.key")
    assert read_secret(tmp_path / "a.key") == secret


def test_a_key_is_not_written_through_a_link(tmp_path):
    (tmp_path / "a.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        make_secret(tmp_path / "a.key")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (SECRET_TEXT.encode(), "does not hold 32 bytes"),
        (b"", "does not hold 32 bytes"),
        (SECRET_TEXT.encode() * 20, "does not hold 32 bytes"),
        (SECRET_TEXT.encode() + b" is no hex", "is not hex"),
        (SECRET_TEXT.encode() + b"0", "is not hex"),
        (SECRET_TEXT.encode() + b"\xff\xfe", "is not hex"),
    ],
)
def test_a_bad_key_file_is_named_and_its_content_is_not(tmp_path, content, why):
    file = tmp_path / "a.key"
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(Misconfigured) as refused:
        read_secret(file)
    assert str(refused.value) == f"the key file {file} {why}"
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o777])
def test_a_secret_that_others_may_open_is_refused_and_the_mode_to_set_is_named(tmp_path, mode):
    file = tmp_path / "a.key"
    make_secret(file)
    file.chmod(mode)
    with pytest.raises(Misconfigured) as refused:
        read_secret(file)
    assert str(refused.value) == (
        f"the key file {file} is open to more than its owner (mode {mode:04o}): set it to 0600, with chmod"
    )


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_secret_of_its_owner_alone_is_read(tmp_path, mode):
    secret = make_secret(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(mode)
    assert read_secret(tmp_path / "a.key") == secret


def test_a_link_does_not_hide_who_may_open_a_secret(tmp_path):
    make_secret(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o644)
    (tmp_path / "link.key").symlink_to(tmp_path / "a.key")
    with pytest.raises(Misconfigured, match=r"link\.key is open to more"):
        read_secret(tmp_path / "link.key")


def test_a_public_key_is_everybodys(tmp_path):
    key = make_secret(tmp_path / "root.pub")
    (tmp_path / "root.pub").chmod(0o644)
    assert read_public_key(tmp_path / "root.pub") == key


@pytest.mark.parametrize("make", [lambda _: None, lambda file: file.mkdir()], ids=["missing", "a directory"])
def test_a_key_file_that_cannot_be_read_is_named(tmp_path, make):
    make(tmp_path / "a.key")
    with pytest.raises(Misconfigured, match=r"cannot read the key file .*a\.key: "):
        read_secret(tmp_path / "a.key")


def test_a_signature_is_good_and_always_the_same():
    signer = Signer(bytes(range(32)))
    signature = signer.sign(b"text")
    assert VerifyKey(signer.public_key).verify(b"text", signature) == b"text"
    assert Signer(bytes(range(32))).sign(b"text") == signature
    with pytest.raises(BadSignatureError):
        VerifyKey(signer.public_key).verify(b"test", signature)


def test_a_signer_does_not_show_its_key():
    seed = bytes(range(32))
    assert seed.hex() not in repr(Signer(seed))
    assert repr(seed) not in repr(Signer(seed))


def test_an_issuers_public_key_has_no_fault():
    assert all(public_key_fault(Signer(bytes([number] * 32)).public_key) is None for number in range(8))


@pytest.mark.parametrize(
    "public_key",
    [bytes(32), (1).to_bytes(32, "little"), b"\xff" * 32, (2).to_bytes(32, "little")],
    ids=["order 4", "order 1", "not canonical", "no point"],
)
def test_what_is_no_public_key_is_named_as_such(public_key):
    assert public_key_fault(public_key) == "public_key is not a canonical point of the prime-order group"
