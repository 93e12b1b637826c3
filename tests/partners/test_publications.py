"""Every program publishes, and says what became of each record, as the table says."""

import functools
import json
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from onecode_client import OperatorClient

from tests.integration.deployment import record
from tests.partners.cases import TABLE, Country
from tests.partners.programs import Ended, Program, built

pytestmark = pytest.mark.slow
Access = dict[str, tuple[object, ...]]
Store = Callable[[bytes], Path]
PUBLICATIONS = TABLE["publications"]
OWN = [case for case in PUBLICATIONS if case["record"].get("publisher", "420000") == "420000"]
"""Those that an operator of the region may send: others are NOT_PERMITTED for him, whatever else they are."""
_bearers = count(1)


def file_of(cases: list[dict[str, Any]]) -> bytes:
    """Return a file of the cases' records about a bearer of its own."""
    bearer = f"publication {next(_bearers)}"
    subject = {"local": {"region": "420000", "id": bearer}}
    records = [record("420000", "RED", bearer, effective_at="2026-01-01T00:00:00Z") | case["record"] for case in cases]
    return b"".join(json.dumps(one | {"subject": subject}).encode() + b"\n" for one in records)


def lines_of(cases: list[dict[str, Any]]) -> list[str]:
    """Return the lines that a program prints."""
    wants = [case["want"] for case in cases]
    counted = Counter(wants)
    taken, superseded, conflict = (counted.pop(name, 0) for name in ("taken", "SUPERSEDED", "REVISION_CONFLICT"))
    rejected = [f"{line}\tREJECTED\t{want}" for line, want in enumerate(wants, 1) if want != "taken"]
    total = f"taken {taken}, superseded {superseded}, conflict {conflict}, rejected {counted.total()}"
    return [*rejected, total]


@pytest.fixture(scope="module")
def published(country: Country, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ended]:
    """How the program of a language ends with a file of the cases, each about a bearer of its own."""

    def publish(language: str) -> Ended:
        file = tmp_path_factory.mktemp("records") / language
        file.write_bytes(file_of(PUBLICATIONS))
        return Program(language).run("publish", "--server", country.server.address, file)

    return functools.cache(publish)


def test_each_record_is_answered_as_the_table_says(program: Program, published: Callable[[str], Ended]) -> None:
    ended = published(program.language)
    assert (ended.status, ended.out.decode().splitlines(), ended.err) == (0, lines_of(PUBLICATIONS), "")


def test_all_programs_tell_alike_what_became_of_each_record(published: Callable[[str], Ended]) -> None:
    ended = {language: published(language) for language in built()}
    assert len(set(ended.values())) == 1, ended


def test_an_operator_publishes_by_each_way(program: Program, access: Access) -> None:
    ended = program.run("publish", *access["operator"], "-", stdin=file_of(OWN))
    assert (ended.status, ended.out.decode().splitlines(), ended.err) == (0, lines_of(OWN), "")


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"levels": "RED"}', b'{"level": "PURPLE"}', b"\xff"])
def test_a_mistake_in_a_file_publishes_nothing(program: Program, country: Country, stored: Store, line: bytes) -> None:
    good = file_of(PUBLICATIONS[:1])
    file = stored(good + line + b"\n")
    ended = program.run("publish", "--server", country.server.address, file)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, b"", 1)
    assert ended.err.startswith("onecode-partner: ")
    assert f"{file}, line 2: " in ended.err
    subject = json.loads(good)["subject"]["local"]
    with OperatorClient(country.server.address) as client:
        assert not list(client.get_status(region=subject["region"], local_id=subject["id"]))
