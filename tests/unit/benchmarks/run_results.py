"""The results of a made-up run, as ``python -m benchmarks`` has them before it writes them."""

from typing import Any

from benchmarks.cases import CASES

ALONE = {"onecode": 10_000.0, "grpc.aio": 2_500.0, "first try": 1_000.0, "go": 2_000.0, "rust": 4_000.0}
SECURED = dict.fromkeys(("certificate", "token"), 8_000.0)
RATES = ALONE | SECURED | {f"grpc.aio, {way}": 2_000.0 for way in SECURED} | {"echo": 5_000.0, "two workers": 8_000.0}
P50_MS = {"onecode": 1.0, "go": 4.0, "rust": 2.0}


def results(*, front: str, missing: dict[str, str] | None = None) -> dict[str, Any]:
    """Return three turns, each slower than the one before for all servers; ``missing`` servers say why."""
    skipped = dict(missing or {})
    return {
        "front": front,
        "skipped": skipped,
        "cases": {
            case.name: {"servers": {name: _server(name) for name in case.servers if name not in skipped}}
            for case in CASES
        },
        "goodput": {"ratio": 0.95} if front == "native" else None,
        "sdk": {"ratio": 20.0},
        "waits": {"ratio": 2.0},
        "anonymous_mib": 50.0,
        "start_s": {"median": 0.5},
    }


def _server(name: str) -> dict[str, Any]:
    rounds = [
        {
            "codes": RATES[name] / slowness,
            "cpu_s": 1.0,
            "p50_ms": P50_MS.get(name, 9.0) * slowness,
            "p99_ms": P50_MS.get(name, 9.0) * slowness * 3,
        }
        for slowness in (1, 2, 4)
    ]
    return {"rate": round(RATES[name] / 2), "rounds": rounds, "load_cores": 0.5}
