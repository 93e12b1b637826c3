"""SPIFFE ids: six forms, and no text that is nearly one of them."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spiffe import SpiffeId

from onecode_server.errors import Unauthenticated
from onecode_server.identity import spiffe_id
from onecode_server.model.identity import Identity, Role

DOMAIN = "onecode.internal"
REGIONS = st.from_regex(r"\A[1-9][0-9]{5}\Z")
NAMES = st.text(string.ascii_lowercase + string.digits + "._-", min_size=1, max_size=64).filter(
    lambda name: name not in (".", "..")
)


@st.composite
def named(draw: st.DrawFn) -> tuple[str, Identity]:
    """Return a canonical id and the identity that it stands for."""
    region, name = draw(REGIONS), draw(NAMES)
    path, identity = draw(
        st.sampled_from(
            [
                (f"region/{region}/scanner", Identity(Role.SCANNER, region)),
                (f"region/{region}/operator", Identity(Role.REGIONAL_OPERATOR, region)),
                ("national/operator", Identity(Role.NATIONAL_OPERATOR)),
                (f"partner/{name}", Identity(Role.PARTNER, name=name)),
                ("ops", Identity(Role.OPS)),
                (f"gateway/{name}", Identity(Role.GATEWAY, name=name)),
            ]
        )
    )
    return f"spiffe://{DOMAIN}/{path}", identity


def refusal(text: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        spiffe_id.read(text, DOMAIN)
    assert len(text) < 8 or text not in str(caught.value)
    return caught.value.reason


@given(named())
def test_each_form_is_read_as_its_identity_which_is_written_the_same(case):
    text, identity = case
    assert spiffe_id.read(text, DOMAIN) == identity
    assert text == f"spiffe://{DOMAIN}/{identity}"


@given(named(), st.data())
def test_a_text_that_differs_by_one_character_is_never_another_spelling_of_an_identity(case, data):
    text, identity = case
    place = data.draw(st.integers(0, len(text)))
    character = data.draw(st.sampled_from([*string.printable, "\0", "é", "٤", "\u200b", "Ｏ", "\x7f"]))
    kind = data.draw(st.sampled_from(["put in", "replaced", "left out"]))
    changed = text[:place] + ("" if kind == "left out" else character) + text[place + (kind != "put in") :]
    try:
        found = spiffe_id.read(changed, DOMAIN)
    except Unauthenticated:
        return
    assert changed == f"spiffe://{DOMAIN}/{found}"  # one text for each identity
    assert (found == identity) == (changed == text)
    assert found.role is identity.role  # no role is a slip of the pen away from another


@given(st.one_of(named().map(lambda case: case[0]), st.text(max_size=100), st.from_regex(r"\Aspiffe://[a-z./%0-9-]*")))
@example("spiffe://onecode.internal/partner/a\n")
def test_what_is_read_the_spiffe_project_reads_as_the_same_id(text):
    try:
        spiffe_id.read(text, DOMAIN)
    except Unauthenticated:
        return
    theirs = SpiffeId(text)
    assert str(theirs) == text
    assert str(theirs.trust_domain) == DOMAIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "spiffe:/onecode.internal/ops",
        "SPIFFE://onecode.internal/ops",
        "spiffe://Onecode.internal/ops",
        "spiffe://onecode.internal",
        "spiffe://onecode.internal/",
        "spiffe://onecode.internal/ops/",
        "spiffe://onecode.internal//ops",
        "spiffe:///ops",
        "spiffe://onecode.internal:8443/ops",
        "spiffe://me@onecode.internal/ops",
        "spiffe://onecode.internal/ops?x=1",
        "spiffe://onecode.internal/ops#x",
        "spiffe://onecode.internal/%6fps",
        "spiffe://onecode.internal/ops\n",
        "spiffe://onecode.internal/./ops",
        "spiffe://onecode.internal/partner/..",
        "spiffe://onecode.internal/region/420000/../440000/scanner",
        "spiffe://onecode.internal/region/４２００００/scanner",
        "spiffe://" + "a" * 256 + "/ops",
        "spiffe://onecode.internal/" + "a" * 2048,
    ],
)
def test_what_is_no_canonical_spiffe_id_is_malformed(text):
    assert refusal(text) == "SPIFFE_ID_MALFORMED"


@pytest.mark.parametrize(
    "path",
    [
        "Ops",
        "region/420000",
        "region/42000/scanner",
        "region/4200000/scanner",
        "region/420000/scanner/x",
        "region/420000/Scanner",
        "region/420000/admin",
        "region/000000/operator",
        "region/000000/scanner",
        "national",
        "national/scanner",
        "partner",
        "partner/Railway",
        "partner/" + "a" * 65,
        "partner/a/b",
        "local",
        "anonymous",
    ],
)
def test_other_paths_are_nobodys(path):
    assert refusal(f"spiffe://{DOMAIN}/{path}") == "SPIFFE_ID_UNKNOWN"


@pytest.mark.parametrize("domain", ["onecode.external", "onecode", "internal", "a.onecode.internal", "onecode-int"])
def test_another_trust_domain_is_refused_even_where_it_looks_alike(domain):
    assert refusal(f"spiffe://{domain}/ops") == "SPIFFE_ID_TRUST_DOMAIN"


def test_names_of_trust_domains():
    assert spiffe_id.is_trust_domain("a-b_c.9")
    assert not any(map(spiffe_id.is_trust_domain, ["", "A", "a/b", "a:1", "é", "a\n", "a" * 256]))
