"""``python -m onecode_client`` is ``onecode-partner``."""

import sys

from onecode_client.partner.command import program

sys.exit(program())
