"""The faults of a code and of a trust list."""

from onecode.v1 import recognition_pb2 as pb


class TrustListUnusable(ValueError):
    """A trust list is not taken: the root did not sign it, it is older than one that was taken before, or its version
    cannot be kept. The list that was in use stays in use."""


class Malformed(ValueError):
    """Bytes are not what they should be. Inside of this package: ``Offline.verify`` raises none."""


class Finding(Exception):
    """Why a code is not authentic, in the words of the server: an answer, and no error of the program. Inside of this
    package."""

    def __init__(self, authenticity: pb.Authenticity.ValueType, reason: pb.Reason.ValueType) -> None:
        super().__init__(authenticity, reason)
        self.authenticity = authenticity
        self.reason = reason


def malformed(reason: pb.Reason.ValueType) -> Finding:
    """Return the finding that a code is MALFORMED."""
    return Finding(pb.AUTHENTICITY_MALFORMED, reason)


def key_not_valid(reason: pb.Reason.ValueType) -> Finding:
    """Return the finding that a known key signed the code, and may not vouch for it."""
    return Finding(pb.AUTHENTICITY_KEY_NOT_VALID, reason)


def unknown_issuer(reason: pb.Reason.ValueType) -> Finding:
    """Return the finding that no issuer of the trust list vouches for the code."""
    return Finding(pb.AUTHENTICITY_UNKNOWN_ISSUER, reason)
