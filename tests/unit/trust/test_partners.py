"""Partners of the trust list: a limit that cannot be read is no leave."""

import pytest

from onecode_server.errors import NotPermitted, TrustListRefused
from onecode_server.model.identity import Identity, Role
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right

from tests.unit.codes.samples import parse


def hosts(name: str, entries: object) -> set[str]:
    """Return the hosts for which a partner may check codes under a list with these partners."""
    taken = parse(partners=entries)

    def may_check(host: str) -> bool:
        try:
            authorisation.expect_for(Identity(Role.PARTNER, name=name), Right.CHECK, host, partners=taken.partners)
        except NotPermitted:
            return False
        return True

    return {host for host in ("420000", "440000") if may_check(host)}


def test_a_partner_has_the_hosts_of_its_entry_and_without_one_all() -> None:
    entries = [{"name": "airport", "hosts": ["420000"]}, {"name": "closed", "hosts": []}]
    assert hosts("airport", entries) == {"420000"}
    assert hosts("closed", entries) == set()
    assert hosts("railway", entries) == {"420000", "440000"}
    assert parse().partners == {}


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "airport"},
        {"name": "airport", "hosts": "420000"},
        {"name": "airport", "hosts": ["420000", 440000]},
        {"name": "airport", "hosts": ["42"]},
        {"name": "airport", "hosts": None},
        {"name": "airport", "host": ["420000"]},
        {"name": "airport", "hosts": ["420000"], "until": "2030"},
    ],
)
def test_a_partner_whose_entry_is_faulty_has_no_host_and_is_named(entry: dict[str, object]) -> None:
    assert hosts("airport", [entry]) == set()
    assert hosts("railway", [entry]) == {"420000", "440000"}
    assert [where for where, _ in parse(partners=[entry]).skipped] == ["partner airport"]


def test_a_partner_that_is_in_the_list_twice_has_no_host() -> None:
    entry = {"name": "airport", "hosts": ["420000"]}
    assert hosts("airport", [entry, entry]) == set()


@pytest.mark.parametrize("entries", [{}, "airport", None, 1, [{"hosts": []}], ["airport"], [{"name": "Air Port"}]])
def test_a_list_whose_partners_cannot_be_told_is_refused(entries: object) -> None:
    with pytest.raises(TrustListRefused, match="partners"):
        parse(partners=entries)
