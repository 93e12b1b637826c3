"""What publishing, exceptions and checks should do, said again in lists and dicts, without any of the server's rules.

A step returns the names of all the rules that it breaks, in no order; where there are none, it is done. Times are Unix
microseconds, subjects are whatever the test calls them, everything else has the wire's names as text.
"""

from typing import Any

SECOND = 1_000_000
SKEW = 60 * SECOND
LIST_GRACE = 3600 * SECOND
LASTS_MIN = 3600 * SECOND
LASTS_MAX = 30 * 86_400 * SECOND
REPORT_AHEAD_MAX = 30 * 86_400 * SECOND
UNACKNOWLEDGED_MAX = 72 * 3600 * SECOND
AHEAD_MAX = 90 * 86_400 * SECOND
LAG = 600 * SECOND
NATION = "000000"
SEVERITY = {"UNSPECIFIED": 0, "GREEN": 1, "YELLOW": 2, "RED": 3}

Record = dict[str, Any]
Answer = tuple[str, str, str, str, str, str]
"""Decision, level, authenticity, status, recognition, exception id."""


class PlainModel:
    """A country with ``regions``, of which ``adopters`` use the national code."""

    def __init__(self, now: int, regions: set[str], adopters: set[str], list_ends: int) -> None:
        self.now = now
        self.regions, self.adopters = regions, adopters
        self.list_ends = list_ends
        self.records: list[Record] = []
        self.tokens: dict[Any, tuple[int, int | None]] = {}
        self.reports: list[Record] = []
        self.audit = ["trust list taken"]

    def publish(self, record: Record) -> set[str]:
        """A record has publisher, scope, level, begins, ends, revision, subject, and named_home: None where only a
        pseudonym names the subject. The subject None is nobody.

        TAKEN beside SUPERSEDED is a replay that is harmless either way: whether the first one is still kept, the model
        does not know."""
        publisher, named_home = record["publisher"], record["named_home"]
        broken = set()
        if record["subject"] is None:
            broken.add("INVALID_SUBJECT")
        if publisher not in self.regions:
            broken.add("UNKNOWN_PUBLISHER")
        if record["level"] == "UNSPECIFIED":
            broken.add("INVALID_LEVEL")
        if record["ends"] is not None and record["ends"] <= record["begins"]:
            broken.add("INVALID_TIME")
        if not 1 <= record["revision"] < 2**63:
            broken.add("INVALID_REVISION")
        if record["scope"] == "NATIONAL" and named_home is not None and publisher not in (NATION, named_home):
            broken.add("NOT_THE_HOME")
        if record["scope"] == "LOCAL" and publisher not in self.adopters:
            broken.add("NOT_AN_ADOPTER")
        return broken or self._join(record)

    def _join(self, record: Record) -> set[str]:
        before = self._published(record["publisher"], record["subject"], record["scope"])
        revision, highest = record["revision"], max((one["revision"] for one in before), default=0)
        under_it = [one for one in before if one["revision"] == revision]
        if under_it:
            content = ("level", "begins", "ends")
            is_replay = [under_it[0][name] for name in content] == [record[name] for name in content]
            outcome = {"TAKEN" if is_replay else "REVISION_CONFLICT"} | (
                {"SUPERSEDED"} if revision < highest else set()
            )
            return outcome if is_replay else outcome | self._too_far_ahead(record)
        if revision < highest:
            return {"SUPERSEDED"} | self._too_far_ahead(record)
        if (not before and revision > 2**61) or (before and revision - highest > 2**53):
            return {"INVALID_REVISION"} | self._too_far_ahead(record)
        if broken := self._too_far_ahead(record):
            return broken
        record["published"] = self.now
        waiting = [one for one in [*before, record] if one["begins"] > self.now]
        counting = [one["revision"] for one in [*before, record] if one["begins"] <= self.now]
        if len([one for one in waiting if one["revision"] > max(counting, default=0)]) > 4:
            return {"TOO_MANY_PENDING"}
        self.records.append(record)
        if record["by_token"] and record["publisher"] == record["named_home"] and record["scope"] == "NATIONAL":
            old = [one["revision"] for one in [*before, record] if one["begins"] <= self.now - LAG]
            alive = [one for one in [*before, record] if one["revision"] >= max(old, default=0)]
            self.tokens[record["subject"]] = min(one["begins"] for one in alive), record["ends"]
        return set()

    def _too_far_ahead(self, record: Record) -> set[str]:
        return {"INVALID_TIME"} if record["begins"] > self.now + AHEAD_MAX else set()

    def _published(self, publisher: str, subject: Any, scope: str) -> list[Record]:
        source = (publisher, subject, scope)
        return [one for one in self.records if (one["publisher"], one["subject"], one["scope"]) == source]

    def highest(self, publisher: str, subject: Any, scope: str) -> int:
        """Return the highest revision that was taken, 0 where there is none."""
        return max((one["revision"] for one in self._published(publisher, subject, scope)), default=0)

    def _in_effect(self, publisher: str, subject: Any, scope: str) -> Record | None:
        begun = [one for one in self._published(publisher, subject, scope) if one["begins"] <= self.now]
        if not begun:
            return None
        last = sorted(begun, key=lambda one: one["revision"])[-1]
        return None if last["ends"] is not None and last["ends"] <= self.now else last

    def report(self, report: Record) -> set[str]:
        """A report has id, host, home, reason, begins and ends."""
        host, home, asked = report["host"], report["home"], report["begins"]
        if self.now - SKEW <= report["begins"] < self.now:
            report["begins"] = self.now
        begins, ends = report["begins"], report["ends"]
        broken = {
            "HOST_UNKNOWN": host not in self.regions,
            "HOME_UNKNOWN": home not in self.regions,
            "HOME_IS_HOST": host == home,
            "HOME_IS_NATIONAL": home == NATION,
            "HOST_IS_NATIONAL": host == NATION,
            "REASON_MISSING": not 1 <= len(report["reason"].encode()) <= 1024,
            "BACKWARDS": begins < self.now,
            "TOO_FAR_AHEAD": begins - self.now > REPORT_AHEAD_MAX,
            "ENDS_BEFORE_IT_BEGINS": ends <= begins,
            "TOO_SHORT": ends - asked < LASTS_MIN,
            "TOO_LONG": ends - begins > LASTS_MAX,
            "OVERLAPS": self._overlaps(report),
            "TOO_MANY_OPEN_OF_PAIR": len(self._in_state("REPORTED", host, home)) >= 8,
            "TOO_MANY_OPEN_OF_HOST": len(self._in_state("REPORTED", host)) >= 256,
        }
        if not any(broken.values()):
            self.reports.append(report | {"filed": self.now, "acknowledged": None, "withdrawn": None})
            self.audit.append("exception reported")
        return {name for name, is_broken in broken.items() if is_broken}

    def _in_state(self, states: str, host: str, home: str | None = None) -> list[Record]:
        own = [one for one in self.reports if one["host"] == host and home in (None, one["home"])]
        return [one for one in own if self.state(one) in states.split()]

    def _overlaps(self, report: Record) -> bool:
        others = self._in_state("ACKNOWLEDGED EFFECTIVE", report["host"], report["home"])
        return any(
            max(report["begins"], one["begins"]) < min(report["ends"], one["ends"])
            for one in others
            if one is not report
        )

    def _ends(self, report: Record) -> int:
        waits_until = report["filed"] + UNACKNOWLEDGED_MAX
        return int(report["ends"] if report["acknowledged"] is not None else min(report["ends"], waits_until))

    def step(self, report: Record, done: str) -> set[str]:
        """``done`` is acknowledged or withdrawn."""
        broken = set()
        if report["withdrawn"] is not None:
            broken.add("ALREADY_WITHDRAWN")
        if self.now >= self._ends(report):
            broken.add("ALREADY_ENDED")
        if done == "acknowledged":
            if report["acknowledged"] is not None:
                broken.add("ALREADY_ACKNOWLEDGED")
            if self._overlaps(report):
                broken.add("OVERLAPS")
            if len(self._in_state("ACKNOWLEDGED EFFECTIVE", report["host"], report["home"])) >= 8:
                broken.add("TOO_MANY_ACKNOWLEDGED")
        if not broken:
            report[done] = self.now
            self.audit.append(f"exception {done}")
        return broken

    def state(self, report: Record) -> str:
        """Where a report stands now."""
        if report["withdrawn"] is not None:
            return "WITHDRAWN"
        if self.now >= self._ends(report):
            return "ENDED"
        if report["acknowledged"] is None:
            return "REPORTED"
        return "EFFECTIVE" if self.now >= report["begins"] else "ACKNOWLEDGED"

    def verdict(self, code: Record, host: str) -> Answer:
        """A code has home, subject, level and begins and ends; an opaque one has neither level nor times."""
        refused = "REFUSE", "UNSPECIFIED"
        nothing = "UNSPECIFIED", "UNSPECIFIED", ""
        begins, ends = code["begins"], code["ends"]
        if code["is_token"]:
            if code["subject"] not in self.tokens:
                return (*refused, "UNKNOWN_ISSUER", *nothing)
            begins, ends = self.tokens[code["subject"]]
        if self.now < begins - SKEW:
            return (*refused, "NOT_YET_VALID", *nothing)
        if ends is not None and self.now >= ends + SKEW:
            return (*refused, "EXPIRED", *nothing)
        own = self._in_effect(code["home"], code["subject"], "NATIONAL")
        counted = own if own and self._counts(own, code) else None
        nation = counted if code["home"] == NATION else self._in_effect(NATION, code["subject"], "NATIONAL")
        local = self._in_effect(host, code["subject"], "LOCAL") if host in self.adopters else None
        level = counted["level"] if counted else code["level"]
        above = [one["level"] for one in (nation, local) if one]
        if level != "UNSPECIFIED" or "RED" in above:
            level = max([level, *above], key=SEVERITY.__getitem__)
        status = "CURRENT" if own or above else "NONE"
        recognition, exception = self._recognition(code["home"], host)
        decision = self._decide(level, recognition, "RED" in above)
        return (*decision, "VALID", status, recognition, exception)

    def _counts(self, own: Record, code: Record) -> bool:
        """Tell whether the home's record stands and not what the code claims."""
        if code["is_token"]:
            return True
        earlier, later = sorted((own["begins"], own["published"]))
        if later < code["begins"] - SKEW:
            return False
        if earlier > code["begins"] + SKEW:
            return True
        if code["level"] == "UNSPECIFIED":
            return bool(own["level"] == "RED")
        return SEVERITY[own["level"]] >= SEVERITY[code["level"]]

    def _recognition(self, home: str, host: str) -> tuple[str, str]:
        if host not in self.regions:
            return "UNKNOWN_HOST", ""
        for one in self.reports:
            if (one["host"], one["home"]) == (host, home) and self.state(one) == "EFFECTIVE":
                return "SUSPENDED", one["id"]
        return "RECOGNISED", ""

    def _decide(self, level: str, recognition: str, is_red_above: bool) -> tuple[str, str]:
        if is_red_above:
            return "REFUSE", "RED"
        if recognition != "RECOGNISED":
            return "CHECK", "UNSPECIFIED"
        if level == "RED":
            return "REFUSE", "RED"
        if level == "YELLOW":
            return "CHECK", "YELLOW"
        if level == "GREEN" and self.now <= self.list_ends + LIST_GRACE:
            return "ADMIT", "GREEN"
        return "CHECK", "UNSPECIFIED"

    def edges(self, codes: list[Record], *, is_reports: bool) -> list[int]:
        """Return the moments to come at which something begins or ends: of reports alone, or of all the rest."""
        moments: set[int | None] = set()
        for one in self.reports if is_reports else self.records:
            moments |= {one["begins"], self._ends(one) if is_reports else one["ends"]}
        if not is_reports:
            moments.add(self.list_ends + LIST_GRACE + 1)
            for begins, ends in [*self.tokens.values(), *((code["begins"], code["ends"]) for code in codes)]:
                moments |= {begins - SKEW, None if ends is None else ends + SKEW}
        return sorted(moment for moment in moments if moment is not None and moment > self.now)
