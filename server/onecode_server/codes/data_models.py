"""The data models of claims: that of JSON, and that of CBOR, which has integer labels and bytes (RFC 8949, section 2).

Each codec names the model of its claims. They differ in the steps of a path, in the writing of bytes, and so in the
text of key ids and in the claims with which a translation names its source.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from onecode_server.codes.encodings import base64url
from onecode_server.errors import ClaimMissing, Malformed
from onecode_server.model.trust_list import Format, Role

INDEX_MAX: Final = 255
"""The largest index of an array, and the largest sum of the indexes of different arrays. A translation pads its arrays
with null, and a code of 4 KiB has room for little more."""
SOURCE_MEMBERS: Final = ("region", "key_id", "digest", "issued_at", "target")
"""The members of ``model.code.Source``; ``key_id`` and ``digest`` are bytes."""
TRANSLATION: Final = "onecode"
"""The member in which translations with JSON claims name their source."""


class DataModel(Protocol):
    """The interface of a data model. ``reserved`` are the first steps of paths that no region may map a claim to.

    ``has_labels`` tells whether an integer may name a member of a map; otherwise it is the index of an array.
    ``has_bytes`` tells whether claims can be bytes. ``steps`` names the possible steps of a path in messages.
    """

    @property
    def reserved(self) -> frozenset[str | int]: ...  # noqa: D102

    @property
    def has_labels(self) -> bool: ...  # noqa: D102

    @property
    def has_bytes(self) -> bool: ...  # noqa: D102

    @property
    def steps(self) -> str: ...  # noqa: D102

    def is_integer_step(self, step: int, place: int) -> bool:
        """Tell whether an integer may be the step of a path at ``place``, counted from 0."""
        ...

    def write_bytes(self, value: bytes) -> str | bytes:
        """Return bytes as a claim that has them."""
        ...

    def write_source(self, members: Mapping[str, Any]) -> dict[Any, Any]:
        """Return the claims that name a translation's source, by SOURCE_MEMBERS."""
        ...

    def read_source(self, tree: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the SOURCE_MEMBERS in a translation's claims, of any type. Raises ClaimMissing, Malformed."""
        ...

    def key_id_bytes(self, text: str) -> bytes:
        """Return a key id as the codes carry it, from the text of the trust list. Raises Malformed."""
        ...

    def key_id_text(self, key_id: bytes) -> str:
        """Return a key id as the trust list writes it."""
        ...

    def new_key_id(self, region: str, role: Role, fmt: Format, date: str) -> str:
        """Return the text of the id of a region's new key; ``date`` is eight digits, or fourteen with the time."""
        ...


class Json:
    """The data model of JSON: bytes are base64url text, and key ids are text."""

    reserved: Final = frozenset({TRANSLATION})
    has_labels: Final = False
    has_bytes: Final = False
    steps: Final = f"a name (or, inside of a path, an index of an array up to {INDEX_MAX})"

    def is_integer_step(self, step: int, place: int) -> bool:
        """Tell whether an integer is the index of an array: claims as a whole are an object."""
        return place > 0 and 0 <= step <= INDEX_MAX

    def write_bytes(self, value: bytes) -> str:
        """Return bytes as base64url text."""
        return base64url.encode(value).decode()

    def write_source(self, members: Mapping[str, Any]) -> dict[Any, Any]:
        """Return one object with all members."""
        written = {name: self.write_bytes(one) if isinstance(one, bytes) else one for name, one in members.items()}
        return {TRANSLATION: written}

    def read_source(self, tree: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the members of that object. Raises ClaimMissing, Malformed."""
        if TRANSLATION not in tree:
            raise ClaimMissing("source", "is missing", TRANSLATION)
        named = tree[TRANSLATION]
        if not isinstance(named, dict) or not named.keys() >= set(SOURCE_MEMBERS):
            raise ClaimMissing("source", "a member is missing", TRANSLATION)
        members = {name: named[name] for name in SOURCE_MEMBERS}
        return members | {name: bytes_of(members[name]) for name in ("key_id", "digest")}

    def key_id_bytes(self, text: str) -> bytes:
        """Return a key id in UTF-8. Raises Malformed."""
        try:
            return text.encode()
        except ValueError:  # a lone surrogate, which JSON can spell
            raise Malformed("kid is not text") from None

    def key_id_text(self, key_id: bytes) -> str:
        """Return a key id as text."""
        return key_id.decode()

    def new_key_id(self, region: str, role: Role, fmt: Format, date: str) -> str:
        """Return a key id that a person can read."""
        return f"{region}-{role}-{fmt}-{date}"


class Cbor:
    """The data model of CBOR. ``source`` has the label of each of SOURCE_MEMBERS in a translation."""

    has_labels: Final = True
    has_bytes: Final = True
    steps: Final = "a name, a CBOR label"

    def __init__(self, source: Mapping[str, int], reserved: frozenset[int]) -> None:
        self.reserved = reserved
        self._source = source

    def is_integer_step(self, step: int, place: int) -> bool:
        """Tell whether an integer is one that CBOR writes without a tag (RFC 8949, section 3.1)."""
        return -(2**64) <= step < 2**64

    def write_bytes(self, value: bytes) -> bytes:
        """Return bytes as they are."""
        return value

    def write_source(self, members: Mapping[str, Any]) -> dict[Any, Any]:
        """Return a claim for each member."""
        return {self._source[name]: one for name, one in members.items()}

    def read_source(self, tree: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the values of those claims. Raises ClaimMissing."""
        for label in self._source.values():
            if label not in tree:
                raise ClaimMissing("source", "is missing", str(label))
        return {name: tree[label] for name, label in self._source.items()}

    def key_id_bytes(self, text: str) -> bytes:
        """Return a key id from its hex. Raises Malformed."""
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise Malformed("kid is not hex") from None

    def key_id_text(self, key_id: bytes) -> str:
        """Return a key id in hex, in small letters."""
        return key_id.hex()

    def new_key_id(self, region: str, role: Role, fmt: Format, date: str) -> str:
        """Return a key id of hex digits: the region, the date, and the letter with which the role begins."""
        return f"{region}{date}{role[0].encode().hex()}"


JSON: Final = Json()


def bytes_of(value: Any) -> bytes:
    """Return the bytes in a claim of JSON. Raises Malformed."""
    if not isinstance(value, str):
        raise Malformed("not base64url text")
    return base64url.decode(value.encode(errors="replace"))
