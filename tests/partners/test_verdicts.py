"""Every program answers every case as the table says, and as the other programs do."""

import json
from pathlib import Path

import pytest

from tests.partners.cases import HOSTS, VERDICTS, Country, verdict_object
from tests.partners.programs import Asked, Ended, Program

pytestmark = pytest.mark.slow
Access = dict[str, tuple[object, ...]]
ASKS = pytest.mark.parametrize("ask", ["verify", "scan"])


@ASKS
def test_each_case_is_answered_as_the_table_says(program: Program, country: Country, asked: Asked, ask: str) -> None:
    for host in HOSTS:
        codes, lines = country.at(host)
        assert asked.of(program, ask, "--host", host, "-", stdin=codes) == Ended(0, b"".join(lines), "")


@ASKS
def test_json_has_the_names_of_the_protos(program: Program, country: Country, asked: Asked, ask: str) -> None:
    for host in HOSTS:
        codes, _ = country.at(host)
        wanted = [case["want"] for case in VERDICTS if case["host"] == host]
        ended = asked.of(program, ask, "--host", host, "--json", "-", stdin=codes.removesuffix(b"\n"))
        assert (ended.status, ended.err) == (0, "")
        objects = [verdict_object(number, want) for number, want in enumerate(wanted, 1)]
        # The bytes too, so that a partner who changes programs changes nothing else.
        assert ended.out.decode().splitlines() == [json.dumps(one, separators=(",", ":")) for one in objects]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["lines", "json"])
@ASKS
def test_all_programs_answer_each_case_alike(country: Country, asked: Asked, ask: str, form: tuple[str, ...]) -> None:
    for host in HOSTS:
        codes = country.at(host)[0].removesuffix(b"\n" if form else b"")
        ended = asked.of_all(ask, "--host", host, *form, "-", stdin=codes)
        assert len(set(ended.values())) == 1, ended


@ASKS
def test_a_file_is_answered_by_each_way(
    program: Program, country: Country, access: Access, tmp_path: Path, ask: str
) -> None:
    codes, lines = country.at("420000")
    file = tmp_path / "codes"
    file.write_bytes(codes)
    ended = program.run(ask, *access["partner"], "--host", "420000", file)
    assert ended == Ended(0, b"".join(lines), "")


@ASKS
def test_ten_thousand_bad_codes_are_ten_thousand_answers(program: Program, asked: Asked, ask: str) -> None:
    ended = asked.of(program, ask, "--host", "440000", "-", stdin=b"no code\r\n" * 10_000)
    assert (ended.status, ended.err) == (0, "")
    rest = b"REFUSE\tUNSPECIFIED\tFORMAT_UNKNOWN\t-\tUNSPECIFIED"
    assert ended.out.splitlines() == [b"%d\t%b" % (number, rest) for number in range(1, 10_001)]


@ASKS
def test_codes_of_more_bytes_than_a_batch_are_cut_into_several(program: Program, asked: Asked, ask: str) -> None:
    ended = asked.of(program, ask, "--host", "440000", "-", stdin=(b"x" * 5000 + b"\n") * 2000)
    assert (ended.status, ended.err) == (0, "")
    rest = b"REFUSE\tUNSPECIFIED\tCODE_TOO_LARGE\t-\tUNSPECIFIED"
    assert ended.out.splitlines() == [b"%d\t%b" % (number, rest) for number in range(1, 2001)]
