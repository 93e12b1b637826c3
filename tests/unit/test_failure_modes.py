"""docs/failure-modes.md names tests that are there, one for each row."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "failure-modes.md"
_TEST = re.compile(r'\[test\]\((\S+) "(test_\w+)"\)')


def test_each_row_names_a_test_of_the_suite() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "what fails" not in line]
    assert len(rows) > 20
    for row in rows:
        found = _TEST.findall(row)
        assert found, f"no test: {row}"
        for path, name in found:
            assert re.search(rf"^(async )?def {name}\(", (PAGE.parent / path).read_text("utf-8"), re.MULTILINE), name
