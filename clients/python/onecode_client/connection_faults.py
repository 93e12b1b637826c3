"""What it means that a connection was not made, in words, for the texts that gRPC's core has for it.

The core says what its TLS has seen last. Servers end a connection that they do not want in several ways: some close it,
some send an alert, and with TLS 1.3 the client is through its handshake by then.
"""

from typing import Final, NamedTuple

_UNCONNECTED: Final = ("failed to connect to all addresses", "connections to all backends failing")
"""What pick_first and round_robin say."""
_ENDED: Final = ("Socket closed", "Connection reset by peer", "Broken pipe")
_ALERTED: Final = (*_ENDED, "Unwrap failed")


class Explanation(NamedTuple):
    """A reason for programs, and a sentence."""

    reason: str
    text: str


_WORDS: Final = {
    "WRONG_VERSION_NUMBER": Explanation(
        "SERVER_SPEAKS_PLAINTEXT", "the server does not speak TLS, and this client does"
    ),
    "Hostname Verification Check failed": Explanation(
        "SERVER_NAME_DIFFERS", "the server's certificate is not for the name or address by which it was called"
    ),
    "CERTIFICATE_VERIFY_FAILED": Explanation(
        "SERVER_NOT_TRUSTED",
        "the server's certificate is not by an authority that this client believes, or has expired",
    ),
    "NO_COMMON_SIGNATURE_ALGORITHMS": Explanation(
        "KEY_KIND_UNUSABLE", "the kind of this client's key is none that both sides know: use ECDSA P-256 or RSA"
    ),
}
_SPEAKS_TLS: Final = Explanation(
    "SERVER_SPEAKS_TLS", "the server ended the plaintext connection at once: most likely it speaks TLS, so set the CA"
)
_WANTS_CERTIFICATE: Final = Explanation(
    "CERTIFICATE_WANTED",
    "the server ended the TLS connection at once: most likely it wants a client certificate, so set one and its key",
)
_REFUSES_CERTIFICATE: Final = Explanation(
    "CERTIFICATE_REFUSED",
    "the server ended the TLS connection at once: most likely it refuses this client's certificate, which is by another"
    " authority, expired, revoked or not for clients",
)


def explain(details: str, *, speaks_tls: bool, has_certificate: bool) -> Explanation | None:
    """Return what the details of an UNAVAILABLE call mean, or None where TLS has no part in it."""
    if not any(words in details for words in _UNCONNECTED):
        return None
    if not speaks_tls:
        return _SPEAKS_TLS if any(words in details for words in _ENDED) else None
    for words, explanation in _WORDS.items():
        if words in details:
            return explanation
    if any(words in details for words in _ALERTED):
        return _REFUSES_CERTIFICATE if has_certificate else _WANTS_CERTIFICATE
    return None
