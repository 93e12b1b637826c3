"""The protos keep what the last release's callers rely on, and the page about them says what is deprecated."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROTOS = Path(__file__).parents[3] / "protos"
BIN = Path(sys.executable).parent
Changed = Callable[[str, str, str], Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """Return a function that copies the protos, changes one of them, and returns the copy's directory."""

    def change(name: str, before: str, after: str) -> Path:
        copy = tmp_path / "protos"
        shutil.copytree(PROTOS, copy)
        file = copy / "onecode" / "v1" / name
        text = file.read_text("utf-8")
        assert text.count(before) == 1, f"{name} does not have {before!r} once"
        file.write_text(text.replace(before, after), "utf-8")
        return copy

    return change


def ran(script: str, *arguments: object, protos: Path = PROTOS) -> tuple[int, str]:
    """Run a script of the protos; return its status and what it said."""
    command = [str(protos / script), str(BIN), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_protos_keep_the_contract_of_the_last_release() -> None:
    assert ran("check-breaking.sh") == (0, "")


@pytest.mark.parametrize(
    ("name", "before", "after", "complaint"),
    [
        ("recognition.proto", "uint32 status_age_s = 9;", "reserved 9;", r'field "9" .*"status_age_s".* was deleted'),
        ("recognition.proto", "string home_region = 7;", "string home = 7;", r'Field "7" .* changed name'),
        ("recognition.proto", "uint32 status_age_s = 9;", "uint64 status_age_s = 9;", r'Field "9" .* changed type'),
        ("recognition.proto", "  REASON_EXPIRED = 29;", "  reserved 29;", r'value "29" .* was deleted'),
        ("trust_list.proto", "rpc GetTrustList(", "rpc TakeTrustList(", r'RPC "GetTrustList" .* was deleted'),
    ],
    ids=["removed field", "renamed field", "another type", "removed value", "renamed method"],
)
def test_a_broken_contract_fails_and_cannot_become_a_release(
    changed: Changed, tmp_path: Path, name: str, before: str, after: str, complaint: str
) -> None:
    copy = changed(name, before, after)
    status, said = ran("check-breaking.sh", copy)
    assert status != 0
    assert re.search(complaint, said), said
    out = tmp_path / "next.txtpb"
    assert ran("release.sh", out, protos=copy)[0] != 0
    assert not out.exists()


def test_what_a_release_added_is_kept_from_then_on(changed: Changed, tmp_path: Path) -> None:
    added = changed("recognition.proto", "uint32 status_age_s = 9;", "uint32 status_age_s = 9;\n  string gate = 10;")
    out = tmp_path / "next.txtpb"
    assert ran("check-breaking.sh", added) == ran("release.sh", out, protos=added) == (0, "")
    status, said = ran("check-breaking.sh", PROTOS, out)
    assert status != 0
    assert '"gate"' in said


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (
            "uint32 status_age_s = 9;",
            "uint32 status_age_s = 9 [deprecated = true];",
            "| uint32 | **Deprecated.** Whole",
        ),
        (
            "  REASON_EXPIRED = 29;",
            "  REASON_EXPIRED = 29 [deprecated = true];",
            "`REASON_EXPIRED` | **Deprecated.** The",
        ),
        (
            "message Verdict {",
            "message Verdict {\n  option deprecated = true;",
            "**Deprecated.** The answer to a check.",
        ),
    ],
    ids=["field", "value", "message"],
)
def test_deprecating_breaks_nothing_and_shows_on_the_page(
    changed: Changed, tmp_path: Path, before: str, after: str, shown: str
) -> None:
    copy, page, image = changed("recognition.proto", before, after), tmp_path / "api.md", tmp_path / "image"
    assert ran("check-breaking.sh", copy) == (0, "")
    subprocess.run(
        [BIN / "buf", "build", copy, "--exclude-imports", "-o", f"{image}#format=binpb"], check=True, timeout=60
    )
    with image.open("rb") as descriptors:
        made = [sys.executable, str(PROTOS / "generate_api.py"), str(page)]
        subprocess.run(made, stdin=descriptors, check=True, timeout=60)
    assert shown in page.read_text("utf-8")
