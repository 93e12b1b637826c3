"""Certificates, authorities, revocation lists and token keys are replaced while calls go on: no call fails by it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import AsyncOnecodeClient, Tls

from tests.certificates import Authority, Leaf, spiffe_id
from tests.integration.bad_identities import verify
from tests.integration.deployment import Deployment, Server
from tests.integration.identities import GATEWAY, OK, SCANNER, Identities, refusal_of
from tests.tokens import TokenIssuer, jwks

ROTATIONS: Final = 100
EACH_S: Final = 0.12
"""Several to a look at the files, which is half a second: some are never seen, and some are seen half."""
KEYS_KEPT: Final = 40
"""A client looks at its token once a second. The key that it was signed with must stay as long as it may be shown."""
KEY_AGE: Final = 9
CALLS_PER_S: Final = 200


class Rotation:
    """The files of a server and of its clients, of which each is replaced again and again.

    Every half of a file, and every pair that does not fit, lies there for a moment. Two authorities stay in the bundle,
    and certificates are issued by one and the other in turn.
    """

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._authorities = identities.authority, Authority("another root")
        self._keys: list[TokenIssuer] = []
        self.renewals = 0
        directory = identities.directory
        self.trusted, self.token = directory / "trusted.crt", directory / "token"
        self.trusted.write_bytes(b"".join(one.pem for one in self._authorities))
        self.token.write_text(identities.token(SCANNER))
        self.gateway = identities.leaf(GATEWAY).write(directory, "gateway")
        self.scanner = identities.leaf(SCANNER).write(directory, "scanner")
        identities.client_ca.write_bytes(self.trusted.read_bytes())
        self._revoke_nobody()

    def turn(self, number: int) -> None:
        """Replace all files, the half of each first."""
        by = self._authorities[number % 2]
        self._replace_pair(by.server(), self._identities.cert, self._identities.key)
        self._replace_pair(by.issue(spiffe_id(SCANNER)), *self.scanner)
        third = Authority(f"root {number}").pem
        bundle = [one.pem for one in self._authorities]
        bundle.insert(number % 3, third)
        _replace(self._identities.client_ca, b"".join(bundle))
        self._revoke_nobody()
        self._keys.append(TokenIssuer(f"turn-{number}", "p256" if number % 2 else "ed25519"))
        self._keys = self._keys[-KEYS_KEPT:]
        _replace(self._identities.token_keys, jwks(self._identities.tokens, *self._keys))

    def renew_token(self, is_accepted: Callable[[str], bool]) -> None:
        """Give the clients a token of a key that is a second old, if the server knows that key by now."""
        token = self._keys[max(len(self._keys) - KEY_AGE, 0)].token(SCANNER, time.time())
        if is_accepted(token):
            _replace(self.token, token.encode())
            self.renewals += 1

    def _revoke_nobody(self) -> None:
        _replace(self._identities.crl, b"".join(one.crl() for one in self._authorities))

    def _replace_pair(self, leaf: Leaf, cert: Path, key: Path) -> None:
        _replace(cert, leaf.chain_pem)
        _replace(key, leaf.key_pem)


def _replace(path: Path, content: bytes) -> None:
    """Write a file in place, half of it first: what reads it now finds a half."""
    path.write_bytes(content[: len(content) // 2])
    path.write_bytes(content)


class Load:
    """Clients that check codes all the time. ``failed`` has what did not end well."""

    def __init__(self, code: bytes) -> None:
        self.failed: list[str] = []
        self.answered = 0
        self._code = code
        self._calls: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, *clients: AsyncOnecodeClient) -> AsyncIterator[None]:
        """Have these clients call during the block."""
        pacing = asyncio.create_task(self._pace(clients))
        try:
            yield
        finally:
            pacing.cancel()
            await asyncio.gather(*self._calls)

    async def _pace(self, clients: tuple[AsyncOnecodeClient, ...]) -> None:
        while True:
            for client in clients:
                call = asyncio.create_task(self._call(client))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
            await asyncio.sleep(len(clients) / CALLS_PER_S)

    async def _call(self, client: AsyncOnecodeClient) -> None:
        try:
            answer = await client.verify(self._code, "420000", deadline_s=30)
        except Exception as fault:
            self.failed.append(f"{type(fault).__name__}: {fault}")
        else:
            self.answered += answer.verdict.decision == pb.DECISION_ADMIT


@pytest.fixture
def rotating(made: Deployment, tmp_path: Path, serve: Callable[..., Server]) -> tuple[Server, Identities, Rotation]:
    """A server whose files are about to be replaced."""
    identities = Identities(tmp_path / "identities")
    rotation = Rotation(identities)
    server = serve(made.copy_to(tmp_path / "data"), *identities.flags())
    return identities.ops_reads(server), identities, rotation


async def test_no_call_fails_while_all_files_are_replaced(
    rotating: tuple[Server, Identities, Rotation], code: bytes
) -> None:
    server, identities, rotation = rotating
    scanner = Tls(rotation.trusted, *rotation.scanner)
    # grpc.aio demands a certificate from everybody where there are authorities.
    bearer = Tls(rotation.trusted, *(rotation.gateway if server.front() == "grpc" else ()))
    load, open_before = Load(code), identities.of(server, GATEWAY)

    def is_accepted(token: str) -> bool:
        shown = (("authorization", f"Bearer {token}"),)
        return refusal_of(lambda: verify(open_before, code, metadata=shown)) == OK

    assert is_accepted(rotation.token.read_text())
    async with (
        AsyncOnecodeClient(server.address, tls=scanner) as by_certificate,
        AsyncOnecodeClient(server.address, tls=bearer, token_file=rotation.token) as by_token,
        load.of(by_certificate, by_token),
    ):
        begins_s = time.monotonic()
        for number in range(ROTATIONS):
            await asyncio.to_thread(rotation.turn, number)
            await asyncio.to_thread(rotation.renew_token, is_accepted)
            await asyncio.sleep(begins_s + (number + 1) * EACH_S - time.monotonic())
    assert load.failed == []
    assert load.answered > ROTATIONS
    assert rotation.renewals > ROTATIONS // 10
    assert len([line for line in server.log() if line["message"] == "files of TLS taken"]) > ROTATIONS // 20
    assert not identities.faults(server)
