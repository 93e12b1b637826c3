"""Base45, base64url, CBOR and JSON with bounds; for many codes at once also in columns and in C."""
