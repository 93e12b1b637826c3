"""The measures that the project holds itself to: each with the bar that it must reach and the aim beyond it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import cases

MB_PER_MIB: Final = 2**20 / 1e6


@dataclass(frozen=True)
class Measure:
    """A number against its bar and aim. ``value`` is None where it was not measured, and ``note`` says why."""

    key: str
    title: str
    unit: str
    bar: float
    aim: float | None
    value: float | None
    is_ceiling: bool = False
    note: str = ""

    def reaches(self, mark: float | None) -> bool:
        """Return whether the value is as good as a mark, or better."""
        if self.value is None or mark is None:
            return False
        return self.value <= mark if self.is_ceiling else self.value >= mark

    @property
    def standing(self) -> str:
        """Say in a word how it stands."""
        if self.value is None:
            return "not measured"
        if self.reaches(self.aim):
            return "aim met"
        return "bar met" if self.reaches(self.bar) else "short"

    def shown(self, number: float | None) -> str:
        """Return a number of this measure as people read it."""
        if number is None:
            return "–"
        return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.2f}".rstrip("0").rstrip(".")


def measures(results: Mapping[str, Any]) -> list[Measure]:
    """Return all measures of a run, in the order of the report."""
    return [*_batches(results), *_single(results), *_operation(results)]


def _batches(results: Mapping[str, Any]) -> Iterator[Measure]:
    rates = (
        ("batch_national", "BatchVerify of 1,000 national codes", cases.BATCH, 100_000, 250_000),
        ("batch_jwt", "BatchVerify of 1,000 JWT codes", cases.JWT, 40_000, 100_000),
        ("batch_paseto", "BatchVerify of 1,000 PASETO codes", cases.PASETO, 40_000, 100_000),
        ("batch_mix", "BatchVerify of 1,000 codes, all formats, 1 in 20 bad", cases.MIX, 40_000, 100_000),
    )
    over = (
        ("batch_over_first_try", "first try", "grpc.aio and PyNaCl", 8, 20),
        ("batch_over_go", "go", "grpc-go and crypto/ed25519", 4, 8),
        ("batch_over_rust", "rust", "tonic and ed25519-dalek", 4, 8),
    )
    for number, (key, title, case, bar, aim) in enumerate(rates):
        yield Measure(key, title, "codes/CPU s", bar, aim, results["cases"][case.name]["servers"]["onecode"]["rate"])
        if number:
            continue
        for ratio_key, peer, of, ratio_bar, ratio_aim in over:
            ratio, note = _ratio(results, case.name, peer)
            yield Measure(ratio_key, f"the same, against {of}", "x", ratio_bar, ratio_aim, ratio, note=note)


def _single(results: Mapping[str, Any]) -> Iterator[Measure]:
    yield Measure(
        "unary_over_echo", "Verify, against a server that checks nothing", "x", 0.85, 0.92,
        *_ratio(results, cases.UNARY.name, "echo")[:1],
    )  # fmt: skip
    unary, stream = (results["cases"][case.name]["servers"]["onecode"]["rate"] for case in (cases.UNARY, cases.STREAM))
    yield Measure("stream_over_unary", "StreamVerify, messages, against Verify", "x", 4, 8, round(stream / unary, 2))
    sdk = results.get("sdk")
    yield Measure(
        "sdk_over_unary", "the Python client, 256 verifies at once, against plain calls", "x", 5, 20,
        sdk and sdk["ratio"], note="" if sdk else "there is no benchmarks/gathering.py",
    )  # fmt: skip
    one_over_two, _ = _ratio(results, cases.WORKERS.name, "two workers")
    yield Measure(
        "two_workers", "CPU an answer, two workers against one, 32 connections", "x", 1.15, 1.05, one_over_two,
        is_ceiling=True,
    )  # fmt: skip
    yield Measure(
        "p99_beside_batches", "p99 of 200 calls/s beside batches of 4,096, against without", "x", 3, None,
        results["waits"]["ratio"], is_ceiling=True,
    )  # fmt: skip


def _operation(results: Mapping[str, Any]) -> Iterator[Measure]:
    anonymous_mb = round(results["anonymous_mib"] * MB_PER_MIB)
    yield Measure("anonymous_mb", "anonymous memory of a worker", "MB", 250, 150, anonymous_mb, is_ceiling=True)
    yield Measure("start_s", "start to first answer", "s", 3, 1, results["start_s"]["median"], is_ceiling=True)


def _ratio(results: Mapping[str, Any], case: str, peer: str) -> tuple[float | None, str]:
    ratio = results["cases"][case]["ratios"].get(peer)
    return (None, results["skipped"][peer]) if ratio is None else (ratio["median"], "")
