"""Identities of callers: read from client certificates and bearer tokens, checked against watched files."""
