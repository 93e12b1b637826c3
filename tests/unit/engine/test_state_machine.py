"""The real engine on a real store against a plain model: publish, report, acknowledge, withdraw, restart, and time.

The same steps in every run, for some 20 s. To look deeper, at other steps each time:
``ONECODE_STATE_EXAMPLES=5000 pytest tests/unit/engine/test_state_machine.py``.
"""

import asyncio
import os
import secrets
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from onecode.v1 import exceptions_pb2 as pb
from onecode_server.engine.publisher import LocalSubject, SubjectName
from onecode_server.errors import PreconditionFailed
from onecode_server.model import audit
from onecode_server.model.code import Scan
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.rpc.exceptions import ExceptionServicer

from tests.unit.engine.plain_model import LIST_GRACE, PlainModel
from tests.world import HOUR, NOON, REGIONS, SECOND, World

DEEP = int(os.environ.get("ONECODE_STATE_EXAMPLES", "0"))
SETTINGS = settings(
    derandomize=not DEEP,
    max_examples=DEEP or 50,
    stateful_step_count=60 if DEEP else 40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

NATION, TOKENS, STRANGE = "000000", "310000", "999999"
ADOPTERS = {"540000", "630000"}
HOSTS = ("420000", "440000", "540000", "630000", STRANGE)
SUBJECTS = [("420000", "anne"), ("540000", "anne"), ("630000", "bert"), ("440000", "carl"), (NATION, "anne")]
SUBJECTS += [(TOKENS, "token")]
MONTH = 30 * 24 * HOUR
CODES_MAX = 7
EVERYONE = 10_000

moments = st.sampled_from([-26 * HOUR, -HOUR, -1, 0, 0, 0, 1, SECOND, HOUR, 2 * HOUR, 30 * HOUR])
allowed = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(SUBJECTS),
        "publisher": st.sampled_from(["home", "home", NATION, "540000"]),
        "scope": st.sampled_from(["NATIONAL", "NATIONAL", "LOCAL"]),
        "level": st.sampled_from(["GREEN", "YELLOW", "RED", "RED"]),
        "after": moments,
        "since_issue": st.sampled_from([None, None, None, -1, 0, 1]),
        "lasts": st.sampled_from([None, None, 1, SECOND, HOUR, 3 * HOUR, 40 * HOUR]),
        "rises": st.sampled_from([1, 1, 1, 1, 2, 0, -1]),
        "named": st.sampled_from(["local", "code", "pseudonym"]),
    }
)
anything = st.fixed_dictionaries(
    {
        "subject": st.sampled_from([*SUBJECTS, None]),
        "publisher": st.sampled_from(["home", NATION, "540000", "630000", "440000", STRANGE]),
        "scope": st.sampled_from(["NATIONAL", "LOCAL"]),
        "level": st.sampled_from(["GREEN", "YELLOW", "RED", "UNSPECIFIED"]),
        "after": moments,
        "since_issue": st.none(),
        "lasts": st.sampled_from([None, -1, 0, 1, HOUR]),
        "revision": st.sampled_from([0, 1, 5, 10, 2**64 - 1, 2**64]),
        "named": st.sampled_from(["local", "code", "pseudonym"]),
    }
)
whoever = st.sampled_from(["420000", "440000", "540000", "420000", "440000", NATION, STRANGE])


