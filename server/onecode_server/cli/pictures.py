"""QR pictures of codes, as a bearer would show them, for ``onecode issue --png``."""

from pathlib import Path
from typing import Final

import segno

from onecode_server.errors import Misconfigured

PICTURES_MAX: Final = 1000
"""Half a minute of drawing, and as many as a person looks through. More can be drawn from the codes of ``--out``."""
_ERROR_CORRECTION: Final = "Q"
"""A quarter of the symbol may be lost to a fold, a scratch or a reflection (ISO/IEC 18004): the EU's specification of
health certificates recommends this level for the same use."""
_MODULE_PIXELS: Final = 4
"""A phone's camera can read modules of 2 pixels; 4 allow for a picture that is shown smaller."""


class Pictures:
    """Pictures of a known number of codes: one file where its name ends in .png, else numbered ones in a directory."""

    def __init__(self, where: Path, count: int) -> None:
        """Make the directory. Raises Misconfigured where the pictures are too many or would lie among other files."""
        if count > PICTURES_MAX:
            raise Misconfigured(f"--png draws at most {PICTURES_MAX:,} pictures, not {count:,}")
        self._where, self._digits, self._drawn = where, len(str(count)), 0
        self._is_one = where.suffix.lower() == ".png"
        if self._is_one and count > 1:
            raise Misconfigured(f"--png {where} is one picture: name a directory for {count:,}")
        try:
            if self._is_one:
                is_free = where.parent.is_dir() and not where.exists()
            else:
                where.mkdir(parents=True, exist_ok=True)
                is_free = not any(where.iterdir())
        except OSError as fault:
            raise Misconfigured(f"cannot draw to {where}: {fault.strerror}") from None
        if not is_free:
            raise Misconfigured(f"--png {where}: name a picture that is not there yet, or a new or empty directory")

    def add(self, code: bytes) -> None:
        """Draw the next code. Raises Misconfigured where it is too long for a QR symbol, or cannot be written.

        segno takes the smallest mode. A national code's base45 is made for the alphanumeric one (RFC 9285), with 5.5
        bits a character instead of 8.
        """
        self._drawn += 1
        file = self._where if self._is_one else self._where / f"{self._drawn:0{self._digits}d}.png"
        try:
            symbol = segno.make(code, error=_ERROR_CORRECTION, micro=False)
        except segno.DataOverflowError:
            raise Misconfigured(f"a code of {len(code):,} bytes is too long for a QR symbol") from None
        try:
            with file.open("xb") as out:
                symbol.save(out, kind="png", scale=_MODULE_PIXELS)
        except OSError as fault:
            raise Misconfigured(f"cannot write {file}: {fault.strerror}") from None
