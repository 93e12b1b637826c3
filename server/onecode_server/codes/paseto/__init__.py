"""PASETO v4.public codes."""
