"""What a machine should make of status partitions, said again in dicts, without any of the code that applies them.

The rules of publication are those of ``plain_model``; here are the log's clock, repeated messages and late ones.
"""

from typing import Any

from tests.unit.verification.plain_model import PlainModel, Record

SECOND = 1_000_000
LATE_MAX = 600 * SECOND
EARLY_MAX = 60 * SECOND


class PlainReplica:
    """One partition of one machine."""

    def __init__(self) -> None:
        self.rules = PlainModel(0, {"420000", "310000", "000000"}, set(), 0)
        self.seen: set[int] = set()

    def take(self, number: int, log_time: int, made_at: int, records: list[Record]) -> list[set[str]] | str:
        """Take a chunk with a number of its own. Return for each record what may have become of it (nothing: it is
        taken), or why the chunk as a whole changes nothing."""
        now = self.rules.now = max(self.rules.now, log_time)
        is_repeated = number in self.seen
        self.seen.add(number)
        if is_repeated or made_at < now - LATE_MAX or made_at > now + EARLY_MAX:
            return "repeated, or not in time"
        return [self.rules.publish(dict(record)) for record in records]

    def pass_by(self, log_time: int) -> None:
        """See a message that is no chunk."""
        self.rules.now = max(self.rules.now, log_time)

    def in_effect(self, publisher: str, subject: Any) -> tuple[str, int, int | None, int] | None:
        """Return level, beginning, end and revision of the NATIONAL record that counts now."""
        mine = [one for one in self.rules.records if (one["publisher"], one["subject"]) == (publisher, subject)]
        begun = [one for one in mine if one["begins"] <= self.rules.now]
        if not begun:
            return None
        last = max(begun, key=lambda one: one["revision"])
        return last["level"], last["begins"], last["ends"], last["revision"]
