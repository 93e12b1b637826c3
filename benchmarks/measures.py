"""The measures that the project holds itself to: each with the bar that it must reach and the aim beyond it.

Those that need the native front are not measured where it is not built.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import cases
from benchmarks.comparisons import NO_FRONT, of_the_better, rate, times
from benchmarks.servers import GRPC_AIO

_GO: Final = "grpc-go and crypto/ed25519"
_RUST: Final = "tonic and ed25519-dalek"
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
    return [
        *_batches(results),
        *_single(results),
        *_by_grpc_aio(results),
        *_secured(results),
        *_crowded(results),
        *_operation(results),
    ]


def _batches(results: Mapping[str, Any]) -> Iterator[Measure]:
    rates = (
        ("batch_national", "BatchVerify of 1,000 national codes", cases.BATCH, 100_000, 250_000),
        ("batch_jwt", "BatchVerify of 1,000 JWT codes", cases.JWT, 40_000, 100_000),
        ("batch_paseto", "BatchVerify of 1,000 PASETO codes", cases.PASETO, 40_000, 100_000),
        ("batch_mix", "BatchVerify of 1,000 codes, all formats, 1 in 20 bad", cases.MIX, 40_000, 100_000),
    )
    over = (
        ("batch_over_first_try", "first try", "grpc.aio and PyNaCl", 8, 20),
        ("batch_over_go", "go", _GO, 4, 8),
        ("batch_over_rust", "rust", _RUST, 4, 8),
    )
    for number, (key, title, case, bar, aim) in enumerate(rates):
        yield Measure(key, title, "codes/CPU s", bar, aim, rate(results, case, "onecode"))
        if number:
            continue
        for ratio_key, peer, of, ratio_bar, ratio_aim in over:
            ratio, note = times(results, case, "onecode", peer)
            yield Measure(ratio_key, f"the same, against {of}", "x", ratio_bar, ratio_aim, ratio, note=note)
        ratio, note = _if_native(results, times(results, case, "onecode", GRPC_AIO))
        yield Measure(
            "batch_over_grpc_aio", "the same, against the listener of grpc.aio", "x", 1, 1.2, ratio, note=note
        )


def _single(results: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield what single calls and streams are held to, which grpc.aio cannot reach."""
    over = (
        ("unary", "Verify, 32 in flight", cases.UNARY, (1.4, 2), (2.2, 3)),
        ("many", "Verify, 256 in flight", cases.MANY, (3.5, 5), (5, 7)),
    )
    for key, title, case, *marks in over:
        for (peer, of), (bar, aim) in zip((("rust", _RUST), ("go", _GO)), marks, strict=True):
            ratio, note = _if_native(results, times(results, case, "onecode", peer))
            yield Measure(f"{key}_over_{peer}", f"{title}, against {of}", "x", bar, aim, ratio, note=note)
        for latency in ("p50", "p99"):
            found = of_the_better(results, case, "onecode", ("go", "rust"), f"{latency}_ms")
            ratio, note = _if_native(results, found)
            title_of_latency = f"{latency} of the same, against the better of both"
            yield Measure(f"{key}_{latency}", title_of_latency, "x", 1, 0.5, ratio, is_ceiling=True, note=note)
    ratio, note = _if_native(results, times(results, cases.LONE, "onecode", "rust"))
    yield Measure("lone_over_rust", f"Verify, 1 in flight, against {_RUST}", "x", 0.55, 1, ratio, note=note)
    streamed, note = _if_native(results, (rate(results, cases.STREAM, "onecode"), ""))
    yield Measure("stream", "StreamVerify, messages", "messages/CPU s", 150_000, 250_000, streamed, note=note)


def _by_grpc_aio(results: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield what the listener of grpc.aio is held to, whether or not the native front stands before it elsewhere."""
    name = GRPC_AIO if results["front"] == "native" else "onecode"
    over_echo, note = times(results, cases.UNARY, name, "echo")
    title = "Verify by grpc.aio, against a server that checks nothing"
    yield Measure("unary_over_echo", title, "x", 0.85, 0.92, over_echo, note=note)
    # By the front that answers: whoever moves from calls to a stream gains so much.
    unary, stream = rate(results, cases.UNARY, "onecode"), rate(results, cases.STREAM, "onecode")
    ratio = unary and stream and round(stream / unary, 2)
    yield Measure("stream_over_unary", "StreamVerify, messages, against Verify", "x", 4, 8, ratio)
    sdk = results.get("sdk")
    yield Measure(
        "sdk_over_unary", "the Python client by grpc.aio, 256 verifies at once, against plain calls", "x", 5, 20,
        sdk and sdk["ratio"], note="" if sdk else "there is no benchmarks/gathering.py",
    )  # fmt: skip


def _secured(results: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield what TLS and the rights of callers may cost, on connections that are kept."""
    fronts = [("", "onecode", "", "front")]
    if results["front"] == "native":
        fronts = [("", "onecode", "", "native"), ("_by_grpc_aio", GRPC_AIO, f"{GRPC_AIO}, ", GRPC_AIO)]
    for suffix, plaintext, named, front in fronts:
        for key, case, bar in (("batch", cases.BATCH, 1.1), ("unary", cases.UNARY, 1.15)):
            for way in (cases.CERTIFICATE, cases.TOKEN):
                ratio, note = times(results, case, plaintext, f"{named}{way}")
                title = f"TLS with a {way} against plaintext, {case.name}, {front}"
                yield Measure(
                    f"{key}_with_{way}{suffix}", title, "x", bar, None, ratio, is_ceiling=True, note=note,
                )  # fmt: skip


def _crowded(results: Mapping[str, Any]) -> Iterator[Measure]:
    goodput = results["goodput"]
    ratio, note = _if_native(results, (goodput and goodput["ratio"], ""))
    yield Measure(
        "goodput", "answers in time at 2,560 in flight, retrying at once, against 256", "x", 0.9, 0.97, ratio, note=note
    )  # fmt: skip
    two_workers, note = times(results, cases.WORKERS, "onecode", "two workers")
    yield Measure(
        "two_workers", "CPU an answer, two workers against one, 32 connections", "x", 1.15, 1.05, two_workers,
        is_ceiling=True, note=note,
    )  # fmt: skip
    yield Measure(
        "p99_beside_batches", "p99 of 200 calls/s beside batches of 4,096, against without", "x", 3, 1.5,
        results["waits"]["ratio"], is_ceiling=True,
    )  # fmt: skip


def _operation(results: Mapping[str, Any]) -> Iterator[Measure]:
    anonymous_mb = round(results["anonymous_mib"] * MB_PER_MIB)
    yield Measure("anonymous_mb", "anonymous memory of a worker", "MB", 250, 150, anonymous_mb, is_ceiling=True)
    yield Measure("start_s", "start to first answer", "s", 3, 1, results["start_s"]["median"], is_ceiling=True)


def _if_native(results: Mapping[str, Any], found: tuple[float | None, str]) -> tuple[float | None, str]:
    """Return what was found, unless it is a figure of grpc.aio: that front is not held to this."""
    return found if results["front"] == "native" else (None, NO_FRONT)
