"""The pages for operations by TLS: who shows what, and what it is answered.

With two workers a supervisor serves them.
"""

import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.certificates import Authority, Leaf, spiffe_id
from tests.integration.deployment import Deployment, Server, command, eventually, free_port
from tests.integration.identities import GATEWAY, OPERATOR, OPS, PARTNER, SCANNER, Identities

REFUSED = 0
"""Stands for a connection that ends before there is an answer."""


class Pages:
    """The pages of a server, for those who show a certificate, tokens, or nothing."""

    def __init__(self, page: str, identities: Identities, directory: Path) -> None:
        self.page = page
        self._identities = identities
        self._directory = directory

    def get(self, path: str, leaf: Leaf | None = None, *authorizations: str) -> tuple[int, str]:
        """Return the HTTP status of a page, and its text."""
        context = ssl.create_default_context(cadata=self._identities.authority.pem.decode("ascii"))
        if leaf is not None:
            context.load_cert_chain(*leaf.write(self._directory, "shown"))
        connection = HTTPSConnection(self.page, timeout=30, context=context)
        try:
            connection.putrequest("GET", path)
            for value in authorizations:
                connection.putheader("Authorization", value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return REFUSED, ""
        finally:
            connection.close()

    def refused(self) -> dict[str, int]:
        """Return how many requests were refused, by reason."""
        _, text = self.get("/metrics", self._identities.leaf(OPS))
        counted = re.findall(r'^onecode_refused_pages_total{reason="(\w+)"} (\d+)', text, re.MULTILINE)
        return {reason: int(count) for reason, count in counted}


@pytest.fixture(scope="module", params=[1, 2])
def pages(
    made: Deployment, identities: Identities, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Pages]:
    path = tmp_path_factory.mktemp("pages")
    flags = identities.flags("--metrics-tls", "true", "--workers", request.param)
    server = Server(made.copy_to(path / "data"), *flags)
    yield Pages(server.page, identities, path)
    assert server.end() == 0


@pytest.mark.parametrize(
    ("path", "of_metrics", "of_health"),
    [(OPS, 200, 200), (SCANNER, 403, 200), (OPERATOR, 403, 200), (PARTNER, 403, 200), (GATEWAY, 403, 200)],
)
@pytest.mark.parametrize("by", ["certificate", "token", "gateway"])
def test_a_caller_with_an_identity(
    pages: Pages, identities: Identities, path: str, of_metrics: int, of_health: int, by: str
) -> None:
    leaf = {"certificate": identities.leaf(path), "token": None, "gateway": identities.leaf(GATEWAY)}[by]
    shown = () if by == "certificate" else (f"Bearer {identities.token(path)}",)
    status, text = pages.get("/metrics", leaf, *shown)
    assert status == of_metrics
    assert ("onecode_unauthenticated_calls_total" in text) == (status == 200)
    assert pages.get("/healthz", leaf, *shown)[0] == of_health


def test_a_caller_without_an_identity(pages: Pages, identities: Identities) -> None:
    expired = identities.token(OPS, exp=time.time() - 1)
    shown: dict[str, tuple[tuple[Leaf | None, tuple[str, ...]], int]] = {
        "nothing": ((None, ()), 401),
        "an expired token": ((None, (f"Bearer {expired}",)), 401),
        "a password": ((None, ("Basic b3BzOm9wcw==",)), 401),
        "two tokens": ((None, (f"Bearer {identities.token(OPS)}",) * 2), 401),
        "the token of another": ((identities.leaf(SCANNER), (f"Bearer {identities.token(OPS)}",)), 401),
        "a certificate without a URI": ((identities.authority.issue(dns=("ops.example",)), ()), 401),
        "a certificate of another authority": ((Authority("another").issue(spiffe_id(OPS)), ()), REFUSED),
    }
    for path in ("/metrics", "/healthz"):
        found = {name: pages.get(path, leaf, *authorizations) for name, ((leaf, authorizations), _) in shown.items()}
        assert {name: status for name, (status, _) in found.items()} == {name: end for name, (_, end) in shown.items()}
        assert all(text.count("\n") == 1 for status, text in found.values() if status == 401)


def test_each_refusal_of_a_page_is_counted_by_its_reason(pages: Pages, identities: Identities) -> None:
    expired = f"Bearer {identities.token(OPS, exp=time.time() - 1)}"
    refusals: list[tuple[str, Leaf | None, tuple[str, ...]]] = [
        ("IDENTITY_MISSING", None, ()),
        ("TOKEN_EXPIRED", None, (expired,)),
        ("TOKEN_EXPIRED", None, (expired,)),
        ("AUTHORIZATION_SCHEME", None, ("Basic b3BzOm9wcw==",)),
        ("NOT_PERMITTED", identities.leaf(SCANNER), ()),
    ]
    before = pages.refused()
    for _, leaf, authorizations in refusals:
        pages.get("/metrics", leaf, *authorizations)
    added = {reason: count - before.get(reason, 0) for reason, count in pages.refused().items()}
    assert Counter(reason for reason, _, _ in refusals) == {reason: count for reason, count in added.items() if count}


def test_a_revoked_certificate_reads_no_page(pages: Pages, identities: Identities) -> None:
    leaf = identities.authority.issue(spiffe_id(OPS))
    assert pages.get("/metrics", leaf)[0] == 200
    identities.crl.write_bytes(identities.authority.crl(leaf))
    eventually(lambda: pages.get("/metrics", leaf)[0] == 401, within_s=30)
    identities.crl.write_bytes(identities.authority.crl())
    assert pages.get("/metrics", identities.leaf(OPS))[0] == 200


def test_plaintext_is_not_answered(pages: Pages) -> None:
    with pytest.raises(OSError):
        urlopen(f"http://{pages.page}/healthz", timeout=30)


def test_without_a_trust_list_a_region_is_not_known_yet_and_ops_are(
    deployment: Deployment, serve: Callable[..., Server], identities: Identities
) -> None:
    deployment.list_file.write_bytes(b"{}")
    page = f"127.0.0.1:{free_port()}"
    server = serve(deployment, *identities.flags("--metrics", page), await_ready=False)
    server.page = page
    status = eventually(lambda: _status(server, identities, OPS), within_s=60)
    assert status == 503
    assert _status(server, identities, SCANNER) == 503
    assert not [line for line in server.log() if "unexpected failure" in line["message"]]


def _status(server: Server, identities: Identities, path: str) -> int:
    server.page_headers = {"Authorization": f"Bearer {identities.token(path)}"}
    try:
        return server.page_status("/healthz")
    except OSError:  # it does not listen yet
        return REFUSED


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused_at_the_start(
    deployment: Deployment, identities: Identities, tmp_path: Path, mode: int
) -> None:
    key = tmp_path / "open.key"
    key.write_bytes(identities.key.read_bytes())
    key.chmod(mode)
    flags = [part if part != identities.key else key for part in identities.flags()]
    loopback = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1")
    ended = command("serve", "--data-dir", deployment.path, *loopback, *flags)
    assert ended.status == 2
    (line,) = (line for line in ended.err.splitlines() if not line.startswith("{"))  # the rest is the log
    assert f"{key} is open to more than its owner (mode 0{mode:o})" in line
    assert ended.out == ""
