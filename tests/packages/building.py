"""Source distributions of both projects, and wheels from those: with a compiler, and without."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = Path("clients/python")
_READ_BY_A_BUILD: Final = (
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "pyproject.toml",
    "setup.py",
    "front",
    "server",
    str(CLIENT),
)
_LEFT_BEHIND: Final = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info", "build", "target", "Cargo.lock")
_BUILD_SDIST: Final = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"

KERNELS: Final = (
    "onecode_server/crypto/_kernel",
    "onecode_server/codes/encodings/_columns",
    "onecode_server/codes/encodings/_rows",
)
"""What a compiler adds to the server's wheel, without the end of the name, which is the platform's."""
FRONT: Final = "onecode_server/rpc/_front"
"""What Cargo adds to it, where there is one that can reach its registry."""
SERVER_FILES: Final = {
    "onecode/py.typed",
    "onecode/v1/recognition_pb2.pyi",
    "onecode/v1/recognition_pb2_grpc.py",
    "onecode_client/py.typed",
    "onecode_server/cli/main.py",
    "onecode_server/crypto/_kernel.pyi",
    "onecode_server/codes/encodings/_columns.pyi",
    "onecode_server/codes/encodings/_rows.pyi",
    "onecode_server/rpc/_front.pyi",
    "onecode_server/py.typed",
}
CLIENT_FILES: Final = {file for file in SERVER_FILES if not file.startswith("onecode_server/")}


def sdists(out: Path, scratch: Path) -> tuple[Path, Path]:
    """Build the source distributions of server and client from a copy of the tree, and return them."""
    copy = scratch / "tree"
    for name in _READ_BY_A_BUILD:
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, ignore=_LEFT_BEHIND) if source.is_dir() else shutil.copy(source, target)
    made = []
    for project, name in ((copy, "server"), (copy / CLIENT, "client")):
        _run([sys.executable, "-c", _BUILD_SDIST, str(out / name)], project)
        made.append(_only(out / name, "*.tar.gz"))
    return made[0], made[1]


def wheel(sdist: Path, out: Path, *, compiles: bool = True) -> Path:
    """Build the wheel of a source distribution with what is installed here, and return it."""
    asked = ("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(sdist))
    compiler = {} if compiles else {"CC": "false", "ONECODE_BUILD_FRONT": "false"}
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *asked], out.parent, **compiler)
    return _only(out, "*.whl")


def faults_of_sdist(sdist: Path, project: Path) -> list[str]:
    """Return what a source distribution lacks: the license, Python, C and the files that mark a package as typed."""
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True).stdout
    ends = (".py", ".pyi", ".c", ".h", ".rs", "Cargo.toml", "py.typed")
    server = ("front/", "server/", "clients/python/onecode")
    wanted = ("onecode/", "onecode_client/") if project.name == "python" else server
    sources = {file for file in listed.splitlines() if file.startswith(wanted) and file.endswith(ends)}
    lacking = {"LICENSE", *sources} - names
    return [f"{sdist.name} lacks {file}" for file in sorted(lacking)]


def faults_of_wheel(built: Path, files: set[str], *, has_kernels: bool) -> list[str]:
    """Return what a wheel lacks, and what it has and should not have."""
    with zipfile.ZipFile(built) as opened:
        names = set(opened.namelist())
        licenses = [opened.read(name) for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    faults = [f"{built.name} lacks {file}" for file in sorted(files - names)]
    if licenses != [(ROOT / "LICENSE").read_bytes()]:
        faults.append(f"{built.name} does not have the project's license")
    compiled = {name for name in names if name.endswith(".so")}
    expected = KERNELS if has_kernels else ()
    found = {name.partition(".")[0] for name in compiled}
    if sorted(found - {FRONT} if has_kernels else found) != sorted(expected):
        faults.append(f"{built.name} has {sorted(compiled)} of {sorted(expected)}")
    faults += [f"{built.name} has {name}" for name in sorted(names) if "/kernel/" in name or name.startswith("tests")]
    return faults


def _only(directory: Path, pattern: str) -> Path:
    (found,) = directory.glob(pattern)
    return found


def _run(command: list[str], directory: Path, **environment: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run(
        command, cwd=directory, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{ran.stdout}{ran.stderr}")
