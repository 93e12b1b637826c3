"""The server against what a user would write first, in answers a second of server CPU: ``python -m benchmarks``."""
