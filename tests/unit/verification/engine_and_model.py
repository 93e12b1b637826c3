"""The real engine and the plain model side by side: each step is taken in both, and both must say the same of it."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from onecode.v1 import exceptions_pb2 as pb
from onecode_server.errors import AlreadyExists, PreconditionFailed
from onecode_server.model import audit
from onecode_server.model.code import Scan, Scans
from onecode_server.model.identity import LOCAL
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.publication.publisher import LocalSubject, SubjectName
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.recognition_exceptions import ExceptionServicer

from tests.unit.verification.plain_model import PlainModel
from tests.world import HOUR, NOON, REGIONS, SECOND, World

NATION, TOKENS, STRANGE = "000000", "310000", "999999"
ADOPTERS = {"540000", "630000"}
HOSTS = ("420000", "440000", "540000", "630000", STRANGE)
SUBJECTS = [("420000", "anne"), ("540000", "anne"), ("630000", "bert"), ("440000", "carl"), (NATION, "anne")]
SUBJECTS += [(TOKENS, "token")]
CODES_MAX = 7


class EngineAndModel:
    """A world of its own, its model, and the codes that are shown at every host after each step."""

    def __init__(self) -> None:
        self.answered: list[tuple[Callable[[str], Any], tuple[Any, ...], str, Any]] = []
        self.directory = TemporaryDirectory(prefix="onecode-state-")
        self.runner = asyncio.Runner()
        self.world = World(Path(self.directory.name))
        self.run(self.world.start())
        self.token = b"SH-" + secrets.token_urlsafe(16).encode()
        self.model = PlainModel(NOON, set(REGIONS), ADOPTERS, NOON + 24 * HOUR)
        token = {"home": TOKENS, "subject": (TOKENS, "token"), "level": "UNSPECIFIED", "begins": 0, "ends": None}
        self.codes: list[dict[str, Any]] = [token | {"is_token": True, "text": self.token}]
        for subject in SUBJECTS[:3]:
            self.add_code(subject, "GREEN", NOON - HOUR)
        self.add_code(SUBJECTS[3], "UNSPECIFIED", NOON - HOUR)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def close(self) -> None:
        self.run(self.world.store.close())
        self.runner.close()
        self.directory.cleanup()

    def add_code(self, subject: tuple[str, str], level: str, begins: int) -> None:
        home, name = subject
        begins -= begins % SECOND  # as most issuers write it
        word = "no region's word" if level == "UNSPECIFIED" else Level[level]
        ends = begins + 30 * HOUR
        text = self.world.code(home, word, name, issued_at=begins, expires_at=ends)
        fields = {"home": home, "subject": subject, "level": level, "begins": begins, "ends": ends}
        self.codes.append(fields | {"is_token": False, "text": text})
        if len(self.codes) > CODES_MAX:
            del self.codes[1]  # the first one is the token

    def name(self, subject: tuple[str, str] | None, named: str) -> SubjectName:
        """Return what a publisher would send to name a subject."""
        if subject is None:
            wrong: dict[str, SubjectName] = {
                "local": LocalSubject("42", "anne"),
                "code": Scan(b"no code", ""),
                "pseudonym": b"short",
            }
            return wrong[named]
        home, name = subject
        if home == TOKENS:
            return Scan(self.token, "")
        if named == "code":
            return Scan(self.world.code(home, Level.GREEN, name, issued_at=self.world.now), "")
        return LocalSubject(home, name) if named == "local" else pseudonym(self.world.pseudonym_key, home, name)

    def publish(self, chunk: list[dict[str, Any]]) -> None:
        now, records, expected = self.model.now, [], []
        for one in chunk:
            subject, level, scope = one["subject"], one["level"], one["scope"]
            home = subject[0] if subject else "420000"
            publisher = home if one["publisher"] == "home" else one["publisher"]
            begins = now + one["after"]
            if one["since_issue"] is not None:
                begins = self.codes[1]["begins"] + one["since_issue"]
            ends = None if one["lasts"] is None else begins + one["lasts"]
            revision = one.get("revision")
            if revision is None:
                revision = self.model.highest(publisher, subject, scope) + one["rises"]
            fields = StatusRecord(publisher, Scope[scope], Level[level], begins, ends, revision)
            records.append((self.name(subject, one["named"]), fields))
            is_known = one["named"] != "pseudonym" or home == TOKENS
            facts = {"subject": subject, "named_home": home if is_known else None, "by_token": home == TOKENS}
            described = {"publisher": publisher, "scope": scope, "level": level, "begins": begins, "ends": ends}
            expected.append(self.model.publish(facts | described | {"revision": revision}))
        for rejection, broken in zip(self.run(self.world.publisher.publish(records)), expected, strict=True):
            assert (rejection.name if rejection else "TAKEN") in (broken or {"TAKEN"}), (rejection, broken)

    def report(self, host: str, home: str, reason: str, after: int, lasts: int) -> None:
        begins = self.model.now + after
        fields = {"host": host, "home": home, "reason": reason, "begins": begins, "ends": begins + lasts}
        broken = self.model.report(fields)
        filed = self.stepped(
            lambda name: self.world.exception_service.report(LOCAL, host, home, reason, begins, begins + lasts, name),
            ("reported", host, home, reason, begins, lasts),
            broken,
        )
        if filed is not None:
            self.model.reports[-1]["id"] = filed.report.id

    def step(self, report: dict[str, Any], done: str) -> bool:
        """Acknowledge or withdraw; tell whether that was done."""
        broken = self.model.step(report, done)

        def act(name: str) -> Any:
            desk = self.world.exception_service  # of today: a restart makes another one
            return (desk.acknowledge if done == "acknowledged" else desk.withdraw)(LOCAL, report["id"], name)

        return self.stepped(act, (done, report["id"]), broken) is not None

    def stepped(self, asked: Callable[[str], Any], content: tuple[Any, ...], broken: set[str]) -> Any:
        """Take a step under a request id of its own. What was done is remembered, and ``ask_again`` asks for it."""
        name = f"request {len(self.answered):010}"
        if not broken:
            answer = self.run(asked(name))
            self.answered.append((asked, content, name, answer))
            return answer
        with pytest.raises(PreconditionFailed) as refused:
            self.run(asked(name))
        assert refused.value.reason in broken
        return None

    def ask_again(self, number: int, other: int) -> None:
        """Ask for a step that was taken: the answer is what it was; and for another one under its request id."""
        if self.answered:
            asked, content, name, answer = self.answered[number % len(self.answered)]
            assert self.run(asked(name)) == answer
            otherwise, other_content, *_ = self.answered[other % len(self.answered)]
            if other_content != content:
                with pytest.raises(AlreadyExists):
                    self.run(otherwise(name))

    def wait(self, passed: int) -> None:
        self.model.now += passed
        self.world.now += passed
        self.world.monotonic_s += passed / SECOND

    def sign_the_trust_list_anew(self) -> None:
        self.run(self.world.publish_list())
        self.model.list_ends = self.model.now + 24 * HOUR
        self.model.audit.append("trust list taken")

    def restart(self) -> None:
        before = self.everything()
        self.run(self.world.restart())
        assert self.everything() == before

    def everything(self) -> Any:
        """Return what the engine says: of every code at every host, of every report, and in the audit record."""
        return self.run(self.verdicts()), self.run(self.reports()), self.run(self.world.store.audit(0))

    async def verdicts(self) -> list[tuple[str, ...]]:
        await self.world.change_feed.catch_up()  # as every server does four times a second
        texts, hosts = [code["text"] for code in self.codes for _ in HOSTS], [*HOSTS] * len(self.codes)
        answers = (await self.world.verifier.verify(Scans(texts, hosts))).verdicts
        return [
            (*(part.name for part in (a.decision, a.level, a.authenticity, a.status, a.recognition)), a.exception_id)
            for a in answers
        ]

    async def reports(self) -> list[tuple[str, str]]:
        servicer = ExceptionServicer(self.world.exception_service, self.world.engine.exception_list)
        request, found = pb.ListExceptionsRequest(page_size=2), []
        while True:
            page = await servicer.ListExceptions(request, Caller(LOCAL, OnlyLocal()))
            found += [(one.id, pb.ExceptionState.Name(one.state).split("_", 2)[2]) for one in page.exceptions]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def say_the_same(self) -> None:
        verdicts, reports, entries = self.everything()
        for code in self.codes:
            for host in HOSTS:
                assert verdicts.pop(0) == self.model.verdict(code, host), (code["subject"], host)
        assert sorted(reports) == sorted((one["id"], self.model.state(one)) for one in self.model.reports)
        assert [entry.event for entry in entries] == self.model.audit
        for last, entry in zip([None, *entries], entries, strict=False):
            assert audit.follows(entry, last)
            assert (entry.number, entry.previous) == ((last.number + 1, last.hash) if last else (1, bytes(32)))
            assert last is None or last.time <= entry.time <= self.model.now
