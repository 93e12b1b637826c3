"""The demonstration behind ``make demo``: a real server, a real store, real codes, and every kind of answer."""

import os

# gRPC writes a line for each connection that a server refuses, which is what some callers of the demonstration are for.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
