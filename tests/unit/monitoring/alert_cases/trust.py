"""Worlds in which the alerts of monitoring/alerts/trust.py fire, and others in which they do not."""

from monitoring.model import Severity
from tests.promtool import Case

PAGE, TICKET = Severity.PAGE, Severity.TICKET
UNREAD, FAULT = "onecode_trust_list_unread_seconds", "onecode_trust_list_fault"
NEXT_UPDATE = "onecode_trust_list_next_update_timestamp_seconds"
VERSION_A, VERSION_B = (f'onecode_trust_list_version{{instance="{name}:9464"}}' for name in "ab")

CASES = (
    Case(
        "OnecodeTrustListUnread",
        PAGE,
        "for more than half a minute",
        {UNREAD: "0x4 10 70 130x10"},
        "7m",
        "a:9464 has not read the trust list for 2m 10s",
    ),
    Case("OnecodeTrustListUnread", PAGE, "for half a minute", {UNREAD: "0x4 30x20"}, "20m"),
    Case("OnecodeTrustListUnread", PAGE, "once, and read again", {UNREAD: "0 31 0x20"}, "2m"),
    Case(
        "OnecodeTrustListFault",
        PAGE,
        "is refused",
        {FAULT: "1x20", UNREAD: "0x20"},
        "5m",
        "a:9464 has refused the trust list's file",
    ),
    Case("OnecodeTrustListFault", PAGE, "is taken", {FAULT: "0x20", UNREAD: "0x20"}, "20m"),
    Case("OnecodeTrustListFault", PAGE, "is not read at all", {FAULT: "1x20", UNREAD: "40+60x20"}, "20m"),
    Case(
        "OnecodeTrustListExpires",
        PAGE,
        "a day is left at ten minutes",
        {NEXT_UPDATE: "87000x30"},
        "16m",
        "The trust list of a:9464 is to be replaced within 23h 54m 0s",
    ),
    Case("OnecodeTrustListExpires", PAGE, "two days are left", {NEXT_UPDATE: "172800x30"}, "30m"),
    Case("OnecodeTrustListExpires", PAGE, "there is no list yet", {NEXT_UPDATE: "0x30"}, "30m"),
    Case("OnecodeTrustListExpires", PAGE, "it is past", {NEXT_UPDATE: "1x30"}, "30m"),
    Case(
        "OnecodeTrustListExpired",
        PAGE,
        "past at ten minutes",
        {NEXT_UPDATE: "600x30"},
        "11m",
        "The trust list of a:9464 should have been replaced",
    ),
    Case("OnecodeTrustListExpired", PAGE, "an hour is left", {NEXT_UPDATE: "5400x30"}, "30m"),
    Case("OnecodeTrustListExpired", PAGE, "there is no list yet", {NEXT_UPDATE: "0x30"}, "30m"),
    Case(
        "OnecodeTrustListExpires",
        TICKET,
        "a week is left at ten minutes",
        {NEXT_UPDATE: "605400x30"},
        "16m",
        "The trust list of a:9464 is to be replaced within 6d 23h 54m 0s",
    ),
    Case(
        "OnecodeTrustListExpires",
        TICKET,
        "a day and two hours are left",
        {NEXT_UPDATE: "93600x30"},
        "5m",
        "The trust list of a:9464 is to be replaced within 1d 1h 55m 0s",
    ),
    Case("OnecodeTrustListExpires", TICKET, "a day is left, which is a page", {NEXT_UPDATE: "87000x30"}, "30m"),
    Case("OnecodeTrustListExpires", TICKET, "eight days are left", {NEXT_UPDATE: "691200x30"}, "30m"),
    Case("OnecodeTrustListExpires", TICKET, "less than a day is left", {NEXT_UPDATE: "80000x30"}, "30m"),
    Case(
        "OnecodeTrustListEntriesSkipped",
        TICKET,
        "one entry",
        {"onecode_trust_list_skipped_entries": "1x20"},
        "5m",
        "Entries of the trust list that a:9464 skips: 1",
    ),
    Case("OnecodeTrustListEntriesSkipped", TICKET, "none", {"onecode_trust_list_skipped_entries": "0x20"}, "20m"),
    Case(
        "OnecodeTrustListVersionsDiffer",
        TICKET,
        "one server has the older list",
        {VERSION_A: "7x30", VERSION_B: "6x30"},
        "15m",
        "Servers of onecode have trust lists whose versions differ by 1",
        {"job": "onecode"},
    ),
    Case("OnecodeTrustListVersionsDiffer", TICKET, "both have one list", {VERSION_A: "7x30", VERSION_B: "7x30"}, "30m"),
    Case(
        "OnecodeTrustListVersionsDiffer",
        TICKET,
        "the new list comes to the other server later",
        {VERSION_A: "7x30", VERSION_B: "6x13 7x20"},
        "30m",
    ),
)