class EngineAgainstModel(RuleBasedStateMachine):
    """Every step is taken in both; after it both say the same."""

    def __init__(self) -> None:
        super().__init__()
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

    def teardown(self) -> None:
        self.run(self.world.store.close())
        self.runner.close()
        self.directory.cleanup()

    def add_code(self, subject: tuple[str, str], level: str, begins: int) -> None:
        home, name = subject
        begins -= begins % SECOND  # as most issuers write it
        word = "no region's word" if level == "UNSPECIFIED" else Level[level]
        ends = begins + 30 * HOUR
        text = self.world.code(home, word, name, issued_at=begins, expires_at=ends)
        said = {"home": home, "subject": subject, "level": level, "begins": begins, "ends": ends}
        self.codes.append(said | {"is_token": False, "text": text})
        if len(self.codes) > CODES_MAX:
            del self.codes[1]  # the first one is the token

    def name(self, subject: tuple[str, str] | None, named: str) -> SubjectName:
        """Return what a publisher would send to name a subject."""
        if subject is None:
            return {"local": LocalSubject("42", "anne"), "code": Scan(b"no code", ""), "pseudonym": b"short"}[named]
        home, name = subject
        if home == TOKENS:
            return Scan(self.token, "")
        if named == "code":
            return Scan(self.world.code(home, Level.GREEN, name, issued_at=self.world.now), "")
        return LocalSubject(home, name) if named == "local" else pseudonym(self.world.pseudonym_key, home, name)

    @rule(chunk=st.lists(allowed, min_size=1, max_size=4))
    def publish_what_is_mostly_allowed(self, chunk: list[dict[str, Any]]) -> None:
        self.publish(chunk)

    @rule(chunk=st.lists(allowed, min_size=2, max_size=6), subject=st.sampled_from(SUBJECTS))
    def publish_on_one_subject(self, chunk: list[dict[str, Any]], subject: tuple[str, str]) -> None:
        own = {"subject": subject, "publisher": "home", "scope": "NATIONAL"}
        self.publish([one | own for one in chunk])

    @rule(
        subject=st.sampled_from(SUBJECTS),
        publisher=st.sampled_from(["home", "home", NATION]),
        first=st.sampled_from(["GREEN", "RED"]),
        steps=st.integers(1, 6),
        lasts=st.sampled_from([None, SECOND, HOUR]),
    )
    def announce_what_will_be(
        self, subject: tuple[str, str], publisher: str, first: str, steps: int, lasts: int | None
    ) -> None:
        same = {"subject": subject, "publisher": publisher, "scope": "NATIONAL", "named": "code", "since_issue": None}
        today = same | {"level": first, "after": 0, "lasts": None, "rises": 1}
        then = today | {"level": "YELLOW", "lasts": lasts}
        self.publish([today, *(then | {"after": step * HOUR} for step in range(1, steps + 1))])

    @rule(chunk=st.lists(allowed | anything, min_size=1, max_size=4))
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
            said = StatusRecord(publisher, Scope[scope], Level[level], begins, ends, revision)
            records.append((self.name(subject, one["named"]), said))
            is_known = one["named"] != "pseudonym" or home == TOKENS
            facts = {"subject": subject, "named_home": home if is_known else None, "by_token": home == TOKENS}
            said_plainly = {"publisher": publisher, "scope": scope, "level": level, "begins": begins, "ends": ends}
            expected.append(self.model.publish(facts | said_plainly | {"revision": revision}))
        for rejection, broken in zip(self.run(self.world.publisher.publish(records)), expected, strict=True):
            assert (rejection.name in broken) if rejection else not broken, (rejection, broken)

    @rule(
        host=whoever,
        home=whoever,
        reason=st.sampled_from(["a new variant"] * 6 + ["", "x" * 1024, "é" * 513]),
        after=st.sampled_from([0, 0, 0, -1, -60 * SECOND, -60 * SECOND - 1, SECOND, HOUR, 2 * HOUR]),
        lasts=st.sampled_from([1, SECOND, HOUR, HOUR, 2 * HOUR, MONTH, MONTH + 1, 0, -1]),
    )
    def report(self, host: str, home: str, reason: str, after: int, lasts: int) -> None:
        begins = self.model.now + after
        said = {"host": host, "home": home, "reason": reason, "begins": begins, "ends": begins + lasts}
        broken = self.model.report(said)
        filed = self.stepped(self.world.desk.report(host, home, reason, begins, begins + lasts), broken)
        if filed is not None:
            self.model.reports[-1]["id"] = filed.id

    @rule(
        host=st.sampled_from(["440000", "540000"]),
        home=st.sampled_from(["420000", "540000"]),
        after=st.sampled_from([0, 0, SECOND, HOUR, 2 * HOUR, -60 * SECOND, -60 * SECOND - 1]),
        lasts=st.sampled_from([SECOND, HOUR, 2 * HOUR, MONTH]),
        is_acknowledged=st.sampled_from([True, True, False]),
    )
    def report_what_is_mostly_allowed(
        self, host: str, home: str, after: int, lasts: int, is_acknowledged: bool
    ) -> None:
        count = len(self.model.reports)
        self.report(host, home, "a new variant", after, lasts)
        if is_acknowledged and len(self.model.reports) > count:
            self.step(0, "acknowledged")

    @precondition(lambda self: self.model.reports)
    @rule(
        number=st.integers(0, EVERYONE),
        common=st.sampled_from([1, 0, 0]),
        lasts=st.sampled_from([1, SECOND, HOUR]),
        is_after=st.booleans(),
    )
    def report_next_to(self, number: int, common: int, lasts: int, is_after: bool) -> None:
        """Right after another report of the pair or right before it, with at most a microsecond in common."""
        going_on = [one for one in self.model.reports if one["ends"] > self.model.now] or self.model.reports
        other = going_on[-1 - number % len(going_on)]
        begins = other["ends"] - common if is_after else other["begins"] + common - lasts
        self.report(other["host"], other["home"], "and still", begins - self.model.now, lasts)

    @precondition(lambda self: self.model.reports)
    @rule(number=st.integers(0, EVERYONE), done=st.sampled_from(["acknowledged", "withdrawn"]), is_anew=st.booleans())
    def step(self, number: int, done: str, *, is_anew: bool = False) -> None:
        report = self.model.reports[-1 - number % len(self.model.reports)]
        act = self.world.desk.acknowledge if done == "acknowledged" else self.world.desk.withdraw
        broken = self.model.step(report, done)
        self.stepped(act(report["id"]), broken)
        if done == "withdrawn" and is_anew and not broken:  # the time is free again
            begins = max(report["begins"], self.model.now)
            self.report(report["host"], report["home"], "anew", begins - self.model.now, report["ends"] - begins)

    def stepped(self, work: Any, broken: set[str]) -> Any:
        if not broken:
            return self.run(work)
        with pytest.raises(PreconditionFailed) as refused:
            self.run(work)
        assert refused.value.reason in broken
        return None

    @rule(number=st.integers(0, EVERYONE), beside=st.sampled_from([-1, 0, 0]), is_reports=st.booleans())
    def wait_for_an_edge(self, number: int, beside: int, is_reports: bool) -> None:
        edges = self.model.edges([] if is_reports else self.codes, is_reports=is_reports)
        if edges:
            self.wait(edges[number % min(len(edges), 6)] + beside - self.model.now)

    @rule(beside=st.sampled_from([0, 0, 1]))
    def outlive_the_trust_list(self, beside: int) -> None:
        passed = self.model.list_ends + LIST_GRACE + beside - self.model.now
        if passed >= 0:
            self.add_code(SUBJECTS[0], "GREEN", self.model.now + passed)
            self.wait(passed)

    @rule(passed=st.sampled_from([0, 1, SECOND, 40 * SECOND, HOUR]))
    def wait(self, passed: int) -> None:
        self.model.now += passed
        self.world.now += passed
        self.world.monotonic_s += passed / SECOND

    @rule(
        subject=st.sampled_from(SUBJECTS[:-1]),
        level=st.sampled_from(["GREEN", "GREEN", "YELLOW", "RED", "UNSPECIFIED"]),
        ago=st.sampled_from([0, 0, HOUR, -60 * SECOND, -HOUR]),
    )
    def issue(self, subject: tuple[str, str], level: str, ago: int) -> None:
        self.add_code(subject, level, self.model.now - ago)

    @rule()
    def sign_the_trust_list_anew(self) -> None:
        self.run(self.world.publish_list())
        self.model.list_ends = self.model.now + 24 * HOUR
        self.model.audit.append("trust list taken")

    @rule()
    def restart(self) -> None:
        before = self.everything()
        self.run(self.world.restart())
        assert self.everything() == before

    def everything(self) -> Any:
        """Return what the engine says: of every code at every host, of every report, and in the audit record."""
        return self.run(self.verdicts()), self.run(self.reports()), self.run(self.world.store.audit(0))

    async def verdicts(self) -> list[tuple[str, ...]]:
        await self.world.statuses.catch_up()  # as every server does four times a second
        scans = [Scan(code["text"], host) for code in self.codes for host in HOSTS]
        answers = [check.answer for check in (await self.world.verifier.verify_batch(scans)).checks]
        return [
            (*(part.name for part in (a.decision, a.level, a.authenticity, a.status, a.recognition)), a.exception_id)
            for a in answers
        ]

    async def reports(self) -> list[tuple[str, str]]:
        servicer = ExceptionServicer(self.world.desk, self.world.store, lambda: self.world.now)
        request, found = pb.ListExceptionsRequest(page_size=2), []
        while True:
            page = await servicer.ListExceptions(request, None)  # type: ignore[arg-type]
            found += [(one.id, pb.ExceptionState.Name(one.state).split("_", 2)[2]) for one in page.exceptions]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    @invariant()
    def both_say_the_same(self) -> None:
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


@pytest.mark.timeout(0 if DEEP else 500)  # hypothesis takes five minutes at most to make a failure short
def test_the_engine_says_what_the_plain_model_says_after_every_step() -> None:
    run_state_machine_as_test(EngineAgainstModel, settings=SETTINGS)
