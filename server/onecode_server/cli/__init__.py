"""The command ``onecode``: one file for each group of commands, and the output that they share.

Commands that call a server use ``onecode_client``; those that work on a data directory use ``composition``.
"""

import os
import sys

from onecode_server.system import signals

if sys.argv[1:2] == ["serve"]:
    # Called before the imports, which take a tenth of a second and more: a container may be asked to end within that
    # time.
    signals.end_at_once()

# Messages of gRPC's C core become a status or an exception too; its own lines on standard error are no JSON.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# Sockets are read by the polling thread of Python's event loop, not by gRPC's own pool, which is the default now: so a
# call that does nothing costs a fifth less. And ended calls that are still being cleared away are counted separately,
# as rpc.listener explains. gRPC may drop an experiment: a test fails when it no longer knows one of these.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener,h2_max_deallocating_streams_headroom")
# NumPy's BLAS would start a thread for each core, in every worker; no code here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
