"""What a run tells while it lasts, at its end, and of a disagreement."""

import json
import sys
from pathlib import Path

from onecode_server.model.verdict import Reason

from tests.fuzz_paths.run import Case
from tests.fuzz_paths.tally import Tally

REACHED_MIN = 1000
"""How often each reason is reached in a long run."""
REACHED_SHARE = 1000
"""In a short one: by one mutant in so many."""


def least_of(tally: Tally) -> int:
    """Return how often each reason must have been reached in a run of this length."""
    return min(REACHED_MIN, tally.mutants // REACHED_SHARE)


def progress(tally: Tally, elapsed_s: float, *, end: bool = False) -> None:
    """Show how far a run is, where somebody looks."""
    if sys.stderr.isatty():
        rate = tally.mutants / max(elapsed_s, 0.001)
        line = f"{tally.mutants:,} mutants in {elapsed_s:.0f} s, {rate:,.0f} a second, no disagreement"
        sys.stderr.write(f"\r{line}\x1b[K" + ("\n" if end else ""))
        sys.stderr.flush()


def report(tally: Tally, elapsed_s: float) -> None:
    """Print what was compared and reached."""
    rate = tally.mutants / max(elapsed_s, 0.001)
    print(f"{tally.mutants:,} mutants in {elapsed_s:.0f} s ({rate:,.0f} a second), {tally.answers:,} answers compared")
    print(f"{_share(tally.authentic, tally.mutants)} of the mutants are authentic")
    print(f"{_share(tally.in_columns, tally.batched)} of the codes in batches were read in columns")
    print(f"{_share(tally.in_rows, tally.single)} of the codes checked one by one were read by a layout")
    print(
        f"{tally.worlds:,} worlds, {tally.batches:,} batches; in {tally.interrupted:,} the list was swapped meanwhile"
    )
    if tally.repeated:
        print(f"{tally.repeated:,} batches do not count: the store did not answer in time")
    for title, counts in (("decision", tally.decisions), ("authenticity (finding)", tally.authenticities)):
        print(f"\n{title:<28}{'mutants':>12}")
        for name, count in counts.most_common():
            print(f"{name:<28}{count:>12,}")
    print(f"\n{'reason':<28}{'mutants':>12}")
    for reason in Reason:
        note = "unreachable: every combination of facts has a rule" if reason is Reason.NO_RULE else ""
        print(f"{reason.name:<28}{tally.reasons[reason.name]:>12,}  {note}".rstrip())


def shortfalls(tally: Tally) -> list[str]:
    """Return what a run without a disagreement must have done, and has not."""
    if tally.mutants == 0:
        return ["nothing was compared"]
    least = least_of(tally)
    faults = [f"reached less than {least:,} times: {', '.join(short)}" for short in [tally.short_of(least)] if short]
    if tally.authentic * 2 < tally.mutants:
        faults.append("less than half of the mutants are authentic")
    if not tally.in_columns or not tally.in_rows:
        faults.append("nothing was read in columns, or by a layout")
    return faults


def save(case: Case, folder: Path) -> Path:
    """Write a disagreement to a file of its own, and return which."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"disagreement-{case.seed}-{case.world}-{case.batch}.json"
    file.write_text(json.dumps(case.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return file


def print_case(case: Case, file: Path | None) -> None:
    """Print a disagreement, and how to see it again."""
    print(f"DISAGREEMENT: {case.path} against the general path, on a mutant ({case.how}), host {case.host},")
    print(
        f"seed {case.seed}, world {case.world}, batch {case.batch}, under a trust list of the kind: {case.kind_of_list}"
    )
    print(f"code     {bytes.fromhex(case.code)!r}")
    print(f"got      {case.got}")
    print(f"expected {case.expected}")
    if case.records:
        print(f"records  {case.records}")
    if file:
        print(f"saved; again with: python -m tests.fuzz_paths --replay {file}")


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / max(whole, 1):.1f} %)"
