"""The templates and the encoded key ids that were learned from authentic codes.

Learning uses only signed bytes, so only holders of keys can add templates. Each key has a share of the cache: a new
template beyond the share's limit replaces the key's own least recently used one, never that of another key. All shares
together are bounded in bytes; the largest share gives up entries first.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from onecode_server.codes.codec import CODECS
from onecode_server.codes.layouts import Layouts, Shape
from onecode_server.errors import Malformed
from onecode_server.model.trust_list import Format, IssuerKey
from onecode_server.verification.authenticate.template import Template

BYTES_MAX: Final = 64 * 1024 * 1024
"""Limit on all shares of a process, by an upper estimate. With 512 keys it is 128 KiB each: six templates of common
size."""
TEMPLATES_MAX: Final = 64
"""Templates of one key: a few for each of its level words, and some for each length of a local identifier."""
SPELLINGS_MAX: Final = 16
"""Encoded key ids of one key: each machine of an issuer may encode the same header in its own way."""
MISSES_MAX: Final = 64
"""After this many codes of a key in a row from which no template could be learned, only one in this many is tried."""
TOUCH_READS: Final = 16
"""Every so many reads a template is marked as used by its keys; marking it on every read would cost more and gain
nothing."""

LAYOUTS: Final[Mapping[Format, Layouts]] = {
    fmt: layouts for fmt, codec in CODECS.items() if (layouts := codec.layouts()) is not None
}
_SPELLING_BYTES: Final = 400


class _Share:
    """The templates and the encoded key ids learned from one key's codes, the most recently used last."""

    def __init__(self, key: IssuerKey) -> None:
        self.key = key
        self.templates: OrderedDict[Template, int] = OrderedDict()
        self.spellings: OrderedDict[bytes, None] = OrderedDict()
        self.bytes = 0
        self.misses = 0
        self.singles = 0


