"""Who callers are by the settings alone: those who show nothing, by where they call from."""

from pathlib import Path
from typing import Any

import pytest

from onecode_server.access import Access
from onecode_server.errors import Unauthenticated
from onecode_server.model.identity import ANONYMOUS, LOCAL, Identity, Role
from onecode_server.settings.config import Settings
from onecode_server.telemetry.metrics import Metrics

from tests.certificates import Authority
from tests.tokens import TokenIssuer, jwks


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The settings of TLS."""
    authority = Authority()
    cert, key = authority.server().write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    return {"tls_cert": str(cert), "tls_key": str(key), "tls_client_ca": str(tmp_path / "ca.crt")}


def access(tmp_path: Path, **given: str) -> Access:
    return Access(Settings.read({"data_dir": str(tmp_path), **given}), Metrics())


def unnamed(one: Access) -> tuple[Identity | None, Identity | None]:
    """Return who a caller is that shows nothing: on this machine, and elsewhere."""

    def who(*, is_local: bool) -> Identity | None:
        try:
            return one.identify(None, None, is_local=is_local)
        except Unauthenticated:
            return None

    return who(is_local=True), who(is_local=False)


def test_where_nobody_else_reaches_the_server_callers_may_do_all(tmp_path: Path) -> None:
    one = access(tmp_path)
    assert unnamed(one) == (LOCAL, None)
    assert not one.identifies


@pytest.mark.parametrize(
    ("role", "identity"), [("none", None), ("check", ANONYMOUS), ("ops", Identity(Role.OPS)), ("all", LOCAL)]
)
@pytest.mark.parametrize("has_tls", [False, True])
def test_callers_of_this_machine_have_the_role_that_is_named(
    tmp_path: Path, files: dict[str, str], role: str, identity: Identity | None, has_tls: bool
) -> None:
    one = access(tmp_path, loopback_role=role, **(files if has_tls else {}))
    assert unnamed(one) == (identity, None)
    assert one.identifies == (has_tls or identity != LOCAL)


@pytest.mark.parametrize(
    "given", [{"insecure_plaintext": "true"}, {"listen": "0.0.0.0:0", "insecure_plaintext": "true"}]
)
def test_in_plaintext_that_others_reach_everybody_may_check_and_translate(
    tmp_path: Path, given: dict[str, str]
) -> None:
    assert unnamed(access(tmp_path, **given)) == (ANONYMOUS, ANONYMOUS)
    assert unnamed(access(tmp_path, **given, loopback_role="ops")) == (Identity(Role.OPS), ANONYMOUS)


def test_with_tls_nobody_has_a_right_who_shows_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    assert unnamed(access(tmp_path, **files)) == (None, None)
    assert unnamed(access(tmp_path, **files, insecure_plaintext="true", metrics="0.0.0.0:0")) == (None, None)


def test_a_bad_token_is_refused_whoever_shows_it(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks(TokenIssuer()))
    one = access(tmp_path, token_keys=str(tmp_path / "jwks.json"))
    assert unnamed(one) == (LOCAL, None)
    with pytest.raises(Unauthenticated):
        one.identify(None, "Bearer x.y.z", is_local=True)


@pytest.mark.parametrize(
    ("more", "native", "grpc"),
    [
        ({}, "demanded", "demanded"),
        ({"loopback_role": "ops"}, "asked for", "demanded"),
        ({"health_without_identity": "true"}, "asked for", "demanded"),
    ],
)
def test_the_report_says_what_each_front_asks_for(
    tmp_path: Path, files: dict[str, str], more: dict[str, str], native: str, grpc: str
) -> None:
    one = access(tmp_path, **files, **more)
    reports: dict[str, dict[str, Any]] = {front: one.report(front) for front in ("native", "grpc")}
    assert {front: report["client_certificates"] for front, report in reports.items()} == {
        "native": native,
        "grpc": grpc,
    }
    assert [report["tls"] for report in reports.values()] == ["1.3", "1.2 or later"]
    assert one.demands_certificates == (native == "demanded")
