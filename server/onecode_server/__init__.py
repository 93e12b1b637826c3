"""The onecode server: verifies and translates health codes between regions.

Imports point down only: ``cli`` -> ``workers`` -> ``app`` -> ``composition`` -> ``rpc | settings`` ->
``publication | translation`` -> ``verification`` -> ``status`` -> ``recognition`` -> ``trust`` -> ``codes`` ->
``stores | crypto | rules`` -> ``telemetry | system`` -> ``model`` -> ``errors``. ARCHITECTURE.md describes the
packages and where to add code.
"""
