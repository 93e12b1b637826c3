"""The signature kernel against PyNaCl, in one process, taking turns: ``python -m benchmarks.kernel``.

Both get the same signatures through ``verify_batch``, keys in random order, tables made. What is compared is the median
over rounds of the CPU time of a signature, and of the ratio within a round: a machine that slows down slows both.
"""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import click
from nacl.signing import SigningKey
from rich.console import Console
from rich.progress import track
from rich.table import Table

from onecode_server.crypto import SignatureBackend, open_backend

try:
    from onecode_server.crypto.native import NativeBackend, implementations
except ImportError:
    raise SystemExit("the kernel was not built: install a C compiler, then `make clean` and try again") from None

from benchmarks.report import circumstances, plain_table, write

BATCHES: Final = (1, 8, 64, 512, 4096)
KEYS: Final = (1, 34, 400)
MESSAGE_BYTES: Final = (32, 80, 250)
ROUND_S: Final = 0.02
"""How long each takes its turn at least: long against the clock, short against what a machine does meanwhile."""
RESULTS: Final = Path(__file__).parent / "results"

Columns = tuple[list[bytes], list[bytes], list[bytes]]


class Case(NamedTuple):
    """A batch: how many signatures, of how many keys, over how many bytes each."""

    batch: int
    keys: int
    message_bytes: int


class Measured(NamedTuple):
    """Microseconds a signature and how many times faster than PyNaCl, both medians."""

    microseconds: float
    ratio: float


def batch_of(case: Case, keys: Sequence[SigningKey], chance: random.Random) -> Columns:
    """Return good signatures by keys in random order."""
    chosen = [chance.choice(keys[: case.keys]) for _ in range(case.batch)]
    messages = [chance.randbytes(case.message_bytes) for _ in chosen]
    signatures = [key.sign(message).signature for key, message in zip(chosen, messages, strict=True)]
    return [bytes(key.verify_key) for key in chosen], signatures, messages


def one_turn_s(backend: SignatureBackend, columns: Columns) -> float:
    """Return the seconds of CPU of one call, the mean over a turn: what others do on the machine does not count."""
    calls, start = 0, time.thread_time()
    while (spent := time.thread_time() - start) < ROUND_S:
        if not all(backend.verify_batch(*columns)):
            raise click.ClickException(f"{backend.name} refuses a good signature")
        calls += 1
    return spent / calls


def compare(case: Case, columns: Columns, backends: dict[str, SignatureBackend], rounds: int) -> dict[str, Measured]:
    """Measure each backend in turns with PyNaCl, which is first."""
    times: list[list[float]] = [[one_turn_s(one, columns) for one in backends.values()] for _ in range(rounds)]
    by_backend = zip(*times, strict=True)
    return {
        name: Measured(
            median(spent) / case.batch * 1e6,
            median(turn[0] / own for turn, own in zip(times, spent, strict=True)),
        )
        for name, spent in zip(backends, by_backend, strict=True)
    }


def table_times_ms(keys: Sequence[SigningKey]) -> float:
    """Return how long one key's table takes to make, the median over the keys."""
    backend, spent = NativeBackend(), []
    for key in keys:
        start = time.thread_time()
        backend.prepare([bytes(key.verify_key)])
        spent.append((time.thread_time() - start) * 1e3)
    return median(spent)


def show(found: dict[Case, dict[str, Measured]], names: Sequence[str], console: Console) -> None:
    """Print a line a case."""
    table: Table = plain_table("signatures", "keys", "bytes")
    for name in names:
        table.add_column(f"{name}\nus each", justify="right")
        if name != names[0]:
            table.add_column("times\nfaster", justify="right", style="bold")
    for case, by_backend in found.items():
        cells = [f"{number:,}" for number in case]
        for name, one in by_backend.items():
            cells += [f"{one.microseconds:.2f}", f"{one.ratio:.1f}"][: 1 if name == names[0] else 2]
        table.add_row(*cells, end_section=case.message_bytes == MESSAGE_BYTES[-1])
    console.print(table)


def plot(found: dict[Case, dict[str, Measured]], names: Sequence[str], about: dict[str, Any], file: Path) -> None:
    """Draw how many times faster each implementation is, by the size of the batch and the number of keys."""
    import matplotlib as mpl  # noqa: PLC0415 - a dependency of `make bench-kernel` alone

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, len(names) - 1, figsize=(10, 4.2), sharey=True, layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names[1:], strict=True):
        for keys in KEYS:
            line = [found[Case(batch, keys, 80)][name].ratio for batch in BATCHES]
            axis.plot(BATCHES, line, marker="o", label=f"{keys} key{'s' if keys > 1 else ''}")
        axis.set(xscale="log", title=name, xlabel="signatures in a batch, of 80 bytes each")
        axis.set_xticks(BATCHES, [str(batch) for batch in BATCHES])
        axis.minorticks_off()
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.grid(axis="y", alpha=0.3)
        axis.legend(title="in random order")
    axes[0][0].set(ylabel="times faster than PyNaCl", ylim=(0, None))
    figure.suptitle(f"Ed25519 checks a core: {about['processor']}, {about['date'][:10]}", fontsize=10)
    figure.savefig(file, dpi=150)


def cases(chance: random.Random) -> Iterator[tuple[Case, Columns]]:
    """Yield every case with its batch."""
    keys = [SigningKey(chance.randbytes(32)) for _ in range(max(KEYS))]
    for case in (Case(*three) for three in product(BATCHES, KEYS, MESSAGE_BYTES)):
        yield case, batch_of(case, keys, chance)


@click.command()
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1, 101))
def main(rounds: int) -> None:
    """Measure every case, print a table, write JSON and a plot."""
    chance, console = random.Random(8032), Console()
    native = {name: NativeBackend(name) for name in implementations()}
    backends: dict[str, SignatureBackend] = {"PyNaCl": open_backend("libsodium"), **native}
    found: dict[Case, dict[str, Measured]] = {}
    total = len(BATCHES) * len(KEYS) * len(MESSAGE_BYTES)
    for case, columns in track(cases(chance), "measuring", total, console=console, transient=True):
        for backend in native.values():
            backend.prepare(dict.fromkeys(columns[0]))
        found[case] = compare(case, columns, backends, rounds)
    about = circumstances("python -m benchmarks.kernel")
    table_ms = table_times_ms([SigningKey(chance.randbytes(32)) for _ in range(50)])
    show(found, list(backends), console)
    console.print(f"a key's table: {table_ms:.2f} ms to make, {NativeBackend.table_bytes / 1024:.0f} KiB")
    rows = [{**case._asdict(), **{name: one._asdict() for name, one in by.items()}} for case, by in found.items()]
    made = {"table_ms": round(table_ms, 2), "table_bytes": NativeBackend.table_bytes}
    write({**about, **made, "cases": rows}, RESULTS / "kernel.json")
    plot(found, list(backends), about, RESULTS / "kernel.png")
    console.print(f"written: {RESULTS.name}/kernel.json, {RESULTS.name}/kernel.png")


if __name__ == "__main__":
    main()
