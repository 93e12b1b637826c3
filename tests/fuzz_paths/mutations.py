"""What is done to the codes of a group: one thing each, after which nearly all of them are signed again."""

from collections.abc import Callable
from typing import Final

from tests import formats
from tests.fuzz_paths.groups import Group, Mutant
from tests.fuzz_paths.sealing import plain, sealed, spoilt
from tests.fuzz_paths.texts import ASCII, BYTES, NOT_ASCII, NOT_TEXT
from tests.world import HOUR, NOON, SECOND

_EDGES_S: Final = [sign * (60 + more) for sign in (-1, 1) for more in (-1, 0, 1)] + [-1, 0, 1, 3600, -3600]
_MOMENTS: Final = (NOON - 4 * HOUR, NOON - 2 * HOUR, NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR)
"""About which keys and records begin and end."""


def mutant(group: Group, now: int) -> Mutant:
    """Return one mutant of a group, for a check at ``now`` (Unix microseconds)."""
    kind = group.chance.choices(_KINDS, cum_weights=_WEIGHTS)[0]
    return kind(group, now)


def _plain(group: Group, now: int) -> Mutant:
    return group.plain(now)


def _times(group: Group, now: int) -> Mutant:
    """Times at the edges of windows, of keys and of records."""
    chance, values = group.chance, group.encoded(now)
    role = chance.choice([role for role in ("issued_at", "expiry", "exp", "nbf") if role in group.slots])
    moment = now if chance.random() < 0.6 else chance.choice(_MOMENTS)
    values[role] = group.notation.time(moment + chance.choice(_EDGES_S) * SECOND, group.form)
    return Mutant(group.seal(group.payload(values)), f"{role} at an edge")


def _word(group: Group, now: int) -> Mutant:
    """Another of the region's words, or one of the same length that it does not know."""
    chance, values = group.chance, group.encoded(now)
    word = bytearray(group.word)
    if chance.random() < 0.5:
        word = bytearray(chance.choice([*group.words.values()]))
    else:
        place = chance.randrange(len(word))
        word[place] = chance.choice((word[place] ^ 0x20, word[place] ^ 1, *BYTES))
    values["level"] = bytes(word)
    return Mutant(group.seal(group.payload(values)), "other word")


def _inside(group: Group, now: int) -> Mutant:
    """Other bytes in a value, of the same length: text stays text or does not."""
    chance, values = group.chance, group.encoded(now)
    role = chance.choice([*group.order, *(role for role in group.order if role.startswith("more"))])
    value = bytearray(values[role])
    if not value:
        return group.plain(now)
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(value))
        value[place] = chance.choice(
            (chance.choice(BYTES), value[place] ^ 1, (value[place] + 1) & 255, chance.randrange(256))
        )
    values[role] = bytes(value)
    return Mutant(group.seal(group.payload(values)), f"bytes inside {role}")


def _anywhere(group: Group, now: int) -> Mutant:
    """Other bytes anywhere in the claims."""
    chance, payload = group.chance, bytearray(group.payload(group.encoded(now)))
    for _ in range(chance.randrange(1, 3)):
        payload[chance.randrange(len(payload))] = chance.choice(BYTES)
    return Mutant(group.seal(bytes(payload)), "bytes of the claims")


def _odd(group: Group, now: int) -> Mutant:
    """A claim of another kind or length."""
    chance, values = group.chance, group.encoded(now)
    role = chance.choice(group.order)
    values[role] = chance.choice(group.notation.odd)
    return Mutant(group.seal(group.payload(values)), f"odd {role}")


def _text(group: Group, now: int) -> Mutant:
    """A claim that is other text: not ASCII, or none at all."""
    chance, values = group.chance, group.encoded(now)
    role = chance.choice(group.order)
    values[role] = group.notation.text(chance.choice((*ASCII, *NOT_ASCII, *NOT_TEXT)), group.style)
    return Mutant(group.seal(group.payload(values)), f"text in {role}")


def _region(group: Group, now: int) -> Mutant:
    """Another issuer or residence, where a code names one."""
    chance, values = group.chance, group.encoded(now)
    roles = [role for role in ("iss", "residence", "target") if role in group.slots]
    if not roles:
        return _text(group, now)
    role = chance.choice(roles)
    named = chance.choice((b"000000", b"110000", b"420000", b"540000", b"630000", b"999999"))
    values[role] = group.notation.text(named, group.style)
    return Mutant(group.seal(group.payload(values)), f"other {role}")


