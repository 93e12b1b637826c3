"""``onecode top``: what servers do now, read from their metrics pages."""

from onecode_server.cli.top.command import top

__all__ = ["top"]
