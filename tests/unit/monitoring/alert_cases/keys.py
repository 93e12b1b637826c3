"""Worlds in which the alerts of monitoring/alerts/keys.py fire, and others in which they do not."""

from monitoring.model import Severity
from tests.promtool import TARGET, Case

PAGE, TICKET, NOTICE = Severity.PAGE, Severity.TICKET, Severity.NOTICE
KEYS_END = 'onecode_region_keys_end_timestamp_seconds{region="420000",role="issuer"}'
LEFT, LIFETIME = "onecode_tls_certificate_expiry_seconds", "onecode_tls_certificate_lifetime_seconds"
OF_A_YEAR = {LIFETIME: "31536000x40"}
FAULT = 'onecode_identity_files_fault{file="client_authorities"}'
DISAGREED, AGREED = (
    f'onecode_signature_shadow_checks_total{{outcome="{outcome}"}}' for outcome in ("disagreed", "agreed")
)
BOUNDS = (
    (NOTICE, 30 * 86400, 31 * 86400, 7 * 86400 + 600, "29d 23h 54m 0s"),
    (TICKET, 7 * 86400, 8 * 86400, 86400 + 600, "6d 23h 54m 0s"),
    (PAGE, 86400, 2 * 86400, 0, "23h 54m 0s"),
)
"""Severity, bound, a time above it, one that is for the next severity after ten minutes (or all keys revoked), and what
is left six minutes after the bound."""
LAST = ((NOTICE, 7 * 86400, "7d 1h 55m 0s"), (TICKET, 86400, "1d 1h 55m 0s"))
"""Severity, the bound of the next one, and what is left where that is two hours away."""

