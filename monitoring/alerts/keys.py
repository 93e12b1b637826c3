"""Alerts about keys, certificates, and what checks signatures."""

from typing import Final

from monitoring.alerts.promql import DAY_S, SERVER, highest, increase, lowest
from monitoring.model import Alert, RuleGroup, Severity

_BOUNDS: Final = (
    (Severity.NOTICE, f"< 30 * {DAY_S} >= 7 * {DAY_S}"),
    (Severity.TICKET, f"< 7 * {DAY_S} >= {DAY_S}"),
    (Severity.PAGE, f"< {DAY_S} >= 0"),
)
"""A week to plan, a day to do it, and then somebody at once. What has ended has an alert of its own."""

# 0 are keys that were all revoked: that was a decision.
_KEYS_LEFT: Final = f"({lowest('onecode_region_keys_end_timestamp_seconds', by='job, region, role')} > 0) - time()"
_CERTIFICATE_LEFT: Final = lowest("onecode_tls_certificate_expiry_seconds")
# Certificates of a day or an hour are renewed with a third or a half of that left: less than a quarter is late.
_IS_LATE: Final = f"{_CERTIFICATE_LEFT} < {lowest('onecode_tls_certificate_lifetime_seconds')} / 4"
_DISAGREED: Final = 'outcome="disagreed"'

KEYS = RuleGroup(
    "onecode-keys",
    alerts=(
        *(
            Alert(
                "OnecodeRegionKeysEnd",
                f"{_KEYS_LEFT} {bound}",
                severity,
                "The last {{ $labels.role }} key of region {{ $labels.region }} ends within "
                "{{ $value | humanizeDuration }}",
                "From then on the codes, or the translations, that the region's keys sign are refused.",
                ("onecode-trust", "Keys ending"),
            )
            for severity, bound in _BOUNDS
        ),
        Alert(
            "OnecodeRegionKeysEnded",
            # No page: a region that has stopped leaves its last key in the list, and it would never end.
            f"{_KEYS_LEFT} < 0",
            Severity.TICKET,
            "The last {{ $labels.role }} key of region {{ $labels.region }} has ended",
            "The codes, or the translations, that the region's keys sign are refused.",
            ("onecode-trust", "Keys ending"),
            "",
        ),
        *(
            Alert(
                "OnecodeCertificateExpires",
                f"{_CERTIFICATE_LEFT} {bound}\nand {_IS_LATE}",
                severity,
                "The certificate of {{ $labels.instance }} expires within {{ $value | humanizeDuration }}",
                "The server goes on with a certificate that has expired, and its callers refuse it.",
                ("onecode-trust", "Certificate expiry"),
            )
            for severity, bound in _BOUNDS
        ),
        Alert(
            "OnecodeCertificateExpired",
            f"{_CERTIFICATE_LEFT} < 0",
            Severity.PAGE,
            "The certificate of {{ $labels.instance }} has expired",
            "The server goes on with it, and its callers refuse it: they get no answers.",
            ("onecode-trust", "Certificate expiry"),
            "",
        ),
        Alert(
            "OnecodeIdentityFilesFault",
            f"{highest('onecode_identity_files_fault', by=f'{SERVER}, file')} == 1",
            Severity.TICKET,
            "{{ $labels.instance }} cannot take its files {{ $labels.file }}",
            "The last good files stay in force. A new certificate, revocation or token key does not count.",
            ("onecode-trust", "Identity files"),
        ),
        Alert(
            "OnecodeGatewayKeysFault",
            f"{highest('onecode_gateway_keys_fault')} == 1",
            Severity.TICKET,
            "{{ $labels.instance }} cannot use a gateway key",
            "By files, the last good keys go on signing. By a token that does not answer, nothing is translated.",
            ("onecode-trust", "Gateway keys"),
        ),
        Alert(
            "OnecodeKernelFallback",
            f"{highest('onecode_signature_backend_fault')} == 1",
            Severity.PAGE,
            "The signature kernel of {{ $labels.instance }} gave a wrong answer",
            "PyNaCl checks signatures in that worker now. Other workers and servers still trust the same kernel.",
            ("onecode-trust", "Kernel fallback"),
            "",
        ),
        Alert(
            "OnecodeShadowDisagreement",
            # A day: the counter outlives the worker, whose next one has the kernel again.
            f"{increase('onecode_signature_shadow_checks_total', '<1d>', _DISAGREED)} > 0",
            Severity.TICKET,
            "PyNaCl and the signature kernel of {{ $labels.instance }} disagreed within the last day",
            "An answer was wrong, and only one in 10,000 is compared. A restart puts the kernel back in use.",
            ("onecode-trust", "Shadow checks"),
            "",
        ),
    ),
)
