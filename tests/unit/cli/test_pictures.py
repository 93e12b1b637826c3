"""Pictures of codes, as far as no other library is needed to see it."""

from pathlib import Path

import pytest

from onecode_server.cli.pictures import PICTURES_MAX, Pictures
from onecode_server.errors import Misconfigured

BYTES_MAX = 1663
"""What a QR symbol of version 40 holds at level Q (ISO/IEC 18004, table 7)."""
CHARACTERS_MAX = 2420


@pytest.mark.parametrize("code", [b"x" * BYTES_MAX, b"X" * CHARACTERS_MAX])
def test_the_longest_code_is_drawn_and_one_more_character_is_too_long(tmp_path: Path, code: bytes):
    Pictures(tmp_path / "longest.png", 1).add(code)
    with pytest.raises(Misconfigured, match=r"^a code of [12],\d{3} bytes is too long for a QR symbol$"):
        Pictures(tmp_path / "longer.png", 1).add(code + code[:1])
    assert [file.name for file in tmp_path.iterdir()] == ["longest.png"]


def test_a_picture_that_came_in_the_meantime_is_left_alone(tmp_path: Path):
    pictures = Pictures(tmp_path / "new", 1)
    (tmp_path / "new" / "1.png").write_text("somebody else's")
    with pytest.raises(Misconfigured, match=r"1\.png: File exists"):
        pictures.add(b"x")
    assert (tmp_path / "new" / "1.png").read_text() == "somebody else's"


def test_as_many_as_the_bound_are_numbered_so_that_names_sort(tmp_path: Path):
    pictures = Pictures(tmp_path / "new", PICTURES_MAX)
    for _ in range(11):
        pictures.add(b"x")
    names = sorted(file.name for file in (tmp_path / "new").iterdir())
    assert names == [f"{number:04d}.png" for number in range(1, 12)]


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "x" * 300, "file/x"])
def test_a_place_where_nothing_can_be_written_is_one_line(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"^cannot draw to .*: (File name too long|Not a directory)$"):
        Pictures(tmp_path / name, 1)
