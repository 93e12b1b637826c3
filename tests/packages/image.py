"""``make image-steps``: the steps of the Dockerfile, in an empty directory in place of an image's root.

An engine would do the same and more: here the base image is this machine, users are not made, and nothing is isolated.
What is copied is what ``.dockerignore`` lets through.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.dockerfile import Instruction, environment, stages

ROOT: Final = Path(__file__).parents[2]
_OF_THE_MACHINE: Final = ("useradd",)
"""What a step that needs the base image's own users runs."""
_BUILD_S: Final = 1800
"""The native front takes two minutes to be built, and ten times as long on a machine that is busy with other things."""


class Root:
    """A directory that stands in for the root of the image."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.here = path
        programs = path / "usr" / "bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        self._path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def do(self, step: Instruction) -> None:
        """Carry out a step. Raises CalledProcessError, and ValueError for a file that the context does not have."""
        match step.keyword:
            case "WORKDIR":
                self.here = self._placed(step.text)
                self.here.mkdir(parents=True, exist_ok=True)
            case "COPY" if step.text.startswith("--from="):
                _, source, target = step.text.split()
                self._copy_between_stages(self._placed(source), self._placed(target))
            case "COPY":
                self._copy(step.text.split())
            case "RUN" if step.text.startswith("["):
                self.run([str(self._placed(word)) if word.startswith("/") else word for word in step.program()])
            case "RUN" if not step.text.startswith(_OF_THE_MACHINE):
                self.run(["/bin/sh", "-c", step.text.replace("/opt/", f"{self.path}/opt/")])
            case _:
                print(f"left out: {step.keyword} {step.text}")
                return
        print(f"done: {step.keyword} {step.text}", flush=True)

    def run(self, command: list[str], **variables: str) -> None:
        """Run a command as the image would. Raises CalledProcessError."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ONECODE"))}
        given = clean | {"PATH": self._path} | variables
        subprocess.run(command, cwd=self.here, env=given, check=True, timeout=_BUILD_S)

    def _placed(self, path: str) -> Path:
        return self.path / path.removeprefix("/")

    @staticmethod
    def _copy_between_stages(source: Path, target: Path) -> None:
        # All stages have one root here: a directory that keeps its place is there already.
        if source != target:
            shutil.copy(source, target)

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        for source in sources:
            if source not in _context():
                raise ValueError(f".dockerignore keeps {source} from the image")
            is_directory = (ROOT / source).is_dir()
            # A directory's content is copied, a file into a directory by its name.
            into = self.here / target / ("" if is_directory or not target.endswith("/") else Path(source).name)
            into.parent.mkdir(parents=True, exist_ok=True)
            if is_directory:
                ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so", "target", "Cargo.lock")
                shutil.copytree(ROOT / source, into, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, into)


def _context() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def main() -> int:
    """Carry out the steps, and see that the image would have a command, and a server that demands certificates."""
    if shutil.which("cargo") is None:
        print("Cargo is not installed: the steps of the image are left out")
        return 0
    with tempfile.TemporaryDirectory(prefix="onecode-image-") as directory:
        root = Root(Path(directory))
        for step in (step for stage in stages() for step in stage):
            root.do(step)
        onecode = str(root.path / "opt" / "onecode" / "bin" / "onecode")
        data = str(root.path / "data")
        root.run([onecode, "init", "--demo", "--data-dir", data])
        given = environment() | {"ONECODE_DATA_DIR": data}
        try:
            root.run([onecode, "serve"], **given)
        except subprocess.CalledProcessError as refused:
            print(f"without certificates it ends with status {refused.returncode}")
            return 0 if refused.returncode == 2 else 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
