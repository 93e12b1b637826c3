"""Worlds in which the alerts of monitoring/alerts/regions.py fire, and others in which they do not.

The alerts about silence compare with the day and the week before: a day is 144 steps of ten minutes. Those about jumps
compare with the day that ended an hour ago, and with one a week before: 400 steps of five minutes are more than a day.
"""

from monitoring.model import Severity
from tests.promtool import Case

PAGE, TICKET = Severity.PAGE, Severity.TICKET
SCANS = 'onecode_scans_total{home="420000",host="440000"}'
ANY = 'onecode_verdicts_total{decision="ADMIT",authenticity="VALID"}'
BAD = 'onecode_bad_signatures_total{region="420000"}'
CLAIM = 'onecode_claim_faults_total{region="420000",claim="level"}'
UNMAPPED = 'onecode_unmapped_levels_total{region="420000"}'
ENDS = 'onecode_exceptions_end_timestamp_seconds{host="440000"}'
BUSY = {ANY: "0+100x200"}
OF_REGION = {"job": "onecode", "region": "420000"}


def silences() -> tuple[Case, ...]:
    made = []
    for alert, labels, text in (
        ("OnecodeHostSilent", {"host": "440000"}, "No code was scanned in 440000"),
        ("OnecodeHomeSilent", {"home": "420000"}, "No authentic code of 420000 was seen"),
    ):
        for what, series, at, summary in (
            (
                "none for an hour",
                BUSY | {SCANS: "0+5x144 720x30"},
                1520,
                f"{text} for an hour, but 30 lately",
            ),
            ("a small region", BUSY | {SCANS: "0+3.3x144 475.2x30"}, 1520, ""),
            ("a night as the one before", BUSY | {SCANS: "0x20 5+5x124 625x30"}, 1530, ""),
            ("one scan", BUSY | {SCANS: "0+5x144 720x4 721x26"}, 1520, ""),
            ("one scan after a restart", BUSY | {SCANS: "0+5x144 _x5 1x30"}, 1540, ""),
            ("nobody scans at all", {ANY: "0+100x144 14400x30", SCANS: "0+5x144 720x30"}, 1540, ""),
        ):
            made.append(Case(alert, TICKET, what, series, f"{at}m", summary, {"job": "onecode"} | labels, "10m"))
        made += [
            Case(
                alert,
                TICKET,
                "none for six days",
                {ANY: "0+100x2200", SCANS: "0+5x1152 5760x1000"},
                "11600m",
                f"{text} for an hour, but 30 lately",
                {"job": "onecode"} | labels,
                "10m",
                still="20240m",
            ),
            Case(
                alert, TICKET, "none for a week", {ANY: "0+100x2200", SCANS: "0+5x144 720x2000"}, "11600m", step="10m"
            ),
        ]
        unknown = SCANS.replace("420000", "unknown").replace("440000", "unknown")
        made.append(
            Case(alert, TICKET, "nobody knows which", BUSY | {unknown: "0+5x144 720x30"}, "1540m", step="10m"),
        )
    return tuple(made)


def jumps() -> tuple[Case, ...]:
    made = []
    for alert, metric, labels, text in (
        ("OnecodeBadSignatures", BAD, OF_REGION, "codes that name a key of 420000 have a bad signature"),
        (
            "OnecodeClaimFaults",
            CLAIM,
            OF_REGION | {"claim": "level"},
            "codes of 420000 are refused for their claim level",
        ),
    ):
        made += [
            Case(alert, TICKET, "twenty where there were none", {metric: "0+5x30"}, "9m", f"45 {text}", labels),
            Case(alert, TICKET, "less than twenty in a quarter of an hour", {metric: "0+1.32x50"}, "50m"),
            Case(
                alert,
                TICKET,
                "more than five times as many",
                {metric: "0+4x400 1621+21x20"},
                "2020m",
                f"63 {text}",
                labels,
                "5m",
            ),
            Case(
                alert,
                TICKET,
                "more than five times as many for six days",
                {metric: "0+4x2400 9621+21x2000"},
                "12020m",
                f"63 {text}",
                labels,
                "5m",
                still="20660m",
            ),
            Case(
                alert,
                TICKET,
                "less than five times as many",
                {metric: "0+4x400 1619.6+19.6x20"},
                "2060m",
                step="5m",
            ),
        ]
    return tuple(made)


