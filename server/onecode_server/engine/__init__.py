"""The work itself: checking, translating, and keeping the trust list and the status cache fresh.

``verifier`` is the main path. The engine knows nothing of gRPC; it is given its store, clock, backend and metrics.
"""
