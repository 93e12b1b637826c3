"""PKCS#11 URIs: what RFC 7512 allows and is read here, and one clear reason for everything else."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.crypto.token_uri import URI_CHARS_MAX, TokenUri, expect_module, read_uri
from onecode_server.errors import Misconfigured

QUERY = "?module-path=/lib/p11.so&pin-source=/run/pin"
FILES = (Path("/lib/p11.so"), Path("/run/pin"))


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (f"pkcs11:token=onecode{QUERY}", TokenUri(*FILES, "onecode")),
        (f"pkcs11:token=a;object=b;type=private{QUERY}", TokenUri(*FILES, "a", None, "b")),
        (f"pkcs11:serial=0%2f;id=%01%fF{QUERY}", TokenUri(*FILES, None, b"0/", None, b"\x01\xff")),
        (f"pkcs11:id=a;token=%E7%A0%81%20{QUERY}", TokenUri(*FILES, "码 ", None, None, b"a")),
        ("pkcs11:token=a?pin-source=file:///run/pin&module-path=/lib/p11.so", TokenUri(*FILES, "a")),
        ("pkcs11:token=a?pin-source=file:/run/pin&module-path=/lib/p11.so", TokenUri(*FILES, "a")),
    ],
)
def test_a_uri_names_token_keys_module_and_pin_file(text: str, uri: TokenUri) -> None:
    assert read_uri(text) == uri


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected pkcs11:"),
        ("PKCS11:token=a", "expected pkcs11:"),
        (f"pkcs11:token={'a' * URI_CHARS_MAX}{QUERY}", "at most 1,000"),
        (f"pkcs11:{QUERY}", "token= or serial= is missing"),
        (f"pkcs11:object=a{QUERY}", "token= or serial= is missing"),
        (f"pkcs11:token=a;token=b{QUERY}", "token occurs twice"),
        (f"pkcs11:token={QUERY}", "the value of token is empty"),
        (f"pkcs11:token{QUERY}", "the value of token is empty"),
        (f"pkcs11:token=a b{QUERY}", "must be percent-encoded"),
        (f"pkcs11:token=%4{QUERY}", "must be percent-encoded"),
        (f"pkcs11:token=码{QUERY}", "must be percent-encoded"),
        (f"pkcs11:token=%ff{QUERY}", "token is not UTF-8"),
        (f"pkcs11:token=a;slot-id=0{QUERY}", "'slot-id' is not one of token, serial"),
        (f"pkcs11:token=a;type=cert{QUERY}", "type is not one of private, secret-key"),
        (f"pkcs11:token=a;{QUERY}", "'' is not one of"),
        ("pkcs11:token=a", "module-path= is missing"),
        ("pkcs11:token=a?module-path=/lib/p11.so", "pin-source= is missing"),
        ("pkcs11:token=a?module-path=p11.so&pin-source=/run/pin", "module-path= is missing, or no absolute path"),
        (f"pkcs11:token=a{QUERY}%00", "pin-source= is missing, or no absolute path"),
        (f"pkcs11:token=a{QUERY}&pin-value=4321", "pin-value shows the PIN to every process"),
        (f"pkcs11:token=a;pin-value=4321{QUERY}", "pin-value shows the PIN to every process"),
        (f"pkcs11:token=a{QUERY}&module-name=p11", "'module-name' is not one of module-path"),
    ],
)
def test_what_is_no_uri_of_a_token_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_uri(text)
    assert why in str(refused.value)
    assert "4321" not in str(refused.value)


@given(st.text(), st.sampled_from(["", "pkcs11:", "pkcs11:token=a;", "pkcs11:token=a?module-path="]))
def test_any_text_is_read_or_refused(text: str, before: str) -> None:
    with suppress(ValueError):
        assert isinstance(read_uri(before + text + QUERY), TokenUri)


def test_a_uri_is_shown_without_its_pin_file() -> None:
    assert str(read_uri(f"pkcs11:token=a;object=b;id=%01{QUERY}")) == "pkcs11:token=a;object=b;id=01"


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"pkcs11:token=a: there is no PKCS#11 module /lib/p11\.so"):
        expect_module(read_uri(f"pkcs11:token=a{QUERY}"))
