"""Callers who show nothing: what they may do by the settings, in plaintext and by TLS."""

from collections.abc import Callable

import pytest

from tests.integration.deployment import Deployment, Server
from tests.integration.identities import Identities
from tests.integration.rights_held import ALL, CHECKS, DENIED, OPERATES, UNKNOWN, held, pages

Serve = Callable[..., Server]
NOTHING: frozenset[str] = frozenset()
# The value of the setting: what may be called, how all else is refused, and the statuses of the two pages.
ROLES = {
    "none": (NOTHING, UNKNOWN, (401, 401)),
    "check": (CHECKS, DENIED, (403, 200)),
    "ops": (OPERATES, DENIED, (200, 200)),
    "all": (ALL, set[str](), (200, 200)),
}


@pytest.mark.parametrize("role", [*ROLES, "auto"])
def test_a_caller_of_this_machine_in_plaintext(deployment: Deployment, serve: Serve, code: bytes, role: str) -> None:
    server = serve(deployment, "--loopback-role", role)
    rights, refusals, statuses = ROLES["all" if role == "auto" else role]
    assert held(server.channel(), code) == (rights, refusals)
    assert pages(server) == statuses


@pytest.mark.parametrize("role", [*ROLES, "auto"])
def test_a_caller_of_this_machine_by_tls(
    deployment: Deployment, serve: Serve, identities: Identities, code: bytes, role: str
) -> None:
    # Without authorities of clients, so that neither front asks for a certificate.
    tls = ("--tls-cert", identities.cert, "--tls-key", identities.key, "--token-keys", identities.token_keys)
    server = serve(deployment, *tls, "--loopback-role", role)
    rights, refusals, statuses = ROLES["none" if role == "auto" else role]
    assert held(identities.channel(server), code) == (rights, refusals)
    assert pages(server) == statuses


def test_strangers_in_plaintext_may_check_and_translate_alone_and_the_server_says_so(
    deployment: Deployment, serve: Serve, code: bytes
) -> None:
    server = serve(deployment, "--insecure-plaintext", "true")
    assert held(server.channel(), code) == (CHECKS, DENIED)
    assert pages(server) == (403, 200)
    access = server.healthz()[1]["access"]
    assert (access["insecure_plaintext"], access["loopback_role"], access["tls"]) == (True, "none", None)
    warnings = [line["message"] for line in server.log() if line["level"].lower() == "warning"]
    assert "others reach this server in plaintext, and may check and translate without an identity" in warnings


def test_a_setting_for_strangers_in_plaintext_gives_none_by_tls(
    deployment: Deployment, serve: Serve, identities: Identities, code: bytes
) -> None:
    tls = ("--tls-cert", identities.cert, "--tls-key", identities.key, "--token-keys", identities.token_keys)
    server = serve(deployment, *tls, "--insecure-plaintext", "true")
    assert held(identities.channel(server), code) == (NOTHING, UNKNOWN)
    assert pages(server) == (401, 401)


@pytest.mark.parametrize("flag", ["--listen", "--metrics"])
def test_others_are_not_let_in_in_plaintext_unless_it_is_asked_for(
    deployment: Deployment, serve: Serve, flag: str
) -> None:
    server = serve(deployment, flag, "0.0.0.0:0", await_ready=False)
    assert server.process.wait(30) == 2
    (line,) = server.log_file.read_text("utf-8").splitlines()
    assert flag in line
    assert "others reach it" in line
