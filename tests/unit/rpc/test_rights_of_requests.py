"""Requests that are about a region: who may ask for which, and what is left out of an answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2
from onecode_server import assembly
from onecode_server.errors import InvalidRequest, NotPermitted
from onecode_server.model.identity import LOCAL, Identity, Role
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.publication.publisher import LocalSubject
from onecode_server.rpc import scan_stream
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.listener import Services

from tests.world import NOON, World

OPERATOR, NATION = Identity(Role.REGIONAL_OPERATOR, "420000"), Identity(Role.NATIONAL_OPERATOR)
SCANNER = Identity(Role.SCANNER, "440000")


def caller(identity: Identity) -> Caller:
    return Caller(identity, OnlyLocal())


@pytest.fixture
def services(world: World) -> Services:
    return assembly.services(world.engine)


@pytest.mark.parametrize("method", ["Verify", "BatchVerify", "Translate", "BatchTranslate"])
async def test_codes_are_checked_and_translated_for_the_scanners_own_region(
    world: World, services: Services, method: str
) -> None:
    code, field = world.code("420000"), "target_region" if method.endswith("Translate") else "host_region"

    async def ask(region: str) -> Any:
        request_type: Any = getattr(recognition_pb2, f"{method}Request")
        codes: Any = {"codes": [code]} if method.startswith("Batch") else {"code": code}
        return await getattr(services.recognition, method)(request_type(**codes, **{field: region}), caller(SCANNER))

    assert await ask("440000")
    with pytest.raises(NotPermitted, match="440000 only"):
        await ask("110000")
    with pytest.raises(InvalidRequest):  # which says more of it than a missing right
        await ask("nowhere")


async def test_a_stream_answers_what_came_before_a_message_for_another_region(world: World) -> None:
    code = world.code("420000")

    async def requests() -> AsyncIterator[recognition_pb2.StreamVerifyRequest]:
        for number, host in enumerate(("440000", "440000", "110000", "440000")):
            yield recognition_pb2.StreamVerifyRequest(request_id=number, code=code, host_region=host)

    answers = scan_stream.answers(requests(), caller(SCANNER), world.batcher, asyncio.Event())
    assert [recognition_pb2.StreamVerifyResponse.FromString(await anext(answers)).request_id for _ in range(2)] == [
        0,
        1,
    ]
    with pytest.raises(NotPermitted, match=r"^request 2: region/440000/scanner may check codes for 440000 only$"):
        await anext(answers)


async def test_one_message_of_a_stream_is_answered_for_the_own_region_alone(world: World) -> None:
    request = recognition_pb2.StreamVerifyRequest(request_id=7, code=world.code("420000"), host_region="440000")
    assert await scan_stream.answer(request.SerializeToString(), caller(SCANNER), world.batcher)
    request.host_region = "110000"
    with pytest.raises(NotPermitted, match="request 7"):
        await scan_stream.answer(request.SerializeToString(), caller(SCANNER), world.batcher)
    request.host_region = "nowhere"
    with pytest.raises(InvalidRequest):
        await scan_stream.answer(request.SerializeToString(), caller(SCANNER), world.batcher)


class Subjects:
    """Two subjects, of 420000 and of 440000, each with a record of its home and one of the national authority."""

    def __init__(self, world: World, services: Services) -> None:
        self._world = world
        self._services = services

    async def publish(self) -> None:
        for home in ("420000", "440000"):
            records = [StatusRecord(one, Scope.NATIONAL, Level.RED, NOON, None, 1) for one in (home, "000000")]
            named = [(LocalSubject(home, "wang"), record) for record in records]
            assert await self._world.publisher.publish(named) == [None, None]

    async def seen(self, by: Identity, **subject: Any) -> set[str]:
        """Return the publishers whose records a caller is told."""
        request = status_pb2.GetStatusRequest(subject=status_pb2.SubjectRef(**subject))
        answer = await self._services.status.GetStatus(request, caller(by))
        return {record.publisher for record in answer.records}


@pytest.fixture
async def subjects(world: World, services: Services) -> Subjects:
    made = Subjects(world, services)
    await made.publish()
    return made


def local(region: str) -> dict[str, Any]:
    return {"local": status_pb2.LocalSubject(region=region, id="wang")}


async def test_a_regional_operator_reads_all_records_of_its_own_subjects_and_none_of_others(subjects: Subjects) -> None:
    assert await subjects.seen(OPERATOR, **local("420000")) == {"420000", "000000"}
    with pytest.raises(NotPermitted, match="420000 only"):
        await subjects.seen(OPERATOR, **local("440000"))
    for everyone in (NATION, LOCAL):
        assert await subjects.seen(everyone, **local("440000")) == {"440000", "000000"}


async def test_a_bare_pseudonym_shows_the_own_records_and_does_not_tell_a_foreign_subject_from_none(
    world: World, subjects: Subjects
) -> None:
    own, foreign = (pseudonym(world.pseudonym_key, region, "wang") for region in ("420000", "440000"))
    assert await subjects.seen(OPERATOR, pseudonym=own) == {"420000"}
    assert await subjects.seen(OPERATOR, pseudonym=foreign) == set()
    assert await subjects.seen(OPERATOR, pseudonym=b"of nobody at all") == set()
    assert await subjects.seen(NATION, pseudonym=foreign) == {"440000", "000000"}


async def test_a_regional_operator_cannot_tell_an_authentic_code_of_another_region_from_any_other(
    world: World, subjects: Subjects
) -> None:
    own, foreign = (world.code(region, subject="wang") for region in ("420000", "440000"))
    assert await subjects.seen(OPERATOR, code=own) == {"420000", "000000"}
    said = set()
    for code in (foreign, foreign[:-1], foreign[:-8] + b"AAAAAAAA", own[:-1], b"x", b"", b"x" * 100_000):
        with pytest.raises(NotPermitted) as refused:
            await subjects.seen(OPERATOR, code=code)
        said.add(str(refused.value))
    assert said == {"region/420000/operator may read status records for 420000 only"}
    for everyone in (NATION, LOCAL):
        with pytest.raises(InvalidRequest):
            await subjects.seen(everyone, code=foreign[:-1])


@pytest.mark.parametrize(
    ("by", "narrowed", "is_permitted"),
    [
        (OPERATOR, {"host_region": "420000"}, True),
        (OPERATOR, {"home_region": "420000"}, True),
        (OPERATOR, {"host_region": "440000", "home_region": "420000"}, True),
        (OPERATOR, {"host_region": "440000"}, False),
        (OPERATOR, {}, False),
        (NATION, {}, True),
        (Identity(Role.OPS), {}, True),
        (SCANNER, {"host_region": "440000"}, False),
    ],
)
async def test_a_regional_operator_lists_the_reports_of_its_own_region(
    services: Services, by: Identity, narrowed: dict[str, str], is_permitted: bool
) -> None:
    request = exceptions_pb2.ListExceptionsRequest(**narrowed)  # type: ignore[arg-type]
    if is_permitted:
        await services.exceptions.ListExceptions(request, caller(by))
    else:
        with pytest.raises(NotPermitted):
            await services.exceptions.ListExceptions(request, caller(by))
