"""Every program translates as the table says."""

import json
import re
from typing import Any

import pytest

from tests.partners.cases import TABLE, Country, verdict_line, verdict_object
from tests.partners.programs import Program

pytestmark = pytest.mark.slow
Access = dict[str, tuple[object, ...]]


def outcome(key: str) -> list[Any]:
    """Return the cases that have an outcome, as parameters."""
    return [pytest.param(case, id=case["name"]) for case in TABLE["translations"] if key in case]


@pytest.mark.parametrize("case", outcome("translated"))
def test_a_translation_is_printed_alone_and_is_a_code(
    program: Program, country: Country, access: Access, case: dict[str, Any]
) -> None:
    asked = ("translate", *access["partner"], "--target", case["target"])
    ended = program.run(*asked, "-", stdin=country.code(case["code"]) + b"\n")
    assert (ended.status, ended.err, ended.out.count(b"\n")) == (0, "", 1)
    host = case["target"].replace("000000", "110000")
    checked = program.run("verify", *access["partner"], "--host", host, "-", stdin=ended.out)
    assert checked.out == verdict_line(1, case["translated"])


@pytest.mark.parametrize("case", outcome("verdict"))
def test_a_code_that_is_not_translated_has_its_verdict_printed(
    program: Program, country: Country, access: Access, case: dict[str, Any]
) -> None:
    code = country.code(case["code"]).decode()
    ended = program.run("translate", *access["partner"], "--target", case["target"], code)
    assert (ended.status, ended.out, ended.err) == (1, verdict_line(1, case["verdict"]), "")
    ended = program.run("translate", *access["partner"], "--target", case["target"], "--json", code)
    expected = {"code": "", "verdict": verdict_object(1, case["verdict"])}
    assert (ended.status, json.loads(ended.out), ended.err) == (1, expected, "")


@pytest.mark.parametrize("case", outcome("error"))
def test_a_translation_that_cannot_be_is_one_line(
    program: Program, country: Country, access: Access, case: dict[str, Any]
) -> None:
    asked = ("translate", *access["partner"], "--target", case["target"])
    ended = program.run(*asked, country.code(case["code"]).decode())
    code, reason = case["error"]
    assert (ended.status, ended.out) == (1, b"")
    assert re.fullmatch(rf"onecode-partner: {code}: [^\n]+ \({reason}\)\n", ended.err)
