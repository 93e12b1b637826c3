"""Metrics of calls and of those who make them."""

import math
from typing import Final

from onecode_server.telemetry.families import Families

RPC_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class CallMetrics(Families):
    """Calls, the bounds on them, the front that answers, and callers' identities."""

    def __init__(self) -> None:
        super().__init__()
        self._grpc()
        self._bounds()
        self._identities()

    def _grpc(self) -> None:
        method = ("grpc_type", "grpc_service", "grpc_method")
        self.rpc_started = self._counter("grpc_server_started_total", "RPCs started on the server", method)
        self.rpc_handled = self._counter(
            "grpc_server_handled_total", "RPCs completed on the server, by status code", (*method, "grpc_code")
        )
        self.rpc_received = self._counter(
            "grpc_server_msg_received_total", "Messages received from clients on the server", method
        )
        self.rpc_sent = self._counter("grpc_server_msg_sent_total", "Messages sent to clients by the server", method)
        self.rpc_seconds = self._histogram(
            "grpc_server_handling_seconds", "Time until an RPC was completed by the server", RPC_BUCKETS_S, method
        )

    def _bounds(self) -> None:
        self.refused_calls = self._counter(
            "onecode_refused_calls_total",
            "Calls that were refused, or ended before they were done, to bound what callers hold, by reason",
            ("reason",),
        )
        self.limited_calls = self._counter(
            "onecode_limited_calls_total",
            "Calls that were refused since their caller had too many in flight (calls), or asked too fast (rate)",
            ("role", "limit"),
        )
        self.front_info = self._gauge(
            "onecode_front_info",
            "1 for the front that answers, native or grpc; a reason says why it is not the native one",
            "livesum",
            ("front", "reason"),
        )
        self.passed_on = self._counter(
            "onecode_passed_on_calls_total", "Calls that the native front passed on to the listener behind it"
        )
        self.answer_bytes = self._gauge(
            "onecode_held_answer_bytes", "Bytes of large answers that their callers have not taken yet", "livesum"
        )

    def _identities(self) -> None:
        self.unauthenticated = self._counter(
            "onecode_unauthenticated_calls_total", "Calls whose callers have no identity, by reason", ("reason",)
        )
        self.refused_pages = self._counter(
            "onecode_refused_pages_total",
            "Requests for metrics and health that were refused, by reason: no identity, no right, no trust list yet",
            ("reason",),
        )
        refused, fault, file = "onecode_identity_files_refused_total", "onecode_identity_files_fault", ("file",)
        self.identity_files_refused = self._counter(refused, "Files of TLS and of token keys that were refused", file)
        self.identity_files_fault = self._gauge(fault, "1 while such a file cannot be taken", "livemax", file)
        expiry, text = "onecode_tls_certificate_expiry_seconds", "Time until the server's certificate expires, or +Inf"
        self.tls_expiry = self._gauge(expiry, text, "mostrecent")
        self.tls_expiry.set(math.inf)  # without a certificate: 0 would be one that expires now
        lifetime, text = (
            "onecode_tls_certificate_lifetime_seconds",
            "From the certificate's beginning to its end, or +Inf",
        )
        self.tls_lifetime = self._gauge(lifetime, text, "mostrecent")
        self.tls_lifetime.set(math.inf)