CASES = (
    *(
        Case(
            "OnecodeRegionKeysEnd",
            severity,
            "the bound is reached at ten minutes",
            {KEYS_END: f"{bound + 600}x30"},
            "16m",
            f"The last issuer key of region 420000 ends within {left}",
            {"job": "onecode", "region": "420000", "role": "issuer"},
        )
        for severity, bound, _, _, left in BOUNDS
    ),
    *(
        Case("OnecodeRegionKeysEnd", severity, f"ends at {end}", {KEYS_END: f"{end}+0x30"}, "30m")
        for severity, _, above, below, _ in BOUNDS
        for end in (above, below, "Inf")
    ),
    *(
        Case(
            "OnecodeRegionKeysEnd",
            severity,
            "two hours before the next severity",
            {KEYS_END: f"{bound + 7200}x30"},
            "5m",
            f"The last issuer key of region 420000 ends within {left}",
            {"job": "onecode", "region": "420000", "role": "issuer"},
        )
        for severity, bound, left in LAST
    ),
    *(
        Case(
            "OnecodeCertificateExpires",
            severity,
            "two hours before the next severity",
            OF_A_YEAR | {LEFT: f"{bound + 7200}-60x30"},
            "5m",
            f"The certificate of a:9464 expires within {left}",
        )
        for severity, bound, left in LAST
    ),
    *(
        Case(
            "OnecodeCertificateExpires",
            severity,
            "the bound is reached at ten minutes",
            OF_A_YEAR | {LEFT: f"{bound + 600}-60x30"},
            "16m",
            f"The certificate of a:9464 expires within {left}",
        )
        for severity, bound, _, _, left in BOUNDS
    ),
    *(
        Case("OnecodeCertificateExpires", severity, f"{left} s are left", OF_A_YEAR | {LEFT: f"{left}+0x30"}, "30m")
        for severity, _, above, _, _ in BOUNDS
        for left in (above, "Inf")
    ),
    Case("OnecodeCertificateExpires", NOTICE, "a week is left", OF_A_YEAR | {LEFT: "604799x30"}, "30m"),
    Case("OnecodeCertificateExpires", TICKET, "a day is left", OF_A_YEAR | {LEFT: "86399x30"}, "30m"),
    Case(
        "OnecodeCertificateExpires",
        PAGE,
        "a quarter of a day's certificate is left at one minute",
        {LEFT: "21660-60x30", LIFETIME: "86400x30"},
        "7m",
        "The certificate of a:9464 expires within 5h 54m 0s",
    ),
    Case(
        "OnecodeCertificateExpires",
        PAGE,
        "a third of a day's certificate is left",
        {LEFT: "28800x30", LIFETIME: "86400x30"},
        "30m",
    ),
    Case(
        "OnecodeCertificateExpires",
        TICKET,
        "half of a week's certificate is left",
        {LEFT: "302400x30", LIFETIME: "604800x30"},
        "30m",
    ),
    Case(
        "OnecodeCertificateExpires",
        NOTICE,
        "a third of a certificate of ninety days is left",
        {LEFT: "2591999x30", LIFETIME: "7776000x30"},
        "30m",
    ),
    Case("OnecodeRegionKeysEnd", PAGE, "it has ended", {KEYS_END: "60x30"}, "30m"),
    Case(
        "OnecodeRegionKeysEnded",
        TICKET,
        "ends at ten minutes",
        {KEYS_END: "600x30"},
        "11m",
        "The last issuer key of region 420000 has ended",
        {"job": "onecode", "region": "420000", "role": "issuer"},
    ),
    *(
        Case("OnecodeRegionKeysEnded", TICKET, f"ends at {end}", {KEYS_END: f"{end}+0x30"}, "30m")
        for end in (0, 3600, "Inf")
    ),
    Case("OnecodeCertificateExpires", PAGE, "it has expired", OF_A_YEAR | {LEFT: "-1-60x30"}, "30m"),
    Case(
        "OnecodeCertificateExpired",
        PAGE,
        "expires at ten minutes",
        {LEFT: "600-60x30"},
        "11m",
        "The certificate of a:9464 has expired",
    ),
    Case("OnecodeCertificateExpired", PAGE, "an hour is left", {LEFT: "3600x30"}, "30m"),
    Case("OnecodeCertificateExpired", PAGE, "without TLS", {LEFT: "Inf+0x30"}, "30m"),
    Case("OnecodeCertificateExpires", PAGE, "without TLS", {LEFT: "Inf+0x30", LIFETIME: "Inf+0x30"}, "30m"),
    Case(
        "OnecodeIdentityFilesFault",
        TICKET,
        "a revocation list is refused",
        {FAULT: "1x20"},
        "5m",
        "a:9464 cannot take its files client_authorities",
        TARGET | {"file": "client_authorities"},
    ),
    Case("OnecodeIdentityFilesFault", TICKET, "all are taken", {FAULT: "0x20"}, "20m"),
    Case("OnecodeIdentityFilesFault", TICKET, "taken in time", {FAULT: "1x4 0x20"}, "5m"),
    Case(
        "OnecodeGatewayKeysFault",
        TICKET,
        "a key file is bad",
        {"onecode_gateway_keys_fault": "1x20"},
        "5m",
        "a:9464 cannot use a gateway key",
    ),
    Case("OnecodeGatewayKeysFault", TICKET, "all sign", {"onecode_gateway_keys_fault": "0x20"}, "20m"),
    Case("OnecodeGatewayKeysFault", TICKET, "back in time", {"onecode_gateway_keys_fault": "1x4 0x20"}, "5m"),
    Case(
        "OnecodeKernelFallback",
        PAGE,
        "the kernel was wrong",
        {"onecode_signature_backend_fault": "0x2 1x10"},
        "3m",
        "The signature kernel of a:9464 gave a wrong answer",
    ),
    Case("OnecodeKernelFallback", PAGE, "it was never wrong", {"onecode_signature_backend_fault": "0x20"}, "20m"),
    Case(
        "OnecodeShadowDisagreement",
        TICKET,
        "one of many differs",
        {DISAGREED: "0x4 1x60", AGREED: "0+10x60"},
        "5m",
        "PyNaCl and the signature kernel of a:9464 disagreed within the last day",
    ),
    Case("OnecodeShadowDisagreement", TICKET, "all agree", {DISAGREED: "0x60", AGREED: "0+10x60"}, "60m"),
)
