"""Networks that a drill may cut, and a disk that it may fill: in namespaces of this program's own, which end with it.

Each broker and each machine runs in a network namespace. A bridge joins them, or one at each site. A cut takes one off
it: what is sent then goes nowhere, and connections stay open, as where a cable is pulled. Callers reach the machines by
a bridge of their own, which is never cut. Addresses begin with 127, so that nothing needs TLS. Needs root, iproute2 and
util-linux.
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
_OWN_ADDRESSES: Final = "/proc/sys/net/ipv4/conf/all/arp_ignore"
"""Whether an interface answers for its own addresses alone. By default the bridge of each site would answer for that of
another one."""
_CONGESTION: Final = "/proc/sys/net/ipv4/tcp_congestion_control"
_CONGESTIONS: Final = "/proc/sys/net/ipv4/tcp_available_congestion_control"
_USUAL_CONGESTION: Final = "cubic"
"""Linux's own default, whatever the system has: bbr takes a distance that has just been set for a queue for 10 s."""
_MTU: Final = 1500
_PIECE: Final = bytes(1 << 20)


class Link(NamedTuple):
    """How a broker, a machine or a site is joined to a network of the log: by which port of which bridge."""

    port: str
    bridge: str = _LOG

    def cut(self) -> None:
        """Take it off the network."""
        run("ip", "link", "set", self.port, "nomaster")

    def mend(self) -> None:
        """Join it to the network again."""
        run("ip", "link", "set", self.port, "master", self.bridge)


class Networks:
    """The networks, and who is joined to them. Make it once, in a program that ``enter`` has started anew."""

    def __init__(self, sites: int = 1, mtu: int = _MTU) -> None:
        """Make the network of the log at each of so many sites, which nothing joins yet, and that of the callers.

        The broker ``number`` and the machine of that number are at the site of that number, and at the first one where
        there is no other. This program is at the first. ``mtu`` is bytes. Raises CalledProcessError.
        """
        self.bridges = [_LOG] if sites == 1 else [f"{_LOG}{number}" for number in range(1, sites + 1)]
        self._mtu = str(mtu)
        _NAMES.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", str(_NAMES))  # names that nobody else sees, and that end with us
        run("ip", "link", "set", "lo", "up")
        Path(_LOCALNET).write_text("1")
        Path(_OWN_ADDRESSES).write_text("1")
        for name in (*self.bridges, _CALLS):
            run("ip", "link", "add", name, "type", "bridge")
            run("ip", "link", "set", name, "mtu", self._mtu, "up")
        for name, net in ((self.bridges[0], _NETS[_LOG]), (_CALLS, _NETS[_CALLS])):
            run("ip", "addr", "add", f"{net}.1/24", "dev", name)

    def broker(self, number: int) -> tuple[Place, Link]:
        """Make the place of a broker."""
        name, last = f"broker{number}", 10 + number
        _space(name)
        return Place(self._join(name, _LOG, last, self._bridge(number)), _entering(name)), self._link(name, number)

    def machine(self, number: int) -> tuple[Place, Link]:
        """Make the place of a machine, which callers reach by the other network."""
        name, last = f"machine{number}", 20 + number
        _space(name)
        self._join(name, _LOG, last, self._bridge(number))
        return Place(self._join(name, _CALLS, last, _CALLS), _entering(name)), self._link(name, number)

    def _bridge(self, number: int) -> str:
        return self.bridges[(number - 1) % len(self.bridges)]

    def _link(self, name: str, number: int) -> Link:
        return Link(_port(name, _LOG), self._bridge(number))

    def _join(self, name: str, network: str, last: int, bridge: str) -> str:
        """Join a namespace to a network by one of its bridges; return its address there."""
        address, port = f"{_NETS[network]}.{last}", _port(name, network)
        run("ip", "link", "add", port, "mtu", self._mtu, "type", "veth", "peer", "name", network, "netns", name)
        run("ip", "link", "set", port, "master", bridge, "up")
        # The route to the other addresses is more special than that of 127.0.0.0/8 by lo, and counts.
        run(*_entering(name), "ip", "addr", "add", f"{address}/24", "dev", network)
        run(*_entering(name), "ip", "link", "set", network, "mtu", self._mtu, "up")
        return address


def are_own() -> bool:
    """Tell whether this program runs in namespaces of its own."""
    return bool(os.environ.get(_INSIDE))


def missing() -> str:
    """Return in one line why no namespaces can be made here, "" where they can."""
    if os.geteuid():
        return "network namespaces are made by root alone"
    if lacking := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"network namespaces need {', '.join(lacking)} (iproute2 and util-linux)"
    if subprocess.run([*_OWN, "true"], capture_output=True, check=False).returncode:
        return "network namespaces are not allowed here"
    return ""


def enter(module: str = "benchmarks.log_drills") -> None:
    """Start this program, a module, anew in namespaces of its own, where it does not run in such and the system lets
    it."""
    if are_own() or missing():
        return
    sys.stdout.flush()
    again = [sys.executable, "-m", module, *sys.argv[1:]]
    os.execvpe(_OWN[0], [*_OWN, *again], os.environ | {_INSIDE: "1"})


def small_disk(path: Path, mebibytes: int) -> None:
    """Mount a small file system on a new directory."""
    path.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(path))


def unmount(path: Path) -> None:
    """Take a file system away once nobody uses it."""
    with suppress(subprocess.CalledProcessError):  # it ends with the namespace all the same
        run("umount", str(path))


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
    run("ip", "netns", "add", name)
    run(*_entering(name), "ip", "link", "set", "lo", "up")
    settings = {_LOCALNET: "1"}
    if _USUAL_CONGESTION in Path(_CONGESTIONS).read_text().split():
        settings[_CONGESTION] = _USUAL_CONGESTION
    for setting, value in settings.items():
        run(*_entering(name), sys.executable, "-c", f"open({setting!r}, 'w').write({value!r})")


def _port(name: str, network: str) -> str:
    """Return the name of a link's end on the bridge: 15 characters at most."""
    return f"{name}-{network}"


def _entering(name: str) -> tuple[str, ...]:
    return ("nsenter", f"--net={_NAMES / name}")


def run(*command: str) -> None:
    """Run a command. Raises CalledProcessError."""
    subprocess.run(command, check=True, capture_output=True, text=True)
