"""Draws the pictures of docs/dashboards.md: the console pages of a real server, when it is well and with faults.

``python -m tests.console_pictures`` takes half an hour: what the pictures show has happened.
"""

import argparse
import io
import math
import tempfile
import time
from pathlib import Path
from typing import Final

from PIL import Image

from tests import chromium
from tests.integration.deployment import Deployment, command, expect
from tests.integration.faults import codes_of_another_key, kill_workers, store_full
from tests.integration.observed import Observed, observed

SCRAPES: Final = "5s"
COLOURS: Final = 256
"""A page has few colours: so a picture has half the bytes, and those that are rare stay."""
KILLS_EACH: Final = 6
"""Times that a worker is killed while there are faults: more than the three in an hour for which an alert fires."""


def main() -> None:
    """Run a server for some minutes, then with faults for some more, and draw what the pages show."""
    parser = argparse.ArgumentParser(prog="python -m tests.console_pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="where the pictures lie (%(default)s)")
    parser.add_argument("--minutes", type=float, default=15, help="how long the server is well (%(default)s)")
    parser.add_argument("--fault-minutes", type=float, default=9, help="how long it is not (%(default)s)")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        expect(command("init", "--data-dir", path / "made", "--demo"))
        with observed(Deployment(path / "made"), path, divide=1, interval=SCRAPES) as running:
            print(f"http://{running.prometheus.address}/consoles/onecode-overview.html?range=15m in {path}", flush=True)
            _go_on(running, asked.minutes * 60)
            for name, height in (("overview", 1000), ("recognition", 1000), ("trust", 1000), ("capacity", 1000)):
                _draw(running, path, f"onecode-{name}", asked.out / f"{name}.png", height)
            running.traffic.wrong = codes_of_another_key("440000", path / "other", 21)
            with store_full(running, "1"):  # the first one is killed
                for _ in range(KILLS_EACH):
                    _go_on(running, asked.fault_minutes * 60 / KILLS_EACH)
                    kill_workers(running, 1)
                _draw(running, path, "onecode-overview", asked.out / "overview-with-faults.png", 1000)


def _go_on(running: Observed, seconds: float) -> None:
    """Let the traffic swell and fade for a time, as that of a gate does."""
    ends_s = time.monotonic() + seconds
    while (now_s := time.monotonic()) < ends_s:
        running.traffic.pause_s = 0.015 * (1.6 + math.sin(now_s / 40) + 0.4 * math.sin(now_s / 7))
        time.sleep(1)


def _draw(running: Observed, path: Path, page: str, picture: Path, height: int) -> None:
    drawn = path / "drawn.png"
    chromium.screenshot(f"{running.prometheus.page_address(page)}?range=15m", path / "chromium", drawn, height=height)
    small = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    picture.write_bytes(small.getvalue())
    print(f"{picture}: {len(small.getvalue()) // 1000} KB", flush=True)


if __name__ == "__main__":
    main()
