"""Callers: certificate, token and listener together, checked at each call against what is in force."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from onecode_server.errors import NotServing, Unauthenticated
from onecode_server.identity.callers import Callers, watch_token_keys
from onecode_server.identity.refusals import Refusal
from onecode_server.identity.tls_files import TlsSource
from onecode_server.identity.watched_files import PATIENCE_S
from onecode_server.model.identity import Identity, Role

from tests.certificates import TRUST_DOMAIN, Authority, spiffe_id
from tests.tokens import TokenIssuer, jwks
from tests.unit.identity.conftest import NOON_S, SECOND, Times

NOW = datetime.fromtimestamp(NOON_S, UTC)
ROOT = Authority(now=NOW)
ISSUER = TokenIssuer()
SCANNER = Identity(Role.SCANNER, "420000")
SCANNER_PATH = "region/420000/scanner"
SCANNER_DER = ROOT.issue(spiffe_id(SCANNER_PATH)).der
GATEWAY = ROOT.issue(spiffe_id("gateway/gate-7"), not_after=NOW + timedelta(minutes=5))
GATEWAY_DER = GATEWAY.der


def bearer(path: str = SCANNER_PATH, issuer: TokenIssuer = ISSUER, **claims: Any) -> str:
    return f"Bearer {issuer.token(path, NOON_S, **claims)}"


class Server:
    """A server's files and trust list, and its callers."""

    def __init__(self, directory: Path, times: Times) -> None:
        self.times = times
        self.regions: dict[str, object] | None = {"420000": 1, "440000": 2}
        self.ca, self.crl, self.keys = directory / "ca.crt", directory / "crl.pem", directory / "jwks.json"
        self.ca.write_bytes(ROOT.pem)
        self.crl.write_bytes(ROOT.crl())
        self.keys.write_bytes(jwks(ISSUER))
        self.callers = Callers(
            self._regions_in_force,
            TRUST_DOMAIN,
            "onecode",
            times.metrics,
            times.clock,
            TlsSource(*ROOT.server().write(directory), self.ca, self.crl, times.metrics, times.clock, times.monotonic),
            watch_token_keys(self.keys, times.metrics, times.monotonic),
        )

    def _regions_in_force(self) -> dict[str, object]:
        if self.regions is None:
            raise NotServing("no trust list")
        return self.regions

    def refusal(self, certificate: bytes | None = None, authorization: str | None = None) -> str:
        """Return why a caller is refused, which must have been counted."""
        before = self.counts()
        with pytest.raises(Unauthenticated) as caught:
            self.callers.identify(certificate, authorization)
        after = self.counts()
        assert [reason for reason in Refusal for _ in range(before[reason], after[reason])] == [
            Refusal[caught.value.reason]
        ]
        return caught.value.reason

    def counts(self) -> dict[Refusal, int]:
        name = "onecode_unauthenticated_calls_total"
        return {reason: int(self.times.metric(name, reason=reason.name) or 0) for reason in Refusal}


@pytest.fixture
def server(tmp_path: Path, times: Times):
    made = Server(tmp_path, times)
    yield made
    made.callers.close()


def test_a_certificate_alone_and_a_token_alone_say_who_calls(server):
    assert server.callers.identify(SCANNER_DER, None) == SCANNER
    assert server.callers.identify(SCANNER_DER, "") == SCANNER
    assert server.callers.identify(None, bearer()) == SCANNER
    assert server.callers.identify(b"", bearer("partner/railway")) == Identity(Role.PARTNER, name="railway")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_the_scheme_is_bearer_in_any_case(server, scheme):
    assert server.callers.identify(None, scheme + bearer().removeprefix("Bearer ")) == SCANNER


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("Basic bWU6c2VjcmV0", "AUTHORIZATION_SCHEME"),
        ("Bearer", "AUTHORIZATION_SCHEME"),
        ("Bearer\t" + bearer()[7:], "AUTHORIZATION_SCHEME"),
        (bearer()[7:], "AUTHORIZATION_SCHEME"),
        ("Bearer ", "TOKEN_MALFORMED"),
        (f"{bearer()}, {bearer()}", "AUTHORIZATION_REPEATED"),
        ("Bearer é", "TOKEN_MALFORMED"),
        ("Bearer " + "a" * 8193, "TOKEN_TOO_LONG"),
    ],
)
def test_an_authorization_that_is_no_bearer_token_is_refused(server, authorization, reason):
    assert server.refusal(None, authorization) == reason
    assert server.refusal(SCANNER_DER, authorization) == reason


