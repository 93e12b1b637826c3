"""Why a caller has no identity: a closed set of reasons, each with one text, which helps the owner of the credential.

The texts quote nothing that a caller has sent, and are of a fixed number: they may be logged, and answers that carry
them may be kept.
"""

from enum import Enum

from onecode_server.errors import Unauthenticated


class Refusal(Enum):
    """The reasons. The name is ``ErrorInfo.reason`` of the answer and the label of
    ``onecode_unauthenticated_calls_total``, the value is the text."""

    IDENTITY_MISSING = "the call has neither a client certificate nor a bearer token"
    CERTIFICATES_NOT_ACCEPTED = "this server has no client authorities, and accepts no client certificates"
    CERTIFICATE_UNREADABLE = "the client certificate, or its chain, cannot be read as X.509 certificates"
    CERTIFICATE_WITHOUT_URI = (
        "the client certificate has no URI in its subject alternative names: it needs one, a SPIFFE id"
    )
    CERTIFICATE_WITH_MANY_URIS = (
        "the client certificate has several URIs in its subject alternative names: it must have one, a SPIFFE id"
    )
    CERTIFICATE_USAGE = (
        "the client certificate must be no authority's, and its usages must include clientAuth and "
        "digitalSignature where it has any"
    )
    CERTIFICATE_KEY = "the client certificate's key is none of P-256, P-384, Ed25519 and RSA with 2,048 to 8,192 bits"
    CERTIFICATE_NOT_YET_VALID = "the client certificate is not valid yet"
    CERTIFICATE_EXPIRED = "the client certificate has expired"
    CERTIFICATE_REVOKED = "the client certificate is revoked"
    CERTIFICATE_AUTHORITY_REVOKED = "an authority in the chain of the client certificate is revoked"
    CERTIFICATE_AUTHORITY_UNKNOWN = (
        "the client certificate does not lead, by the chain that was shown, to an authority that this server accepts"
    )
    SPIFFE_ID_MALFORMED = (
        "the identity is no SPIFFE id in canonical form: spiffe://TRUST-DOMAIN/PATH, in lower-case letters, "
        "digits, dots, dashes and underscores, without percent-encoding"
    )
    SPIFFE_ID_TRUST_DOMAIN = "the identity is of another trust domain than this server's"
    SPIFFE_ID_UNKNOWN = (
        "the path of the SPIFFE id is none of region/SIX-DIGITS/scanner, region/SIX-DIGITS/operator, "
        "national/operator, partner/NAME, ops and gateway/NAME"
    )
    REGION_UNKNOWN = "the region of the identity is not in the trust list in force"
    AUTHORIZATION_SCHEME = "the authorization is not one bearer token: 'Bearer ' and a JWT"
    AUTHORIZATION_REPEATED = "the call has several authorization headers"
    TOKENS_NOT_ACCEPTED = "this server has no token keys, and accepts no bearer tokens"
    TOKEN_TOO_LONG = "the token is longer than 8,192 bytes"
    TOKEN_MALFORMED = (
        "the token is no JWT: three parts in base64url without padding, of which two are JSON objects that "
        "name each member once"
    )
    TOKEN_TYPE = "the token's header has a typ other than JWT and JOSE"
    TOKEN_CRITICAL_HEADER = "the token's header has crit: this server knows no extension"
    TOKEN_ALGORITHM = "the token's alg is not that of the key that it names: EdDSA, ES256 or RS256"
    TOKEN_KEY_ID_MISSING = "the token's header has no kid"
    TOKEN_KEY_UNKNOWN = "the token's kid is that of no key of this server"
    TOKEN_SIGNATURE = "the token's signature is not valid"
    TOKEN_AUDIENCE = "the token's aud does not name this service"
    TOKEN_EXPIRY_MISSING = "the token has no exp, or one that is no time"
    TOKEN_EXPIRY_TOO_FAR = "the token's exp is more than 24 hours ahead"
    TOKEN_EXPIRED = "the token has expired"
    TOKEN_NOT_YET_VALID = "the token's nbf is in the future, or no time"
    TOKEN_ISSUED_IN_FUTURE = "the token's iat is in the future, or no time"
    TOKEN_SUBJECT = "the token has no sub, or one that is no text"
    TOKEN_OF_ANOTHER = (
        "the token's identity is not that of the client certificate, and only a gateway carries the tokens of others"
    )


def refused(why: Refusal) -> Unauthenticated:
    """Return the error that says so."""
    return Unauthenticated(why.name, why.value)
