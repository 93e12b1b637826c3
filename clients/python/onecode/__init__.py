"""The wire contract of onecode, generated from protos/."""