def test_a_gateway_has_the_identity_of_the_token_that_it_carries_and_both_are_named(server):
    assert server.callers.identify(GATEWAY_DER, None) == Identity(Role.GATEWAY, name="gate-7")
    carried = server.callers.identify(GATEWAY_DER, bearer())
    assert carried == SCANNER._replace(gateway="gate-7")
    assert str(carried) == "region/420000/scanner via gateway/gate-7"


def test_a_gateway_that_carries_a_bad_token_is_refused_and_not_taken_as_itself(server):
    assert server.refusal(GATEWAY_DER, bearer(issuer=TokenIssuer("k-x"))) == "TOKEN_KEY_UNKNOWN"


async def test_a_carried_token_that_was_seen_before_counts_no_longer_than_both_credentials(server, times):
    token = bearer()

    def carried() -> Any:
        return server.callers.identify(GATEWAY_DER, token)

    assert carried() == carried() == SCANNER._replace(gateway="gate-7")
    times.now -= 2 * 3600 * SECOND  # the clock runs back to before the certificate's time
    assert server.refusal(GATEWAY_DER, token) == "CERTIFICATE_NOT_YET_VALID"
    times.now += 2 * 3600 * SECOND
    assert carried() == SCANNER._replace(gateway="gate-7")
    server.regions = {"440000": 2}
    assert server.refusal(GATEWAY_DER, token) == "REGION_UNKNOWN"
    server.regions = None
    with pytest.raises(NotServing):
        carried()
    server.regions = {"420000": 1}
    assert carried() == SCANNER._replace(gateway="gate-7")
    server.crl.write_bytes(ROOT.crl(GATEWAY, last_update=NOW + timedelta(minutes=1)))
    await server.callers.refresh()
    assert server.refusal(GATEWAY_DER, token) == "CERTIFICATE_REVOKED"
    assert server.callers.identify(None, token) == SCANNER
    server.keys.write_bytes(jwks(TokenIssuer("k-2")))
    await server.callers.refresh()
    assert server.refusal(None, token) == "TOKEN_KEY_UNKNOWN"


def test_a_carried_token_that_was_seen_before_ends_with_the_gateways_certificate(server, times):
    token = bearer()
    assert server.callers.identify(GATEWAY_DER, token) == SCANNER._replace(gateway="gate-7")
    times.now += 301 * SECOND
    assert server.refusal(GATEWAY_DER, token) == "CERTIFICATE_EXPIRED"
    assert server.callers.identify(None, token) == SCANNER


@pytest.mark.parametrize(
    "path",
    ["region/440000/scanner", "region/420000/operator", "national/operator", "partner/a", "ops", "gateway/gate-7"],
)
def test_a_token_of_another_identity_is_refused_with_any_certificate_but_a_gateways(server, path):
    assert server.refusal(SCANNER_DER, bearer(path)) == "TOKEN_OF_ANOTHER"
    assert server.callers.identify(SCANNER_DER, bearer()) == SCANNER


def test_an_identity_ends_with_the_first_of_its_credentials(server):
    assert server.callers.known(None, bearer(exp=NOON_S + 60)).until == (NOON_S + 60) * SECOND
    assert server.callers.known(GATEWAY_DER, None).until == (NOON_S + 301) * SECOND
    assert server.callers.known(GATEWAY_DER, bearer()).until == (NOON_S + 301) * SECOND
    assert server.callers.known(GATEWAY_DER, bearer(exp=NOON_S + 60)).until == (NOON_S + 60) * SECOND


def test_credentials_are_checked_at_each_call(server, times):
    token = bearer(exp=NOON_S + 60)
    assert server.callers.identify(GATEWAY_DER, token).gateway == "gate-7"
    times.pass_by(60)
    assert server.refusal(GATEWAY_DER, token) == "TOKEN_EXPIRED"
    times.pass_by(241)
    assert server.refusal(GATEWAY_DER, bearer()) == "CERTIFICATE_EXPIRED"


def test_who_shows_nothing_is_nobody(server):
    assert server.refusal() == server.refusal(b"", "") == "IDENTITY_MISSING"


def test_a_region_that_the_list_in_force_lacks_is_refused_at_the_next_call(server):
    assert server.callers.identify(SCANNER_DER, None) == SCANNER
    server.regions = {"440000": 2}
    assert server.refusal(SCANNER_DER) == server.refusal(None, bearer()) == "REGION_UNKNOWN"
    assert server.refusal(GATEWAY_DER, bearer()) == "REGION_UNKNOWN"
    assert server.callers.identify(None, bearer("ops")).role is Role.OPS


