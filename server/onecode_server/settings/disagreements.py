"""Settings that do not go with each other: one line for each, before anything starts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onecode_server.settings.config import Settings


def disagreements(settings: "Settings") -> Iterator[str]:
    """Yield a line for each setting that does not go with another one."""
    if settings.listen.is_unix:
        yield from _with_unix(settings)
    yield from _with_native_front(settings)
    yield from _about_the_log(settings)
    if (settings.tls_cert is None) != (settings.tls_key is None):
        yield "--tls-cert and --tls-key belong together: give both"
    for name in ("tls_client_ca", "tls_crl", "metrics_tls"):
        if getattr(settings, name) and not settings.serves_tls:
            yield f"--{name.replace('_', '-')} needs --tls-cert and --tls-key"
    if settings.tls_crl and not settings.tls_client_ca:
        yield "--tls-crl needs --tls-client-ca, whose certificates it revokes"
    if not settings.insecure_plaintext:
        if not settings.listen.is_loopback and not settings.serves_tls:
            yield f"--listen {settings.listen}: others reach it, which needs --tls-cert and --tls-key"
        if not settings.metrics.is_loopback and not settings.metrics_tls:
            yield f"--metrics {settings.metrics}: others reach it, which needs --metrics-tls true"
    if settings.serves_tls and not settings.tls_client_ca and not settings.token_keys:
        yield "--tls-cert without --tls-client-ca or --token-keys: no caller could have an identity"


def _with_unix(settings: "Settings") -> Iterator[str]:
    if settings.workers > 1:
        yield f"--workers {settings.workers}: a Unix socket has one"
    if settings.log is not None:
        yield "--log: a machine that shares a log has several processes, and a Unix socket has one"
    if settings.serves_tls:
        yield "--tls-cert: who reaches a Unix socket is decided by its directory, and callers there speak plaintext"


def _with_native_front(settings: "Settings") -> Iterator[str]:
    if settings.front != "native":
        return
    if settings.listen.is_unix:
        yield "--front native: a Unix socket is grpc.aio's alone"
    if settings.otel_endpoint:
        yield "--front native: calls are traced by grpc.aio alone, and --otel-endpoint asks for it"


def _about_the_log(settings: "Settings") -> Iterator[str]:
    files = {name: getattr(settings, name) for name in ("log_ca", "log_cert", "log_key")}
    if settings.log is None:
        for name in (name for name, file in files.items() if file):
            yield f"--{name.replace('_', '-')} needs --log"
    elif any(files.values()) and not all(files.values()):
        yield "--log-ca, --log-cert and --log-key belong together: give all three"
    elif not any(files.values()) and not settings.log.is_loopback and not settings.insecure_plaintext:
        yield f"--log {settings.log}: others could read it, which needs --log-ca, --log-cert and --log-key"
