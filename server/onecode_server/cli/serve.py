"""``onecode serve``: the server."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from onecode_server.cli.options import PathType
from onecode_server.crypto import BACKENDS
from onecode_server.settings import logs
from onecode_server.settings.config import FRONTS, LOG_LEVELS, LOOPBACK_ROLES, Settings
from onecode_server.system import descriptors
from onecode_server.workers.supervisor import supervise

_F = TypeVar("_F", bound=Callable[..., Any])


def _setting(name: str, text: str) -> Callable[[_F], _F]:
    # All values are passed to Settings as text, so that flags, environment and file are checked in one place, all at
    # once.
    return click.option(f"--{name}", help=text)


@click.command()
@click.option(
    "--config",
    envvar="ONECODE_CONFIG",
    type=PathType(),
    metavar="FILE",
    help="TOML: each setting by its flag's name, with _ for -, such as drain_s = 10.",
)
@_setting("data-dir", "Made by 'onecode init'. Required.")
@_setting("listen", "IP:PORT for gRPC, or unix:/PATH; port 0 lets the system choose. Default: 127.0.0.1:50051.")
@_setting("metrics", "IP:PORT for /metrics, /healthz and /readyz. Default: 127.0.0.1:9464.")
@_setting("tls-cert", "PEM file with the server's certificate and its chain. Where others reach it, TLS is needed.")
@_setting("tls-key", "PEM file with its private key, readable by its owner alone.")
@_setting("tls-client-ca", "PEM file with the authorities whose certificates callers show.")
@_setting("tls-crl", "PEM file with their revocation lists.")
@_setting("metrics-tls", "true or false: TLS for the metrics page too. Default: false.")
@_setting("trust-domain", "The trust domain of callers' SPIFFE ids. Default: onecode.internal.")
@_setting("token-keys", "JWK set with the keys of callers' tokens (JWT-SVID).")
@_setting("token-audience", "The audience that tokens must name. Default: onecode.")
@_setting(
    "loopback-role",
    f"One of {', '.join(LOOPBACK_ROLES)}: what callers of this machine may do without an identity. "
    "Default: auto, which is all where nobody else reaches the server, and none otherwise.",
)
@_setting("insecure-plaintext", "true or false: serve others without TLS, who may then check and translate only.")
@_setting("health-without-identity", "true or false: tell anybody whether the server serves. Default: false.")
@_setting(
    "limits",
    "Codes, records and other calls a second, and calls in flight, of each caller by its role, such as "
    "partner=20000/1024,ops=100/64; in each worker.",
)
@_setting("gateway-keys", "Directory of gateway keys, or a PKCS#11 URI (RFC 7512). Default: keys/ in --data-dir.")
@_setting("log", "kafka://HOST:PORT,HOST:PORT: the log that several machines share. Default: none, and one machine.")
@_setting("log-ca", "PEM file with the authorities of the log's brokers.")
@_setting("log-cert", "PEM file with the certificate that this machine shows them.")
@_setting("log-key", "PEM file with its private key, readable by its owner alone.")
@_setting("log-topic-prefix", "What the names of the log's topics begin with. Default: onecode.")
@_setting("workers", "Processes that share the port, 1 to 64. Default: one for each core that it may use.")
@_setting("signature-backend", f"One of {', '.join(BACKENDS)}. Default: auto.")
@_setting("front", f"One of {', '.join(FRONTS)}. Default: auto.")
@_setting("shadow-one-in", "PyNaCl checks one of so many signatures too. Default: 10000.")
@_setting("skew-s", "Seconds by which clocks may disagree. Default: 60.")
@_setting("trust-list-grace-s", "Seconds past its next update for which a list still admits. Default: 86400.")
@_setting(
    "trust-list-unread-max-s", "Seconds for which a list still admits whose file cannot be read any more. Default: 30."
)
@_setting("drain-s", "Seconds that running calls get to end. Default: 10.")
@_setting(
    "connection-age-s",
    "Seconds, a tenth more or less, after which a connection takes no further calls, so that its caller opens another "
    "one, to a new server too. Default: 3600.",
)
@_setting("queue-codes-max", "Codes that may wait or be checked at once. Default: 16384.")
@_setting("cache-entries-max", "Subjects in the status cache. Default: 100000.")
@_setting("otel-endpoint", "http://HOST:PORT of an OpenTelemetry collector (OTLP), to which calls are traced.")
@_setting("reflection", "true or false: list the API to callers (gRPC reflection). Default: false.")
@_setting("log-level", f"One of {', '.join(LOG_LEVELS)}. Default: info.")
def serve(config: Path | None, **flags: str | None) -> None:
    """Serve checks and translations until SIGTERM.

    Each flag is an environment variable too: ONECODE_ and the flag in capitals, such as ONECODE_DATA_DIR. A flag counts
    before a variable, a variable before the file.
    """
    settings = Settings.read(flags, os.environ, config)
    logs.configure(settings.log_level)
    descriptors.raise_limit()  # workers inherit it
    if settings.is_supervised:
        asyncio.run(supervise(settings, click.echo))
        return
    # A supervisor needs neither: without them it starts its workers in half the time.
    import uvloop  # noqa: PLC0415

    from onecode_server import app  # noqa: PLC0415

    uvloop.run(app.serve(settings, click.echo))
