"""The command ``publish``: status records of a file, one JSON object a line."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from onecode.v1 import status_pb2 as pb
from onecode_client.operating import status_record
from onecode_client.outbox import Outbox
from onecode_client.partner.answers import print_lines
from onecode_client.partner.faults import Unusable
from onecode_client.partner.lines import STANDARD_INPUT, read_lines
from onecode_client.partner.options import Options
from onecode_client.partner.session import Session
from onecode_client.publishing import WINDOW_RECORDS, numbered_requests

RECORD_BYTES_MAX: Final = 64 * 1024
"""A record whose subject is the longest code takes a tenth of it."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def publish(session: Session, options: Options) -> int:
    """Publish a file of records, and print which were rejected. A file is read to its end first, so that a mistake in
    it publishes nothing; of standard input and pipes, the records before a mistake are published."""
    if options.operand != STANDARD_INPUT and Path(options.operand).is_file():
        for _ in _records(options.operand):
            pass
    outbox = Outbox(numbered_requests(_records(options.operand)), WINDOW_RECORDS)
    counts: Counter[str] = Counter()
    taken = 0
    try:
        for answer in session.publish(outbox):
            lines = []
            for one in answer.rejections:
                reason = _name(one.reason)
                counts[reason] += 1
                lines.append(f"{one.sequence}\tREJECTED\t{reason}")
            taken += outbox.acknowledge(answer.durable_through) - len(lines)
            print_lines(lines)
    finally:  # also where it has failed on the way: what was taken stays
        superseded, conflicts = counts["SUPERSEDED"], counts["REVISION_CONFLICT"]
        rejected = counts.total() - superseded - conflicts
        print_lines([f"taken {taken}, superseded {superseded}, conflict {conflicts}, rejected {rejected}"])
    return 0


def _records(name: str) -> Iterator[tuple[int, pb.StatusRecord]]:
    """Return the record of each line that is not blank, of a file that is opened now. Raises Unusable."""
    return _read(read_lines(name, RECORD_BYTES_MAX), name)


def _read(lines: Iterator[tuple[int, bytes]], name: str) -> Iterator[tuple[int, pb.StatusRecord]]:
    for number, line in lines:
        text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if not text.strip():
            continue
        try:
            members = json.loads(text.decode())
            if not isinstance(members, dict):
                raise ValueError("not an object")
            yield number, status_record(members)
        except (ValueError, RecursionError) as fault:
            shown = "standard input" if name == STANDARD_INPUT else name
            raise Unusable(f"{shown}, line {number}: not a StatusRecord ({fault})") from None


def _name(reason: pb.RejectionReason.ValueType) -> str:
    try:
        return pb.RejectionReason.Name(reason).removeprefix("REJECTION_REASON_")
    except ValueError:  # a server that is newer than these stubs
        return str(reason)
