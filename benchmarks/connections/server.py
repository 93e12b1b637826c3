"""``onecode serve`` without its own bound on connections: the limit on descriptors alone is left.

A connection that is held here makes no call that is passed on, so that it takes one descriptor and not three. The
arguments and everything else are those of ``onecode serve``.
"""

from onecode_server.cli.main import main
from onecode_server.rpc import native_listener
from onecode_server.system import descriptors

CONNECTIONS_MAX = 1_000_000

if __name__ == "__main__":
    descriptors.CONNECTIONS_MAX = CONNECTIONS_MAX  # type: ignore[misc]
    native_listener.DESCRIPTORS_EACH = 1  # type: ignore[misc]
    main()
