"""Reads the Dockerfile: its instructions, and what the last stage sets for the server."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"


class Instruction(NamedTuple):
    """A keyword and the text behind it, on one line."""

    keyword: str
    text: str

    def program(self) -> list[str]:
        """Return an exec form, such as that of ``CMD``."""
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage, from its ``FROM`` on."""
    found: list[list[Instruction]] = []
    for instruction in _instructions():
        if instruction.keyword == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def environment() -> dict[str, str]:
    """Return what the image sets, without the path of its programs."""
    texts = [text for keyword, text in stages()[-1] if keyword == "ENV"]
    set_ = dict(word.split("=", 1) for text in texts for word in shlex.split(text))
    del set_["PATH"]
    return set_


def _instructions() -> Iterator[Instruction]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            keyword, _, rest = line.partition(" ")
            yield Instruction(keyword, rest.strip())
