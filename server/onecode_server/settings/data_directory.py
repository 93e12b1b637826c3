"""The files of a data directory.

trust-list.jws        the signed trust list; trust-list.draft.json the next one, where the root key is elsewhere
root.pub              the root's public key, with which a server checks the list
root.key              the root's secret key: here on the operator's machine only, and never opened by ``serve``
keys/                 signing keys: one file a key, named region.role.format.kid.key
pseudonym.key         the secret that turns identifiers into pseudonyms, the same on all nodes
store/                the LMDB store

Key files (root.key, keys/, pseudonym.key) have mode 0600, and are refused where anybody but their owner may open them.
"""

from pathlib import Path

from onecode_server.crypto.signing import Signer, read_public_key, read_secret
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
        """Return the pseudonym key (32 bytes). Raises Misconfigured."""
        return read_secret(self.pseudonym_key)

    def key_file(self, region: str, role: Role, fmt: Format, key_id: bytes) -> Path:
        """Return the path of a signing key."""
        return self.keys / f"{region}.{role}.{fmt}.{key_id_text(key_id, fmt)}.key"

    def signers(self, region: str, role: Role) -> dict[bytes, Signer]:
        """Return the signing keys of a region in this directory, by public key (32 bytes). Raises Misconfigured."""
        signers = [Signer(read_secret(file)) for file in sorted(self.keys.glob(f"{region}.{role}.*.key"))]
        return {signer.public_key: signer for signer in signers}
