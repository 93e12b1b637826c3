"""The four commands. Each prints what was answered before it raises what ended it."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode_client.errors import ServerError
from onecode_client.outbox import Outbox
from onecode_client.partner.answers import print_lines, translation_line, verdict_line
from onecode_client.partner.faults import Unusable
from onecode_client.partner.lines import STANDARD_INPUT, batches, read_lines
from onecode_client.partner.options import Options
from onecode_client.partner.session import Session

WINDOW_CODES: Final = 1024
"""Codes that are sent but not answered: a server takes 256 to a batch and reads 512 ahead."""


def verify(session: Session, options: Options) -> int:
    """Check a file of codes in batches."""
    number = 1
    for batch in batches(read_lines(options.operand)):
        verdicts = session.batch_verify(batch, options.region)
        if len(verdicts) != len(batch):
            raise ServerError("INTERNAL", f"{len(verdicts)} verdicts came for {len(batch)} codes")
        numbered = enumerate(verdicts, number)
        print_lines([verdict_line(at, verdict, as_json=options.as_json) for at, verdict in numbered])
        number += len(batch)
    return 0


def scan(session: Session, options: Options) -> int:
    """Check a file of codes over one stream. Answers that come before their turn wait for it."""
    outbox = Outbox(_scans(read_lines(options.operand), options.region), WINDOW_CODES)
    following, early = 1, dict[int, pb.Verdict]()
    for answer in session.stream_verify(outbox):
        if following <= answer.request_id < following + WINDOW_CODES:  # an earlier one was sent again, and is printed
            early[answer.request_id] = answer.verdict
        lines = []
        while following in early:
            lines.append(verdict_line(following, early.pop(following), as_json=options.as_json))
            following += 1
        if lines:
            print_lines(lines)
            outbox.acknowledge(following - 1)
    return 0


def translate(session: Session, options: Options) -> int:
    """Translate one code. Where the verdict does not allow it, the verdict is printed, and the status is 1: a script
    that keeps the output as a code must not go on with it."""
    answer = session.translate(_one_code(options.operand), options.region)
    print_lines([translation_line(answer, as_json=options.as_json)])
    return 0 if answer.code else 1


def _scans(codes: Iterator[tuple[int, bytes]], host: str) -> Iterator[tuple[int, pb.StreamVerifyRequest]]:
    for number, code in codes:
        yield number, pb.StreamVerifyRequest(request_id=number, code=code, host_region=host)


def _one_code(operand: str) -> bytes:
    if operand != STANDARD_INPUT:
        return os.fsencode(operand)
    lines = list(islice(read_lines(STANDARD_INPUT), 2))
    if len(lines) > 1:
        raise Unusable("standard input has more than one line, and translate takes one code")
    return lines[0][1] if lines else b""
