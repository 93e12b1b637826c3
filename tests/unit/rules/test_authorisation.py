"""The table of rights: every cell, and what is said of a right that is missing."""

import pytest

from onecode_server.errors import NotPermitted
from onecode_server.model.identity import ANONYMOUS, LOCAL, Identity, Role
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right

OWN, OTHER, NATIONAL = "420000", "440000", "000000"
IDENTITIES = {
    "scanner": Identity(Role.SCANNER, OWN),
    "operator": Identity(Role.REGIONAL_OPERATOR, OWN),
    "national": Identity(Role.NATIONAL_OPERATOR),
    "partner": Identity(Role.PARTNER, name="railway"),
    "listed": Identity(Role.PARTNER, name="airport"),
    "ops": Identity(Role.OPS),
    "gateway": Identity(Role.GATEWAY, name="gate-7"),
    "local": LOCAL,
    "anonymous": ANONYMOUS,
}
PARTNERS = {"airport": {OWN}, "closed": set[str]()}
# Who has a right: for the own region, for another region, for the national authority.
EXPECTED = {
    Right.CHECK: ("scanner partner listed local anonymous", "partner local anonymous", "partner local anonymous"),
    Right.TRANSLATE: ("scanner partner listed local anonymous", "partner local anonymous", "partner local anonymous"),
    Right.PUBLISH: ("operator local", "local", "national local"),
    Right.READ_STATUS: ("operator national local", "national local", "national local"),
    Right.REPORT: ("operator local", "local", "local"),
    Right.ACKNOWLEDGE: ("national local", "national local", "national local"),
    Right.WITHDRAW: ("operator national local", "national local", "national local"),
    Right.READ_REPORTS: ("operator national ops local", "national ops local", "national ops local"),
    Right.READ_METRICS: ("ops local",) * 3,
    Right.READ_HEALTH: ("scanner operator national partner listed ops gateway local anonymous",) * 3,
    Right.READ_TRUST_LIST: ("scanner operator national partner listed ops local anonymous",) * 3,
    Right.REFLECT: ("scanner operator national partner listed ops local anonymous",) * 3,
}


def permits(identity: Identity, right: Right, region: str) -> bool:
    try:
        authorisation.expect_for(identity, right, region, partners=PARTNERS)
    except NotPermitted:
        return False
    return True


@pytest.mark.parametrize("place", range(3), ids=["own", "other", "national"])
@pytest.mark.parametrize("right", Right, ids=lambda right: right.name)
@pytest.mark.parametrize("name", IDENTITIES)
def test_every_cell(name: str, right: Right, place: int) -> None:
    region = (OWN, OTHER, NATIONAL)[place]
    assert permits(IDENTITIES[name], right, region) == (name in EXPECTED[right][place].split())


def test_every_role_has_a_row() -> None:
    assert set(authorisation.TABLE) == set(Role)


def test_a_partner_whose_list_is_empty_has_no_host() -> None:
    assert not permits(Identity(Role.PARTNER, name="closed"), Right.CHECK, OWN)


def test_a_right_for_one_of_several_regions_is_enough() -> None:
    authorisation.expect_for(IDENTITIES["operator"], Right.READ_REPORTS, OTHER, OWN, partners=PARTNERS)


def test_a_refusal_names_the_caller_and_the_right() -> None:
    with pytest.raises(NotPermitted, match=r"^region/420000/scanner may not publish status records$"):
        authorisation.expect_for(IDENTITIES["scanner"], Right.PUBLISH, OWN, partners=PARTNERS)
    with pytest.raises(NotPermitted, match=r"^region/420000/operator may publish status records for 420000 only$"):
        authorisation.expect_for(IDENTITIES["operator"], Right.PUBLISH, OTHER, partners=PARTNERS)
    carried = Identity(Role.PARTNER, name="closed", gateway="gate-7")
    with pytest.raises(NotPermitted, match=r"^partner/closed via gateway/gate-7 may check codes for no region$"):
        authorisation.expect_for(carried, Right.CHECK, OWN, partners=PARTNERS)


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (IDENTITIES["scanner"], "region/420000/scanner"),
        (IDENTITIES["operator"], "region/420000/operator"),
        (IDENTITIES["national"], "national/operator"),
        (IDENTITIES["partner"], "partner/railway"),
        (IDENTITIES["ops"], "ops"),
        (IDENTITIES["gateway"], "gateway/gate-7"),
        (LOCAL, "local"),
        (Identity(Role.OPS, gateway="gate-7"), "ops via gateway/gate-7"),
    ],
)
def test_an_identity_is_written_as_the_path_of_its_spiffe_id(identity: Identity, text: str) -> None:
    assert str(identity) == text
