"""``onecode-partner`` in each language, run as a partner runs it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
CLIENTS: Final = ROOT / "clients"
COMPILED: Final = ("go", "java", "typescript")
LANGUAGES: Final = (*COMPILED, "python")
RUN_S: Final = 100
"""Only a hung program takes as long: a JVM on a busy machine starts in some seconds."""


class Ended(NamedTuple):
    """How a program ended, and what it printed."""

    status: int
    out: bytes
    err: str


class Asked:
    """Answers of a server in plaintext. Each program is asked once, though several tests look at its answer."""

    def __init__(self, server: str) -> None:
        # A program's own default is 10 s, which a JVM on a busy machine may need for its first call.
        self._shown = ("--server", server, "--timeout", 60)
        self._answers: dict[tuple[object, ...], Ended] = {}

    def of(self, program: "Program", command: str, *arguments: object, stdin: bytes = b"") -> Ended:
        """Return how a program ends with a command."""
        asked = (program.language, command, arguments, stdin)
        if asked not in self._answers:
            self._answers[asked] = program.run(command, *self._shown, *arguments, stdin=stdin)
        return self._answers[asked]

    def of_all(self, command: str, *arguments: object, stdin: bytes = b"") -> dict[str, Ended]:
        """Return how each program that is built ends with a command, by its language."""
        return {language: self.of(Program(language), command, *arguments, stdin=stdin) for language in built()}


class Program:
    """The program of one language. ``command`` is None where it is not built."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.command: list[str] | None = None
        if language == "python":
            if (CLIENTS / "python" / "onecode_client" / "__main__.py").exists():
                self.command = [sys.executable, "-m", "onecode_client"]
        elif _is_built(language):
            self.command = [str(CLIENTS / language / "bin" / "onecode-partner")]

    def start(self, *arguments: object, **environment: str) -> "subprocess.Popen[bytes]":
        """Start it, with its input and output as pipes."""
        assert self.command is not None
        pipe = subprocess.PIPE
        given = _without_settings() | environment
        return subprocess.Popen([*self.command, *map(str, arguments)], stdin=pipe, stdout=pipe, stderr=pipe, env=given)

    def run(self, *arguments: object, stdin: bytes = b"", **environment: str) -> Ended:
        """Run it to its end."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(stdin, timeout=RUN_S)
            return Ended(process.returncode, out, err.decode())
        finally:
            process.kill()
            process.wait()


def built() -> list[str]:
    """Return the languages whose programs are built."""
    return [language for language in LANGUAGES if Program(language).command is not None]


def _is_built(language: str) -> bool:
    """A script that starts what a build has made is there before that is."""
    made = {"go": "bin/onecode-partner", "java": "target/*.jar", "typescript": "build/**/*.js"}[language]
    return any((CLIENTS / language).glob(made)) and (CLIENTS / language / "bin" / "onecode-partner").exists()


def _without_settings() -> dict[str, str]:
    """The program's own variables stand in for options: a developer's must not."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ONECODE_")}
