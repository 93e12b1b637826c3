"""Callers of calls: their identity first, then their right, then their region."""

from typing import Any

import pytest

from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2, trust_list_pb2
from onecode_server.errors import NotPermitted, Unauthenticated
from onecode_server.model.identity import ANONYMOUS, LOCAL, Identity, Role
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import NOTHING, RIGHTS, Caller, Callers, Credentials, nothing_shown
from onecode_server.rules.authorisation import Right


class Known:
    """An authenticator that knows one certificate, until it is revoked."""

    partners = {"airport": ("420000",)}  # noqa: RUF012 - it stands for the trust list's

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.is_revoked = False
        self.has_looked = False

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return the one identity."""
        if certificate != b"known" or self.is_revoked:
            raise Unauthenticated("NO_CREDENTIALS", "no certificate, and no token")
        self.has_looked = True
        return self.identity

    def recall(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity | None:
        """Return the one identity once it was asked for."""
        return self.identity if self.has_looked and certificate == b"known" and not self.is_revoked else None

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        """Return whether it was asked for."""
        return self.has_looked and certificate == b"known"


class Context:
    """A call, as far as callers are looked for in it."""

    def time_remaining(self) -> float:
        """Return three seconds."""
        return 3.0


CONTEXT: Any = Context()
SHOWN = b"known", None, False
SCANNER = Identity(Role.SCANNER, "420000")


def callers(known: Known, credentials: Credentials = SHOWN, *, answers_health: bool = False) -> Callers:
    return Callers(known, lambda _: credentials, answers_health=answers_health)


def found(of: Callers, right: Right) -> Caller:
    """Return the caller of a call that is no stranger's."""
    caller = of.find(CONTEXT, right)
    assert caller is not None
    return caller


def test_every_method_of_the_api_has_a_right() -> None:
    protos = (recognition_pb2, status_pb2, exceptions_pb2, trust_list_pb2)
    methods = {
        method.name
        for proto in protos
        for service in proto.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert methods == set(RIGHTS) - {"Check", "List", "Watch", "ServerReflectionInfo"}


def test_a_caller_has_the_identity_and_the_rights_of_what_it_has_shown() -> None:
    caller = callers(Known(SCANNER)).meet(CONTEXT, Right.CHECK)
    assert caller.identity == SCANNER
    assert caller.time_remaining() == 3.0
    caller.expect(Right.CHECK, "420000")
    assert caller.regions(Right.CHECK) == ("420000",)
    with pytest.raises(NotPermitted):
        caller.expect(Right.CHECK, "440000")


def test_a_caller_without_an_identity_or_the_right_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        callers(Known(SCANNER), NOTHING).meet(CONTEXT, Right.CHECK)
    with pytest.raises(NotPermitted, match="publish"):
        callers(Known(SCANNER)).meet(CONTEXT, Right.PUBLISH)


def test_a_stranger_is_one_whose_credential_was_not_looked_at_and_found_good_before() -> None:
    known = Known(SCANNER)
    knowing = callers(known)
    assert knowing.find(CONTEXT, Right.CHECK) is None
    assert callers(known, NOTHING).find(CONTEXT, Right.CHECK) is None
    knowing.meet(CONTEXT, Right.CHECK)
    assert found(knowing, Right.CHECK).identity == SCANNER
    known.is_revoked = True
    with pytest.raises(Unauthenticated):  # at once: it was somebody's
        knowing.find(CONTEXT, Right.CHECK)


def test_only_the_health_is_told_to_callers_without_an_identity_and_only_where_it_is_said() -> None:
    with pytest.raises(Unauthenticated):
        callers(Known(SCANNER), NOTHING).meet(CONTEXT, Right.READ_HEALTH)
    answering = callers(Known(SCANNER), NOTHING, answers_health=True)
    assert found(answering, Right.READ_HEALTH).identity == ANONYMOUS
    for right in set(Right) - {Right.READ_HEALTH}:
        with pytest.raises(Unauthenticated):
            answering.meet(CONTEXT, right)


def test_a_partner_has_the_hosts_of_the_trust_list() -> None:
    caller = callers(Known(Identity(Role.PARTNER, name="airport"))).meet(CONTEXT, Right.CHECK)
    assert caller.regions(Right.CHECK) == ("420000",)
    assert callers(Known(Identity(Role.PARTNER, name="new"))).meet(CONTEXT, Right.CHECK).regions(Right.CHECK) is None


def test_a_caller_whose_certificate_is_revoked_is_noticed_later() -> None:
    known = Known(SCANNER)
    caller = callers(known).meet(CONTEXT, Right.CHECK)
    caller.expect_still()
    known.is_revoked = True
    with pytest.raises(Unauthenticated):
        caller.expect_still()


def test_on_a_listener_of_this_machine_alone_nobody_has_to_show_anything() -> None:
    local = Callers(OnlyLocal(), nothing_shown)
    assert {found(local, right).identity for right in Right} == {LOCAL}


def test_who_was_told_the_health_without_an_identity_has_none_to_lose() -> None:
    answering = callers(Known(SCANNER), NOTHING, answers_health=True)
    found(answering, Right.READ_HEALTH).expect_still()
