"""A PKCS#11 token in software: SoftHSM, with Debian's package softhsm2. What needs it skips where it is missing."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

MODULES: Final = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN: Final = "4321"
_ED25519: Final = "1.3.101.112"


class Token:
    """A token ``onecode``, whose files lie in a directory that can be moved away. Its keys are made in this process,
    and used here or in processes that get ``environment``."""

    def __init__(self, path: Path) -> None:
        found = [module for module in MODULES if Path(module).exists()]
        if not found or shutil.which("softhsm2-util") is None:
            pytest.skip("SoftHSM is not installed (softhsm2)")
        self.module = found[0]
        self.files, self._away = path / "tokens", path / "away"
        self.files.mkdir(parents=True)
        config = path / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {self.files}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(config)}
        self.pin_file = path / "pin"
        self.pin_file.touch(0o600)
        self.pin_file.write_text(f"{PIN}\n")
        made = ("softhsm2-util", "--init-token", "--free", "--label", "onecode", "--so-pin", "12345678", "--pin", PIN)
        subprocess.run(made, check=True, capture_output=True, env=os.environ | self.environment)

    def uri(self, path: str = "") -> str:
        """Return the URI of the token's keys; ``path`` begins with a semicolon and says which."""
        return f"pkcs11:token=onecode{path}?module-path={self.module}&pin-source={self.pin_file}"

    def make_key(self, label: str, key_id: bytes = b"\1") -> bytes:
        """Make an Ed25519 key in the token; return its public key."""
        from pkcs11 import Attribute, KeyType, Mechanism
        from pkcs11.util.ec import encode_named_curve_parameters

        with self._session() as session:
            named = {Attribute.EC_PARAMS: encode_named_curve_parameters(_ED25519)}
            curve = session.create_domain_parameters(KeyType.EC_EDWARDS, named, local=True)
            public, _ = curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label, id=key_id
            )
            return bytes(public[Attribute.EC_POINT])[2:]

    def make_secret(self, label: str, secret: bytes) -> None:
        """Put a secret key into the token, which does not give it out again."""
        from pkcs11 import Attribute, KeyType, ObjectClass

        with self._session() as session:
            session.create_object(
                {
                    Attribute.CLASS: ObjectClass.SECRET_KEY,
                    Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
                    Attribute.VALUE: secret,
                    Attribute.LABEL: label,
                    Attribute.TOKEN: True,
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    Attribute.SIGN: True,
                }
            )

    def delete_key(self, label: str) -> None:
        """Delete the key pairs with a label."""
        from pkcs11 import Attribute

        with self._session() as session:
            for found in list(session.get_objects({Attribute.LABEL: label})):
                found.destroy()

    def take_away(self) -> None:
        """Take the token away, as a cable that is pulled."""
        self.files.rename(self._away)

    def put_back(self) -> None:
        """Put the token back."""
        self._away.rename(self.files)

    def finalize(self) -> None:
        """Have the module forget this token: another one of this process has other files."""
        import pkcs11

        pkcs11.unload(self.module)

    def _session(self) -> Any:
        import pkcs11

        return pkcs11.lib(self.module).get_token(token_label="onecode").open(rw=True, user_pin=PIN)


def tokens(path: Path, patch: pytest.MonkeyPatch) -> Iterator[Token]:
    """Yield a token that this process sees; for a fixture."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed (onecode[pkcs11])")
    token = Token(path)
    for name, value in token.environment.items():
        patch.setenv(name, value)
    yield token
    token.finalize()