def test_without_a_trust_list_no_region_is_known_and_those_without_one_are(server):
    server.regions = None
    with pytest.raises(NotServing):
        server.callers.identify(SCANNER_DER, None)
    assert server.callers.identify(None, bearer("ops")).role is Role.OPS


async def test_a_revoked_certificate_is_refused_once_the_list_was_read(server):
    leaf = ROOT.issue(spiffe_id("ops"))
    assert server.callers.identify(leaf.der, None).role is Role.OPS
    server.crl.write_bytes(ROOT.crl(leaf))
    await server.callers.refresh()
    assert server.refusal(leaf.der) == "CERTIFICATE_REVOKED"


async def test_a_key_that_was_taken_away_ends_its_tokens(server):
    assert server.callers.identify(None, bearer()) == SCANNER
    newer = TokenIssuer("k-2", "p256")
    assert server.refusal(None, bearer(issuer=newer)) == "TOKEN_KEY_UNKNOWN"
    server.keys.write_bytes(jwks(newer))
    await server.callers.refresh()
    assert server.callers.identify(None, bearer(issuer=newer)) == SCANNER
    assert server.refusal(None, bearer()) == "TOKEN_KEY_UNKNOWN"


async def test_a_bad_key_set_leaves_the_last_good_one_and_is_a_fault(server, times):
    server.keys.write_bytes(jwks(ISSUER)[:-5])
    await server.callers.refresh()
    times.pass_by(PATIENCE_S)
    await server.callers.refresh()
    assert server.callers.identify(None, bearer()) == SCANNER
    assert server.callers.faults == {"token_keys": f"{server.keys}: it is no JSON"}
    assert times.metric("onecode_identity_files_fault", file="token_keys") == 1


def test_what_was_found_is_recalled_until_anything_changes_that_it_was_found_by(server, times):
    shown = GATEWAY_DER, bearer()
    assert server.callers.recall(*shown) is None
    known = server.callers.known(*shown)
    assert server.callers.recall(*shown) == known
    server.regions = dict(server.regions)
    assert server.callers.recall(*shown) is None
    assert server.callers.known(*shown) == known == server.callers.recall(*shown)
    times.now = known.until
    assert server.callers.recall(*shown) is None


def test_a_credential_is_remembered_until_it_is_found_to_be_nobodys(server):
    certificate, token = (SCANNER_DER, None), (None, bearer(exp=NOON_S + 60))
    for shown in (certificate, token):
        assert not server.callers.remembers(*shown)
        server.callers.known(*shown)
        server.regions = dict(server.regions)  # what was found must be found again
        assert server.callers.remembers(*shown)
    server.regions = {}
    assert server.refusal(*certificate) == "REGION_UNKNOWN"
    assert not server.callers.remembers(*certificate)


def test_a_token_is_remembered_whatever_certificate_it_comes_with(server):
    authorization = bearer()
    server.callers.known(None, authorization)
    assert server.callers.remembers(GATEWAY_DER, authorization)
    assert not server.callers.remembers(GATEWAY_DER, "Bearer é")


async def test_the_generation_rises_when_an_answer_may_be_another(server):
    seen = [server.callers.generation]
    assert server.callers.generation == seen[0]
    changes = (
        lambda: setattr(server, "regions", {"420000": 1}),
        lambda: setattr(server, "regions", None),
        lambda: server.keys.write_bytes(jwks(TokenIssuer("k-2"))),
        lambda: server.crl.write_bytes(ROOT.crl(last_update=NOW + timedelta(hours=1))),
        lambda: server.ca.write_bytes(ROOT.pem + Authority("another").pem),
    )
    for change in changes:
        change()
        await server.callers.refresh()
        seen.append(server.callers.generation)
        await server.callers.refresh()
        assert server.callers.generation == seen[-1]
    assert seen == [1, 2, 3, 4, 5, 6]


def test_a_server_without_authorities_or_keys_accepts_neither(times):
    callers = Callers(dict, TRUST_DOMAIN, "onecode", times.metrics, times.clock)
    for certificate, authorization, reason in (
        (SCANNER_DER, None, "CERTIFICATES_NOT_ACCEPTED"),
        (None, bearer(), "TOKENS_NOT_ACCEPTED"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            callers.identify(certificate, authorization)
        assert caught.value.reason == reason


def test_each_reason_has_a_text_of_its_own():
    assert len({refusal.value for refusal in Refusal}) == len(Refusal)
