"""The names of the formats."""

from onecode_server.codes.jwt.codec import FORMAT as JWT
from onecode_server.codes.national.codec import FORMAT as NATIONAL
from onecode_server.codes.paseto.codec import FORMAT as PASETO
from onecode_server.model.trust_list import OPAQUE

__all__ = ["JWT", "NATIONAL", "OPAQUE", "PASETO"]