class TemplateCache:
    """The templates of codes that were authentic under one trust list. A key is named by its place in the list's index.

    Not thread-safe: only the event loop uses it.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._shares: dict[int, _Share] = {}
        self._by_shape: dict[Format, dict[Shape | None, list[Template]]] = {fmt: {} for fmt in LAYOUTS}
        self.by_prefix: Final = [
            (CODECS[fmt].PREFIX, layouts.shape, self._by_shape[fmt]) for fmt, layouts in LAYOUTS.items()
        ]
        """The prefix of each format's single codes, what returns a code's shape, and the templates by their shape."""
        self._spellings: dict[Format, dict[bytes, bytes]] = {
            fmt: {} for fmt, layouts in LAYOUTS.items() if layouts.key_id_field is not None
        }
        self.latest: Template | None = None
        """The template that a single code has fitted last: the next one mostly fits it, too."""
        self._spellers: Counter[tuple[Format, bytes]] = Counter()  # how many shares have an encoded key id

    @property
    def public_keys(self) -> list[bytes]:
        """The keys that have a share."""
        return [share.key.public_key for share in self._shares.values()]

    def spellings(self, fmt: Format) -> Mapping[bytes, bytes] | None:
        """Return key ids by their encoding in authentic codes of a format; None if the format does not encode them."""
        return self._spellings.get(fmt)

    def by_shape(self, fmt: Format) -> Mapping[Shape | None, list[Template]]:
        """Return the templates of a format by the shape of their codes, those with the most recent hits first."""
        return self._by_shape[fmt]

    def templates(self, fmt: Format, shape: Shape) -> Sequence[Template]:
        """Return the templates of codes of a shape, those with the most recent hits first."""
        return self._by_shape[fmt].get(shape, ())

    def of_keys(self, keys: Mapping[bytes, tuple[int, IssuerKey]]) -> "TemplateCache":
        """Return a cache for another trust list, with the shares of the keys that it has too.

        ``keys`` are the keys of that list and their places in its index, by public key.
        """
        cache = TemplateCache(self._bytes_max)
        made: dict[Template, Template] = {}
        for share in self._shares.values():
            place, key = keys.get(share.key.public_key, (0, None))
            if key is None or (key.format, key.key_id) != (share.key.format, share.key.key_id):
                continue
            for template in share.templates:
                if template not in made:
                    made[template] = Template(template.layout, template.shape, cache.spellings(template.layout.format))
                cache._hold(made[template], place, key)
            for field in share.spellings:
                cache._spell(field, place, key)
        return cache

    def learn(self, code: bytes, place: int, key: IssuerKey, *, is_single: bool = False) -> None:
        """Learn from an authentic code that ``key`` signed. The code may have no shape or no layout.

        Where templates have to give way to each other, one single code (``is_single``) in MISSES_MAX teaches: learning
        takes twice as long as the check of a code.
        """
        layouts = LAYOUTS.get(key.format)
        if layouts is None:
            return
        shape = layouts.shape(code)
        if shape is None:
            return
        if layouts.key_id_field is not None:
            self._spell(layouts.key_id_field(code), place, key)
        share = self._share(place, key)
        if share.misses >= MISSES_MAX and share.misses % MISSES_MAX:
            share.misses += 1
            return
        if is_single and (len(share.templates) >= TEMPLATES_MAX or 2 * self.size_bytes > self._bytes_max):
            share.singles += 1
            if share.singles % MISSES_MAX:
                return
        data, _ = layouts.decode([code], shape)
        template = next((known for known in self.templates(key.format, shape) if known.layout.fits(data)[0]), None)
        try:
            template = template or Template(layouts.learn(code), shape, self.spellings(key.format))
            self._hold(template, place, key)
            share.misses = 0
        except (Malformed, ValueError):
            share.misses += 1

    def use(self, template: Template, places: Iterable[int], keys: Sequence[IssuerKey]) -> None:
        """Mark a template as used by these keys; only every TOUCH_READS-th call has an effect."""
        if template.reads % TOUCH_READS == 0:
            for place in places:
                self._hold(template, place, keys[place])
        template.reads += 1

    def _share(self, place: int, key: IssuerKey) -> _Share:
        share = self._shares.get(place)
        if share is None:
            share = self._shares[place] = _Share(key)
        return share

    def _hold(self, template: Template, place: int, key: IssuerKey) -> None:
        """Put a template into a key's share as the most recently used one, and make room for it."""
        share = self._share(place, key)
        if not template.holders:
            self._by_shape[key.format].setdefault(template.shape, []).append(template)
        template.holders.add(place)
        size = template.bytes_of(place)
        self._grow(share, size - share.templates.pop(template, 0))
        share.templates[template] = size
        if len(share.templates) > TEMPLATES_MAX:
            self._drop(place)
        self._evict()

    def _spell(self, field: bytes, place: int, key: IssuerKey) -> None:
        share = self._share(place, key)
        if field in share.spellings:
            return share.spellings.move_to_end(field)
        share.spellings[field] = None
        self._spellings[key.format][field] = key.key_id
        self._spellers[key.format, field] += 1
        self._grow(share, _SPELLING_BYTES + len(field))
        if len(share.spellings) > SPELLINGS_MAX:
            self._unspell(share)
        return self._evict()

    def _evict(self) -> None:
        """Remove entries from the largest share until all shares fit."""
        while self.size_bytes > self._bytes_max:
            place = max(self._shares, key=lambda one: self._shares[one].bytes)
            if self._shares[place].templates:
                self._drop(place)
            else:
                self._unspell(self._shares[place])

    def _drop(self, place: int) -> None:
        """Remove a key's least recently used template from its share, and from the cache if no other key holds it."""
        share = self._shares[place]
        template, size = share.templates.popitem(last=False)
        self._grow(share, -size)
        template.forget(place)
        template.holders.discard(place)
        if not template.holders:
            self.latest = None if self.latest is template else self.latest
            by_shape = self._by_shape[share.key.format]
            by_shape[template.shape].remove(template)
            if not by_shape[template.shape]:
                del by_shape[template.shape]

    def _unspell(self, share: _Share) -> None:
        field, _ = share.spellings.popitem(last=False)
        fmt = share.key.format
        self._spellers[fmt, field] -= 1
        if not self._spellers[fmt, field]:  # keys of the same id, of any region, may share an encoding
            del self._spellers[fmt, field], self._spellings[fmt][field]
        self._grow(share, -_SPELLING_BYTES - len(field))

    def _grow(self, share: _Share, size_bytes: int) -> None:
        share.bytes += size_bytes
        self.size_bytes += size_bytes
