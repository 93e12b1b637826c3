"""Why a caller has no identity: a closed set of reasons, each with one text, which helps the owner of the credential.

The texts quote nothing that a caller has sent, and are of a fixed number: they may be logged, and answers that carry
them may be kept.
"""

from enum import StrEnum
from typing import Final

from onecode_server.errors import Unauthenticated


class Refusal(StrEnum):
    """The reasons: ``ErrorInfo.reason`` of the answer, and the label of ``onecode_unauthenticated_calls_total``."""

    IDENTITY_MISSING = "IDENTITY_MISSING"
    CERTIFICATE_UNREADABLE = "CERTIFICATE_UNREADABLE"
    CERTIFICATE_WITHOUT_URI = "CERTIFICATE_WITHOUT_URI"
    CERTIFICATE_WITH_MANY_URIS = "CERTIFICATE_WITH_MANY_URIS"
    CERTIFICATE_USAGE = "CERTIFICATE_USAGE"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    SPIFFE_ID_MALFORMED = "SPIFFE_ID_MALFORMED"
    SPIFFE_ID_TRUST_DOMAIN = "SPIFFE_ID_TRUST_DOMAIN"
    SPIFFE_ID_UNKNOWN = "SPIFFE_ID_UNKNOWN"
    REGION_UNKNOWN = "REGION_UNKNOWN"
    AUTHORIZATION_SCHEME = "AUTHORIZATION_SCHEME"
    TOKENS_NOT_ACCEPTED = "TOKENS_NOT_ACCEPTED"
    TOKEN_TOO_LONG = "TOKEN_TOO_LONG"
    TOKEN_MALFORMED = "TOKEN_MALFORMED"
    TOKEN_TYPE = "TOKEN_TYPE"
    TOKEN_CRITICAL_HEADER = "TOKEN_CRITICAL_HEADER"
    TOKEN_ALGORITHM = "TOKEN_ALGORITHM"
    TOKEN_KEY_ID_MISSING = "TOKEN_KEY_ID_MISSING"
    TOKEN_KEY_UNKNOWN = "TOKEN_KEY_UNKNOWN"
    TOKEN_SIGNATURE = "TOKEN_SIGNATURE"
    TOKEN_AUDIENCE = "TOKEN_AUDIENCE"
    TOKEN_EXPIRY_MISSING = "TOKEN_EXPIRY_MISSING"
    TOKEN_EXPIRY_TOO_FAR = "TOKEN_EXPIRY_TOO_FAR"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TOKEN_NOT_YET_VALID = "TOKEN_NOT_YET_VALID"
    TOKEN_ISSUED_IN_FUTURE = "TOKEN_ISSUED_IN_FUTURE"
    TOKEN_SUBJECT = "TOKEN_SUBJECT"
    TOKEN_OF_ANOTHER = "TOKEN_OF_ANOTHER"


_TEXTS: Final = {
    Refusal.IDENTITY_MISSING: "the call has neither a client certificate nor a bearer token",
    Refusal.CERTIFICATE_UNREADABLE: "the client certificate cannot be read as an X.509 certificate",
    Refusal.CERTIFICATE_WITHOUT_URI: "the client certificate has no URI in its subject alternative names: "
    "it needs one, a SPIFFE id",
    Refusal.CERTIFICATE_WITH_MANY_URIS: "the client certificate has several URIs in its subject alternative names: "
    "it must have one, a SPIFFE id",
    Refusal.CERTIFICATE_USAGE: "the client certificate must be no authority's, and its usages must include "
    "clientAuth and digitalSignature where it has any",
    Refusal.CERTIFICATE_NOT_YET_VALID: "the client certificate is not valid yet",
    Refusal.CERTIFICATE_EXPIRED: "the client certificate has expired",
    Refusal.CERTIFICATE_REVOKED: "the client certificate is revoked",
    Refusal.SPIFFE_ID_MALFORMED: "the identity is no SPIFFE id in canonical form: spiffe://TRUST-DOMAIN/PATH, in "
    "lower-case letters, digits, dots, dashes and underscores, without percent-encoding",
    Refusal.SPIFFE_ID_TRUST_DOMAIN: "the identity is of another trust domain than this server's",
    Refusal.SPIFFE_ID_UNKNOWN: "the path of the SPIFFE id is none of region/SIX-DIGITS/scanner, "
    "region/SIX-DIGITS/operator, national/operator, partner/NAME, ops and gateway/NAME",
    Refusal.REGION_UNKNOWN: "the region of the identity is not in the trust list in force",
    Refusal.AUTHORIZATION_SCHEME: "the authorization is not one bearer token: 'Bearer ' and a JWT",
    Refusal.TOKENS_NOT_ACCEPTED: "this server has no token keys, and accepts no bearer tokens",
    Refusal.TOKEN_TOO_LONG: "the token is longer than 8,192 bytes",
    Refusal.TOKEN_MALFORMED: "the token is no JWT: three parts in base64url without padding, of which two are JSON "
    "objects that name each member once",
    Refusal.TOKEN_TYPE: "the token's header has a typ other than JWT and JOSE",
    Refusal.TOKEN_CRITICAL_HEADER: "the token's header has crit: this server knows no extension",
    Refusal.TOKEN_ALGORITHM: "the token's alg is not that of the key that it names: EdDSA, ES256 or RS256",
    Refusal.TOKEN_KEY_ID_MISSING: "the token's header has no kid",
    Refusal.TOKEN_KEY_UNKNOWN: "the token's kid is that of no key of this server",
    Refusal.TOKEN_SIGNATURE: "the token's signature is not valid",
    Refusal.TOKEN_AUDIENCE: "the token's aud does not name this service",
    Refusal.TOKEN_EXPIRY_MISSING: "the token has no exp, or one that is no time",
    Refusal.TOKEN_EXPIRY_TOO_FAR: "the token's exp is more than 24 hours ahead",
    Refusal.TOKEN_EXPIRED: "the token has expired",
    Refusal.TOKEN_NOT_YET_VALID: "the token's nbf is in the future, or no time",
    Refusal.TOKEN_ISSUED_IN_FUTURE: "the token's iat is in the future, or no time",
    Refusal.TOKEN_SUBJECT: "the token has no sub, or one that is no text",
    Refusal.TOKEN_OF_ANOTHER: "the token's identity is not that of the client certificate, and only a gateway carries "
    "the tokens of others",
}


def refused(why: Refusal) -> Unauthenticated:
    """Return the error that says so."""
    return Unauthenticated(why.value, _TEXTS[why])
