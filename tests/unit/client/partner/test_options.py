"""The command line of ``onecode-partner``: an option counts before its variable, and mistakes are one line."""

from pathlib import Path

import pytest

from onecode_client.partner.faults import Unusable
from onecode_client.partner.options import Options, parse
from onecode_client.tls import Tls

VERIFY = ("verify", "--server", "127.0.0.1:1", "--host", "440000")


def test_an_option_counts_before_its_variable() -> None:
    variables = {"ONECODE_SERVER": "gate.example:2", "ONECODE_TLS_CA": "ca", "ONECODE_TOKEN_FILE": "token"}
    arguments = ["scan", "--host", "440000", "--tls-ca", "own", "--tls-server-name", "gate", "--json", "codes"]
    asked = parse(arguments, variables)
    tls = Tls(Path("own"), server_name="gate")
    assert asked == Options("scan", "gate.example:2", tls, Path("token"), 10, "440000", True, "codes")


def test_an_empty_variable_is_none() -> None:
    assert parse([*VERIFY, "-"], {"ONECODE_TLS_CA": "", "ONECODE_TOKEN_FILE": ""}).tls is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("2", 2), ("0.5", 0.5), ("5s", 5), ("1m30s", 90), ("250ms", 0.25), ("24h", 86_400)]
)
def test_a_timeout_is_seconds_or_a_duration(text: str, seconds: float) -> None:
    assert parse([*VERIFY, "--timeout", text, "-"], {}).timeout_s == seconds


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ((), "COMMAND"),
        (("inspect",), "inspect"),
        (("verify", "--host", "440000", "-"), "where the server listens"),
        (("verify", "--server", "127.0.0.1:1", "-"), "--host"),
        ((*VERIFY,), "FILE"),
        ((*VERIFY, "a", "b"), "b"),
        ((*VERIFY, "--host", "420000", "-"), "--host is given twice"),
        ((*VERIFY, "--json", "--json", "-"), "--json is given twice"),
        ((*VERIFY, "--tls-c", "x", "-"), "--tls-c"),
        (("verify", "--server", "127.0.0.1", "--host", "440000", "-"), "HOST:PORT"),
        (("verify", "--server", "127.0.0.1:65536", "--host", "440000", "-"), "HOST:PORT"),
        (("verify", "--server", "gate.example:1", "--host", "440000", "-"), "on loopback"),
        *(((*VERIFY, "--timeout", text, "-"), "--timeout") for text in ("0", "-1", "nan", "inf", "1d", "x", "86401")),
    ],
)
def test_a_mistake_is_named(arguments: tuple[str, ...], mistake: str) -> None:
    with pytest.raises(Unusable, match=mistake):
        parse(arguments, {})


def test_a_certificate_without_its_key_is_a_mistake() -> None:
    with pytest.raises(Unusable, match="go together"):
        parse([*VERIFY, "--tls-cert", "x", "-"], {})
