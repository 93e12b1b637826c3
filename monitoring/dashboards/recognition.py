"""Which regions' codes are scanned where, and which of them are not taken."""

from typing import Final

from monitoring.dashboards.glance import DAY_S
from monitoring.dashboards.queries import busiest, part, per_second, time_left, worst
from monitoring.model import Dashboard, Kind, Panel, Row, Threshold, Unit

_HOME: Final = 'home=~"<region>"'
_HOST: Final = 'host=~"<region>"'
_REGION: Final = 'region=~"<region>"'

_REGIONS: Final = Row(
    "Homes and hosts",
    (
        Panel(
            "Scans by home and host",
            "Codes checked a second, by the bearer's home (rows) and the host (columns). unknown is the home of a code"
            " that is not authentic, and a host that the trust list lacks. Good: the diagonal is strong, since most"
            " people are at home; an empty row is a region whose codes nobody shows, or nobody takes.",
            Unit.PER_SECOND,
            (per_second("onecode_scans_total", "home, host", _HOST),),
            Kind.MATRIX,
            width=24,
        ),
        Panel(
            "Scans by home",
            "Codes checked a second, by the bearer's home. Good: each region follows its day. A region that falls to"
            " nothing while others go on has changed its codes or its keys, or cannot issue any.",
            Unit.PER_SECOND,
            (per_second("onecode_scans_total", "home", _HOME),),
            width=12,
        ),
        Panel(
            "Scans by host",
            "Codes checked a second, by the region where they are scanned. A host that falls to nothing while others go"
            " on does not reach this server.",
            Unit.PER_SECOND,
            (per_second("onecode_scans_total", "host", _HOST),),
            width=12,
        ),
    ),
)

_EXCEPTIONS: Final = Row(
    "Recognition exceptions",
    (
        Panel(
            "Exceptions in effect",
            "Acknowledged reports that a host does not recognise a home now, by host. Good: 0, or as many as were"
            " agreed. Bearers whom they concern get SUSPENDED, and CHECK.",
            Unit.COUNT,
            (busiest(worst("onecode_exceptions_in_effect", "host", _HOST)),),
            width=12,
        ),
        Panel(
            "Exceptions ending",
            "Time until the next exception of a host ends. Good: its cause is mended before, or a new report is filed:"
            " from its end on the host's scanners admit that home again.",
            Unit.SECONDS,
            (time_left("onecode_exceptions_end_timestamp_seconds", "host", _HOST),),
            Kind.TABLE,
            (Threshold(DAY_S, is_floor=True), Threshold(DAY_S / 4, is_critical=True, is_floor=True)),
            width=12,
        ),
    ),
)

_CODES: Final = Row(
    "Codes that are not taken as they are",
    (
        Panel(
            "Reasons",
            "Codes checked a second, by the one rule that decided. Good: GREEN leads by far. Any other reason that"
            " rises by itself names the cause; docs/api.md describes each.",
            Unit.PER_SECOND,
            (per_second("onecode_codes_by_reason_total", "reason"),),
            Kind.STACKED,
            width=12,
        ),
        Panel(
            "Authenticity",
            "Codes checked a second, by whether they are authentic. Good: nearly all VALID, and some EXPIRED.",
            Unit.PER_SECOND,
            (per_second("onecode_verdicts_total", "authenticity"),),
            Kind.STACKED,
            width=12,
        ),
        Panel(
            "Bad signatures",
            "Codes a second whose signature does not fit the key that they name, by that key's region. Good: close to"
            " 0. One region jumping means that it signs with a key that the list does not have under that name, or"
            " that its codes are forged.",
            Unit.PER_SECOND,
            (busiest(per_second("onecode_bad_signatures_total", "region", _REGION)),),
            thresholds=(Threshold(1),),
        ),
        Panel(
            "Claim faults",
            "Authentic codes a second that were refused for a claim that is not as the region's entry in the trust list"
            " declares. Good: 0. The region has changed its codes: its entry must follow.",
            Unit.PER_SECOND,
            (busiest(per_second("onecode_claim_faults_total", "region, claim", _REGION)),),
            thresholds=(Threshold(1),),
        ),
        Panel(
            "Unmapped levels",
            "Authentic codes a second with a word for the level that the region's entry does not map. Good: 0. Their"
            " bearers get CHECK until the trust list has the word.",
            Unit.PER_SECOND,
            (busiest(per_second("onecode_unmapped_levels_total", "region", _REGION)),),
            thresholds=(Threshold(1),),
        ),
    ),
)

_TRANSLATIONS: Final = Row(
    "Translations",
    (
        Panel(
            "Translations",
            "Codes a second that were asked to be translated, by outcome. Good: translated leads. level_without_word"
            " means that the target has no word for a level; already_translated that a caller translates twice.",
            Unit.PER_SECOND,
            (per_second("onecode_translations_total", "outcome", 'target=~"<region>"'),),
            Kind.STACKED,
        ),
        Panel(
            "Translations by target",
            "Codes a second that were asked to be translated, by the region in whose terms.",
            Unit.PER_SECOND,
            (busiest(per_second("onecode_translations_total", "target", 'target=~"<region>"')),),
        ),
        Panel(
            "Codes not admitted",
            "The part of codes that were answered by CHECK or REFUSE. Good: level over days. Each CHECK is a person who"
            " is asked to look.",
            Unit.RATIO,
            (
                part("onecode_verdicts_total", "onecode_verdicts_total", 'decision="CHECK"', legend="CHECK"),
                part("onecode_verdicts_total", "onecode_verdicts_total", 'decision="REFUSE"', legend="REFUSE"),
            ),
        ),
    ),
)

RECOGNITION: Final = Dashboard(
    "onecode-recognition",
    "onecode / Recognition",
    "Which regions' codes are scanned where, which are refused, and which hosts do not recognise a home for a time.",
    (_REGIONS, _EXCEPTIONS, _CODES, _TRANSLATIONS),
    by_region=True,
)
