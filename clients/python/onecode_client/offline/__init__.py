"""Verification without a server. It needs PyNaCl: ``pip install "onecode-client[offline]"``.

``Offline`` holds a trust list that the national root key signed, and tells of a code whether it is authentic, its home
and what it claims. It never admits: whether a bearer may pass depends on records that only servers have.
"""

try:
    import nacl as _nacl  # noqa: F401 - asked for here, so that its absence has one clear line
except ImportError:
    raise ImportError('verification without a server needs PyNaCl: pip install "onecode-client[offline]"') from None

from onecode_client.offline.faults import TrustListUnusable
from onecode_client.offline.verifier import Offline, OfflineVerdict

__all__ = ["Offline", "OfflineVerdict", "TrustListUnusable"]
