"""Networks that a drill may cut, and a disk that it may fill: in namespaces of this program's own, which end with it.

Each broker and each machine runs in a network namespace. A bridge joins them, and a cut takes one off it: what is sent
then goes nowhere, and connections stay open, as where a cable is pulled. Callers reach the machines by a second bridge,
which is never cut. Addresses begin with 127, so that nothing needs TLS. Needs root, iproute2 and util-linux.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from demo.brokers.node import Place

_INSIDE: Final = "ONECODE_LOG_DRILL_NAMESPACES"
_TOOLS: Final = ("unshare", "nsenter", "ip", "mount")
_NAMES: Final = Path("/run/netns")
_OWN: Final = ("unshare", "--net", "--mount", "--propagation", "private")
_LOG, _CALLS = "log", "calls"
_NETS: Final = {_LOG: "127.77.0", _CALLS: "127.78.0"}
_LOCALNET: Final = "/proc/sys/net/ipv4/conf/all/route_localnet"
"""Whether addresses of 127.0.0.0/8 may be those of other interfaces than lo."""
_PIECE: Final = bytes(1 << 20)


class Link(NamedTuple):
    """How a broker or a machine is joined to the network of the log."""

    port: str

    def cut(self) -> None:
        """Take it off the network."""
        _run("ip", "link", "set", self.port, "nomaster")

    def mend(self) -> None:
        """Join it to the network again."""
        _run("ip", "link", "set", self.port, "master", _LOG)


class Networks:
    """The networks, and who is joined to them. Make it once, in a program that ``enter`` has started anew."""

    def __init__(self) -> None:
        _NAMES.mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "tmpfs", str(_NAMES))  # names that nobody else sees, and that end with us
        _run("ip", "link", "set", "lo", "up")
        Path(_LOCALNET).write_text("1")
        for name, net in _NETS.items():
            _run("ip", "link", "add", name, "type", "bridge")
            _run("ip", "addr", "add", f"{net}.1/24", "dev", name)
            _run("ip", "link", "set", name, "up")

    def broker(self, number: int) -> tuple[Place, Link]:
        """Make the place of a broker."""
        name, last = f"broker{number}", 10 + number
        _space(name)
        return Place(_join(name, _LOG, last), _entering(name)), Link(_port(name, _LOG))

    def machine(self, number: int) -> tuple[Place, Link]:
        """Make the place of a machine, which callers reach by the other network."""
        name, last = f"machine{number}", 20 + number
        _space(name)
        _join(name, _LOG, last)
        return Place(_join(name, _CALLS, last), _entering(name)), Link(_port(name, _LOG))


def are_own() -> bool:
    """Tell whether this program runs in namespaces of its own."""
    return bool(os.environ.get(_INSIDE))


def enter() -> None:
    """Start this program anew in namespaces of its own, where it does not run in such and the system lets it."""
    if are_own() or os.geteuid() or not all(shutil.which(tool) for tool in _TOOLS):
        return
    if subprocess.run([*_OWN, "true"], capture_output=True, check=False).returncode:
        return
    sys.stdout.flush()
    again = [sys.executable, "-m", "benchmarks.log_drills", *sys.argv[1:]]
    os.execvpe(_OWN[0], [*_OWN, *again], os.environ | {_INSIDE: "1"})


def small_disk(path: Path, mebibytes: int) -> None:
    """Mount a small file system on a new directory."""
    path.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(path))


def unmount(path: Path) -> None:
    """Take a file system away once nobody uses it."""
    with suppress(subprocess.CalledProcessError):  # it ends with the namespace all the same
        _run("umount", str(path))


@contextmanager
def filled(path: Path) -> Iterator[None]:
    """Let a file system have not one byte left, until the block ends."""
    file = path / "full"
    try:
        with file.open("wb", buffering=0) as full, suppress(OSError):  # ENOSPC
            while True:
                full.write(_PIECE)
        yield
    finally:
        file.unlink(missing_ok=True)


def _space(name: str) -> None:
    _run("ip", "netns", "add", name)
    _run(*_entering(name), "ip", "link", "set", "lo", "up")
    _run(*_entering(name), sys.executable, "-c", f"open({_LOCALNET!r}, 'w').write('1')")


def _join(name: str, network: str, last: int) -> str:
    """Join a namespace to a network; return its address there."""
    address = f"{_NETS[network]}.{last}"
    _run("ip", "link", "add", _port(name, network), "type", "veth", "peer", "name", network, "netns", name)
    _run("ip", "link", "set", _port(name, network), "master", network, "up")
    # The route to the other addresses is more special than that of 127.0.0.0/8 by lo, and counts.
    _run(*_entering(name), "ip", "addr", "add", f"{address}/24", "dev", network)
    _run(*_entering(name), "ip", "link", "set", network, "up")
    return address


def _port(name: str, network: str) -> str:
    """Return the name of a link's end on the bridge: 15 characters at most."""
    return f"{name}-{network}"


def _entering(name: str) -> tuple[str, ...]:
    return ("nsenter", f"--net={_NAMES / name}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
