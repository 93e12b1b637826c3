"""The files of a data directory.

trust-list.jws        the signed trust list; trust-list.draft.json the next one, where the root key is elsewhere
root.pub              the root's public key, with which a server checks the list
root.key              the root's secret key: here on the operator's machine only, and never opened by ``serve``
keys/                 signing keys: one file a key, named region.role.format.kid.key
pseudonym.key         the secret that turns identifiers into pseudonyms, the same on all nodes: 64 hex digits, or a
                      PKCS#11 URI that names a secret key of a token, from which it is derived at a start
store/                the LMDB store; store.embedded/ what it was before it was brought into a log
machine.key           where machines share a log: the key with which this one signs messages; machine.cert has its
                      certificate by the cluster key
cluster.pub           the cluster's public key; cluster.key, its secret, is never opened by ``serve``

Key files (root.key, keys/, pseudonym.key, machine.key, cluster.key) have mode 0600, and are refused where anybody but
their owner may open them.
"""

from pathlib import Path

from onecode_server.crypto.signing import Signer, read_public_key, read_secret, read_secret_text
from onecode_server.crypto.token_uri import SCHEME, read_uri
from onecode_server.errors import Misconfigured
from onecode_server.model.trust_list import Format, Role
from onecode_server.trust.region_entry import key_id_text


class DataDirectory:
    """The paths of one deployment. No file is opened before it is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trust_list = path / "trust-list.jws"
        self.draft = path / "trust-list.draft.json"
        self.root_public_key = path / "root.pub"
        self.root_key = path / "root.key"
        self.keys = path / "keys"
        self.pseudonym_key = path / "pseudonym.key"
        self.store = path / "store"

    def expect(self) -> None:
        """Raise Misconfigured where this is not a data directory that ``onecode init`` made."""
        if not self.root_public_key.is_file():
            raise Misconfigured(f"{self.path} is not a data directory: make one with 'onecode init --data-dir'")

    def read_root_public_key(self) -> bytes:
        """Return the root's public key (32 bytes). Raises Misconfigured."""
        return read_public_key(self.root_public_key)

    def read_pseudonym_key(self) -> bytes:
        """Return the pseudonym key (32 bytes), from the file or from the token that it names. Raises Misconfigured."""
        file = self.pseudonym_key
        if not (text := read_secret_text(file)).startswith(SCHEME.encode()):
            return read_secret(file)
        # Only where a token is used: its packages need not be there.
        from onecode_server.crypto.token_session import TokenSession  # noqa: PLC0415

        try:
            uri = read_uri(text.decode())
        except ValueError as fault:
            raise Misconfigured(f"the key file {file}: {fault}") from None
        return TokenSession(uri).secret()

    def key_file(self, region: str, role: Role, fmt: Format, key_id: bytes) -> Path:
        """Return the path of a signing key."""
        return self.keys / f"{region}.{role}.{fmt}.{key_id_text(key_id, fmt)}.key"

    def signers(self, region: str, role: Role) -> dict[bytes, Signer]:
        """Return the signing keys of a region in this directory, by public key (32 bytes). Raises Misconfigured."""
        signers = [Signer(read_secret(file)) for file in sorted(self.keys.glob(key_pattern(region, role)))]
        return {signer.public_key: signer for signer in signers}


def key_pattern(region: str, role: Role) -> str:
    """Return the pattern of the names of a region's key files."""
    return f"{region}.{role}.*.key"
