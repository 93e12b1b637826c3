"""Certificates and tokens of callers, made by ``onecode certs`` as for any development net."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from onecode_client import Tls

_SERVER: Final = "server"
_Run = Callable[..., str]
"""Runs ``onecode`` with arguments, and returns what it printed."""


class Credentials:
    """An authority in a directory, and a certificate for each caller."""

    def __init__(self, directory: Path, run: _Run, roles: Mapping[str, Sequence[str]]) -> None:
        """Make them. ``roles`` has the options of ``onecode certs issue`` by the callers' names."""
        self._directory = directory
        self._run = run
        run("certs", "init", str(directory))
        asked = {_SERVER: ("--server", "127.0.0.1"), **roles}
        with ThreadPoolExecutor() as pool:  # each is a process of its own, which starts for most of its time
            for made in [pool.submit(self._issue, name, options) for name, options in asked.items()]:
                made.result()

    def flags(self) -> tuple[str, ...]:
        """Return the flags of a server that accepts certificates and tokens of this authority."""
        files = {
            "--tls-cert": f"{_SERVER}.crt",
            "--tls-key": f"{_SERVER}.key",
            "--tls-client-ca": "ca.crt",
            "--tls-crl": "ca.crl",
            "--token-keys": "jwks.json",
        }
        return tuple(part for flag, file in files.items() for part in (flag, str(self._directory / file)))

    def tls(self, name: str) -> Tls:
        """Return what a client of a caller needs; one without a name shows no certificate."""
        ca = self._directory / "ca.crt"
        return Tls(ca, self._file(f"{name}.crt"), self._file(f"{name}.key")) if name else Tls(ca)

    def token(self, *role: str) -> Path:
        """Return a file with a token, of a caller with these options of ``onecode certs token``."""
        file = self._file(f"{'-'.join(role).replace('--', '')}.token")
        self._run("certs", "token", str(self._directory), *role, "--out", str(file))
        return file

    def revoke(self, name: str) -> None:
        """Revoke a caller's certificate: the server looks at the list twice a second."""
        self._run("certs", "revoke", str(self._directory), str(self._file(f"{name}.crt")))

    def _file(self, name: str) -> Path:
        return self._directory / name

    def _issue(self, name: str, options: Sequence[str]) -> None:
        self._run("certs", "issue", str(self._directory), *options, "--out", str(self._file(name)))
