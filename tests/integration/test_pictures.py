"""``onecode issue --png``: pictures that somebody else's library reads, and a real server admits."""

from pathlib import Path

import pytest
import zxingcpp
from nacl.signing import SigningKey
from PIL import Image, ImageDraw

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import Deployment, Server, called, expect

FORMATS = {
    "national": "110000",
    "by the national authority": "000000",
    "adopter": "540000",
    "jwt": "420000",
    "paseto": "340000",
    "opaque": "310000",
}
ALPHANUMERIC_Q = {8: 157, 9: 189, 10: 221, 11: 259, 12: 296}
"""Characters that a QR symbol of a version holds at level Q (ISO/IEC 18004, table 7)."""
BYTES_Q = {8: 108, 9: 130, 10: 151, 11: 177, 12: 203}


def draw(deployment: Deployment, region: str, png: Path, *more: object) -> list[bytes]:
    asked = ("--data-dir", deployment.path, "--region", region, "--level", "GREEN", "--png", png, *more)
    return expect(called("issue", *asked)).encode().splitlines()


def scanned(picture: Path | Image.Image) -> zxingcpp.Barcode:
    """Return the one QR symbol of a picture. In their noise a scanner also sees bar codes, two times in a thousand."""
    image = Image.open(picture) if isinstance(picture, Path) else picture
    (symbol,) = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return symbol


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_scanner_reads_of_a_picture_is_admitted(server: Server, shared: Deployment, tmp_path: Path, name: str):
    (code,) = draw(shared, FORMATS[name], tmp_path / "code.png")
    assert scanned(tmp_path / "code.png").bytes == code
    assert server.verify(scanned(tmp_path / "code.png").bytes).verdict.decision == pb.DECISION_ADMIT


def test_pictures_are_numbered_in_the_order_of_the_output(shared: Deployment, tmp_path: Path):
    pictures = tmp_path / "new" / "pictures"
    assert draw(shared, "340000", pictures, "--count", 12, "--out", pictures / "codes.txt") == []
    codes = (pictures / "codes.txt").read_bytes().splitlines()
    names = sorted(file.name for file in pictures.glob("*.png"))
    assert names == [f"{number:02d}.png" for number in range(1, 13)]
    assert [scanned(pictures / name).bytes for name in names] == codes
    assert len(set(codes)) == 12


@pytest.mark.parametrize("region", ["110000", "000000", "540000"])
def test_a_national_codes_picture_is_as_small_as_the_alphanumeric_mode_makes_it(
    shared: Deployment, tmp_path: Path, region: str
):
    (code,) = draw(shared, region, tmp_path / "code.png")
    extra = scanned(tmp_path / "code.png").extra
    assert isinstance(extra, dict)
    version = int(extra["Version"])
    assert ALPHANUMERIC_Q[version - 1] < len(code) <= ALPHANUMERIC_Q[version]
    assert len(code) > BYTES_Q[version]


@pytest.mark.parametrize("region", ["110000", "420000"])
def test_a_picture_with_a_blot_on_it_is_read_all_the_same(shared: Deployment, tmp_path: Path, region: str):
    (code,) = draw(shared, region, tmp_path / "code.png")
    with Image.open(tmp_path / "code.png") as clean:
        blotted = clean.convert("L")
    side = blotted.width
    ImageDraw.Draw(blotted).rectangle((side * 0.4, side * 0.4, side * 0.65, side * 0.65), fill=0)
    assert scanned(blotted).ec_level == "Q"
    assert scanned(blotted).bytes == code


def test_a_picture_that_is_there_is_left_alone(shared: Deployment, tmp_path: Path):
    draw(shared, "420000", tmp_path / "code.png")
    before = (tmp_path / "code.png").read_bytes()
    asked = ("--region", "420000", "--level", "RED", "--data-dir", shared.path)
    for png in (tmp_path / "code.png", tmp_path):
        ended = called("issue", *asked, "--png", png)
        assert (ended.status, ended.out) == (2, "")
        assert "not there yet, or a new or empty directory" in ended.err
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [before]


def test_a_code_that_no_server_would_read_is_not_issued(deployment: Deployment, tmp_path: Path):
    """A region may have words as long as it likes; what it then carries may be too long for a picture, or for all."""
    key = SigningKey.generate()
    file = deployment.path / "keys" / "990000.issuer.jwt.k.key"
    file.touch(mode=0o600)
    file.write_text(key.encode().hex())
    for length, why in ((1_800, "is too long for a QR symbol"), (4_000, "is longer than any server reads")):
        made = deployment.copy_to(tmp_path / str(length))
        claims, levels = tmp_path / "claims", tmp_path / "levels"
        claims.write_text('{"subject": "s", "level": "l", "issued_at": "i", "expiry": "e"}')
        levels.write_text(f'{{"{"x" * length}": "GREEN"}}')
        named = ("--code", "990000", "--name", "X", "--format", "jwt", "--claims", claims, "--levels", levels)
        expect(made.trust("add-region", *named))
        expect(made.trust("add-key", "--region", "990000", "--kid", "k", "--public-key", key.verify_key.encode().hex()))
        asked = ("--data-dir", made.path, "--region", "990000", "--level", "GREEN", "--png", tmp_path / "code.png")
        ended = called("issue", *asked)
        assert (ended.status, ended.out) == (2, "")
        assert why in ended.err
        assert not (tmp_path / "code.png").exists()
