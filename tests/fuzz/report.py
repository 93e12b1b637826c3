"""What a fuzzing run tells at its end."""

import re

from tests.fuzz.run import Run


def report(runs: list[Run], elapsed_s: float) -> int:
    """Print what was compared and found, and return the status: 0, or 1 where any process did not end well."""
    counted = [run.counted() for run in runs]
    total = {name: sum(each[name] for each in counted) for name in counted[0]}
    reached, there = max(run.coverage() for run in runs)
    print(f"{total['items']:,} items compared with libsodium in {elapsed_s:.0f} s: {total['accepted']:,} accepted,")
    print(f"at least {total['distinct']:,} different, {total['keys']:,} fresh keys judged;")
    print(
        f"{total['portable']:,} answers by the portable implementation, {total['ifma']:,} by AVX-512 IFMA, "
        f"in {total['batches']:,} batches and their recompositions"
    )
    print(f"coverage: {reached:,} of {there:,} edges of kernel and harness; disagreements: {total['disagreements']}")
    failed = [run for run in runs if run.status()]
    for run in failed:
        print(f"a process ended with status {run.status()}:\n{_finding(run.log())}")
    if total["items"] == 0 and not failed:
        print("nothing was compared")
        return 1
    return int(bool(failed))


def _finding(log: str) -> str:
    """Return the part of a log that tells what was found: the item in hex, or the sanitizer's words, and the file."""
    start = re.search(r"^(disagreement: |.*runtime error: |==\d+==ERROR: |.*Error: )", log, re.MULTILINE)
    output = log[start.start() :] if start else log
    saved = re.findall(r"Test unit written to (\S+)", log)
    inputs = (f"the input: {file} (again with --replay {file})" for file in saved)
    return "\n".join([*output.splitlines()[:30], *inputs])
