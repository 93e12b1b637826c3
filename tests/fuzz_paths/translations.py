"""Translations: codes that a gateway key of the national authority signs, in another region's terms, about a source."""

from collections.abc import Mapping
from typing import Any, Final

from onecode_server.codes.encodings import base64url
from onecode_server.codes.national import codec as national
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Format

from tests import formats
from tests.fuzz_paths.country import KEYS, SIGNED, kid_of
from tests.fuzz_paths.groups import Group
from tests.fuzz_paths.population import ISSUED_AT, SUBJECTS, name_of
from tests.fuzz_paths.sealing import plain, secret_of
from tests.world import SECOND, World

_SOURCE_KEYS: Final = ("own", "own", "own", "k1", "window", "retired", "revoked", "past", "none")


class Translations(Group):
    """Translations into the terms of the region whose entry this is."""

    def _sign(self, world: World, fmt: Format) -> None:
        self.kid = f"gateway-{fmt}"
        signer = world.signers["000000", self.kid]
        self.secret, self.public_key = secret_of(signer), signer.public_key
        self.kid_bytes = self.kid.encode()
        self.neighbours = [("000000", self.kid_bytes, self.secret)]
        self.envelope = plain(fmt, self.kid_bytes)
        self.other_kids = [kid_of(other, kid).encode() for other in SIGNED for kid in ("k1", *KEYS)]
        self.source = self.chance.choice((*SIGNED, "540000", "310000", "999999"))

    def _name_subjects(self, world: World, fmt: Format) -> None:
        names = [pseudonym(world.pseudonym_key, self.source, name_of("text", number)) for number in range(SUBJECTS)]
        if fmt == formats.NATIONAL:
            self.subjects = [self.notation.octets(name, self.style) for name in names]
        else:
            self.subjects = [self.notation.text(base64url.encode(name), self.style) for name in names]

    def _place(self, claims: Mapping[str, Any]) -> None:
        super()._place(claims)
        kid = self.chance.choice(_SOURCE_KEYS)
        signer = "000000" if self.source == "540000" else self.source
        named = b"" if self.source == "310000" else kid_of(signer, kid).encode()
        digest, issued_at = bytes(32), ISSUED_AT // SECOND - 10_800
        notation, style = self.notation, self.style
        if notation.format == formats.NATIONAL:
            self.values["iss"] = notation.text(b"000000", style)
            self._put("residence", national.REGION, notation.text(self.source.encode(), style))
            self._put("source key", national.SOURCE_KEY, notation.octets(named, style))
            self._put("digest", national.SOURCE_DIGEST, notation.octets(digest, style))
            self._put("source issued at", national.SOURCE_ISSUED_AT, notation.number(issued_at))
            self._put("target", national.TARGET, notation.text(self.region.encode(), style))
            return
        members = {
            "region": self.source.encode(),
            "key_id": base64url.encode(named),
            "digest": base64url.encode(digest),
            "target": self.region.encode(),
        }
        texts = [b'"%s":%s' % (name.encode(), notation.text(value, style)) for name, value in members.items()]
        self._put("source", "onecode", b"{" + b",".join([*texts, b'"issued_at":%d' % issued_at]) + b"}")
