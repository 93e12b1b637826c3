"""Whether the server's answers rest on what is true now: keys, certificates, statuses, the store."""

from typing import Final

from monitoring.dashboards.glance import DAY_S
from monitoring.dashboards.log import LOG
from monitoring.dashboards.queries import per_second, time_left, worst
from monitoring.dashboards.signatures import SIGNATURES
from monitoring.dashboards.statuses import STATUSES, STORE
from monitoring.model import Dashboard, Kind, Panel, Query, Row, Threshold, Unit

_FAULT: Final = (Threshold(0.5, is_critical=True),)
_EXPIRY: Final = (Threshold(30 * DAY_S, is_floor=True), Threshold(7 * DAY_S, is_critical=True, is_floor=True))

_TRUST_LIST: Final = Row(
    "Trust list",
    (
        Panel(
            "Trust list",
            "Whether the trust-list file cannot be read, or is one that was refused, by server. Good: no. The last good"
            " list stays in force; /healthz has the reason.",
            Unit.FLAG,
            (worst("onecode_trust_list_fault"),),
            Kind.NUMBER,
            _FAULT,
            width=6,
        ),
        Panel(
            "Trust list unread",
            "How long the trust-list file has been missing, unreadable or not the root's, by server. Good: 0. From 30 s"
            " on (--trust-list-unread-max-s) nobody is admitted.",
            Unit.SECONDS,
            (worst("onecode_trust_list_unread_seconds"),),
            Kind.NUMBER,
            (Threshold(1), Threshold(30, is_critical=True)),
            width=6,
        ),
        Panel(
            "Trust list version",
            "The version of the trust list in force, by server. Good: all the same. A server that lags does not get the"
            " file, or refuses it.",
            Unit.COUNT,
            (worst("onecode_trust_list_version"),),
            Kind.NUMBER,
            width=6,
        ),
        Panel(
            "Trust list entries skipped",
            "Entries of the list in force that a server could not take, by server. Good: 0. The region's codes are not"
            " known then; /healthz names the entry.",
            Unit.COUNT,
            (worst("onecode_trust_list_skipped_entries"),),
            Kind.NUMBER,
            (Threshold(0.5),),
            width=6,
        ),
        Panel(
            "Trust list next update",
            "Time until the list in force should be replaced, by server. Good: more than 7 days. Past 0, and a day of"
            " grace, every ADMIT becomes CHECK.",
            Unit.SECONDS,
            (time_left("onecode_trust_list_next_update_timestamp_seconds"),),
            thresholds=(Threshold(7 * DAY_S, is_floor=True), Threshold(DAY_S, is_critical=True, is_floor=True)),
        ),
        Panel(
            "Trust list age",
            "Time since the list in force was issued, by server. Good: below a month, and it falls to nearly 0 with"
            " each new list, at all servers at once.",
            Unit.SECONDS,
            (worst("onecode_trust_list_age_seconds"),),
        ),
        Panel(
            "Trust lists refused",
            "Trust-list files a second that were refused or could not be read. Good: 0. The log has the reason.",
            Unit.PER_SECOND,
            (per_second("onecode_trust_list_refused_total", "instance"),),
            thresholds=(Threshold(1e-9),),
        ),
    ),
)

_KEYS: Final = Row(
    "Keys and certificates",
    (
        Panel(
            "Keys ending",
            "Time until the last usable key of a region ends, by the key's role. Good: more than 30 days. After its end"
            " no code of that region is taken (issuer), or none is translated (gateway).",
            Unit.SECONDS,
            (time_left("onecode_region_keys_end_timestamp_seconds", "region, role", 'region=~"<region>"'),),
            Kind.TABLE,
            _EXPIRY,
            width=12,
        ),
        Panel(
            "Certificate expiry",
            "Time until the certificate that a server shows expires. Good: more than 30 days, or what its renewal"
            " takes. Without TLS it never ends.",
            Unit.SECONDS,
            (Query("min by (instance) (onecode_tls_certificate_expiry_seconds{<scope>})", "{{instance}}"),),
            Kind.TABLE,
            _EXPIRY,
            width=12,
        ),
        Panel(
            "Identity files",
            "Whether a file of certificates, authorities, revocation lists or token keys cannot be taken. Good: no. The"
            " last good one stays in force; /healthz has the reason.",
            Unit.FLAG,
            (worst("onecode_identity_files_fault", "instance, file"),),
            Kind.TABLE,
            _FAULT,
            width=10,
        ),
        Panel(
            "Identity files refused",
            "Files of TLS and token keys a second that were refused. Good: 0.",
            Unit.PER_SECOND,
            (per_second("onecode_identity_files_refused_total", "file"),),
            thresholds=(Threshold(1e-9),),
            width=8,
        ),
        Panel(
            "Gateway keys",
            "Whether a gateway key cannot be read, or the token that holds them does not sign, by server. Good: no."
            " Otherwise translations end when the last good key is retired, or at once with a token.",
            Unit.FLAG,
            (worst("onecode_gateway_keys_fault"),),
            Kind.NUMBER,
            _FAULT,
            width=6,
        ),
    ),
)

TRUST: Final = Dashboard(
    "onecode-trust",
    "onecode / Trust and freshness",
    "Whether keys, certificates, the trust list and statuses are fresh, and whether the store can be read and written.",
    (_TRUST_LIST, _KEYS, STATUSES, STORE, LOG, SIGNATURES),
    by_region=True,
)