def _neighbour(group: Group, now: int) -> Mutant:
    """The same claims, in another region's name and signed with its key: a twin's mean something else."""
    chance, values = group.chance, group.encoded(now)
    region, kid, secret = chance.choice(group.neighbours)
    if "iss" in values and chance.random() < 0.9:
        values["iss"] = group.notation.text(region.encode(), group.style)
    envelope = plain(group.notation.format, kid)
    return Mutant(sealed(envelope, group.payload(values), secret), f"signed by {region}")


def _structure(group: Group, now: int) -> Mutant:
    """Claims that are missing, stand twice, in another order, or among others."""
    chance, values, order = group.chance, group.encoded(now), [*group.order]
    pieces = [group.slots[role].before + values[role] + group.slots[role].behind for role in order]
    place = chance.randrange(len(pieces))
    how = chance.choice(("dropped", "twice", "moved", "more", "other name", "other style", "escaped name", "whole"))
    match how:
        case "dropped":
            del pieces[place]
        case "twice":
            pieces.append(pieces[place])
        case "moved":
            pieces.insert(0, pieces.pop(place))
        case "more":
            slot = group.notation.place((-70_099 if group.notation.format == formats.NATIONAL else "zz",), group.style)
            pieces.append(slot[0] + chance.choice(group.notation.odd))
        case "other name":
            pieces[place] = pieces[place].replace(group.slots[order[place]].before, _other_name(group), 1)
        case "escaped name":  # the same name in JSON, spelt otherwise; the same label in CBOR, in a longer head
            pieces[place] = group.notation.respelt(pieces[place])
        case "other style":
            return Mutant(group.seal(group.notation.join(pieces, chance.choice(group.notation.styles))), how)
        case _:
            return Mutant(group.seal(group.notation.twisted(group.payload(values), chance)), "whole claims")
    return Mutant(group.seal(group.notation.join(pieces, group.style)), f"{order[place]} {how}")


def _other_name(group: Group) -> bytes:
    is_national = group.notation.format == formats.NATIONAL
    names = (7, -65_540, 2**64, "exp", "") if is_national else ("iat", "编号", "", "a b", "onecode")
    name = group.chance.choice(names)
    return group.notation.place((name if name != 2**64 else 2**64 - 1,), group.style)[0]


def _header(group: Group, now: int) -> Mutant:
    how, envelope = spoilt(group.envelope, group.kid_bytes, group.other_kids, group.chance)
    return Mutant(group.seal(group.payload(group.encoded(now)), envelope), how)


def _damaged(group: Group, now: int) -> Mutant:
    """Not signed again: what reaches the signature, or not even that."""
    chance, code = group.chance, bytearray(group.plain(now).code)
    place = chance.randrange(len(code))
    match chance.randrange(5):
        case 0:
            code[place] = chance.choice(b"0123456789ABCDEFabcdef-_.: $")
        case 1:
            del code[place]
        case 2:
            code.insert(place, chance.choice(b"0Aa-_. \n="))
        case 3:
            other = chance.randrange(len(code))
            code[place], code[other] = code[other], code[place]
        case _:
            payload = bytearray(group.payload(group.encoded(now)))
            payload[chance.randrange(len(payload))] ^= 1
            wrong = bytes((group.secret[0] ^ 1,)) + group.secret[1:]
            return Mutant(sealed(group.envelope, bytes(payload), wrong), "signed with a wrong secret")
    return Mutant(bytes(code), "not signed again")


_WEIGHED: Final[tuple[tuple[Callable[[Group, int], Mutant], int], ...]] = (
    (_plain, 50),
    (_times, 12),
    (_word, 6),
    (_inside, 9),
    (_anywhere, 4),
    (_odd, 4),
    (_text, 3),
    (_region, 3),
    (_neighbour, 5),
    (_structure, 4),
    (_header, 4),
    (_damaged, 3),
)
_KINDS: Final = [kind for kind, _ in _WEIGHED]
_WEIGHTS: Final = [sum(weight for _, weight in _WEIGHED[: place + 1]) for place in range(len(_WEIGHED))]
