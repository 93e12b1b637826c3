"""Refusals of callers: what they must say and how they are counted, and names that are no identity."""

from typing import Any, Final

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc
from onecode_server.identity.refusals import Refusal

from tests.certificates import spiffe_id
from tests.integration.deployment import Server, eventually
from tests.integration.identities import OK, SCANNER, Refused

HANDSHAKE: Final = "HANDSHAKE"
GRANTED: Final = "OK"

# URIs that are no identity, whichever front sees them, in a certificate or as the subject of a token.
URIS: Final = {
    "another trust domain": (f"spiffe://elsewhere.internal/{SCANNER}", "SPIFFE_ID_TRUST_DOMAIN"),
    "a trust domain below this one": (f"spiffe://a.onecode.internal/{SCANNER}", "SPIFFE_ID_TRUST_DOMAIN"),
    "a trust domain in capitals": (f"spiffe://Onecode.internal/{SCANNER}", "SPIFFE_ID_MALFORMED"),
    "a scheme in capitals": (f"SPIFFE://onecode.internal/{SCANNER}", "SPIFFE_ID_MALFORMED"),
    "another scheme": (f"https://onecode.internal/{SCANNER}", "SPIFFE_ID_MALFORMED"),
    "a port": (f"spiffe://onecode.internal:443/{SCANNER}", "SPIFFE_ID_MALFORMED"),
    "a user": (f"spiffe://ops@onecode.internal/{SCANNER}", "SPIFFE_ID_MALFORMED"),
    "a percent-encoding": (spiffe_id("region/42%30000/scanner"), "SPIFFE_ID_MALFORMED"),
    "an encoded slash": (spiffe_id("region%2F420000/scanner"), "SPIFFE_ID_MALFORMED"),
    "a query": (spiffe_id(f"{SCANNER}?role=ops"), "SPIFFE_ID_MALFORMED"),
    "a fragment": (spiffe_id(f"{SCANNER}#ops"), "SPIFFE_ID_MALFORMED"),
    "a slash at the end": (spiffe_id(f"{SCANNER}/"), "SPIFFE_ID_MALFORMED"),
    "two slashes": (spiffe_id("region//420000/scanner"), "SPIFFE_ID_MALFORMED"),
    "a step up": (spiffe_id("region/420000/../ops"), "SPIFFE_ID_MALFORMED"),
    "a role in capitals": (spiffe_id("region/420000/SCANNER"), "SPIFFE_ID_UNKNOWN"),
    "a role that nobody has": (spiffe_id("region/420000/root"), "SPIFFE_ID_UNKNOWN"),
    "a role and more": (spiffe_id(f"{SCANNER}/more"), "SPIFFE_ID_UNKNOWN"),
    "the national authority as a region": (spiffe_id("region/000000/operator"), "SPIFFE_ID_UNKNOWN"),
    "a region of five digits": (spiffe_id("region/42000/scanner"), "SPIFFE_ID_UNKNOWN"),
    "no path": ("spiffe://onecode.internal", "SPIFFE_ID_MALFORMED"),
    "a region that the trust list lacks": (spiffe_id("region/990000/scanner"), "REGION_UNKNOWN"),
}


def verify(channel: grpc.Channel, code: bytes, host: str = "420000", **how: Any) -> pb.VerifyResponse:
    """Return the answer to one check."""
    request = pb.VerifyRequest(code=code, host_region=host)
    return recognition_pb2_grpc.RecognitionServiceStub(channel).Verify(request, timeout=30, **how)


class Counted:
    """What a server has counted of refusals, by their kinds."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = self._now()

    def expect(self, reason: str) -> None:
        """Fail unless one of this kind was counted at least, and none of another kind."""
        grown = eventually(self._grown, within_s=10)
        assert set(grown) == {reason}, grown

    def expect_calls(self, reason: str, count: int) -> None:
        """Fail unless so many calls of one kind were counted, and none of another kind."""
        eventually(lambda: sum(self._grown().values()) >= count, within_s=10)
        assert self._grown() == {reason: count}

    def _grown(self) -> dict[str, float]:
        now = self._now()
        return {name: count for name, count in now.items() if count > self._before.get(name, 0)}

    def _now(self) -> dict[str, float]:
        return {
            reason: count for (reason,), count in self._server.samples("onecode_unauthenticated_calls_total").items()
        }


def expect_refused(how: Refused, reason: str) -> None:
    """Fail unless a call was refused for ``reason``, in the one line of text that belongs to it."""
    if reason == GRANTED:
        assert how == OK
    elif reason == HANDSHAKE:
        assert how.status == "UNAVAILABLE"
    else:
        assert how[:2] == ("UNAUTHENTICATED", reason)
        # The text of a reason is always the same, so that it quotes nothing.
        assert how.text == Refusal[reason].value
        assert "\n" not in how.text
