"""Both packages as others get them: built, installed where nothing else is, and used. `make packages`.

The server's wheel with kernels runs on the lowest versions that it allows, its source distribution without a compiler
on the newest; the client's wheel, on the lowest, asks both. Status 1: the last lines say what is not as declared.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.packages.building import (
    CLIENT,
    CLIENT_FILES,
    ROOT,
    SERVER_FILES,
    faults_of_sdist,
    faults_of_wheel,
    sdists,
    wheel,
)
from tests.packages.environments import Environment

PARTNER = Path(__file__).with_name("partner.py")


def build(out: Path, scratch: Path) -> tuple[Path, Path, Path]:
    """Build everything, and return the server's wheel, its source distribution and the client's wheel."""
    server, client = sdists(out, scratch)
    native, plain = wheel(server, out / "native"), wheel(server, out / "plain", compiles=False)
    partners = wheel(client, out / "client-wheel")
    faults = faults_of_sdist(server, ROOT) + faults_of_sdist(client, ROOT / CLIENT)
    faults += faults_of_wheel(native, SERVER_FILES, has_kernels=True)
    faults += faults_of_wheel(plain, SERVER_FILES, has_kernels=False)
    faults += faults_of_wheel(partners, CLIENT_FILES, has_kernels=False)
    if faults:
        raise RuntimeError("\n".join(faults))
    return native, server, partners


def use(server: Environment, client: Environment, data_dir: Path, backend: str) -> None:
    """Serve from one environment, and be its partner from the other."""
    where = ("--data-dir", str(data_dir))
    server.run("onecode", "init", "--demo", *where)
    with server.serving(data_dir) as served:
        if served.backend() != backend:
            raise RuntimeError(f"signatures are checked by {served.backend()}, not by {backend}")
        issued = ("issue", *where, "--region", "420000", "--level", "GREEN")
        code, other = (server.run("onecode", *issued, "--id", name).strip() for name in ("wang", "of-a-partner"))
        output = server.run("onecode", "verify", "--server", served.address, "--host", "440000", code)
        if "ADMIT" not in output:
            raise RuntimeError(f"onecode verify: {output}")
        root = (data_dir / "root.pub").read_text().strip()
        client.run("python", "-I", str(PARTNER), served.address, code, other, root)


def main() -> int:
    """Run it; ``--out`` keeps what was built."""
    parser = argparse.ArgumentParser(prog="tests.packages", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="an empty or new directory for what is built")
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory(prefix="onecode-packages-") as directory:
        scratch = Path(directory)
        try:
            native, sdist, partners = build(out, scratch)
            print(f"built {sdist.name} with its wheels, and {partners.name}", flush=True)
            client = Environment(scratch / "client", "requirements/lowest-client.txt")
            client.install(partners)
            lowest = Environment(scratch / "lowest", "requirements/lowest.txt")
            lowest.install(native)
            use(lowest, client, scratch / "data-lowest", "native")
            print("a partner on the lowest versions, and a server with kernels on its own: verified", flush=True)
            newest = Environment(scratch / "newest", "requirements/runtime.txt")
            newest.install(sdist, CC="false")
            use(newest, client, scratch / "data-newest", "libsodium")
            print("the same with a server that was built without a compiler, on the newest: verified")
        except RuntimeError as fault:
            print(fault)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
