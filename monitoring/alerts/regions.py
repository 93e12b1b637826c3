"""Alerts about single regions: their scanners, their bearers, their codes, their exceptions."""

from typing import Final

from monitoring.alerts.promql import DAY_S, increase, jump, lowest, of_the_past, selector
from monitoring.model import Alert, RuleGroup, Severity

_USUAL: Final = 20
"""Scans in this hour of the day or of the week before, from which on an hour without any is no chance: by Poisson, one
in 10^8. Small regions have fewer and are never called silent; nights are compared with nights."""
_JUMP: Final = 20
"""Refused codes in a quarter of an hour, below which it may be one bearer who tries again."""
_MOST: Final = 50
"""Refused codes in a quarter of an hour, below which they are a few bearers."""


def _silent(label: str) -> str:
    scans = selector("onecode_scans_total", f'{label}!="unknown"')
    of_an_hour = f"sum by (job, {label}) (increase({scans}[<1h>] offset %s))"
    return (
        # By the day before alone, a silence would be usual after a day.
        f"{of_the_past('max', f'job, {label}', of_an_hour % '<1d>', of_an_hour % '<7d>')} >= {_USUAL}\n"
        f"unless sum by (job, {label}) (\n"
        f"  increase({scans}[<1h>]) > 0\n"
        # After a restart a pair has no series until its first scan, whose count no increase shows.
        f"  or ({scans} > 0 unless {scans} offset <1h>)\n"
        f")\n"
        # Where nobody scans at all there is one alert (OnecodeNoCodes), and not one for each region.
        f"and on (job) {increase('onecode_verdicts_total', '<1h>', by='job')} > 0"
    )


_REFUSED: Final = (
    f"sum by (job, region) (\n"
    f"  increase({selector('onecode_bad_signatures_total')}[<15m>])\n"
    f"  or increase({selector('onecode_claim_faults_total')}[<15m>])\n"
    f")"
)


def _authentic(offset: str = "") -> str:
    scans = f"increase({selector('onecode_scans_total')}[<15m>]{offset})"
    return f'sum by (job, region) (\n  label_replace({scans}, "region", "$1", "home", "(.+)")\n)'


_ALL_REFUSED: Final = (
    f"{_REFUSED} >= {_MOST}\n"
    f"unless\n{_authentic()} > 0\n"
    f"and\n{of_the_past('max', 'job, region', _authentic(' offset <1d>'), _authentic(' offset <7d>'))} >= {_USUAL}"
)
"""Forged codes alone wake nobody, however many one caller sends: it cannot keep authentic ones from being scanned."""

REGIONS = RuleGroup(
    "onecode-regions",
    alerts=(
        Alert(
            "OnecodeHostSilent",
            _silent("host"),
            Severity.TICKET,
            'No code was scanned in {{ $labels.host }} for an hour, but {{ printf "%.0f" $value }} lately',
            "The scanners of the region do not reach the servers, or are not used.",
            ("onecode-recognition", "Scans by home and host"),
            "<15m>",
        ),
        Alert(
            "OnecodeHomeSilent",
            _silent("home"),
            Severity.TICKET,
            'No authentic code of {{ $labels.home }} was seen for an hour, but {{ printf "%.0f" $value }} lately',
            "Nobody of the region travels, or all of its codes are refused before their home is known.",
            ("onecode-recognition", "Scans by home"),
            "<15m>",
        ),
        Alert(
            "OnecodeRegionCodesRefused",
            _ALL_REFUSED,
            Severity.PAGE,
            'All codes of {{ $labels.region }} are refused: {{ printf "%.0f" $value }} in a quarter of an hour',
            "By their signatures or their claims. None is authentic, and at this time there are some otherwise.",
            ("onecode-recognition", "Bad signatures"),
        ),
        Alert(
            "OnecodeRegionCodesRefused",
            f"{_REFUSED} >= {_MOST}\nunless\n{_authentic()}\n>= {_REFUSED}",
            Severity.TICKET,
            'Most codes of {{ $labels.region }} are refused: {{ printf "%.0f" $value }} in a quarter of an hour',
            "By their signatures or their claims. A region's key or entry is wrong, or its codes are forged in number.",
            ("onecode-recognition", "Bad signatures"),
        ),
        Alert(
            "OnecodeBadSignatures",
            jump("onecode_bad_signatures_total", _JUMP, "job, region"),
            Severity.TICKET,
            '{{ printf "%.0f" $value }} codes that name a key of {{ $labels.region }} have a bad signature',
            "Within a quarter of an hour, five times as many as usual. These bearers are refused.",
            ("onecode-recognition", "Bad signatures"),
        ),
        Alert(
            "OnecodeClaimFaults",
            jump("onecode_claim_faults_total", _JUMP, "job, region, claim"),
            Severity.TICKET,
            '{{ printf "%.0f" $value }} codes of {{ $labels.region }} are refused for their claim {{ $labels.claim }}',
            "Within a quarter of an hour, five times as many as usual. The codes are authentic.",
            ("onecode-recognition", "Claim faults"),
        ),
        Alert(
            "OnecodeLevelsUnmapped",
            # One word that is missing meets all bearers who have that level: ten in an hour are not one odd code.
            f"{increase('onecode_unmapped_levels_total', '<1h>', by='job, region')} >= 10",
            Severity.TICKET,
            '{{ printf "%.0f" $value }} codes of {{ $labels.region }} have a level that the trust list does not map',
            "These bearers are sent to a person (CHECK, LEVEL_UNMAPPED), whatever their level is.",
            ("onecode-recognition", "Unmapped levels"),
        ),
        Alert(
            "OnecodeExceptionEnds",
            f"{lowest('onecode_exceptions_end_timestamp_seconds', by='job, host')} - time() < {DAY_S}",
            Severity.TICKET,
            "An exception of {{ $labels.host }} ends within {{ $value | humanizeDuration }}",
            "From then on the host recognises the home again. A further exception must be acknowledged before.",
            # With the usual wait: a page that is read while a host's gauge is made may show 0 once.
            ("onecode-recognition", "Exceptions ending"),
        ),
    ),
)
