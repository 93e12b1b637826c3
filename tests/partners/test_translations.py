"""Every program translates as the table says, and as the other programs do."""

import functools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.partners.cases import TABLE, Country, verdict_columns, verdict_line, verdict_object
from tests.partners.programs import Asked, Ended, Program

pytestmark = pytest.mark.slow
Access = dict[str, tuple[object, ...]]
CASES = {case["name"]: case for case in TABLE["translations"]}


def having(outcome: str) -> list[str]:
    """Return the names of the cases that have an outcome."""
    return [name for name, case in CASES.items() if outcome in case]


@pytest.fixture(scope="module")
def code(country: Country) -> Callable[[str], bytes]:
    """The code of each case, the same one for all programs."""
    return functools.cache(lambda name: country.code(CASES[name]["code"]))


def expect_code(country: Country, ended: Ended, case: dict[str, Any]) -> None:
    """Fail unless a program printed nothing but a code, which has the case's verdict at the target."""
    assert (ended.status, ended.err, ended.out.count(b"\n")) == (0, "", 1)
    host = case["target"].replace("000000", "110000")
    verdict = country.server.verify(ended.out.removesuffix(b"\n"), host).verdict
    assert verdict_columns(verdict) == case["translated"]


@pytest.mark.parametrize("name", having("translated"))
def test_a_translation_is_printed_alone_and_is_a_code(
    program: Program, country: Country, asked: Asked, code: Callable[[str], bytes], name: str
) -> None:
    ended = asked.of(program, "translate", "--target", CASES[name]["target"], "-", stdin=code(name) + b"\n")
    expect_code(country, ended, CASES[name])


def test_a_translation_is_made_by_each_way(
    program: Program, country: Country, access: Access, code: Callable[[str], bytes]
) -> None:
    case = CASES["a JWT into PASETO"]
    asked = ("translate", *access["partner"], "--target", case["target"], "-")
    expect_code(country, program.run(*asked, stdin=code(case["name"])), case)


@pytest.mark.parametrize("name", having("verdict"))
def test_a_code_that_is_not_translated_has_its_verdict_printed(
    program: Program, asked: Asked, code: Callable[[str], bytes], name: str
) -> None:
    target, verdict = ("--target", CASES[name]["target"]), CASES[name]["verdict"]
    ended = asked.of(program, "translate", *target, code(name).decode())
    assert ended == Ended(1, verdict_line(1, verdict), "")
    ended = asked.of(program, "translate", *target, "--json", code(name).decode())
    expected = {"code": "", "verdict": verdict_object(1, verdict)}
    assert (ended.status, json.loads(ended.out), ended.err) == (1, expected, "")


@pytest.mark.parametrize("name", having("error"))
def test_a_translation_that_cannot_be_is_one_line(
    program: Program, asked: Asked, code: Callable[[str], bytes], name: str
) -> None:
    ended = asked.of(program, "translate", "--target", CASES[name]["target"], code(name).decode())
    status, reason = CASES[name]["error"]
    assert (ended.status, ended.out) == (1, b"")
    assert re.fullmatch(rf"onecode-partner: {status}: [^\n]+ \({reason}\)\n", ended.err)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *((name, ()) for name in having("error")),
        *((name, form) for name in having("verdict") for form in ((), ("--json",))),
    ],
)
def test_all_programs_say_alike_why_they_have_no_translation(
    asked: Asked, code: Callable[[str], bytes], name: str, form: tuple[str, ...]
) -> None:
    ended = asked.of_all("translate", "--target", CASES[name]["target"], *form, code(name).decode())
    assert len(set(ended.values())) == 1, ended
