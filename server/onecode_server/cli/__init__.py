"""The command ``onecode``: one file a group of commands, and how they show what they found.

Commands that call a server use ``onecode_client``; those that work on a data directory use ``composition``.
"""

import os
import sys

from onecode_server import signals

if sys.argv[1:2] == ["serve"]:
    # Before the imports, which take a tenth of a second and more: a container may be told to end within it.
    signals.end_at_once()

# What gRPC's C core has to say becomes a status or an exception too; its own lines on standard error are no JSON.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# Sockets are read by the thread that Python's event loop hears from, not by gRPC's own pool, as is the default now: a
# call that does nothing costs a fifth less so. And calls that have ended and are still being cleared away are counted
# by themselves, as rpc.listener explains. An experiment may vanish: a test says when gRPC no longer knows it.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener,h2_max_deallocating_streams_headroom")
# NumPy's BLAS would start a thread for each core, in every worker; nothing here multiplies a matrix.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
