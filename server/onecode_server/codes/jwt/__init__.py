"""JWT codes (RFC 7519) with EdDSA."""
