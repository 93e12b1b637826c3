"""The native front, as Python sees it: gRPC on one address, turned by the event loop of the thread that made it.

Every method is to be called on that thread. None of them waits.
"""

from array import array
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

ABI: int
"""The version of this boundary. Python refuses an extension that was built for another one."""

Status = tuple[int, str, bytes]
"""How a call fails: the gRPC code, the message, and the bytes of the trailer ``grpc-status-details-bin`` (none if
empty)."""

class Tls:
    """What a front shows and asks for in TLS 1.3, and how it looks at callers' certificates (RFC 8446, RFC 5280)."""

    def __new__(
        cls, chain: bytes, key: bytes, *, client_ca: bytes | None, crl: bytes | None, demands_certificate: bool
    ) -> Tls:
        """Make it of PEM files: the server's certificate with those between it and an authority, its private key, the
        authorities of callers, and lists of revoked certificates. Raises ValueError where they cannot be used, with a
        reason that says which file is at fault.

        Without ``client_ca`` no caller is asked for a certificate. With ``demands_certificate`` a caller without one is
        refused in the handshake. A certificate on none of the lists counts, and a list counts past its next update.
        """

class Front:
    def __new__(
        cls,
        hosts: Sequence[str],
        port: int,
        upstream: str,
        upstream_token: str,
        overloaded: Status,
        expired: Status,
        overdue: Status,
        idle: Status,
        crowded: Status,
        *,
        tls: Tls | None,
        latency_buckets_s: Sequence[float],
        shares_port: bool,
        connections_max: int,
        queue_codes_max: int,
        queue_age_s: float,
        idle_s: float,
        age_s: float,
        age_ends_s: float,
        handshake_s: float,
        keepalive_s: float,
        keepalive_timeout_s: float,
        window_bytes: int,
        calls_max: int,
        streams_max: int,
        stream_idle_s: float,
        request_s: float,
        held_bytes_max: int,
        identifies: bool,
        credentials_max: int,
    ) -> Front:
        """Listen on ``hosts``, IP addresses, on one port. Those that this machine does not have are left out, if it has
        any. Raises OSError, and ValueError for a limit that is missing or unknown.

        ``upstream`` is the path of the Unix socket of the inner listener. ``overloaded`` is said where a bound is
        reached, ``expired`` where a deadline has passed, ``overdue`` where a request did not arrive within
        ``request_s`` or its caller is unknown for so long, ``idle`` where a stream was silent for ``stream_idle_s``,
        and ``crowded`` where a caller has too many calls in flight. ``latency_buckets_s`` are the upper bounds of the
        buckets of ``Counts``, which has one more for what is above all of them.

        A connection takes no further calls (GOAWAY) after ``age_s``, a tenth more or less. ``age_ends_s`` later its
        streams of StreamVerify end as by ``drain``, and other calls that are still open are cut ``keepalive_timeout_s``
        after that.

        Calls that are passed on carry entries of metadata that no caller can set, since those that begin with
        ``x-onecode-`` are removed: ``x-onecode-token``, which is ``upstream_token`` (ASCII), ``x-onecode-peer``, the
        caller's address as gRPC writes it (``ipv4:127.0.0.1:54321`` or ``ipv6:%5B::1%5D:54321``), and
        ``x-onecode-certificate-bin``, the caller's certificate in DER, where it has shown one.

        With ``identifies`` a plain call is answered only where its credential was granted: the certificate of its
        connection together with its header ``authorization`` (1 to 8,192 bytes; a call with two is passed on). At most
        ``credentials_max`` are known. Those that were denied give way first, then the least recently used; one with
        open calls never does, and a call for whose credential there is no room is refused with ``overloaded``.
        """

    def renew_tls(self, tls: Tls) -> None:
        """Make new connections by ``tls``, and end those of callers that it would not let in, within a few turns.
        Raises ValueError for a front that was made without TLS."""

    def take_asking(self) -> list[tuple[int, bytes, bytes, bool, int]]:
        """Return credentials that nothing is known of, or no longer, as (number, certificate in DER, authorization,
        whether the caller is on this machine, units that its calls are wanting), the bytes empty where there are none:
        at most 32, those first that were granted before. ``has_work`` tells
        whether there are more. Their calls wait, at most ``request_s``, until each is granted or denied.

        A number is never given to another credential. One may be returned again before it was answered, after
        ``ask_again``: then the last answer counts.
        """

    def grant(
        self, number: int, hosts: Sequence[str] | None, seconds: float, units: int, in_flight_max: int, group: int
    ) -> None:
        """Answer calls with a credential, ``seconds`` long, for ``hosts`` or, with None, for any. Then it is asked
        about again: at once where a stream is open, which goes on meanwhile, and otherwise with the next call.

        ``units`` are added to those of ``group``, which all of its credentials share: one for each code. Where a call
        needs more than there are, the credential is asked about, and the call waits.

        Calls for another host are passed on, and messages of streams are taken as ``message``; they take no units. At
        most ``in_flight_max`` calls of all credentials of ``group`` (not negative) are in flight; more are refused with
        ``crowded``. A credential that has given way meanwhile has no calls, and nothing is done. Raises ValueError for
        a host that has not six digits, and for seconds that are negative.
        """

    def deny(self, number: int, status: Status, kind: str, seconds: float, ends_streams: bool) -> None:
        """Refuse calls with a credential by ``status`` during ``seconds``, and count each as ``kind``, which is one of
        a fixed number and nothing that a caller sent. Then it is asked about again with the next call. Open streams of
        it end with ``status`` after the answers that are due; without ``ends_streams`` they are held back as long, and
        it is asked about again then. Raises ValueError for seconds that are negative."""

    def shown(self, number: int) -> tuple[bytes, bytes, bool] | None:
        """Return what was shown with a credential, as ``take_asking`` returned it; None where it has given way, which
        one with open calls never does."""

    def in_flight(self, group: int) -> int:
        """Return how many calls of a group the front answers now."""

    def ask_again(self) -> None:
        """Let all grants and denials count no longer. Credentials with open streams are asked about at once: the
        streams go on meanwhile, and end where they are denied."""

    @property
    def port(self) -> int: ...
    def fileno(self) -> int:
        """Return the descriptor that is readable when ``turn`` has something to do, the front's timers included."""

    def turn(self, reads: bool = True) -> int:
        """Read, write, accept, and end what is overdue. Return the number of codes that ``take`` could return now (a
        batch or a message counts as 1). Without ``reads`` nothing is read or accepted, but answers are written."""

    @property
    def has_work(self) -> bool:
        """Whether ``turn`` should be called again although ``fileno`` does not say so."""

    def take(self, count_max: int) -> list[tuple[int, Kind, list[str], list[bytes]]]:
        """Return waiting work, oldest first, as (ticket, kind, host regions, codes), at most ``count_max`` codes of
        kind ``single`` and ``stream`` together. Equal hosts are one object where that is easy: it makes comparing fast.

        ``single``: codes of Verify calls, whatever their hosts: one ticket for all of them, and a host for each code.
        ``stream``: codes of StreamVerify messages, in the same manner. ``message``: one StreamVerify message that is
        not plain, or is for another host than the granted one: whole, in place of the codes; in place of hosts the
        number of its credential as text, ``"0"`` where the front does not identify.
        """

    def take_batch(self) -> tuple[int, str, int, float | None] | None:
        """Return the BatchVerify call that is next, as (ticket, host region, number of codes, seconds that its caller
        still waits, None without a deadline). Return None if no batch waits."""

    def read_batch(self, ticket: int) -> list[bytes] | None:
        """Return the codes of a batch, once: the front forgets them. None where nobody waits for the answer."""

    def take_ended(self) -> list[int]:
        """Return the tickets of batches whose caller has gone, or whose deadline has passed, since the last call.
        A ticket stays Python's until it answers, fails or forgets it."""

    def forget(self, ticket: int) -> None:
        """Give a ticket back without an answer. Where its caller still waits, the call is reset."""

    def answer(
        self, ticket: int, pieces: Sequence[bytes], which: npt.NDArray[np.int64] | array[int], tail: bytes
    ) -> None:
        """Answer codes of a ticket of kind ``single`` or ``stream``: code n with the message
        ``pieces[which[n]] + tail`` (``which``: int64[n]). On a stream the front puts the request id before it."""

    def answer_whole(self, ticket: int, message: bytes) -> None:
        """Answer a batch, or a ticket of kind ``message``, with a serialized message. Where nobody waits for it any
        more, the ticket is given back."""

    def fail(self, ticket: int, status: Status) -> None:
        """End the calls of a ticket with a failure. A stream ends after the answers to its earlier messages."""

    def counts(self) -> Counts:
        """Return what happened since the last call of this method."""

    def drain(self) -> None:
        """Accept no more connections and no more calls (GOAWAY), and end streams once their messages are answered."""

    @property
    def is_idle(self) -> bool:
        """Whether no call is open, so that a drain is over."""

    def close(self) -> None:
        """Close all connections and the listening socket."""

Kind = Literal["single", "stream", "message"]

class Counts(NamedTuple):
    """Counters since the last look. ``methods`` has, for Verify, StreamVerify and BatchVerify, (started, received,
    sent, handled by gRPC code, latencies by bucket of ``telemetry.metrics``, sum of latencies in seconds).
    ``refused`` are calls and connections by the front's own reasons, ``denied`` those of them that Python had denied,
    by kind. ``shed_codes`` counts the codes of calls that were refused once they were read."""

    methods: dict[str, tuple[int, int, int, dict[int, int], list[int], float]]
    refused: dict[str, int]
    denied: dict[str, int]
    passed_on: int
    connections: int
    queued_codes: int
    held_bytes: int
    shed_codes: int
