"""Every program answers every case as the table says, by each way to a server; so all answer alike."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.partners.cases import HOSTS, VERDICTS, Country, verdict_object
from tests.partners.programs import Program

pytestmark = pytest.mark.slow
Access = dict[str, tuple[object, ...]]
Store = Callable[[bytes], Path]


@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_each_case_is_answered_as_the_table_says(
    program: Program, country: Country, access: Access, stored: Store, ask: str
) -> None:
    for host in HOSTS:
        codes, lines = country.at(host)
        ended = program.run(ask, *access["partner"], "--host", host, stored(codes))
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.splitlines(keepends=True) == lines


@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_standard_input_is_a_file_and_json_has_the_names_of_the_protos(
    program: Program, country: Country, ask: str
) -> None:
    for host in HOSTS:
        codes, _ = country.at(host)
        wanted = [case["want"] for case in VERDICTS if case["host"] == host]
        plain = ("--server", country.server.address)
        ended = program.run(ask, *plain, "--host", host, "--json", "-", stdin=codes.removesuffix(b"\n"))
        assert (ended.status, ended.err) == (0, "")
        objects = [verdict_object(number, want) for number, want in enumerate(wanted, 1)]
        # The bytes too, so that a partner who changes programs changes nothing else.
        assert ended.out.decode().splitlines() == [json.dumps(one, separators=(",", ":")) for one in objects]


@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_ten_thousand_bad_codes_are_ten_thousand_answers(program: Program, country: Country, ask: str) -> None:
    plain = ("--server", country.server.address)
    ended = program.run(ask, *plain, "--host", "440000", "-", stdin=b"no code\r\n" * 10_000)
    assert (ended.status, ended.err) == (0, "")
    rest = b"REFUSE\tUNSPECIFIED\tFORMAT_UNKNOWN\t-\tUNSPECIFIED"
    assert ended.out.splitlines() == [b"%d\t%b" % (number, rest) for number in range(1, 10_001)]


@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_codes_of_more_bytes_than_a_batch_are_cut_into_several(program: Program, country: Country, ask: str) -> None:
    plain = ("--server", country.server.address)
    ended = program.run(ask, *plain, "--host", "440000", "-", stdin=(b"x" * 5000 + b"\n") * 2000)
    assert (ended.status, ended.err) == (0, "")
    rest = b"REFUSE\tUNSPECIFIED\tCODE_TOO_LARGE\t-\tUNSPECIFIED"
    assert ended.out.splitlines() == [b"%d\t%b" % (number, rest) for number in range(1, 2001)]
