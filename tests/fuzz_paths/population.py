"""The bearers of the country: identifiers of every kind, and records about them of every level, scope and time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from onecode_server.model.code import Scan
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym

from tests.fuzz_paths.country import ADOPTERS, SIGNED, SUSPENDED, TWINS
from tests.world import HOUR, NOON, SECOND, World, filed

SUBJECTS: Final = 48
"""Of each region. Half of them have records."""
ISSUED_AT: Final = NOON - HOUR
"""About when most codes are issued: what was published then is compared with their time of issue."""
TOKENS: Final = 24
HOME: Final = ""


class RecordCase(NamedTuple):
    """A record to publish: by whom (the home where it is empty), and when it counts, from ``ISSUED_AT`` in seconds."""

    level: Level
    after_s: int
    by: str = HOME
    scope: Scope = Scope.NATIONAL
    until_s: int | None = None
    revision: int = 1


_G, _Y, _R, _NATION, _DAY = Level.GREEN, Level.YELLOW, Level.RED, "000000", 86_400
RECORDS: Final[Sequence[Sequence[RecordCase]]] = (
    (RecordCase(_G, 1800),),
    (RecordCase(_R, 1800),),
    (RecordCase(_Y, 1800),),
    (RecordCase(_G, -7200),),
    (RecordCase(_R, -7200),),
    (RecordCase(_R, 1800, until_s=3000),),
    (RecordCase(_R, 7200),),
    (RecordCase(_R, 0),),
    (RecordCase(_R, -60),),
    (RecordCase(_Y, -59),),
    (RecordCase(_R, -61),),
    (RecordCase(_G, 60),),
    (RecordCase(_G, 61),),
    (RecordCase(_G, 1800), RecordCase(_Y, 1800, _NATION)),
    (RecordCase(_R, 1800, _NATION),),
    (RecordCase(_G, 1800, _NATION),),
    (RecordCase(_R, 1800, "540000", Scope.LOCAL),),
    (RecordCase(_Y, 1800, "540000", Scope.LOCAL), RecordCase(_R, 1800, "630000", Scope.LOCAL)),
    (RecordCase(_R, 1800), RecordCase(_G, 2400, revision=2)),
    (RecordCase(_G, 1800), RecordCase(_R, 9000, revision=2)),
    (RecordCase(_R, 1800, "420000"), RecordCase(_Y, 1800, "000000")),
    (RecordCase(_Y, 1800), RecordCase(_G, 1800, _NATION), RecordCase(_R, 1800, "540000", Scope.LOCAL)),
    (RecordCase(_R, 1800, _NATION, until_s=2400), RecordCase(_G, 1800)),
    (RecordCase(_Y, 7200, _NATION, until_s=_DAY), RecordCase(_R, -3 * 3600, until_s=_DAY)),
)


def name_of(form: str, number: int) -> str:
    """Return the identifier of a bearer, as text: those of one form are equally long."""
    return {"text": f"id-{number:04d}", "wide": f"身份{number:04d}", "number": str(1000 + number)}.get(
        form, f"id-{number:04d}"
    )


async def populate(world: World) -> list[bytes]:
    """Publish the records, file the exceptions, and return opaque codes that were published."""
    early = world.now
    publications = [*_records(world)]
    await world.publisher.publish(publications[::2])
    world.now = NOON - HOUR // 2
    await world.publisher.publish(publications[1::2])
    tokens = [b"SH-%022d" % number for number in range(TOKENS)]
    levels = [_G, _G, _G, _Y, _R]
    await world.publisher.publish(
        [
            (
                Scan(token, ""),
                _record("310000", RecordCase(levels[number % 5], 1800 - number, until_s=None if number % 2 else _DAY)),
            )
            for number, token in enumerate(tokens)
        ]
    )
    for number, (host, home) in enumerate(SUSPENDED):
        report = RecognitionException(
            f"report-{number}", host, home, "a test", NOON - HOUR, NOON + 24 * HOUR, early, acknowledged_at=NOON - HOUR
        )
        await world.store.change_exceptions(filed(report))
    world.now = NOON
    return tokens


def _records(world: World) -> list[tuple[bytes, StatusRecord]]:
    made = []
    for home in (*SIGNED, *TWINS, *ADOPTERS):
        for form in ("text", "wide", "number", "octets"):
            for number, case in enumerate(RECORDS):
                subject = pseudonym(world.pseudonym_key, home, name_of(form, number))
                if form == "octets":  # the identifier that is 16 bytes, as the hexadecimal text of it
                    subject = pseudonym(world.pseudonym_key, home, subject.hex())
                made += [(subject, _record(one.by or home, one)) for one in case]
    return made


def _record(publisher: str, case: RecordCase) -> StatusRecord:
    effective_at = ISSUED_AT + case.after_s * SECOND
    return StatusRecord(
        publisher=publisher,
        scope=case.scope,
        level=case.level,
        effective_at=effective_at,
        expires_at=None if case.until_s is None else max(ISSUED_AT + case.until_s * SECOND, effective_at + SECOND),
        revision=case.revision,
    )