CASES = (
    *silences(),
    *jumps(),
    Case(
        "OnecodeBadSignatures",
        TICKET,
        "at one server of two",
        {f'{BAD[:-1]},instance="a:9464"}}': "0x30", f'{BAD[:-1]},instance="b:9464"}}': "0+5x30"},
        "9m",
        "45 codes that name a key of 420000 have a bad signature",
        OF_REGION,
    ),
    Case(
        "OnecodeHostSilent",
        TICKET,
        "at one server of two",
        BUSY | {SCANS: "0+5x144 720x30", f'{SCANS[:-1]},instance="b:9464"}}': "0+5x200"},
        "1540m",
        step="10m",
    ),
    Case(
        "OnecodeRegionCodesRefused",
        TICKET,
        "fifty by their signature",
        {BAD: "0+12x40", SCANS: "0+11x40"},
        "10m",
        "Most codes of 420000 are refused: 120 in a quarter of an hour",
        OF_REGION,
    ),
    Case(
        "OnecodeRegionCodesRefused",
        TICKET,
        "all by a claim",
        {BAD: "0x40", CLAIM: "0+12x40"},
        "10m",
        "Most codes of 420000 are refused: 120 in a quarter of an hour",
        OF_REGION,
    ),
    Case("OnecodeRegionCodesRefused", TICKET, "half of them", {BAD: "0+12x40", SCANS: "0+12x40"}, "40m"),
    Case("OnecodeRegionCodesRefused", TICKET, "less than fifty", {BAD: "0+3.3x60"}, "60m"),
    Case(
        "OnecodeRegionCodesRefused",
        PAGE,
        "no authentic one, of thirty in a quarter of an hour on the day before",
        {SCANS: "0+10x288 2880x40", BAD: "0x288 20+20x40"},
        "1460m",
        "All codes of 420000 are refused: 60 in a quarter of an hour",
        OF_REGION,
        "5m",
    ),
    Case(
        "OnecodeRegionCodesRefused",
        PAGE,
        "many are forged beside authentic ones",
        {SCANS: "0+10x330", BAD: "0x288 5000+5000x40"},
        "1600m",
        step="5m",
    ),
    Case(
        "OnecodeRegionCodesRefused",
        PAGE,
        "many are forged of a region that nobody comes from",
        {SCANS: "0+1x288 288x40", BAD: "0x288 5000+5000x40"},
        "1600m",
        step="5m",
    ),
    Case(
        "OnecodeLevelsUnmapped",
        TICKET,
        "ten in an hour",
        {UNMAPPED: "0+1x60"},
        "15m",
        "15 codes of 420000 have a level that the trust list does not map",
        OF_REGION,
    ),
    Case("OnecodeLevelsUnmapped", TICKET, "less than ten in an hour", {UNMAPPED: "0+0.165x90"}, "90m"),
    Case(
        "OnecodeExceptionEnds",
        TICKET,
        "a day is left at ten minutes",
        {ENDS: "87000x30"},
        "16m",
        "An exception of 440000 ends within 23h 54m 0s",
        {"job": "onecode", "host": "440000"},
    ),
    Case("OnecodeExceptionEnds", TICKET, "the gauge was just made", {ENDS: "0 Inf+0x30"}, "5m"),
    Case("OnecodeExceptionEnds", TICKET, "two days are left", {ENDS: "172800x30"}, "30m"),
    Case("OnecodeExceptionEnds", TICKET, "there is none", {ENDS: "Inf+0x30"}, "30m"),
)
