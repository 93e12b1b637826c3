"""The distance between sites, as a process of its own: ``python -m benchmarks.log_drills.distance SEED TAP TAP …``.

It reads Ethernet frames from the TAP device of each site and writes them to those of the others after half the round
trip: what the kernel's ``sch_netem`` does, where it has that. Frames within a site do not come here. What TCP does at a
distance, its windows and acknowledgements, is the kernel's own.

A line on stdin is a command, and is answered by a line of JSON before the next one is sent: ``delay ROUND_TRIP_MS
JITTER_MS``, or ``report``, which tells what went on since the last one. The program ends with its stdin.
"""

import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from benchmarks.log_drills.delays import Crossing

DEVICE: Final = "/dev/net/tun"
MTU: Final = 9000
"""Bytes of a frame's content: a fetch of some records is one frame, and each frame costs this program some 20 us."""
LATE_MS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""The bounds by which is counted how late frames came out."""
_HEADER_BYTES: Final = 18
_FRAMES_AT_ONCE: Final = 64
"""The frames that are read from a device before what is due is written."""
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_NICE: Final = -20
"""This program first: a cable does not wait for the computers that it joins."""


class Distance:
    """Passes frames on between open TAP devices."""

    def __init__(self, devices: Sequence[int], chance: random.Random) -> None:
        self._devices = devices
        self._crossing = Crossing(len(devices), chance)
        self._forget()

    def turn(self, also: int) -> bool:
        """Write what is due, wait until something can be read or is due, and read it; tell whether ``also`` can be
        read."""
        now_s = time.monotonic()
        for site, frame, due_s in self._crossing.due(now_s):
            with suppress(OSError):  # a device that is down takes nothing, as a cable that leads nowhere
                os.write(self._devices[site], frame)
            self._count(frame, time.monotonic() - due_s)
        next_s = self._crossing.next_s
        wait_s = None if next_s is None else max(0.0, next_s - time.monotonic())
        readable, _, _ = select.select([*self._devices, also], [], [], wait_s)
        for site, device in enumerate(self._devices):
            if device in readable:
                self._read(site, device)
        return also in readable

    def obey(self, command: str) -> dict[str, float]:
        """Do what a line says; return the answer. Raises ValueError."""
        match command.split():
            case ["delay", round_trip_ms, jitter_ms]:
                self._crossing.set_delay(float(round_trip_ms) / 2000, float(jitter_ms) / 1000)
                return {}
            case ["report"]:
                found: dict[str, float] = {
                    "frames": self._frames,
                    "bytes": self._bytes,
                    "late_p99_ms": self._late_p99_ms(),
                    "dropped": self._crossing.dropped,
                }
                self._forget()
                return found
        raise ValueError(f"{command!r} is no command")

    def _read(self, site: int, device: int) -> None:
        with suppress(BlockingIOError):
            for _ in range(_FRAMES_AT_ONCE):
                self._crossing.take(site, os.read(device, MTU + _HEADER_BYTES), time.monotonic())

    def _count(self, frame: bytes, late_s: float) -> None:
        self._frames += 1
        self._bytes += len(frame)
        self._late[bisect_left(LATE_MS, late_s * 1000)] += 1

    def _late_p99_ms(self) -> float:
        """Return the bound within which 99 of 100 frames came out; infinity where that is none."""
        counted = 0
        for bound_ms, count in zip(LATE_MS, self._late, strict=False):
            counted += count
            if counted >= 0.99 * self._frames:
                return bound_ms
        return float("inf")

    def _forget(self) -> None:
        self._frames = self._bytes = 0
        self._late = [0] * (len(LATE_MS) + 1)


def opened(name: str) -> int:
    """Open a TAP device that there is already. Raises OSError."""
    device = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return device


def main() -> None:
    """Pass frames on until stdin ends."""
    seed, *names = sys.argv[1:]
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    distance = Distance([opened(name) for name in names], random.Random(int(seed)))
    print("ready", flush=True)
    while True:
        if distance.turn(sys.stdin.fileno()):
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(distance.obey(line)), flush=True)


if __name__ == "__main__":
    main()
