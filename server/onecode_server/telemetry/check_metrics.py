"""Metrics of codes: how they are checked and translated, and with which result."""

from typing import Final

from onecode_server.telemetry.families import Families

_CHECK_BUCKETS_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
_BATCH_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class CheckMetrics(Families):
    """Verdicts, signatures, claims, translations, and the queue of the verifier."""

    def __init__(self) -> None:
        super().__init__()
        self._verdicts()
        self._checks()

    def _verdicts(self) -> None:
        self.verdicts = self._counter(
            "onecode_verdicts_total", "Codes checked, by the answer", ("decision", "authenticity")
        )
        self.scans = self._counter(
            "onecode_scans_total", "Codes checked, by the bearer's home and the host", ("home", "host")
        )
        self.reasons = self._counter(
            "onecode_codes_by_reason_total", "Codes checked, by the rule that decided", ("reason",)
        )
        self.statuses = self._counter(
            "onecode_codes_by_status_total",
            "Authentic codes checked, by how fresh the status behind the answer was; NONE where no record counted",
            ("status",),
        )
        self.unmapped_levels = self._counter(
            "onecode_unmapped_levels_total",
            "Codes answered LEVEL_UNMAPPED, by the bearer's home: no level counts that the trust list has a word for",
            ("region",),
        )
        self.bad_signatures = self._counter(
            "onecode_bad_signatures_total",
            "Codes that no key with their key id has signed, by the region of such a key; once for each of several",
            ("region",),
        )

    def _checks(self) -> None:
        self.batch_codes = self._histogram(
            "onecode_batch_codes", "Codes that went through the verifier together", _BATCH_BUCKETS
        )
        self.signature_seconds = self._histogram(
            "onecode_signature_check_seconds",
            "Time for one call of the backend",
            _CHECK_BUCKETS_S,
            ("backend",),
        )
        self.signatures = self._counter("onecode_signatures_total", "Signatures checked", ("backend",))
        self.shadow_checks = self._counter(
            "onecode_signature_shadow_checks_total",
            "Signatures that PyNaCl checked too, by outcome",
            ("outcome",),
        )
        self.backend_fault = self._gauge(
            "onecode_signature_backend_fault",
            "1 where PyNaCl checks signatures because the faster backend was wrong",
            "livemax",
        )
        self.check_bugs = self._counter("onecode_check_bugs_total", "Codes refused because the check itself failed")
        self.claim_faults = self._counter(
            "onecode_claim_faults_total",
            "Authentic codes refused for a claim that is not as their region's entry declares, by region and claim",
            ("region", "claim"),
        )
        self.column_codes = self._counter("onecode_column_codes_total", "Codes that were read in columns")
        self.translations = self._counter(
            "onecode_translations_total", "Translations requested, by target and outcome", ("target", "outcome")
        )
        self.gateway_keys_fault = self._gauge(
            "onecode_gateway_keys_fault",
            "1 while a gateway key cannot be read as it is stored, or the token that holds them does not sign",
            "livemax",
        )
        self.queued = self._gauge(
            "onecode_queue_codes", "Codes that wait for the verifier or are being checked", "livesum"
        )
        self.shed = self._counter(
            "onecode_shed_codes_total",
            "Codes refused: queue full, or wait too long. A batch that is refused before it is read counts as none",
        )
