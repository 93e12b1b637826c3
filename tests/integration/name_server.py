"""A name server for one name, whose addresses a test changes (RFC 1035)."""

import socket
import struct
import threading
from typing import Final, Self

_A: Final = 1
_IN: Final = 1
_HEADER: Final = struct.Struct(">6H")
_ANSWER_OF_OURS: Final = 0x8580
"""A response with authority (QR, AA) that repeats what the resolver asks for (RD), and offers it (RA)."""
_NAME_OF_THE_QUESTION: Final = b"\xc0\x0c"
"""A pointer to the name behind the header (section 4.1.4)."""


class NameServer:
    """Answers every question for addresses of IPv4 with ``addresses``, and any other one with none, over UDP."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))  # an empty datagram ends it
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            asked, resolver = self._socket.recvfrom(512)
            if not asked:
                return
            self._socket.sendto(self._answer(asked), resolver)

    def _answer(self, asked: bytes) -> bytes:
        number, _, questions, *_ = _HEADER.unpack_from(asked)
        end = asked.index(b"\0", _HEADER.size) + 5  # the name, its type and its class
        question = asked[_HEADER.size : end]
        kind, _ = struct.unpack(">2H", question[-4:])
        found = self.addresses if kind == _A else []
        records = [
            _NAME_OF_THE_QUESTION + struct.pack(">HHIH", _A, _IN, 0, 4) + socket.inet_aton(address) for address in found
        ]
        return _HEADER.pack(number, _ANSWER_OF_OURS, questions, len(records), 0, 0) + question + b"".join(records)
