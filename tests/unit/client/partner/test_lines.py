"""Files of codes are read as bytes, line by line, and cut into what one call may carry."""

import os
import threading
from pathlib import Path

import pytest

from onecode_client.partner.faults import Unusable
from onecode_client.partner.lines import LINE_BYTES_MAX, batches, read_lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        (b"a\r\n\r\nb\rc\r\n", [b"a", b"", b"b\rc"]),
        (b"\xff\xfe\x00\n\xe7\xbb\xbf", [b"\xff\xfe\x00", b"\xe7\xbb\xbf"]),
    ],
)
def test_each_line_is_a_code_and_the_last_needs_no_line_feed(
    content: bytes, lines: list[bytes], tmp_path: Path
) -> None:
    file = tmp_path / "codes"
    file.write_bytes(content)
    assert list(read_lines(str(file))) == list(enumerate(lines, 1))


def test_a_line_that_is_cut_by_the_reader_is_whole() -> None:
    end, start = os.pipe()

    def write() -> None:
        for part in (b"a", b"b\r", b"\nc", b"\n"):
            os.write(start, part)
        os.close(start)

    writer = threading.Thread(target=write)
    writer.start()
    assert list(read_lines(f"/proc/self/fd/{end}")) == [(1, b"ab"), (2, b"c")]
    writer.join()
    os.close(end)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_above_four_mebibytes_ends_the_reading_after_the_lines_before(end: bytes, tmp_path: Path) -> None:
    file = tmp_path / "codes"
    longest = b"x" * LINE_BYTES_MAX
    file.write_bytes(b"first\n" + longest + b"\r\n" + longest + b"x" + end)
    lines = batches(read_lines(str(file)))
    assert [next(lines), next(lines)] == [[b"first"], [longest]]
    with pytest.raises(Unusable, match="line 3: more than 4194304 bytes"):
        next(lines)


def test_batches_have_at_most_4096_codes_and_4_mebibytes() -> None:
    codes = [b""] * 5000 + [b"x" * 1_500_000] * 3
    made = list(batches(iter(enumerate(codes, 1))))
    assert [len(batch) for batch in made] == [4096, 906, 1]
    assert [code for batch in made for code in batch] == codes


@pytest.mark.parametrize("name", ["/no/such/file", "/"])
def test_a_file_that_cannot_be_read_is_one_line(name: str) -> None:
    with pytest.raises(Unusable, match=f"cannot read {name}: "):
        list(read_lines(name))
