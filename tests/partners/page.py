"""docs/partners.md, as tests read it: the blocks under a heading, the files that it tells to write, its tables."""

import re
from typing import Final

from tests.partners.programs import ROOT

PAGE: Final = (ROOT / "docs" / "partners.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or a higher one."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", PAGE, re.MULTILINE)
    assert found is not None, heading
    rest = PAGE[found.end() :]
    end = re.search(
        rf"^#{{1,{len(found[1])}}} ", re.sub(r"^```.*?^```$", _blank, rest, flags=re.M | re.S), re.MULTILINE
    )
    return rest[: end.start()] if end else rest


def blocks(heading: str, kind: str = "sh") -> list[str]:
    """Return the blocks of a kind under a heading."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", section(heading), re.DOTALL | re.MULTILINE)


def files(heading: str) -> dict[str, str]:
    """Return the files under a heading: each is a block behind its name and a colon."""
    return dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", section(heading), re.DOTALL | re.MULTILINE))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the rows under a heading, those of its tables' heads and rules left out."""
    tables = re.findall(r"^\|.*\n\|---.*\n((?:\|.*\n)+)", section(heading), re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


def _blank(block: "re.Match[str]") -> str:
    return " " * len(block[0])
