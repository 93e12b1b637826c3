"""Writes to the log for one process: a change is acknowledged once the log has it and this machine has applied it.

Where either takes too long the caller is told UNAVAILABLE, and may send the same again: a record that is known changes
nothing, a step has a request id.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from onecode_server.errors import LogUnavailable
from onecode_server.log.appender import LogAppender
from onecode_server.model.partition import DECISIONS, partition_of
from onecode_server.recognition.steps import Step, expect_step
from onecode_server.replication import message_form, outcomes, reset_audit
from onecode_server.replication.applied_outcomes import AppliedOutcomes
from onecode_server.replication.machine import Machine
from onecode_server.replication.messages import (
    CHUNK_RECORDS_MAX,
    RANDOM_BYTES,
    Chunk,
    Command,
    ListCommand,
    Reset,
    RulesCommand,
    StepCommand,
    identifier_in,
)
from onecode_server.rules.publication import Outcome, RevisionReset
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import ExceptionAnswer, KnownList, Publication
from onecode_server.system.clock import Clock

APPLIED_S: Final = 15.0
"""The wait for this machine to apply what the log has: it outlasts a change of leaders, which takes seconds."""


class LogWriter:
    """Writes records, steps and trust lists to the log: a ``RecordsWriter`` and a ``StepsWriter``.

    ``clock`` returns Unix microseconds, ``trust_version`` the version of the trust list by which records were checked.
    Its coroutines raise LogUnavailable and StoreBusy.
    """

    def __init__(
        self,
        appender: LogAppender,
        store: LmdbReplica,
        machine: Machine,
        clock: Clock,
        trust_version: Callable[[], int],
    ) -> None:
        self._appender, self._store, self._machine = appender, store, machine
        self._clock, self._trust_version = clock, trust_version
        self._applied = AppliedOutcomes(store)

    async def write(self, publications: Sequence[Publication]) -> list[Outcome]:
        """Write records, those of a subject in order; return the outcome of each."""
        places: dict[int, list[int]] = {}
        for place, publication in enumerate(publications):
            places.setdefault(partition_of(publication.subject), []).append(place)
        chunks = [(partition, part) for partition, all_of_it in places.items() for part in _parts(all_of_it)]
        # Chunks of one partition lie in the log in the order in which they are appended: a task begins when it is made.
        answers = await asyncio.gather(
            *(self._publish(partition, [publications[place] for place in part]) for partition, part in chunks)
        )
        results: list[Outcome] = [None] * len(publications)
        for (_, part), found in zip(chunks, answers, strict=True):
            for place, outcome in zip(part, found, strict=True):
                results[place] = outcome
        return results

    async def reset_revision(self, reset: RevisionReset) -> int:
        """Set a revision back in its subject's partition, then add the audit entry, which names this machine. Return
        the former revision. Raises PreconditionFailed."""
        partition, by = partition_of(reset.subject), f"machine {self._machine.identifier.hex()}"
        asked = Reset(*self._head(partition), reset, by)
        was = outcomes.read_number(await self._send(partition, asked))
        outcomes.expect_done(await self._send(DECISIONS, reset_audit.record_of(asked, was)))
        return was

    async def take(self, step: Step) -> ExceptionAnswer:
        """Take a step of an exception. Raises what refuses it."""
        expect_step(step)
        command = StepCommand(*self._head(DECISIONS), step)
        return outcomes.read_answer(await self._send(DECISIONS, command))

    async def take_list(self, known: KnownList) -> None:
        """Bring a trust list, whose signature was checked, to all machines. Raises TrustListRefused."""
        outcomes.expect_done(await self._send(DECISIONS, ListCommand(*self._head(DECISIONS), known)))

    async def put_rules_in_force(self, version: int) -> None:
        """Let all machines write under a later version of the rules. Those that do not know it stop. Raises
        PreconditionFailed where it is not later than that in force."""
        outcomes.expect_done(await self._send(DECISIONS, RulesCommand(*self._head(DECISIONS), version)))

    async def _publish(self, partition: int, publications: Sequence[Publication]) -> list[Outcome]:
        chunk = Chunk(*self._head(partition), self._trust_version(), tuple(publications))
        return outcomes.read_records(await self._send(partition, chunk))

    def _head(self, partition: int) -> tuple[bytes, bytes, int, int]:
        """Return what all commands begin with: machine, identifier, time, and the version of the rules in force."""
        identifier = identifier_in(partition, secrets.token_bytes(RANDOM_BYTES))
        return self._machine.identifier, identifier, self._clock(), self._store.rules()

    async def _send(self, partition: int, command: Command) -> bytes:
        """Return the outcome of a command. Nothing is appended where this machine would not apply it."""
        message = self._machine.sealer.seal(message_form.encode(command), partition)
        with self._applied.expected(command.identifier) as outcome:
            if self._store.stop() is not None:
                raise LogUnavailable("this machine has stopped applying the log: nothing was written. Ask another one")
            await self._appender.append(partition, message)
            return await self._applied.of(outcome, APPLIED_S)


def _parts(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), CHUNK_RECORDS_MAX):
        yield places[start : start + CHUNK_RECORDS_MAX]
