"""Partners are limited, and cut off, by one command on the trust list while the server runs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.integration.deployment import TAKEN_S, Deployment, Server, eventually, expect
from tests.integration.identities import PARTNER, Identities, code_of

HOSTS = ("110000", "420000")


def test_a_partner_has_all_hosts_then_some_then_none_and_then_all_again(
    deployment: Deployment, serve: Callable[..., Server], tmp_path: Path
) -> None:
    identities = Identities(tmp_path / "identities")
    server = serve(deployment, *identities.flags())
    stub = pb_grpc.RecognitionServiceStub(identities.of(server, PARTNER))

    def verify(host: str) -> pb.VerifyResponse:
        return stub.Verify(pb.VerifyRequest(code=b"x", host_region=host), timeout=30)

    def hosts() -> list[str]:
        """Return the hosts for which the partner may check."""
        codes = {host: code_of(partial(verify, host))[0] for host in HOSTS}
        assert set(codes.values()) <= {grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED}
        return [host for host, code in codes.items() if code is grpc.StatusCode.OK]

    def await_hosts(expected: list[str]) -> None:
        eventually(lambda: hosts() == expected, 4 * TAKEN_S)

    assert hosts() == [*HOSTS]
    for flags, expected, shown in (
        (("--host", "420000"), ["420000"], "partner railway: 420000"),
        (("--no-hosts",), [], "partner railway: no host"),
        (("--all-hosts",), [*HOSTS], None),
    ):
        expect(deployment.trust("set-partner", "--name", "railway", *flags))
        await_hosts(expected)
        listed = expect(deployment.trust("show"))
        assert shown in listed if shown else "railway" not in listed


@pytest.mark.parametrize("flags", [(), ("--no-hosts", "--all-hosts"), ("--host", "420000", "--no-hosts")])
def test_the_hosts_of_a_partner_are_said_in_one_way(made: Deployment, flags: tuple[str, ...]) -> None:
    ended = made.trust("set-partner", "--name", "railway", *flags)
    assert ended.status == 2
    assert "give --host, once or several times, --no-hosts or --all-hosts" in ended.err


def test_other_edits_leave_a_partner_as_it_is(deployment: Deployment) -> None:
    expect(deployment.trust("set-partner", "--name", "railway", "--no-hosts"))
    for edit in (("sign",), ("set-partner", "--name", "airport", "--host", "110000")):
        expect(deployment.trust(*edit))
        assert "partner railway: no host" in expect(deployment.trust("show"))
    assert "partner airport: 110000" in expect(deployment.trust("show"))


def test_a_draft_may_be_about_a_partner_alone(deployment: Deployment, tmp_path: Path) -> None:
    key = (deployment.path / "root.key").rename(tmp_path / "root.key")
    assert "draft of version 2" in expect(deployment.trust("set-partner", "--name", "railway", "--no-hosts"))
    assert "railway" not in expect(deployment.trust("show"))
    expect(deployment.trust("sign", "--root-key", key))
    assert "partner railway: no host" in expect(deployment.trust("show"))
