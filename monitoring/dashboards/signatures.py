"""A row about the backends that check signatures."""

from typing import Final

from monitoring.dashboards.queries import per_second, quantile, worst
from monitoring.model import Kind, Panel, Row, Threshold, Unit

SIGNATURES: Final = Row(
    "Signatures",
    (
        Panel(
            "Kernel fallback",
            "Whether PyNaCl checks signatures because the faster backend gave a wrong answer, by server. Good: no."
            " Answers are right and slower. Take the server out, keep its log, and report it.",
            Unit.FLAG,
            (worst("onecode_signature_backend_fault"),),
            Kind.NUMBER,
            (Threshold(0.5, is_critical=True),),
            width=6,
        ),
        Panel(
            "Shadow checks",
            "Signatures a second that PyNaCl checked too (one in 10,000), by outcome. Good: all agreed. One that"
            " disagreed is enough for the fallback.",
            Unit.PER_SECOND,
            (per_second("onecode_signature_shadow_checks_total", "outcome"),),
            width=6,
        ),
        Panel(
            "Signatures checked",
            "Signatures checked a second, by backend. Good: native alone where the kernel was built; libsodium"
            " (PyNaCl) is 6 to 40 times slower.",
            Unit.PER_SECOND,
            (per_second("onecode_signatures_total", "backend"),),
            width=6,
        ),
        Panel(
            "Signature check time",
            "Time for one call of the backend, which checks a whole batch: half and 99 in 100 of the calls. Good: below"
            " 10 ms, since the event loop waits for it.",
            Unit.SECONDS,
            (
                quantile(0.5, "onecode_signature_check_seconds", "backend", legend="{{backend}} p50"),
                quantile(0.99, "onecode_signature_check_seconds", "backend", legend="{{backend}} p99"),
            ),
            thresholds=(Threshold(0.01),),
            width=6,
        ),
    ),
)
